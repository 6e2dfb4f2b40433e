#pragma once
#include "replay/call.h"
#include "replay/runtime.h"

/*
 * The calls that most of a recording is made of: reads, writes and looks at open files. An operation is plain when it is one of them,
 * waits for nobody, and is expected to do all that is asked for. They are inline: where the kernel clears the processor's memory of
 * returns (against speculation), a function's return after a system call is mispredicted, and that was 50 ns and more a call.
 */

static inline bool is_plain_call(uint8_t op)
{
	switch (op) {
	case TRACE_OP_READ: case TRACE_OP_PREAD64: case TRACE_OP_WRITE: case TRACE_OP_PWRITE64: case TRACE_OP_FSYNC: case TRACE_OP_FDATASYNC:
	case TRACE_OP_FSTAT:
		return true;
	}
	return false;
}

static inline bool is_plain(const struct plan_op *op)
{
	return !op->edges && !op->bits && op->expect == PLAN_EXPECT_FULL && is_plain_call(op->op);
}

static inline int64_t plain_result(const struct plan_op *op)
{
	return op->op == TRACE_OP_FSTAT || op->op == TRACE_OP_FSYNC || op->op == TRACE_OP_FDATASYNC ? 0 : (int64_t)op->length;
}

/* op is one of these calls, plain or not. */
static inline __attribute__((always_inline)) int64_t plain_call(struct lane *l, const struct plan_op *op, uint64_t offset, uint64_t length)
{
	int fd = op->handle == PLAN_NONE ? -1 : atomic_load_explicit(&l->run->slot[op->handle], memory_order_relaxed);

	switch (op->op) {
	case TRACE_OP_READ: return CALL3(SYS_read, fd, l->buffer, length);
	case TRACE_OP_PREAD64: return CALL4(SYS_pread64, fd, l->buffer, length, offset);
	case TRACE_OP_WRITE: return CALL3(SYS_write, fd, lane_bytes(l, offset, length), length);
	case TRACE_OP_PWRITE64: return CALL4(SYS_pwrite64, fd, lane_bytes(l, offset, length), length, offset);
	case TRACE_OP_FSYNC: return CALL1(SYS_fsync, fd);
	case TRACE_OP_FDATASYNC: return CALL1(SYS_fdatasync, fd);
	default: return CALL2(SYS_fstat, fd, l->buffer);
	}
}
