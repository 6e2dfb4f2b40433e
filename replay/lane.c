/* The loop that everything else is for: one thread of the recording, operation by operation. */
#include "replay/account.h"
#include "replay/tick.h"
#include "replay/what_if.h"

enum { OVERSLEPT_MOST_NS = 200000 }; /* beyond: the box was too busy to run the lane, which is no matter of timers */

/* When the lane's first operation began, since the begin of the recording. */
static inline uint64_t first_begin(const struct lane *l)
{
	return l->plan->first_begin_ns - l->run->plan->first_begin_ns;
}

/* Where a lane stands. */
struct position {
	uint32_t done;        /* operations */
	uint64_t tick;        /* end of the one before */
	uint64_t paced_tick;  /* the same without operations that the recording does not have */
	uint64_t schedule_ns; /* end of the one before in the recording, since its begin; first: when the first one began */
	bool begun;           /* the first one is over */
	uint64_t overslept_ns; /* after pauses; later ones are shorter for it */
};

/*
 * Waits for as long as the program did between its last call and this one. What the recorder itself took is no pause, and how late a
 * timer wakes must not add up over thousands of pauses. Returns how late it is.
 */
static uint64_t pause_as_recorded(struct lane *l, uint64_t think_ns, struct position *at)
{
	uint64_t gap_ns = l->run->plan->call_gap_ns, repaid_ns, late_ns;
	bool slept = false;

	think_ns = scaled(l->run, think_ns > gap_ns ? think_ns - gap_ns : 0);
	repaid_ns = at->overslept_ns < think_ns ? at->overslept_ns : think_ns;
	late_ns = pace_after(l->run, at->paced_tick, think_ns - repaid_ns, &slept);
	at->overslept_ns -= repaid_ns;
	if (slept)
		at->overslept_ns += late_ns < OVERSLEPT_MOST_NS ? late_ns : OVERSLEPT_MOST_NS;
	return late_ns;
}

static void note_late(struct lane_stats *s, uint64_t late_ns, uint64_t due_ns)
{
	hist_record(s->lateness, late_ns);
	if (late_ns > s->worst_late_ns)
		s->worst_late_ns = late_ns;
	s->last_due_ns = due_ns;
	s->last_late_ns = late_ns;
}

/* Waits for the recorded time or after the recorded pause. Returns how late it is. */
static uint64_t __attribute__((noinline)) keep_pace(struct lane *l, const struct step *s, struct position *at)
{
	struct runtime *run = l->run;
	uint64_t late;

	if (run->timing == TIMING_THINK) {
		late = pause_as_recorded(l, s->think_ns, at);
	} else {
		if (at->begun)
			at->schedule_ns += s->think_ns;
		at->begun = true;
		late = pace_until(run, run->start_ns + scaled(run, at->schedule_ns));
		at->schedule_ns += s->recorded_ns;
	}
	note_late(l->stats, late, tick_ns(tick_now() - run->start_tick) - late);
	return late;
}

enum loop { LOOP_ASAP, LOOP_PACED, LOOP_DRY, LOOP_WHAT_IF };

/* Runs [op, end). False: stopped. Built once for each kind of loop, so that none decides per operation what it is. */
static inline __attribute__((always_inline)) bool run_chunk(struct lane *l, const struct plan_op *op, const struct plan_op *end,
							    struct position *at, enum loop loop)
{
	struct runtime *run = l->run;
	const bool paced = loop == LOOP_PACED || (loop == LOOP_WHAT_IF && run->timing != TIMING_ASAP);

	for (; op < end; op++) {
		uint64_t begin = at->tick, now, late_ns = 0;
		bool hidden = op->bits & PLAN_HIDDEN;
		struct step s;
		int64_t result;

		if (atomic_load_explicit(&run->stop, memory_order_relaxed))
			return false;
		if (op->bits & PLAN_WIDE)
			l->args = &run->plan->args[op->offset];
		measure_of(l, op, &s);
		if (loop != LOOP_DRY && op->edges) {
			if (!wait_for_edges(l, op->edges))
				return false;
			begin = tick_now();
		}
		if (paced && op->bits & PLAN_WOKEN && op->edges && run->timing == TIMING_THINK) {
			/* The recorded pause has the way from the waker to the woken in it. */
			at->paced_tick = l->woken_tick;
			s.think_ns = l->args->woken_ns;
		}
		if (paced && !hidden) {
			late_ns = keep_pace(l, &s, at);
			begin = tick_now();
		}
		result = loop == LOOP_DRY ? rehearsed(l, op, s.length) : loop == LOOP_WHAT_IF ? what_if_execute(l, op) : execute(l, op);
		now = tick_now();
		if (!hidden) {
			uint64_t service_ns = tick_ns(now - begin);

			/*
			 * Against a schedule an operation that had to wait for the one before it was asked for all the same: its latency
			 * counts from the intended begin (the "coordinated omission" of closed loops).
			 */
			if (paced && run->timing == TIMING_SCHEDULE)
				hist_record(l->stats->service, service_ns);
			else
				late_ns = 0;
			account(l, op, &s, result, service_ns + late_ns, now);
			at->paced_tick = now;
		}
		at->tick = now;
		lane_publish(l, ++at->done);
	}
	return true;
}

static bool run_asap(struct lane *l, const struct plan_op *op, const struct plan_op *end, struct position *at)
{
	return run_chunk(l, op, end, at, LOOP_ASAP);
}

static bool run_paced(struct lane *l, const struct plan_op *op, const struct plan_op *end, struct position *at)
{
	return run_chunk(l, op, end, at, LOOP_PACED);
}

static bool run_what_if(struct lane *l, const struct plan_op *op, const struct plan_op *end, struct position *at)
{
	return run_chunk(l, op, end, at, LOOP_WHAT_IF);
}

static bool run_dry(struct lane *l, const struct plan_op *op, const struct plan_op *end, struct position *at)
{
	return run_chunk(l, op, end, at, LOOP_DRY);
}

void lane_run(struct lane *l)
{
	const struct runtime *run = l->run;
	bool (*loop)(struct lane *, const struct plan_op *, const struct plan_op *, struct position *) =
		run->dry ? run_dry : run->what_if ? run_what_if : run->timing == TIMING_ASAP ? run_asap : run_paced;
	struct position at = {.tick = l->begin_tick, .paced_tick = l->begin_tick, .schedule_ns = first_begin(l)};

	l->bin_end_tick = run->start_tick + tick_of_ns(l->stats->bin_end_ns);
	for (uint32_t i = 0; i < l->plan->chunks; i++) {
		const struct plan_chunk *c = &l->plan->chunk[i];

		if (!run->dry && plan_fetch(run->plan, c))
			at.tick = tick_now();
		if (!loop(l, run->plan->op + c->first, run->plan->op + c->first + c->count, &at))
			break;
	}
	atomic_fetch_add(&l->run->finished_ops, at.done);
}
