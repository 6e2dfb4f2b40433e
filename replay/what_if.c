/* Reads, writes and syncs by another access method than the recorded one. */
#include "replay/what_if.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "replay/call.h"
#include "replay/ops.h"
#include "replay/uring.h"

#ifndef STATX_DIOALIGN
#define STATX_DIOALIGN 0x2000U
#endif

enum companion_state { COMPANION_NONE, COMPANION_BUSY, COMPANION_READY, COMPANION_IMPOSSIBLE };
enum { ALIGN_UNKNOWN = 4096 };
#define WINDOW_LEAST (1ULL << 32)
#define WINDOW_MOST (1ULL << 42)

static _Thread_local sigjmp_buf fault_return;
static _Thread_local volatile bool fault_expected;

/* ---- which operations ------------------------------------------------------------------------------------------------------ */

static bool is_data(const struct plan_op *op)
{
	return replay_ops[op->op].method == METHOD_DATA;
}

static bool is_sync(const struct plan_op *op)
{
	return replay_ops[op->op].method == METHOD_SYNC;
}

/* Those that move the file's position. */
static bool is_sequential(const struct plan_op *op)
{
	return op->op == TRACE_OP_READ || op->op == TRACE_OP_READV || op->op == TRACE_OP_WRITE || op->op == TRACE_OP_WRITEV;
}

static bool changes_sizes(const struct plan_op *op)
{
	uint8_t class = trace_ops[op->op].class;

	return class == TRACE_CLASS_TRUNCATE || class == TRACE_CLASS_ALLOCATE || class == TRACE_CLASS_OPEN;
}

static struct plan_args spread(const struct lane *l, const struct plan_op *op)
{
	return op->bits & PLAN_WIDE ? *l->args : (struct plan_args){.offset = op->offset, .length = op->length};
}

static int64_t as_traced(struct lane *l, const struct plan_op *op)
{
	l->methods.as_traced[trace_ops[op->op].class]++;
	return execute(l, op);
}

/* ---- companions ------------------------------------------------------------------------------------------------------------ */

/* The lane's descriptor opened once more, whatever its name is by now. */
static int open_again(const struct lane *l, int fd, int flags)
{
	char name[64];

	snprintf(name, sizeof(name), "thread-self/fd/%d", fd);
	return openat(l->run->proc_fd, name, flags | O_CLOEXEC);
}

static uint32_t alignment(int fd)
{
	struct {
		struct statx s;
		char room[256]; /* of newer kernels */
	} got = {0};
	uint32_t memory = 0, offset = 0;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &got.s) || !(got.s.stx_mask & STATX_DIOALIGN))
		return ALIGN_UNKNOWN;
	/* stx_dio_mem_align and stx_dio_offset_align, Linux 6.1 */
	memcpy(&memory, (char *)&got.s + 0x98, sizeof(memory));
	memcpy(&offset, (char *)&got.s + 0x9c, sizeof(offset));
	return offset > memory ? offset : memory;
}

