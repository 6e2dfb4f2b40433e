#pragma once
#include "replay/runtime.h"
#include "replay/tick.h"

/* What an operation was, what came of it and what that says: for lanes of threads (lane.c) and of rings (ring.c). In the hot loop. */

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

/* A result that is not the recorded one. */
void account_difference(struct lane *l, const struct plan_op *op, uint8_t class, uint64_t length, int64_t got);
/* One for the exemplars. */
void account_remarkable(struct lane *l, const struct plan_op *op, uint8_t class, const struct step *s, uint64_t t_ns, uint64_t latency_ns);

/* Once per time bin: what was measured in it goes to the totals. */
void account_bin(struct lane *l, uint64_t tick);

/* Latency of an operation of the recording that ended at tick. */
static inline __attribute__((always_inline)) void account_time(struct lane *l, const struct plan_op *op, const struct step *s, uint8_t class,
							       uint64_t latency_ns, uint64_t tick)
{
	if (__builtin_expect(tick >= l->bin_end_tick, 0))
		account_bin(l, tick);
	lane_stats_record(l->stats, class, latency_ns);
	if (__builtin_expect(lane_stats_remarkable(l->stats, class, latency_ns), 0))
		account_remarkable(l, op, class, s, tick_ns(tick - l->run->start_tick), latency_ns);
}

/* And its result and bytes. */
static inline __attribute__((always_inline)) void account(struct lane *l, const struct plan_op *op, const struct step *s, int64_t result,
							  uint64_t latency_ns, uint64_t tick)
{
	struct lane_stats *stats = l->stats;
	uint8_t class = trace_ops[op->op].class;

	account_time(l, op, s, class, latency_ns, tick);
	if (result < 0)
		stats->errors[class]++;
	else if (counts_bytes(class))
		stats->bytes[class] += (uint64_t)result;
	if (__builtin_expect(!as_expected(l, op, class, s->length, result), 0))
		account_difference(l, op, class, s->length, result);
}

static inline uint64_t scaled(const struct runtime *run, uint64_t ns)
{
	return run->speed == 1 ? ns : (uint64_t)((double)ns / run->speed);
}
