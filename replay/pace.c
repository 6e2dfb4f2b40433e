/*
 * Hitting a time: sleep to a little before it, spin the rest (research/replay.md 3.5). The margin is bounded: at 10 000 operations a second
 * each 10 us of it are a tenth of a processor, and more does not help where wake-ups are late because others run.
 */
#include <time.h>

#include "lib/clock.h"
#include "replay/call.h"
#include "replay/runtime.h"
#include "replay/tick.h"

enum { MARGIN_LEAST_NS = 2000, MARGIN_MOST_NS = 20000, STOP_CHECK_NS = 100000000 };

static void sleep_until(uint64_t target_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(target_ns / 1000000000), .tv_nsec = (long)(target_ns % 1000000000)};

	CALL4(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

/* How late a sleeper wakes here: the third quartile of some naps, within bounds. Called with the lanes' timer slack. */
uint64_t pace_calibrate(void)
{
	uint64_t late[20] = {0};

	for (int i = 0; i < 20; i++) {
		uint64_t target = clock_now_ns() + 200000, now;
		int at = i;

		sleep_until(target);
		now = clock_now_ns();
		for (; at && late[at - 1] > now - target; at--)
			late[at] = late[at - 1];
		late[at] = now - target;
	}
	return late[15] < MARGIN_LEAST_NS ? MARGIN_LEAST_NS : late[15] > MARGIN_MOST_NS ? MARGIN_MOST_NS : late[15];
}

uint64_t pace_until(struct runtime *run, uint64_t target_ns)
{
	uint64_t now;

	while ((now = clock_now_ns()) + run->margin_ns < target_ns) {
		uint64_t wake = target_ns - run->margin_ns;

		if (atomic_load_explicit(&run->stop, memory_order_relaxed))
			return 0;
		sleep_until(wake - now > STOP_CHECK_NS ? now + STOP_CHECK_NS : wake);
	}
	while (now < target_ns) {
		__builtin_ia32_pause();
		now = clock_now_ns();
	}
	return now - target_ns;
}

uint64_t pace_after(struct runtime *run, uint64_t tick, uint64_t gap_ns, bool *slept)
{
	uint64_t gap = tick_of_ns(gap_ns), now;

	while ((now = tick_now()) - tick < gap) {
		uint64_t left_ns = tick_ns(gap - (now - tick));

		if (left_ns <= run->margin_ns) {
			__builtin_ia32_pause();
			continue;
		}
		if (atomic_load_explicit(&run->stop, memory_order_relaxed))
			return 0;
		left_ns -= run->margin_ns;
		*slept = true;
		sleep_until(clock_now_ns() + (left_ns > STOP_CHECK_NS ? STOP_CHECK_NS : left_ns));
	}
	return tick_ns(now - tick - gap);
}
