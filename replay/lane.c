/* The loop that everything else is for: one thread of the recording, operation by operation. */
#include "replay/ops.h"
#include "replay/runtime.h"
#include "replay/tick.h"

struct step { /* of the current operation */
	uint64_t think_ns, recorded_ns;
	uint64_t length;
};

static inline void measure_of(const struct lane *l, const struct plan_op *op, struct step *s)
{
	if (op->bits & PLAN_WIDE)
		*s = (struct step){.think_ns = l->args->think_ns, .recorded_ns = l->args->recorded_ns, .length = l->args->length};
	else
		*s = (struct step){.think_ns = op->think_ns, .recorded_ns = op->recorded_ns, .length = op->length};
}

static inline bool counts_bytes(uint8_t class)
{
	return class == TRACE_CLASS_READ || class == TRACE_CLASS_WRITE || class == TRACE_CLASS_COPY;
}

/* What the recording says; only valid when it is compared exactly. */
static inline int64_t wanted(const struct lane *l, const struct plan_op *op, uint8_t class, uint64_t length)
{
	if (op->expect == PLAN_EXPECT_FULL)
		return counts_bytes(class) ? (int64_t)length : 0;
	return op->expect == PLAN_EXPECT_VALUE ? l->args->result : -(int64_t)op->expect;
}

static inline bool as_expected(const struct lane *l, const struct plan_op *op, uint8_t class, uint64_t length, int64_t result)
{
	if (op->expect >= PLAN_EXPECT_SUCCESS)
		return result >= 0 || op->expect == PLAN_EXPECT_ANY;
	return result == wanted(l, op, class, length);
}

/* The dry run's stand-in for a system call. */
static inline int64_t rehearsed(const struct lane *l, const struct plan_op *op, uint64_t length)
{
	return op->expect >= PLAN_EXPECT_SUCCESS ? 0 : wanted(l, op, trace_ops[op->op].class, length);
}

static uint32_t path_of(const struct lane *l, const struct plan_op *op)
{
	if (replay_ops[op->op].by_path && !(op->bits & PLAN_BY_SLOT))
		return op->handle;
	if (op->op == TRACE_OP_OPEN || op->op == TRACE_OP_OPENAT || op->op == TRACE_OP_OPENAT2 || op->op == TRACE_OP_CREAT)
		return l->args->path;
	if (op->handle >= l->run->plan->slots || replay_ops[op->op].kind == KIND_MAP)
		return 0;
	return l->run->slot_path[op->handle];
}

static void __attribute__((noinline)) difference(struct lane *l, const struct plan_op *op, uint8_t class, uint64_t length, int64_t got)
{
	const struct plan *p = l->run->plan;
	struct difference d = {.event = p->event[op - p->op], .thread = l->plan->thread, .path = path_of(l, op), .got = got,
			       .wanted = wanted(l, op, class, length), .expect = op->expect, .op = op->op};

	l->stats->mismatches[class]++;
	if (atomic_fetch_add(&l->run->totals->mismatched, 1) < DIFFERENCES)
		totals_add_difference(l->run->totals, &d);
}

static void __attribute__((noinline)) remarkable(struct lane *l, const struct plan_op *op, uint8_t class, const struct step *s, uint64_t t_ns,
						 uint64_t latency_ns)
{
	struct exemplar e = {.t_ns = t_ns, .latency_ns = latency_ns, .op_index = (uint64_t)(op - l->run->plan->op), .lane = l->number,
			     .length = counts_bytes(class) ? s->length : 0, .path = path_of(l, op), .op = op->op,
			     .offset = !counts_bytes(class) ? 0 : op->bits & PLAN_WIDE ? l->args->offset : op->offset};

	lane_stats_exemplar(l->stats, &e, class);
}

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

static inline uint64_t scaled(const struct runtime *run, uint64_t ns)
{
	return run->speed == 1 ? ns : (uint64_t)((double)ns / run->speed);
}

/* Results, latency and bytes of an operation of the recording. */
static inline void account(struct lane *l, const struct plan_op *op, const struct step *s, int64_t result, uint64_t latency_ns, uint64_t t_ns)
{
	struct lane_stats *stats = l->stats;
	uint8_t class = trace_ops[op->op].class;
	uint32_t window = (uint32_t)(t_ns / EXEMPLAR_WINDOW_NS) + 1;

	lane_stats_record(stats, class, latency_ns);
	if (result < 0)
		stats->errors[class]++;
	else if (counts_bytes(class))
		stats->bytes[class] += (uint64_t)result;
	if (__builtin_expect(!as_expected(l, op, class, s->length, result), 0))
		difference(l, op, class, s->length, result);
	if (__builtin_expect(lane_stats_remarkable(stats, class, latency_ns, window), 0))
		remarkable(l, op, class, s, t_ns, latency_ns);
	if (__builtin_expect(t_ns >= stats->bin_end_ns, 0))
		totals_add_cells(l->run->totals, stats, l->plan->classes, t_ns);
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
