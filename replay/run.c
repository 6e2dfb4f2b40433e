#include "replay/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/clock.h"
#include "replay/call.h"
#include "replay/pool.h"
#include "replay/ring.h"
#include "replay/tick.h"
#include "replay/what_if.h"

enum { STACK_BYTES = 256 * 1024, BUFFER_LEAST = 64 * 1024, ROUNDING_BYTES = 16 * 1024, IOV_BYTES = 1024 * 16, REHEARSED = 1 << 16, ROUNDS = 5, POOL_LEAST = 1 << 20 };
#define REHEARSAL_NS 100000000ULL /* no further lanes and rounds after that: many short lanes take longer than their operations */
#define POPULATE_MOST (1ULL << 20)

/* 0: nothing is written. */
static uint64_t longest_write(const struct plan *p)
{
	uint64_t longest = 0;

	for (uint32_t i = 0; i < p->lanes; i++)
		if (p->lane[i].longest_write > longest)
			longest = p->lane[i].longest_write;
	return longest;
}

/* Bytes to write, when there is anything to write. */
static int make_pool(struct runtime *run, bool fills)
{
	uint64_t longest = longest_write(run->plan);

	if (!longest && !fills)
		return 0;
	run->pool = pool_make((longest < POOL_LEAST ? POOL_LEAST : longest) + POOL_LEAST, &run->pool_bytes);
	return run->pool ? 0 : -errno;
}

static void *zeroed(size_t n, size_t bytes, size_t alignment)
{
	void *p = NULL;
	size_t size = (n * bytes + alignment - 1) / alignment * alignment + alignment;

	if (posix_memalign(&p, alignment, size))
		return NULL;
	return memset(p, 0, size);
}

int run_init(struct runtime *run, const struct plan *plan, const struct run_options *options, struct totals *totals, int root_fd)
{
	int rc;

	*run = (struct runtime){.plan = plan, .timing = options->timing, .speed = options->speed, .engine = options->engine, .direct = options->direct,
				.what_if = options->direct || options->engine == ENGINE_URING || options->engine == ENGINE_MMAP, .proc_fd = -1,
				.temporal = options->temporal, .totals = totals, .root_fd = root_fd};
	if (run->what_if)
		run->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	run->null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	rc = make_pool(run, options->fills);
	if (rc)
		return rc;
	run->lane = zeroed(plan->lanes, sizeof(*run->lane), 64);
	run->slot = zeroed(plan->slots, sizeof(*run->slot), 64);
	run->slot_path = zeroed(plan->slots, sizeof(*run->slot_path), 64);
	run->map = zeroed(plan->maps, sizeof(*run->map), 64);
	run->companion = run->what_if ? zeroed(plan->slots, sizeof(*run->companion), 64) : NULL;
	run->ring = zeroed(plan->lanes, sizeof(*run->ring), 64);
	if (!run->lane || !run->slot || !run->slot_path || !run->map || !run->ring ||
	    (run->what_if && !run->companion))
		return -ENOMEM;
	for (uint32_t i = 0; i < plan->slots; i++)
		run->slot[i] = -1;
	for (uint32_t i = 0; i < plan->lanes; i++) {
		run->lane[i].run = run;
		run->lane[i].plan = &plan->lane[i];
		run->lane[i].number = i;
		run->lane[i].wake_at = UINT32_MAX;
		run->lane[i].bell_fd = -1;
		run->rings |= plan->lane[i].via != TRACE_VIA_SYSCALL;
		pthread_mutex_init(&run->lane[i].sleepers_lock, NULL);
	}
	for (int op = 0; op < TRACE_OP_MAX; op++)
		run->gap_ns[op] = plan->gap_ns[gap_kind_of((uint8_t)op)];
	if (run->engine == ENGINE_MMAP)
		what_if_catch_faults();
	run->no_barrier = CALL3(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) < 0;
	return 0;
}

void run_release(struct runtime *run)
{
	free(run->lane);
	free((void *)run->slot);
	free(run->slot_path);
	free(run->map);
	free(run->ring);
	free(run->companion);
}

/* ---- a lane's own memory --------------------------------------------------------------------------------------------------- */

static size_t buffer_bytes(const struct lane *l)
{
	uint64_t n = l->plan->longest_read > BUFFER_LEAST ? l->plan->longest_read : BUFFER_LEAST;

	return (size_t)(n + 4095) / 4096 * 4096 + ROUNDING_BYTES + IOV_BYTES;
}

