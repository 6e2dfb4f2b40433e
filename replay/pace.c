/*
 * Hitting a time: sleep to a little before it, spin the rest (research/replay.md 3.5). How early a sleeper must wake is learned from how late it did,
 * which changes with the length of the naps and with what else the machine does: the median, less a little, so that half of the naps end in time
 * and the others cost next to nothing. Spinning is bounded: at 10 000 operations a second each 10 us of it are a tenth of a processor, and where
 * wake-ups are scattered because others run more of it does not help.
 */
#include "replay/pace.h"

#include <time.h>

#include "lib/clock.h"
#include "replay/call.h"
#include "replay/runtime.h"
#include "replay/tick.h"

enum { MARGIN_LEAST_NS = 2000, MARGIN_MOST_NS = 60000, BEHIND_NS = 2000, STEP_NS = 100, SPIN_MOST_NS = 4000, SPIN_SHARE = 32, NAPS = 21 };
enum { NAP_NS = 200000, STOP_CHECK_NS = 100000000 };

uint64_t naps_margin_ns(const struct naps *n)
{
	uint64_t margin_ns = n->late_ns > BEHIND_NS ? n->late_ns - BEHIND_NS : 0;

	return margin_ns < MARGIN_LEAST_NS ? MARGIN_LEAST_NS : margin_ns > MARGIN_MOST_NS ? MARGIN_MOST_NS : margin_ns;
}

/* As many steps up as down are a median (a stochastic approximation; Robbins and Monro 1951); too much spinning takes it below. */
void naps_learn(struct naps *n, uint64_t late_ns)
{
	uint64_t margin_ns = naps_margin_ns(n), spun_ns = margin_ns > late_ns ? margin_ns - late_ns : 0;

	n->spun_ns += ((double)spun_ns - n->spun_ns) / SPIN_SHARE;
	if (n->spun_ns > SPIN_MOST_NS || late_ns <= n->late_ns)
		n->late_ns -= n->late_ns > STEP_NS ? STEP_NS : 0;
	else if (n->late_ns < MARGIN_MOST_NS + BEHIND_NS)
		n->late_ns += STEP_NS;
}

static void sleep_until(uint64_t target_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(target_ns / 1000000000), .tv_nsec = (long)(target_ns % 1000000000)};

	CALL4(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
}

void naps_calibrate(struct naps *n)
{
	uint64_t late[NAPS] = {0};

	for (int i = 0; i < NAPS; i++) {
		uint64_t target = clock_now_ns() + NAP_NS, now;
		int at = i;

		sleep_until(target);
		now = clock_now_ns();
		for (; at && late[at - 1] > now - target; at--)
			late[at] = late[at - 1];
		late[at] = now - target;
	}
	*n = (struct naps){.late_ns = late[NAPS / 2] < MARGIN_MOST_NS ? late[NAPS / 2] : MARGIN_MOST_NS};
}

/* Sleeps to the margin before target_ns, or for a while when that is far. Returns when it woke. */
static uint64_t nap(struct lane *l, uint64_t now_ns, uint64_t target_ns)
{
	uint64_t wake_ns = target_ns - naps_margin_ns(&l->naps), woke_ns;

	if (wake_ns - now_ns > STOP_CHECK_NS)
		wake_ns = now_ns + STOP_CHECK_NS;
	sleep_until(wake_ns);
	woke_ns = clock_now_ns();
	naps_learn(&l->naps, woke_ns > wake_ns ? woke_ns - wake_ns : 0);
	return woke_ns;
}

uint64_t pace_until(struct lane *l, uint64_t target_ns)
{
	uint64_t now = clock_now_ns();

	while (now + naps_margin_ns(&l->naps) < target_ns) {
		if (atomic_load_explicit(&l->run->stop, memory_order_relaxed))
			return 0;
		now = nap(l, now, target_ns);
	}
	while (now < target_ns) {
		__builtin_ia32_pause();
		now = clock_now_ns();
	}
	return now - target_ns;
}

uint64_t pace_after(struct lane *l, uint64_t tick, uint64_t gap_ns, bool *slept)
{
	uint64_t gap = tick_of_ns(gap_ns), now;

	while ((now = tick_now()) - tick < gap) {
		uint64_t left_ns = tick_ns(gap - (now - tick)), now_ns;

		if (left_ns <= naps_margin_ns(&l->naps)) {
			__builtin_ia32_pause();
			continue;
		}
		if (atomic_load_explicit(&l->run->stop, memory_order_relaxed))
			return 0;
		*slept = true;
		now_ns = clock_now_ns();
		nap(l, now_ns, now_ns + left_ns);
	}
	return tick_ns(now - tick - gap);
}
