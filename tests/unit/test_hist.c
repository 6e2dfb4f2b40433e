#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "lib/hist.h"

static void every_value_is_in_its_bucket(void **state)
{
	(void)state;
	for (int i = 0; i < 2000000; i++) {
		uint64_t v = ((uint64_t)rand() << 31 | (uint64_t)rand()) >> (rand() % 62);
		uint32_t b = hist_index(v, HIST_BITS);

		assert_true(hist_low(b, HIST_BITS) <= v);
		assert_true(b + 1 == HIST_BUCKETS || v < hist_low(b + 1, HIST_BITS));
		/* Nesting: the coarse bucket of a value is the coarse bucket of its fine bucket's low end. */
		assert_int_equal(hist_index(v, 3), hist_index(hist_low(b, HIST_BITS), 3));
	}
	assert_true(hist_index(UINT64_MAX, HIST_BITS) < HIST_BUCKETS);
}

/* fio stat.c plat_val_to_idx(), FIO_IO_U_PLAT_BITS 6, written from its comment. */
static uint32_t fio_index(uint64_t val)
{
	uint32_t msb = val ? 63 - (uint32_t)__builtin_clzll(val) : 0, error_bits, base;

	if (msb <= 6)
		return (uint32_t)val;
	error_bits = msb - 6;
	base = (error_bits + 1) << 6;
	return base + (uint32_t)(63 & (val >> error_bits));
}

static void buckets_equal_fio(void **state)
{
	(void)state;
	for (int i = 0; i < 2000000; i++) {
		uint64_t v = (((uint64_t)rand() << 31 | (uint64_t)rand()) & ((1ULL << 34) - 1)) >> (rand() % 34);

		assert_int_equal(hist_index(v, HIST_BITS), fio_index(v));
	}
}

static void merged_quantiles_equal_those_of_one_histogram(void **state)
{
	struct hist *a = malloc(sizeof(*a)), *b = malloc(sizeof(*b)), *all = malloc(sizeof(*all));

	(void)state;
	hist_init(a);
	hist_init(b);
	hist_init(all);
	for (uint64_t i = 1; i <= 100000; i++) {
		hist_record(i % 3 ? a : b, i * 1000);
		hist_record(all, i * 1000);
	}
	hist_merge(a, b);
	for (double q = 0; q <= 1; q += 0.01)
		assert_int_equal(hist_quantile(a, q), hist_quantile(all, q));
	assert_int_equal(a->count, 100000);
	assert_int_equal(a->max_ns, 100000000);
	assert_int_equal(a->min_ns, 1000);
	assert_in_range(hist_quantile(all, 0.5), 49200000, 50800000);
	free(a);
	free(b);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_value_is_in_its_bucket),
		cmocka_unit_test(buckets_equal_fio),
		cmocka_unit_test(merged_quantiles_equal_those_of_one_histogram),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