static int lane_prepare(struct lane *l)
{
	size_t n = buffer_bytes(l);

	l->stats = lane_stats_new(l->plan->classes, l->run->timing != TIMING_ASAP);
	l->buffer = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (l->buffer == MAP_FAILED)
		l->buffer = NULL;
	if (!l->stats || !l->buffer)
		return -ENOMEM;
	l->iov = l->buffer + n - IOV_BYTES;
	return l->plan->via == TRACE_VIA_SYSCALL ? 0 : ring_prepare(l);
}

/* Page faults here instead of in the operations. Lanes that others start do it when they are started: thousands never live at once. */
static void lane_begin(struct lane *l)
{
	uint64_t n = l->plan->longest_read + 4096;

	madvise(l->buffer, n < POPULATE_MOST ? n : POPULATE_MOST, MADV_POPULATE_WRITE);
	lane_stats_begin(l->stats);
}

static void lane_free(struct lane *l)
{
	ring_free(l);
	if (l->buffer)
		munmap(l->buffer, buffer_bytes(l));
	lane_stats_free(l->stats);
	l->buffer = NULL;
	l->stats = NULL;
}

/* ---- the replayer's own cost ----------------------------------------------------------------------------------------------- */

/* CPU time of this thread: what a busy box takes away does not count. */
static uint64_t thread_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int rehearse_lane(struct runtime *run, const struct plan_lane *from, uint64_t *left, uint64_t *cpu_ns)
{
	struct plan_lane part = *from;
	struct lane *l = zeroed(1, sizeof(*l), 64);
	uint64_t n = 0;
	int rc = -ENOMEM;

	for (part.chunks = 0; part.chunks < from->chunks && n < *left; part.chunks++)
		n += from->chunk[part.chunks].count;
	if (l) {
		l->run = run;
		l->plan = &part;
		l->wake_at = UINT32_MAX;
		l->bell_fd = -1;
		rc = lane_prepare(l);
	}
	if (!rc) {
		uint64_t began;

		lane_begin(l);
		if (l->ring)
			ring_begin(l);
		began = thread_cpu_ns();
		run->start_tick = l->begin_tick = tick_now();
		if (l->ring)
			ring_run(l);
		else
			lane_run(l);
		*cpu_ns += thread_cpu_ns() - began;
		*left -= n < *left ? n : *left;
	}
	if (l)
		lane_free(l);
	free(l);
	return rc;
}

double run_rehearse(struct runtime *run)
{
	struct totals *aside = calloc(1, sizeof(*aside)), *real = run->totals;
	enum replay_timing timing = run->timing;
	uint64_t enough_ns = clock_now_ns() + REHEARSAL_NS;
	double best = 0;

	if (!aside)
		return 0;
	totals_init(aside);
	run->totals = aside;
	run->timing = TIMING_ASAP;
	run->dry = true;
	for (int round = 0; round < ROUNDS && !run->stop && clock_now_ns() < enough_ns; round++) {
		uint64_t left = REHEARSED, cpu_ns = 0, n;

		for (uint32_t i = 0; i < run->plan->lanes && left && clock_now_ns() < enough_ns; i++)
			if (rehearse_lane(run, &run->plan->lane[i], &left, &cpu_ns))
				break;
		n = REHEARSED - left;
		if (n && (!round || (double)cpu_ns / (double)n < best))
			best = (double)cpu_ns / (double)n;
	}
	run->dry = false;
	run->timing = timing;
	run->totals = real;
	run->finished_ops = 0;
	totals_release(aside);
	free(aside);
	return best;
}

/* ---- the run --------------------------------------------------------------------------------------------------------------- */

/*
 * Closes what lanes opened. With CLOSE_RANGE_UNSHARE: in a new descriptor table, of this thread and those that it starts. Threads that
 * share a table pay for it in every call on a descriptor (the kernel takes a reference of the file, 45 ns): a program of one thread does
 * not, and neither does its lane. -errno.
 */
static int close_lanes_descriptors(const struct runtime *run, unsigned flags)
{
	int last = run->root_fd > run->null_fd ? run->root_fd : run->null_fd;

	last = run->proc_fd > last ? run->proc_fd : last;
	return (int)CALL3(SYS_close_range, last + 1, UINT_MAX, flags);
}