static bool map_file(struct companion *c, int fd, uint64_t size, bool writes)
{
	uint64_t bytes = WINDOW_LEAST;

	while (bytes < 4 * size && bytes < WINDOW_MOST)
		bytes *= 2;
	c->address = mmap(NULL, bytes, PROT_READ | (writes ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	c->bytes = bytes;
	return c->address != MAP_FAILED;
}

static bool make(struct lane *l, struct companion *c, int fd)
{
	int flags = fcntl(fd, F_GETFL), mode = flags & O_ACCMODE, again;
	struct stat st;
	bool ok;

	/* An append goes where the file ends at that moment: no method but the recorded one does that. */
	if (flags < 0 || flags & (O_APPEND | O_PATH) || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return false;
	if (l->run->direct) {
		c->direct_fd = flags & O_DIRECT ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : open_again(l, fd, mode | O_DIRECT);
		c->align = c->direct_fd < 0 ? 0 : alignment(c->direct_fd);
		return c->direct_fd >= 0;
	}
	again = mode == O_WRONLY ? open_again(l, fd, O_RDWR) : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	ok = again >= 0 && map_file(c, again, (uint64_t)st.st_size, mode != O_RDONLY);
	atomic_store(&c->size_when, l->run->truncations);
	atomic_store(&c->size, (uint64_t)st.st_size);
	/* Not by the library's close: ThreadSanitizer sees that, but not the calls that give the number to another lane, and takes it for a race. */
	if (again >= 0)
		CALL1(SYS_close, again);
	return ok;
}

/* NULL: this file cannot be accessed that way. */
static struct companion *companion(struct lane *l, uint32_t slot, int fd)
{
	struct companion *c = slot == PLAN_NONE ? NULL : &l->run->companion[slot];
	int state = c ? atomic_load_explicit(&c->state, memory_order_acquire) : COMPANION_IMPOSSIBLE;

	if (state == COMPANION_NONE && atomic_compare_exchange_strong(&c->state, &state, COMPANION_BUSY)) {
		state = make(l, c, fd) ? COMPANION_READY : COMPANION_IMPOSSIBLE;
		atomic_store_explicit(&c->state, state, memory_order_release);
	}
	/* Another lane is making it: this operation goes without. */
	return state == COMPANION_READY ? c : NULL;
}

void what_if_forget(struct lane *l, uint32_t slot)
{
	struct companion *c = slot == PLAN_NONE ? NULL : &l->run->companion[slot];

	if (c && atomic_load(&c->state) == COMPANION_READY) {
		if (c->address)
			munmap(c->address, c->bytes);
		if (c->direct_fd >= 0 && l->run->direct)
			CALL1(SYS_close, c->direct_fd);
	}
	if (c)
		atomic_store(&c->state, COMPANION_NONE);
}

/* ---- mapped memory --------------------------------------------------------------------------------------------------------- */

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)info;
	(void)context;
	if (fault_expected)
		siglongjmp(fault_return, 1);
	signal(number, SIG_DFL);
	raise(number);
}

void what_if_catch_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGBUS, &action, NULL);
}

/*
 * Lanes that are recorded to have read and written the same bytes at once do so here: that race is the workload's. ThreadSanitizer, which looks for
 * ours, does not see what an instruction of its own copies.
 */
static void copy_bytes(char *to, const char *from, uint64_t n)
{
#if defined(__SANITIZE_THREAD__) && defined(__x86_64__)
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
#else
	memcpy(to, from, n);
#endif
}

static bool copy(char *to, const char *from, uint64_t n)
{
	if (sigsetjmp(fault_return, 0)) {
		fault_expected = false;
		return false;
	}
	fault_expected = true;
	copy_bytes(to, from, n);
	fault_expected = false;
	return true;
}

static uint64_t file_size(struct lane *l, struct companion *c, int fd, uint64_t end)
{
	uint32_t when = atomic_load_explicit(&l->run->truncations, memory_order_acquire);
	struct stat st;

	if (atomic_load_explicit(&c->size_when, memory_order_relaxed) == when && end <= atomic_load_explicit(&c->size, memory_order_relaxed))
		return atomic_load_explicit(&c->size, memory_order_relaxed);
	if (CALL2(SYS_fstat, fd, &st))
		return 0;
	atomic_store_explicit(&c->size, (uint64_t)st.st_size, memory_order_relaxed);
	atomic_store_explicit(&c->size_when, when, memory_order_relaxed);
	return (uint64_t)st.st_size;
}

static int64_t mapped_read(struct lane *l, struct companion *c, int fd, uint64_t offset, uint64_t length)
{
	uint64_t size = file_size(l, c, fd, offset + length), n = offset >= size ? 0 : size - offset < length ? size - offset : length;

	return copy(l->buffer, c->address + offset, n) ? (int64_t)n : -EIO;
}

/* A byte written at the new end makes the file longer, and never shorter than others made it meanwhile. */
static int64_t mapped_write(struct lane *l, struct companion *c, int fd, uint64_t offset, uint64_t length)
{
	const char *from = lane_bytes(l, offset, length);
	uint64_t end = offset + length;

	if (length && end > file_size(l, c, fd, end)) {
		int64_t result = CALL4(SYS_pwrite64, fd, from + length - 1, 1, end - 1);

		if (result != 1)
			return result < 0 ? result : -EIO;
	}
	return copy(c->address + offset, from, length) ? (int64_t)length : -EIO;
}

