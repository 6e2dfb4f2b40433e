/* The loop that everything else is for: one thread of the recording, operation by operation. */
#include "replay/account.h"
#include "replay/plain.h"
#include "replay/tick.h"
#include "replay/what_if.h"

enum {
	PLAIN_MOST = 256,      /* operations whose ends are kept */
	PLAIN_MANY = 16,       /* working out so many takes longer than asking for the time */
	/*
	 * By one pause. Waiting for a processor on which others have their turns is part of it: the program waited as well, and that is in its recorded
	 * pauses. Beyond: the box stood still, or runs something else.
	 */
	OWED_MOST_NS = 10000000,
	UNFOUND_MOST_NS = 200000, /* for pauses that had too little of the recorder in them */
};

/* When the lane's first operation began, since the begin of the recording. */
static inline uint64_t first_begin(const struct lane *l)
{
	return l->plan->first_begin_ns - l->run->plan->first_begin_ns;
}

static inline uint64_t gap_after(const struct runtime *run, const struct plan_op *op)
{
	if (op->bits & PLAN_BY_SLOT)
		return run->plan->gap_ns[GAP_DESCRIPTOR];
	return op->bits & PLAN_FIRST ? run->plan->gap_ns[GAP_OPEN] : run->gap_ns[op->op];
}

/* Where a lane stands. */
struct position {
	uint32_t done;        /* operations */
	uint64_t tick;        /* end of the one before */
	uint64_t paced_tick;  /* the same without operations that the recording does not have */
	uint64_t schedule_ns; /* end of the one before in the recording, since its begin; first: when the first one began */
	bool begun;           /* the first one is over */
	uint64_t gap_ns;      /* what of the recorded pause after the one before was the recorder */
	uint64_t due_tick;    /* when the pause is over */
	bool slept;           /* in it */
	uint64_t owed_ns;     /* by later pauses, which are shorter for it */
};

static void owe(struct position *at, uint64_t ns)
{
	at->owed_ns += ns < OWED_MOST_NS ? ns : OWED_MOST_NS;
}

/*
 * What a recorded pause is without the recorder's part. That is a median: where a pause is shorter than it, others have that much more of it, as far
 * as they come soon.
 */
static uint64_t pause_of_program(struct lane *l, uint64_t recorded_ns, struct position *at)
{
	struct pauses *p = &l->stats->pauses;
	uint64_t gap_ns = at->gap_ns;

	if (recorded_ns < gap_ns && at->owed_ns < UNFOUND_MOST_NS)
		owe(at, scaled(l->run, gap_ns - recorded_ns));
	if (recorded_ns < gap_ns)
		gap_ns = recorded_ns;
	p->n++;
	p->recorded_ns += recorded_ns;
	p->recorder_ns += gap_ns;
	return scaled(l->run, recorded_ns - gap_ns);
}

/* Waits for as long as the program did between its last call and this one, less what is owed. Returns how late it is. */
static uint64_t pause_as_recorded(struct lane *l, uint64_t recorded_ns, struct position *at)
{
	uint64_t pause_ns = pause_of_program(l, recorded_ns, at), repaid_ns = at->owed_ns < pause_ns ? at->owed_ns : pause_ns;

	pause_ns -= repaid_ns;
	at->owed_ns -= repaid_ns;
	l->stats->pauses.repaid_ns += repaid_ns;
	at->slept = false;
	at->due_tick = at->paced_tick + tick_of_ns(pause_ns);
	return pace_after(l, at->paced_tick, pause_ns, &at->slept);
}

/*
 * The operation begins. What the replayer itself does between operations, and how late a timer wakes, must not add up over thousands of pauses.
 * Waiting for other lanes is neither.
 */
static inline void note_begin(struct position *at, uint64_t tick, bool waited)
{
	if (tick > at->due_tick && (at->slept || !waited))
		owe(at, tick_ns(tick - at->due_tick));
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
		late = pace_until(l, run->start_ns + scaled(run, at->schedule_ns));
		at->schedule_ns += s->recorded_ns;
	}
	note_late(l->stats, late, tick_ns(tick_now() - run->start_tick) - late);
	return late;
}

/* ---- plain operations -------------------------------------------------------------------------------------------------------- */

/* n operations of one class with the recorded results, in one time bin. The first began at begin; ended: when each was over. */
static void account_alike(struct lane *l, const struct plan_op *op, const uint64_t *ended, uint32_t n, uint64_t begin, uint8_t class)
{
	struct lane_stats *stats = l->stats;
	struct hist_batch batch = hist_batch(stats->latency[class]);
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint64_t latency_ns = tick_ns(ended[i] - begin);

		begin = ended[i];
		bytes += op[i].length;
		hist_batch_record(&batch, latency_ns);
		stats->cell[class][hist_index(latency_ns, CELL_BITS)]++;
		if (__builtin_expect(lane_stats_remarkable(stats, class, latency_ns), 0))
			account_remarkable(l, &op[i], class, &(struct step){.length = op[i].length}, tick_ns(ended[i] - l->run->start_tick),
					   latency_ns);
	}
	hist_batch_end(&batch, n);
	if (counts_bytes(class))
		stats->bytes[class] += bytes;
}

