#include <string.h>

#include "trace/trace.h"

const struct trace_op_info trace_ops[TRACE_OP_MAX] = {
#define X(code, id, op_name, op_class, op_fields) [code] = {op_name, TRACE_CLASS_##op_class, op_fields},
	TRACE_OPS(X)
#undef X
};

const char *const trace_class_names[TRACE_CLASS_COUNT] = {
#define X(id, name) [TRACE_CLASS_##id] = name,
	TRACE_CLASSES(X)
#undef X
};

enum trace_op trace_op_by_name(const char *name)
{
	for (int op = 1; op < TRACE_OP_MAX; op++)
		if (trace_ops[op].name && !strcmp(trace_ops[op].name, name))
			return (enum trace_op)op;
	return 0;
}
