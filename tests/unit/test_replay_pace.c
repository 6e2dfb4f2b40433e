/* How early a sleeper learns to wake, against clocks whose lateness is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "replay/pace.h"

enum { NAPS = 20000, LEARNING = 2000 };

struct outcome {
	double spun_ns;      /* mean */
	uint64_t behind_ns;  /* median of how late it was in the end */
	uint64_t margin_ns;  /* the last one */
};

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Naps that wake so late as late() says of a number between 0 and 99. */
static struct outcome sleep_with(uint64_t (*late)(unsigned number), uint64_t first_ns)
{
	static uint64_t behind[NAPS];
	struct naps n = {.late_ns = first_ns};
	struct outcome o = {0};
	uint64_t random = 1;
	int counted = 0;

	for (int i = 0; i < NAPS; i++) {
		uint64_t margin_ns = naps_margin_ns(&n), late_ns;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		late_ns = late((unsigned)(random >> 33) % 100);
		naps_learn(&n, late_ns);
		if (i < LEARNING)
			continue;
		o.spun_ns += margin_ns > late_ns ? (double)(margin_ns - late_ns) : 0;
		behind[counted++] = late_ns > margin_ns ? late_ns - margin_ns : 0;
	}
	qsort(behind, (size_t)counted, sizeof(*behind), ascending);
	o.spun_ns /= counted;
	o.behind_ns = behind[counted / 2];
	o.margin_ns = naps_margin_ns(&n);
	return o;
}

static uint64_t narrow(unsigned number) { return 25000 + number * 40; }              /* an idle machine: 25 to 29 us */
static uint64_t quick(unsigned number) { return 700 + number * 5; }                  /* bare metal that polls: 1 us */
static uint64_t tailed(unsigned number) { return number < 95 ? 17000 + number * 60 : 3000000; }
static uint64_t two_ways(unsigned number) { return number % 2 ? 5000 + number * 10 : 40000 + number * 10; }
static uint64_t scattered(unsigned number) { return number * 1000; }
static uint64_t hopeless(unsigned number) { return 500000 + number * 10000; }

static void half_of_the_naps_end_in_time(void **state)
{
	const uint64_t first[] = {0, 10000, 60000};

	(void)state;
	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		struct outcome o = sleep_with(narrow, first[i]);

		assert_true(o.behind_ns < 3000);
		assert_true(o.spun_ns < 1000);
		o = sleep_with(tailed, first[i]);
		assert_true(o.behind_ns < 3000);
		assert_true(o.spun_ns < 1500);
		o = sleep_with(quick, first[i]);
		assert_true(o.behind_ns == 0);
		assert_true(o.margin_ns == 2000);
	}
}

static void spinning_is_bounded(void **state)
{
	(void)state;
	assert_true(sleep_with(two_ways, 20000).spun_ns < 5000);
	assert_true(sleep_with(scattered, 20000).spun_ns < 5000);
	assert_true(sleep_with(hopeless, 20000).margin_ns <= 60000);
}

static void it_follows_a_change(void **state)
{
	struct naps n = {.late_ns = 10000};

	(void)state;
	for (int i = 0; i < 500; i++)
		naps_learn(&n, 30000);
	assert_in_range(naps_margin_ns(&n), 27000, 30000);
	for (int i = 0; i < 500; i++)
		naps_learn(&n, 12000);
	assert_in_range(naps_margin_ns(&n), 9000, 12000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(half_of_the_naps_end_in_time),
		cmocka_unit_test(spinning_is_bounded),
		cmocka_unit_test(it_follows_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
