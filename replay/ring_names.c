/*
 * Requests to an io_uring that are no reads, writes or syncs: opens, names, sizes, advice, attributes. Each goes to the kernel with the arguments of
 * the call that replays it otherwise (replay/execute.c), and so is as confined: opens by openat2 in the root, paths in the root directory of the lane's
 * thread, which is the replay's. The kernel's workers have that directory, too; ring_names_confined asks.
 */
#include "replay/ring_names.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "replay/call.h"
#include "replay/ops.h"

#define OP_FTRUNCATE 55 /* IORING_OP_FTRUNCATE, Linux 6.9 */

static const char *text(const struct ring *r, uint32_t path)
{
	return plan_text(r->lane->run->plan, path);
}

/* Access control lists are made up for each call. */
static int attribute_request(const struct ring *r, const struct plan_args *a, int request)
{
	return text(r, a->path2)[0] == 'u' ? request : -1;
}

static int path_request(const struct ring *r, const struct plan_op *op, const struct plan_args *a)
{
	switch (op->op) {
	case TRACE_OP_STATX: return IORING_OP_STATX;
	case TRACE_OP_UNLINK: case TRACE_OP_UNLINKAT: case TRACE_OP_RMDIR: return IORING_OP_UNLINKAT;
	case TRACE_OP_RENAME: case TRACE_OP_RENAMEAT: case TRACE_OP_RENAMEAT2: return IORING_OP_RENAMEAT;
	case TRACE_OP_MKDIR: case TRACE_OP_MKDIRAT: return IORING_OP_MKDIRAT;
	case TRACE_OP_SYMLINK: case TRACE_OP_SYMLINKAT: return IORING_OP_SYMLINKAT;
	case TRACE_OP_LINK: case TRACE_OP_LINKAT: return op->bits & PLAN_BY_SLOT ? -1 : IORING_OP_LINKAT;
	case TRACE_OP_SETXATTR: return op->bits & PLAN_BY_SLOT ? -1 : attribute_request(r, a, IORING_OP_SETXATTR);
	case TRACE_OP_GETXATTR: return op->bits & PLAN_BY_SLOT ? -1 : IORING_OP_GETXATTR;
	default: return -1;
	}
}

/* The ring has 32 bits for lengths. */
static int short_request(const struct plan_args *a, int request)
{
	return a->length <= UINT32_MAX ? request : -1;
}

int ring_names_request(const struct ring *r, const struct plan_op *op, const struct plan_args *a)
{
	switch (op->op) {
	case TRACE_OP_OPEN: case TRACE_OP_OPENAT: case TRACE_OP_OPENAT2: case TRACE_OP_CREAT: return IORING_OP_OPENAT2;
	case TRACE_OP_CLOSE: return IORING_OP_CLOSE;
	case TRACE_OP_FALLOCATE: return IORING_OP_FALLOCATE;
	case TRACE_OP_FTRUNCATE: return OP_FTRUNCATE;
	case TRACE_OP_FADVISE64: return short_request(a, IORING_OP_FADVISE);
	case TRACE_OP_SYNC_FILE_RANGE: return short_request(a, IORING_OP_SYNC_FILE_RANGE);
	case TRACE_OP_FSETXATTR: return attribute_request(r, a, IORING_OP_FSETXATTR);
	case TRACE_OP_FGETXATTR: return IORING_OP_FGETXATTR;
	default: return path_request(r, op, a);
	}
}