static int64_t by_mapping(struct lane *l, const struct plan_op *op, struct companion *c, const struct plan_args *a, int fd)
{
	bool writes = trace_ops[op->op].class == TRACE_CLASS_WRITE;

	l->methods.mapped++;
	return writes ? mapped_write(l, c, fd, a->offset, a->length) : mapped_read(l, c, fd, a->offset, a->length);
}

/* ---- O_DIRECT -------------------------------------------------------------------------------------------------------------- */

static bool aligned(const struct companion *c, const struct plan_args *a)
{
	return c->align && !((a->offset | a->length) % c->align) && a->length;
}

/* A read that is not aligned reads what is around it, too. */
static int64_t rounded_read(struct lane *l, const struct companion *c, const struct plan_args *a)
{
	uint64_t skew = a->offset % c->align, length = (a->length + skew + c->align - 1) / c->align * c->align;
	int64_t got = CALL4(SYS_pread64, c->direct_fd, l->buffer, length, a->offset - skew);

	l->methods.rounded++;
	if (got < 0)
		return got;
	got = got > (int64_t)skew ? got - (int64_t)skew : 0;
	return got > (int64_t)a->length ? (int64_t)a->length : got;
}

static int64_t directly(struct lane *l, const struct plan_op *op, const struct companion *c, const struct plan_args *a)
{
	bool writes = trace_ops[op->op].class == TRACE_CLASS_WRITE;
	struct iovec all = {.iov_base = writes ? (char *)lane_bytes(l, a->offset, a->length) : l->buffer, .iov_len = a->length};

	l->methods.direct++;
	if (!aligned(c, a))
		return rounded_read(l, c, a);
	if (op->op == TRACE_OP_PREADV2 || op->op == TRACE_OP_PWRITEV2)
		return CALL6(writes ? SYS_pwritev2 : SYS_preadv2, c->direct_fd, &all, 1, a->offset, 0, a->flags);
	return CALL4(writes ? SYS_pwrite64 : SYS_pread64, c->direct_fd, all.iov_base, a->length, a->offset);
}

int what_if_direct(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	int fd = lane_descriptor(l, op->handle);
	const struct companion *c = !is_data(op) || is_sequential(op) || fd < 0 || a->arg > 1 || a->offset > INT64_MAX ? NULL : companion(l, op->handle, fd);

	if (c && aligned(c, a)) {
		l->methods.direct++;
		return c->direct_fd;
	}
	if (is_data(op))
		l->methods.as_traced[trace_ops[op->op].class]++;
	return fd;
}

/* ---- data by a companion --------------------------------------------------------------------------------------------------- */

static bool fits(const struct lane *l, const struct plan_op *op, const struct companion *c, const struct plan_args *a)
{
	if (a->offset > INT64_MAX || a->length > INT32_MAX)
		return false;
	if (l->run->direct)
		return a->length && (aligned(c, a) || trace_ops[op->op].class == TRACE_CLASS_READ);
	return a->offset + a->length <= c->bytes && !a->flags;
}

static int64_t by_companion(struct lane *l, const struct plan_op *op)
{
	int fd = lane_descriptor(l, op->handle);
	struct plan_args a = spread(l, op);
	struct companion *c = NULL;
	int64_t result;

	/* Calls that are to fail do so by themselves. */
	if (fd >= 0 && (op->expect >= PLAN_EXPECT_VALUE || op->expect == PLAN_EXPECT_FULL))
		c = companion(l, op->handle, fd);
	if (c && is_sequential(op))
		a.offset = (uint64_t)CALL3(SYS_lseek, fd, 0, SEEK_CUR);
	/* preadv2 and pwritev2 at -1: the position, as well. */
	if (!c || !fits(l, op, c, &a))
		return as_traced(l, op);
	result = l->run->direct ? directly(l, op, c, &a) : by_mapping(l, op, c, &a, fd);
	if (result > 0 && is_sequential(op))
		CALL3(SYS_lseek, fd, a.offset + (uint64_t)result, SEEK_SET);
	return result;
}

