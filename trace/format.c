#include "trace/format.h"

#include <stddef.h>

const struct trace_member trace_members[] = {
#define X(number, id, kind, record, member, how, what) \
	{number, TRACE_##kind, offsetof(struct record, member), sizeof(((struct record *)0)->member), TRACE_##how, TRACE_##what},
	TRACE_MEMBERS(X)
#undef X
	{0},
};

/* Where each member stands in the table. */
enum {
#define X(number, id, type, record, member, coding, check) AT_##id,
	TRACE_MEMBERS(X)
#undef X
		AT_END
};

const struct trace_member *trace_members_of(enum trace_record_type type)
{
	static const uint8_t first[TRACE_RECORD_TYPES] = {
		[TRACE_END] = AT_END,
		[TRACE_FILE] = AT_FILE_PATH,
		[TRACE_THREAD] = AT_THREAD_TID,
		[TRACE_FD] = AT_FD_PID,
		[TRACE_EVENT] = AT_END,
		[TRACE_WAKE] = AT_WAKE_AT,
		[TRACE_RESIDENCY] = AT_RESIDENCY_FILE,
		[TRACE_LOSS] = AT_LOSS_COUNT,
		[TRACE_CONTENT] = AT_CONTENT_FILE,
		[TRACE_HOLE] = AT_HOLE_FILE,
	};

	return &trace_members[first[type]];
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
