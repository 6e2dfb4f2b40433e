/* Waiting for operations of other lanes, and telling those that wait. */
#include <limits.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <time.h>

#include "replay/call.h"
#include "replay/runtime.h"
#include "replay/tick.h"

enum { SPIN_NS = 2000, PATIENCE_NS = 100000000 };

static bool reached(const struct lane *other, uint32_t sequence)
{
	return atomic_load_explicit(&other->done, memory_order_acquire) >= sequence;
}

/*
 * A sleeper writes wake_at and reads done; a publisher writes done and reads wake_at. One of the two must see the other, which takes
 * a full barrier on both sides; the publisher's would cost every operation, so the sleeper makes the barrier for both (membarrier(2)).
 */
static void barrier_everywhere(const struct lane *l)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (!l->run->no_barrier)
		CALL3(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
}

static void sleep_for(struct lane *l, struct lane *other, uint32_t sequence)
{
	struct timespec patience = {.tv_nsec = PATIENCE_NS};
	uint32_t bell = atomic_load(&other->bell), at = atomic_load(&other->wake_at);

	while (sequence < at && !atomic_compare_exchange_weak(&other->wake_at, &at, sequence))
		;
	barrier_everywhere(l);
	if (!reached(other, sequence))
		CALL4(SYS_futex, &other->bell, FUTEX_WAIT_PRIVATE, bell, &patience);
}

static bool wait_for_one(struct lane *l, const struct plan_edge *edge)
{
	struct lane *other = &l->run->lane[edge->lane & ~PLAN_EDGE_MORE];
	uint64_t began;

	if (reached(other, edge->sequence))
		return true;
	began = tick_now();
	while (tick_ns(tick_now() - began) < SPIN_NS) {
		if (reached(other, edge->sequence))
			return true;
		__builtin_ia32_pause();
	}
	while (!reached(other, edge->sequence)) {
		if (atomic_load_explicit(&l->run->stop, memory_order_relaxed))
			return false;
		sleep_for(l, other, edge->sequence);
	}
	return true;
}

bool wait_for_edges(struct lane *l, uint32_t edges)
{
	const struct plan_edge *e = &l->run->plan->edge[edges - 1];

	while (wait_for_one(l, e))
		if (!(e++->lane & PLAN_EDGE_MORE))
			return true;
	return false;
}

static void __attribute__((noinline)) ring(struct lane *l)
{
	atomic_store(&l->wake_at, UINT32_MAX);
	atomic_fetch_add(&l->bell, 1);
	CALL3(SYS_futex, &l->bell, FUTEX_WAKE_PRIVATE, INT_MAX);
}

void lane_publish(struct lane *l, uint32_t done)
{
	atomic_store_explicit(&l->done, done, memory_order_release);
	if (l->run->no_barrier)
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	if (done >= atomic_load_explicit(&l->wake_at, memory_order_relaxed))
		ring(l);
}