static void account_plain(struct lane *l, const struct plan_op *op, const uint64_t *ended, uint32_t n, uint64_t begin)
{
	for (uint32_t i = 0, next; i < n; i = next) {
		uint8_t class = trace_ops[op[i].op].class;

		for (next = i + 1; next < n && trace_ops[op[next].op].class == class;)
			next++;
		account_alike(l, &op[i], &ended[i], next - i, i ? ended[i - 1] : begin, class);
	}
}

/*
 * Runs plain operations from op on, up to the first that is not plain or has another result than the recorded one.
 * What a system call copies pushes all else out of the nearest cache: so between two of them only the end is noted, and what the
 * ends say is worked out for many at once. Returns how many were run; of all of them the ends are accounted for.
 */
static inline __attribute__((always_inline)) uint32_t run_plain(struct lane *l, const struct plan_op *op, const struct plan_op *end,
								struct position *at, bool dry)
{
	const struct runtime *run = l->run;
	uint64_t ended[PLAIN_MOST], begin = at->tick, bin_end_tick = l->bin_end_tick, now = 0;
	uint32_t n = 0, most = end - op < PLAIN_MOST ? (uint32_t)(end - op) : PLAIN_MOST;
	int64_t result = 0, wanted = 0;

	while (n < most && is_plain(&op[n]) && result == wanted && now < bin_end_tick &&
	       !atomic_load_explicit(&run->stop, memory_order_relaxed)) {
		wanted = plain_result(&op[n]);
		result = dry ? wanted : plain_call(l, &op[n], op[n].offset, op[n].length);
		ended[n++] = now = tick_now();
		lane_publish(l, ++at->done);
	}
	if (n) {
		/* Only the last one may be unexpected, or in another time bin. */
		struct step s = {.length = op[n - 1].length};

		account_plain(l, op, ended, n - 1, begin);
		account(l, &op[n - 1], &s, result, tick_ns(now - (n > 1 ? ended[n - 2] : begin)), now);
		at->tick = n < PLAIN_MANY ? now : tick_now();
	}
	return n;
}

static uint32_t __attribute__((noinline)) plain_run(struct lane *l, const struct plan_op *op, const struct plan_op *end, struct position *at)
{
	return run_plain(l, op, end, at, false);
}

static uint32_t __attribute__((noinline)) plain_dry(struct lane *l, const struct plan_op *op, const struct plan_op *end, struct position *at)
{
	return run_plain(l, op, end, at, true);
}

/* ---- all operations ----------------------------------------------------------------------------------------------------------- */

enum loop { LOOP_ASAP, LOOP_PACED, LOOP_DRY, LOOP_WHAT_IF };

/* Nearly all calls without a return behind them (replay/plain.h). */
static inline __attribute__((always_inline)) int64_t execute_here(struct lane *l, const struct plan_op *op, const struct step *s)
{
	if (is_plain_call(op->op))
		return plain_call(l, op, op->bits & PLAN_WIDE ? l->args->offset : op->offset, s->length);
	return execute(l, op);
}

/* Runs [op, end). False: stopped. Built once for each kind of loop, so that none decides per operation what it is. */
static inline __attribute__((always_inline)) bool run_chunk(struct lane *l, const struct plan_op *op, const struct plan_op *end,
							    struct position *at, enum loop loop)
{
	struct runtime *run = l->run;
	const bool paced = loop == LOOP_PACED || (loop == LOOP_WHAT_IF && run->timing != TIMING_ASAP);

	for (uint32_t n; op < end; op += n) {
		uint64_t begin = at->tick, now, late_ns = 0;
		bool hidden = op->bits & PLAN_HIDDEN;
		struct step s;
		int64_t result;

		if (atomic_load_explicit(&run->stop, memory_order_relaxed))
			return false;
		n = !is_plain(op) ? 0 : loop == LOOP_ASAP ? plain_run(l, op, end, at) : loop == LOOP_DRY ? plain_dry(l, op, end, at) : 0;
		if (n)
			continue;
		n = 1;
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
			if (run->timing == TIMING_THINK)
				note_begin(at, begin, op->edges);
		}
		result = loop == LOOP_DRY ? rehearsed(l, op, s.length) : loop == LOOP_WHAT_IF ? what_if_execute(l, op) : execute_here(l, op, &s);
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
			if (paced)
				at->gap_ns = gap_after(run, op);
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
	struct position at = {.tick = l->begin_tick, .paced_tick = l->begin_tick, .schedule_ns = first_begin(l),
			      .gap_ns = run->plan->gap_ns[GAP_DESCRIPTOR]};

	l->bin_end_tick = run->start_tick + tick_of_ns(l->stats->bin_end_ns);
	for (uint32_t i = 0, fetched = 0; i < l->plan->chunks; i++) {
		const struct plan_chunk *c = &l->plan->chunk[i];

		if (!run->dry && i == fetched) {
			fetched += plan_fetch(run->plan, l->plan, i);
			at.tick = tick_now();
		}
		if (!loop(l, run->plan->op + c->first, run->plan->op + c->first + c->count, &at))
			break;
	}
	atomic_fetch_add(&l->run->finished_ops, at.done);
}