int run_open_start(struct runtime *run, struct run_result *result)
{
	const struct plan *p = run->plan;
	int rc = close_lanes_descriptors(run, CLOSE_RANGE_UNSHARE);

	if (rc) {
		result->why = "a descriptor table for the lanes (close_range, Linux 5.9)";
		return rc;
	}
	for (uint32_t i = 0; i < p->open_n; i++) {
		const struct plan_open *o = &p->open[i];
		struct plan_args a = {.path = o->path, .flags = o->flags & (O_ACCMODE | O_APPEND | O_DIRECT | O_DIRECTORY | O_NOATIME | O_PATH)};
		struct plan_op op = {.op = TRACE_OP_OPENAT, .bits = PLAN_WIDE, .handle = o->slot};
		struct lane opener = {.run = run, .args = &a};
		int64_t fd = execute(&opener, &op);

		if (fd < 0) {
			result->why = plan_text(p, o->path);
			return (int)fd;
		}
		if (o->position > 0)
			lseek((int)fd, o->position, SEEK_SET);
	}
	for (uint32_t i = 0; i < p->start_n; i++)
		if (p->start[i].bits & PLAN_ENTRY_NAMELESS)
			unlink(plan_text(p, p->start[i].path));
	return 0;
}

static void *lane_thread(void *arg)
{
	struct lane *l = arg;
	struct runtime *run = l->run;
	bool created = l->plan->creator.lane != PLAN_NONE;
	/* When it cannot have one it uses the common one; so do all where there are rings, which are woken by a descriptor. */
	bool own = !run->rings && !l->plan->shares_handles && !close_lanes_descriptors(run, CLOSE_RANGE_UNSHARE);

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	if (!created)
		lane_begin(l);
	what_if_open(l);
	if (l->ring)
		ring_begin(l);
	atomic_fetch_add(&run->ready, 1);
	CALL3(SYS_futex, &run->ready, FUTEX_WAKE_PRIVATE, 1);
	while (!atomic_load_explicit(&run->open_gate, memory_order_acquire))
		CALL4(SYS_futex, &run->open_gate, FUTEX_WAIT_PRIVATE, 0, NULL);
	l->begin_tick = run->start_tick;
	if (created && wait_for_creator(l)) {
		l->begin_tick = l->woken_tick ? l->woken_tick : tick_now();
		lane_begin(l);
	}
	if (l->ring)
		ring_run(l);
	else
		lane_run(l);
	l->end_ns = clock_now_ns();
	if (l->ring) {
		ring_end(l);
		run->ring[l->number] = l->ring->facts;
	}
	what_if_close(l);
	if (own)
		close_lanes_descriptors(run, 0);
	totals_add_lane(run->totals, l->stats, l->plan->classes);
	lane_free(l);
	return NULL;
}

static int start_lanes(struct runtime *run, struct run_result *result)
{
	pthread_attr_t attr;
	int rc = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (uint32_t i = 0; i < run->plan->lanes && !rc; i++) {
		/* A thread that only did what is not replayed. */
		if (!run->plan->lane[i].operations)
			continue;
		rc = lane_prepare(&run->lane[i]);
		if (rc)
			result->why = "memory for a lane";
		else if ((rc = -pthread_create(&run->lane[i].thread, &attr, lane_thread, &run->lane[i])))
			result->why = "a thread for each recorded thread (ulimit -u, kernel.threads-max)";
		run->lane[i].started = !rc;
		result->threads += !rc;
	}
	pthread_attr_destroy(&attr);
	return rc;
}

static void calibrate(struct runtime *run)
{
	struct naps naps;

	naps_calibrate(&naps);
	for (uint32_t i = 0; i < run->plan->lanes; i++)
		run->lane[i].naps = naps;
}

int run_lanes(struct runtime *run, struct run_result *result)
{
	int rc;

	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	if (run->timing != TIMING_ASAP)
		calibrate(run);
	rc = start_lanes(run, result);
	if (rc)
		run->stop = true;
	for (uint32_t n; (n = atomic_load(&run->ready)) < result->threads;)
		CALL4(SYS_futex, &run->ready, FUTEX_WAIT_PRIVATE, n, NULL);
	run->start_ns = clock_now_ns();
	run->start_tick = tick_now();
	atomic_store_explicit(&run->open_gate, 1, memory_order_release);
	CALL3(SYS_futex, &run->open_gate, FUTEX_WAKE_PRIVATE, INT_MAX);
	for (uint32_t i = 0; i < run->plan->lanes; i++) {
		struct lane *l = &run->lane[i];

		if (!l->started)
			continue;
		pthread_join(l->thread, NULL);
		/* Not what it takes to end threads and rings: io_destroy alone waits tens of milliseconds for the kernel (RCU). */
		if (l->end_ns > run->start_ns + result->elapsed_ns)
			result->elapsed_ns = l->end_ns - run->start_ns;
	}
	result->operations = run->finished_ops;
	close_lanes_descriptors(run, 0);
	return rc ? rc : run->stop ? -EINTR : 0;
}
