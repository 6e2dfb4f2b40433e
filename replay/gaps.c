#include "replay/gaps.h"

#include "lib/json.h"
#include "trace/trace.h"

enum { GAP_MOST_NS = 100000 }; /* beyond: not a recorder's work */

static uint64_t sane(const json_t *from, const char *key, uint64_t otherwise)
{
	double ns = json_number(from, key, 0);

	return ns > 0 && ns < GAP_MOST_NS ? (uint64_t)ns : otherwise;
}

void gaps_read(uint64_t gap_ns[GAP_KINDS], const json_t *trailer)
{
	const json_t *more = json_object_get(trailer, "call_gaps_ns");

	gap_ns[GAP_DESCRIPTOR] = sane(trailer, "call_gap_ns", 0);
	gap_ns[GAP_PATH] = sane(more, "path", gap_ns[GAP_DESCRIPTOR]);
	gap_ns[GAP_STAT] = sane(more, "stat", gap_ns[GAP_PATH]);
	gap_ns[GAP_PATHS] = sane(more, "paths", gap_ns[GAP_PATH]);
	gap_ns[GAP_OPEN] = sane(more, "open", gap_ns[GAP_PATH]);
}

enum gap_kind gap_kind_of(uint8_t op)
{
	uint32_t fields = trace_ops[op].fields;

	switch (op) {
	case TRACE_OP_STAT: case TRACE_OP_LSTAT: case TRACE_OP_NEWFSTATAT: case TRACE_OP_STATX: return GAP_STAT;
	}
	if (fields & TRACE_F_PATH && fields & TRACE_F_PATH2)
		return GAP_PATHS;
	return fields & (TRACE_F_PATH | TRACE_F_PATH2) ? GAP_PATH : GAP_DESCRIPTOR;
}
