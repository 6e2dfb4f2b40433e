/* The loop that everything else is for: one thread of the recording, operation by operation. */
#include "replay/account.h"
#include "replay/tick.h"

/* Keeps the recorded pace. intended_ns: when the operation should begin, since the start; *late_ns: how much later it does. */
static void __attribute__((noinline)) keep_pace(struct lane *l, uint64_t intended_ns)
{
	uint64_t late = pace_until(l->run, l->run->start_ns + intended_ns);

	hist_record(l->stats->lateness, late);
}

/* When the lane's first operation began, since the begin of the recording. */
static inline uint64_t first_begin(const struct lane *l)
{
	return l->plan->first_begin_ns - l->run->plan->first_begin_ns;
}

/*
 * Against a schedule an operation that had to wait for the one before it was asked for all the same: its latency counts from the intended
 * begin (the "coordinated omission" of closed loops). What the call itself took is kept beside it.
 */
static inline uint64_t latency_of(struct lane *l, uint64_t begin, uint64_t now, uint64_t intended_ns)
{
	uint64_t service_ns = tick_ns(now - begin), response_ns;

	if (l->run->timing != TIMING_SCHEDULE || l->run->dry)
		return service_ns;
	hist_record(l->stats->service, service_ns);
	response_ns = tick_ns(now - l->run->start_tick) - intended_ns;
	return (int64_t)response_ns < (int64_t)service_ns ? service_ns : response_ns;
}

/* Runs [op, end). done: operations of the lane before them. tick: end of the one before. False: stopped. */
static bool run_chunk(struct lane *l, const struct plan_op *op, const struct plan_op *end, uint32_t *done, uint64_t *tick, uint64_t *schedule_ns)
{
	struct runtime *run = l->run;

	for (; op < end; op++) {
		uint64_t begin = *tick, now, intended = 0;
		struct step s;
		int64_t result;

		if (atomic_load_explicit(&run->stop, memory_order_relaxed))
			return false;
		if (op->bits & PLAN_WIDE)
			l->args = &run->plan->args[op->offset];
		measure_of(l, op, &s);
		if (op->edges && !run->dry) {
			if (!wait_for_edges(l, op->edges))
				return false;
			begin = tick_now();
			/* A lane that another one starts counts its time from there. */
			if (!*done)
				*tick = begin;
		}
		if (run->timing != TIMING_ASAP && !(op->bits & PLAN_HIDDEN) && !run->dry) {
			*schedule_ns += *schedule_ns == first_begin(l) ? 0 : s.think_ns;
			intended = run->timing == TIMING_THINK ? tick_ns(*tick - run->start_tick) + scaled(run, s.think_ns)
							       : scaled(run, *schedule_ns);
			*schedule_ns += s.recorded_ns;
			keep_pace(l, intended);
			begin = tick_now();
		}
		result = run->dry ? rehearsed(l, op, s.length) : execute(l, op);
		now = tick_now();
		if (!(op->bits & PLAN_HIDDEN))
			account(l, op, &s, result, latency_of(l, begin, now, intended), tick_ns(now - run->start_tick));
		*tick = now;
		lane_publish(l, ++*done);
	}
	return true;
}

void lane_run(struct lane *l)
{
	const struct plan *p = l->run->plan;
	uint64_t tick = l->run->start_tick, schedule_ns = first_begin(l);
	uint32_t done = 0;

	for (uint32_t i = 0; i < l->plan->chunks; i++) {
		const struct plan_chunk *c = &l->plan->chunk[i];

		if (!run_chunk(l, p->op + c->first, p->op + c->first + c->count, &done, &tick, &schedule_ns))
			break;
	}
	atomic_fetch_add(&l->run->finished_ops, done);
}
