#include "replay/uring.h"

void uring_prepare(struct io_uring_sqe *e, struct lane *l, const struct plan_op *op, const struct plan_args *a, struct iovec *iov, char *buffer,
		   int fd)
{
	bool writes = trace_ops[op->op].class == TRACE_CLASS_WRITE;
	bool sequential = op->op == TRACE_OP_READ || op->op == TRACE_OP_READV || op->op == TRACE_OP_WRITE || op->op == TRACE_OP_WRITEV;
	uint64_t offset = sequential ? UINT64_MAX : a->offset; /* where the descriptor stands */
	char *base = writes ? (char *)lane_bytes(l, a->offset, a->length) : buffer;

	switch (op->op) {
	case TRACE_OP_FSYNC: io_uring_prep_fsync(e, fd, 0); return;
	case TRACE_OP_FDATASYNC: io_uring_prep_fsync(e, fd, IORING_FSYNC_DATASYNC); return;
	case TRACE_OP_READV: case TRACE_OP_PREADV: case TRACE_OP_PREADV2:
		io_uring_prep_readv2(e, fd, iov, (unsigned)lane_vector(iov, a, base), offset, (int)a->flags);
		return;
	case TRACE_OP_WRITEV: case TRACE_OP_PWRITEV: case TRACE_OP_PWRITEV2:
		io_uring_prep_writev2(e, fd, iov, (unsigned)lane_vector(iov, a, base), offset, (int)a->flags);
		return;
	}
	if (writes)
		io_uring_prep_write(e, fd, base, (unsigned)a->length, offset);
	else
		io_uring_prep_read(e, fd, base, (unsigned)a->length, offset);
	e->rw_flags = (int)a->flags;
}
