#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * The cheapest clock there is: one TSC read (10 ns) where the processor's runs evenly (constant_tsc and nonstop_tsc), else
 * CLOCK_MONOTONIC. Differences only.
 */
struct tick_scale {
	bool tsc;
	uint64_t per_tick; /* ns * 2^32 */
	uint64_t per_ns;   /* ticks * 2^32 */
};
extern struct tick_scale tick_scale;

uint64_t tick_clock(void);

static inline uint64_t tick_now(void)
{
#if defined(__x86_64__)
	if (tick_scale.tsc)
		return __builtin_ia32_rdtsc();
#endif
	return tick_clock();
}

static inline uint64_t tick_ns(uint64_t ticks)
{
	return (uint64_t)((unsigned __int128)ticks * tick_scale.per_tick >> 32);
}

static inline uint64_t tick_of_ns(uint64_t ns)
{
	return (uint64_t)((unsigned __int128)ns * tick_scale.per_ns >> 32);
}

/* Once, before any lane; takes 50 ms. */
void tick_calibrate(void);
