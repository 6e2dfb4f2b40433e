/* Waiting for operations of other lanes, and telling those that wait. */
#include <linux/futex.h>
#include <linux/membarrier.h>

#include "replay/call.h"
#include "replay/runtime.h"
#include "replay/tick.h"

enum { SPIN_NS = 2000 };

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

static void list(struct lane *l, struct lane *other, uint32_t sequence)
{
	struct lane **at = &other->sleepers;

	pthread_mutex_lock(&other->sleepers_lock);
	while (*at && (*at)->wants <= sequence)
		at = &(*at)->next_sleeper;
	l->wants = sequence;
	l->next_sleeper = *at;
	l->listed = true;
	*at = l;
	atomic_store(&other->wake_at, other->sleepers->wants);
	pthread_mutex_unlock(&other->sleepers_lock);
}

static void unlist(struct lane *l, struct lane *other)
{
	struct lane **at = &other->sleepers;

	pthread_mutex_lock(&other->sleepers_lock);
	while (l->listed && *at != l)
		at = &(*at)->next_sleeper;
	if (l->listed)
		*at = l->next_sleeper;
	l->listed = false;
	atomic_store(&other->wake_at, other->sleepers ? other->sleepers->wants : UINT32_MAX);
	pthread_mutex_unlock(&other->sleepers_lock);
}

static void sleep_for(struct lane *l, struct lane *other, uint32_t sequence)
{
	uint32_t bell = atomic_load(&l->bell);

	list(l, other, sequence);
	barrier_everywhere(l);
	while (!reached(other, sequence) && !atomic_load(&l->run->stop) && atomic_load(&l->bell) == bell)
		CALL4(SYS_futex, &l->bell, FUTEX_WAIT_PRIVATE, bell, NULL);
	unlist(l, other);
}

bool wait_for_edge_asleep(struct lane *l, const struct plan_edge *edge)
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
	uint64_t woken;

	l->woken_tick = 0;
	if (!wait_for_edge_asleep(l, e))
		return false;
	woken = l->woken_tick ? l->woken_tick : tick_now();
	while (e++->lane & PLAN_EDGE_MORE)
		if (!wait_for_edge_asleep(l, e))
			return false;
	l->woken_tick = woken;
	return true;
}

bool wait_for_creator(struct lane *l)
{
	return l->plan->creator.lane == PLAN_NONE || wait_for_edge_asleep(l, &l->plan->creator);
}

static struct lane *source_of(const struct lane *l, const struct plan_edge *edge)
{
	return &l->run->lane[edge->lane & ~PLAN_EDGE_MORE];
}

bool edge_reached(const struct lane *l, const struct plan_edge *edge)
{
	return reached(source_of(l, edge), edge->sequence);
}

const struct plan_edge *edge_unreached(const struct lane *l, uint32_t edges)
{
	const struct plan_edge *e = &l->run->plan->edge[edges - 1];

	while (edge_reached(l, e))
		if (!(e++->lane & PLAN_EDGE_MORE))
			return NULL;
	return e;
}

void wait_begin(struct lane *l, const struct plan_edge *edge)
{
	list(l, source_of(l, edge), edge->sequence);
	barrier_everywhere(l);
}

void wait_end(struct lane *l, const struct plan_edge *edge)
{
	unlist(l, source_of(l, edge));
}

static void ring(struct lane *sleeper)
{
	uint64_t one = 1;

	atomic_fetch_add(&sleeper->bell, 1);
	CALL3(SYS_futex, &sleeper->bell, FUTEX_WAKE_PRIVATE, 1);
	if (sleeper->bell_fd >= 0)
		CALL3(SYS_write, sleeper->bell_fd, &one, sizeof(one));
}

/* Exactly those that want no more than is done: thousands may sleep for their creator. */
void wake_sleepers(struct lane *l, uint32_t done)
{
	pthread_mutex_lock(&l->sleepers_lock);
	while (l->sleepers && l->sleepers->wants <= done) {
		struct lane *sleeper = l->sleepers;

		l->sleepers = sleeper->next_sleeper;
		sleeper->listed = false;
		sleeper->woken_tick = tick_now();
		ring(sleeper);
	}
	atomic_store(&l->wake_at, l->sleepers ? l->sleepers->wants : UINT32_MAX);
	pthread_mutex_unlock(&l->sleepers_lock);
}

void wake_all(struct runtime *run)
{
	for (uint32_t i = 0; i < run->plan->lanes; i++)
		ring(&run->lane[i]);
}
