#pragma once
#include <stdint.h>

/*
 * A latency histogram with base-2 log-linear buckets: HIST_BITS sub-bucket bits, so values below 2^(HIST_BITS+1) are exact and
 * above that a bucket is at most 1/64 (1.6 %) of its value wide. Bucket for bucket equal to fio's (stat.h, FIO_IO_U_PLAT_BITS 6)
 * below 2^34 ns, where fio clamps. Coarser histograms nest: a bucket of k-1 bits is a union of buckets of k bits.
 * hist_index and hist_low compile in BPF too. Not locked: one writer each, merge when the writers are done.
 */
#define HIST_BITS 6
#define HIST_BUCKETS ((65 - HIST_BITS) << HIST_BITS)

struct hist {
	uint64_t count, sum_ns, min_ns, max_ns;
	uint64_t bucket[HIST_BUCKETS];
};

static inline uint32_t hist_index(uint64_t value, unsigned bits)
{
	unsigned shift;

	if (value < (2ULL << bits))
		return (uint32_t)value;
	shift = 63u - (unsigned)__builtin_clzll(value) - bits;
	/* value >> shift has its top bit at 1 << bits: the first bucket of the octave. */
	return (shift << bits) + (uint32_t)(value >> shift);
}

/* The smallest value of a bucket; of index + 1: the first value beyond it. */
static inline uint64_t hist_low(uint32_t index, unsigned bits)
{
	if (index < (2u << bits))
		return index;
	return (uint64_t)((1u << bits) + (index & ((1u << bits) - 1))) << ((index >> bits) - 1);
}

void hist_init(struct hist *h);
static inline void hist_record(struct hist *h, uint64_t value_ns)
{
	h->count++;
	h->sum_ns += value_ns;
	h->bucket[hist_index(value_ns, HIST_BITS)]++;
	if (value_ns < h->min_ns)
		h->min_ns = value_ns;
	if (value_ns > h->max_ns)
		h->max_ns = value_ns;
}
/* Many values at once: what is not a bucket stays in registers until hist_batch_end. */
struct hist_batch {
	struct hist *hist;
	uint64_t sum_ns, min_ns, max_ns;
};

static inline struct hist_batch hist_batch(struct hist *h)
{
	return (struct hist_batch){.hist = h, .min_ns = h->min_ns, .max_ns = h->max_ns};
}

static inline void hist_batch_record(struct hist_batch *b, uint64_t value_ns)
{
	b->sum_ns += value_ns;
	b->min_ns = value_ns < b->min_ns ? value_ns : b->min_ns;
	b->max_ns = value_ns > b->max_ns ? value_ns : b->max_ns;
	b->hist->bucket[hist_index(value_ns, HIST_BITS)]++;
}

/* n: how many were recorded. */
static inline void hist_batch_end(const struct hist_batch *b, uint64_t n)
{
	b->hist->count += n;
	b->hist->sum_ns += b->sum_ns;
	b->hist->min_ns = b->min_ns;
	b->hist->max_ns = b->max_ns;
}

/* Adds from to into. Percentiles are only ever taken from merged counts, never averaged. */
void hist_merge(struct hist *into, const struct hist *from);
/* The value below which the share q (0..1) of all values lies: the middle of its bucket, never beyond the maximum. 0 when empty. */
uint64_t hist_quantile(const struct hist *h, double q);
