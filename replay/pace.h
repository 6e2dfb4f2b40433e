#pragma once
#include <stdbool.h>
#include <stdint.h>

struct lane;

/* What a sleeper has learned of its naps. Each lane for itself. */
struct naps {
	uint64_t late_ns; /* after its time it wakes: the median, or less when that is bought too dearly */
	double spun_ns;   /* from waking to the time that was meant: the average of the last few */
};

/* How late a sleeper wakes here. Takes 5 ms. Called with the lanes' timer slack. */
void naps_calibrate(struct naps *n);
/* One has woken so late. */
void naps_learn(struct naps *n, uint64_t late_ns);
/* How early it is to wake, so that it hits its time. */
uint64_t naps_margin_ns(const struct naps *n);

/* Waits until CLOCK_MONOTONIC reaches target, the last margin spinning. Returns how late it is; 0 when the run is being stopped. */
uint64_t pace_until(struct lane *l, uint64_t target_ns);
/* The same until gap_ns after tick; slept: not only spun. Both count from what they were given: no error adds up over a run. */
uint64_t pace_after(struct lane *l, uint64_t tick, uint64_t gap_ns, bool *slept);
