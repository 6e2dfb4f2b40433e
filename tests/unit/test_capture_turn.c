/* How often the rings are emptied, and which processors get one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <unistd.h>

#include "capture/ring.h"
#include "capture/turn.h"

#define MS 1000000ULL

static void pauses_follow_the_fill(void **state)
{
	uint64_t pause = 10 * MS;

	(void)state;
	assert_int_equal(turn_pause_ns(10 * MS, 0), 10 * MS);
	assert_int_equal(turn_pause_ns(10 * MS, 0.01), 10 * MS);
	assert_int_equal(turn_pause_ns(10 * MS, 0.25), 5 * MS);
	assert_int_equal(turn_pause_ns(10 * MS, 1), 5 * MS / 4);
	assert_int_equal(turn_pause_ns(2 * MS, 1), 1 * MS); /* not without end */
	assert_int_equal(turn_pause_ns(1 * MS, 0), 2 * MS); /* back slowly */
	/* At a steady rate that fills the ring in 40 ms it settles where an eighth is filled. */
	for (int i = 0; i < 20; i++)
		pause = turn_pause_ns(pause, (double)pause / (40.0 * MS));
	assert_int_equal(pause, 5 * MS);
}

static void processors_that_work(void **state)
{
	unsigned char on[4096];
	int n = ring_processors(on, sizeof(on)), counted = 0;

	(void)state;
	for (size_t cpu = 0; cpu < sizeof(on); cpu++)
		counted += on[cpu];
	assert_int_equal(n, counted);
	assert_int_equal(n, sysconf(_SC_NPROCESSORS_ONLN));
	assert_int_equal(ring_processors(on, 1), on[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(pauses_follow_the_fill), cmocka_unit_test(processors_that_work)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
