#include "trace/format.h"

#include <stddef.h>

const struct trace_member trace_members[] = {
#define X(number, id, kind, record, member, how, what) \
	{number, TRACE_##kind, offsetof(struct record, member), sizeof(((struct record *)0)->member), TRACE_##how, TRACE_##what},
	TRACE_MEMBERS(X)
#undef X
	{0},
};

const struct trace_member *trace_members_of(enum trace_record_type type)
{
	const struct trace_member *m = trace_members;

	while (m->column && m->type != type)
		m++;
	return m;
}

const char *trace_column_name(unsigned column)
{
	switch (column) {
#define X(number, id) \
	case number: return #id;
		TRACE_EVENT_COLUMNS(X)
#undef X
#define X(number, id, type, record, member, coding, check) \
	case number: return #id;
		TRACE_MEMBERS(X)
#undef X
	case TRACE_COL_INDEX: return "INDEX";
	case TRACE_COL_TRAILER: return "TRAILER";
	default: return NULL;
	}
}