static void prepare_path(struct io_uring_sqe *e, struct ring *r, const struct ring_request *q)
{
	const struct plan_args *a = q->args;
	bool by_slot = q->op->bits & PLAN_BY_SLOT;
	const char *path = by_slot ? "" : text(r, q->op->handle), *path2 = text(r, a->path2);
	int flags = (int)a->flags;

	switch (path_request(r, q->op, a)) {
	case IORING_OP_STATX:
		io_uring_prep_statx(e, by_slot ? lane_descriptor(r->lane, q->op->handle) : AT_FDCWD, path, by_slot ? flags | AT_EMPTY_PATH : flags,
				    (unsigned)a->arg & 0x7fff, (struct statx *)q->buffer);
		break;
	case IORING_OP_RENAMEAT: io_uring_prep_renameat(e, AT_FDCWD, path, AT_FDCWD, path2, q->op->op == TRACE_OP_RENAMEAT2 ? (unsigned)flags : 0); break;
	case IORING_OP_MKDIRAT: io_uring_prep_mkdirat(e, AT_FDCWD, path, a->mode); break;
	case IORING_OP_SYMLINKAT: io_uring_prep_symlinkat(e, path2, AT_FDCWD, path); break;
	case IORING_OP_LINKAT: io_uring_prep_linkat(e, AT_FDCWD, path, AT_FDCWD, path2, flags); break;
	case IORING_OP_SETXATTR: io_uring_prep_setxattr(e, path2, r->lane->run->pool, text(r, a->path), flags, (unsigned)a->length); break;
	case IORING_OP_GETXATTR: io_uring_prep_getxattr(e, path2, q->buffer, text(r, a->path), (unsigned)a->length); break;
	default: io_uring_prep_unlinkat(e, AT_FDCWD, path, flags);
	}
}

void ring_names_prepare(struct io_uring_sqe *e, struct ring *r, const struct ring_request *q, struct open_how *how)
{
	const struct plan_args *a = q->args;
	int fd = lane_descriptor(r->lane, q->op->handle);
	const char *name = text(r, a->path2);

	switch (ring_names_request(r, q->op, a)) {
	case IORING_OP_OPENAT2:
		*how = lane_open_how(r->lane, a);
		io_uring_prep_openat2(e, r->lane->run->root_fd, text(r, a->path), how);
		break;
	case IORING_OP_CLOSE: io_uring_prep_close(e, fd); break;
	case IORING_OP_FALLOCATE: io_uring_prep_fallocate(e, fd, (int)a->flags, (off_t)a->offset, (off_t)a->length); break;
	case OP_FTRUNCATE: io_uring_prep_rw(OP_FTRUNCATE, e, fd, NULL, 0, a->length); break;
	case IORING_OP_FADVISE: io_uring_prep_fadvise(e, fd, a->offset, (off_t)a->length, (int)a->arg); break;
	case IORING_OP_SYNC_FILE_RANGE: io_uring_prep_sync_file_range(e, fd, (unsigned)a->length, a->offset, (int)a->flags); break;
	case IORING_OP_FSETXATTR: io_uring_prep_fsetxattr(e, fd, name, r->lane->run->pool, (int)a->flags, (unsigned)a->length); break;
	case IORING_OP_FGETXATTR: io_uring_prep_fgetxattr(e, fd, name, q->buffer, (unsigned)a->length); break;
	default: prepare_path(e, r, q);
	}
}

int64_t ring_names_complete(struct ring *r, const struct ring_request *q, int64_t result)
{
	switch (ring_names_request(r, q->op, q->args)) {
	case IORING_OP_OPENAT2:
		/* A rename anywhere on the machine: see open_slot. */
		if (result == -EAGAIN) {
			r->lane->args = q->args;
			return execute(r->lane, q->op);
		}
		if (result >= 0)
			lane_opened(r->lane, q->op->handle, q->args, (int)result);
		return result;
	case IORING_OP_CLOSE:
		if (result != -ECANCELED && q->op->handle != PLAN_NONE)
			atomic_store_explicit(&r->lane->run->slot[q->op->handle], -1, memory_order_relaxed);
		return result;
	default: return result;
	}
}

bool ring_names_confined(struct ring *r, struct io_uring *ring)
{
	struct statx seen = {0}, root;
	struct io_uring_sqe *e = io_uring_get_sqe(ring);
	struct io_uring_cqe *cqe;
	int result;

	if (!e || statx(r->lane->run->root_fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &root))
		return false;
	io_uring_prep_statx(e, AT_FDCWD, "/", 0, STATX_BASIC_STATS, &seen);
	io_uring_sqe_set_flags(e, IOSQE_ASYNC);
	if (io_uring_submit_and_wait(ring, 1) != 1 || io_uring_wait_cqe(ring, &cqe))
		return false;
	result = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return !result && seen.stx_ino == root.stx_ino && seen.stx_dev_major == root.stx_dev_major && seen.stx_dev_minor == root.stx_dev_minor;
}