static int64_t sync_mapping(struct lane *l, const struct plan_op *op)
{
	int fd = lane_descriptor(l, op->handle);
	struct companion *c = fd < 0 ? NULL : companion(l, op->handle, fd);
	uint64_t size = c ? file_size(l, c, fd, UINT64_MAX) : 0;

	if (!c || !size || size > c->bytes)
		return as_traced(l, op);
	l->methods.mapped++;
	return CALL3(SYS_msync, c->address, (size + 4095) & ~4095ULL, MS_SYNC);
}

/* ---- a ring for each thread ------------------------------------------------------------------------------------------------ */

static int64_t by_ring(struct lane *l, const struct plan_op *op)
{
	struct plan_args a = spread(l, op);
	struct io_uring_sqe *e = io_uring_get_sqe(l->uring);
	struct io_uring_cqe *cqe;
	int fd = l->run->direct ? what_if_direct(l, op, &a) : lane_descriptor(l, op->handle);
	int64_t result;
	int rc;

	uring_prepare(e, l, op, &a, l->iov, l->buffer, fd);
	while ((rc = io_uring_submit_and_wait(l->uring, 1)) < 0 && (rc == -EINTR || rc == -EAGAIN || rc == -EBUSY))
		;
	while ((rc = io_uring_wait_cqe(l->uring, &cqe)) == -EINTR)
		;
	if (rc)
		return rc;
	result = cqe->res;
	io_uring_cqe_seen(l->uring, cqe);
	l->methods.uring++;
	return result;
}

void what_if_open(struct lane *l)
{
	sigset_t faults;

	/* A blocked signal that a fault raises ends the program. */
	sigemptyset(&faults);
	sigaddset(&faults, SIGBUS);
	if (l->run->engine == ENGINE_MMAP)
		pthread_sigmask(SIG_UNBLOCK, &faults, NULL);
	if (l->run->engine != ENGINE_URING || l->ring)
		return;
	l->uring = calloc(1, sizeof(*l->uring));
	if (l->uring && (l->methods.refused = -io_uring_queue_init(4, l->uring, 0))) {
		free(l->uring);
		l->uring = NULL;
	}
}

void methods_add(struct methods *to, const struct methods *from)
{
	to->mapped += from->mapped;
	to->uring += from->uring;
	to->direct += from->direct;
	to->rounded += from->rounded;
	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		to->as_traced[i] += from->as_traced[i];
	if (from->refused)
		to->refused = from->refused;
}

void what_if_close(struct lane *l)
{
	if (l->run->what_if) {
		pthread_mutex_lock(&l->run->totals->lock);
		methods_add(&l->run->methods, &l->methods);
		pthread_mutex_unlock(&l->run->totals->lock);
	}
	if (l->uring)
		io_uring_queue_exit(l->uring);
	free(l->uring);
	l->uring = NULL;
}

/* ---- the switch ------------------------------------------------------------------------------------------------------------ */

int64_t what_if_execute(struct lane *l, const struct plan_op *op)
{
	int64_t result;

	if (is_data(op) || is_sync(op)) {
		/* A write that is aligned for O_DIRECT and sequential keeps its position by hand: not through a ring. */
		if (l->uring && !(l->run->direct && is_sequential(op)))
			return by_ring(l, op);
		if (is_data(op) && (l->run->direct || l->run->engine == ENGINE_MMAP))
			return by_companion(l, op);
		if (l->run->engine == ENGINE_MMAP)
			return sync_mapping(l, op);
		if (l->run->engine == ENGINE_URING)
			return as_traced(l, op);
	}
	if (op->op == TRACE_OP_CLOSE)
		what_if_forget(l, op->handle);
	result = execute(l, op);
	if (changes_sizes(op))
		atomic_fetch_add_explicit(&l->run->truncations, 1, memory_order_release);
	return result;
}
