#include "replay/tick.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/clock.h"

enum { PAIRS = 64 };

struct tick_scale tick_scale = {.per_tick = 1ULL << 32, .per_ns = 1ULL << 32};

uint64_t tick_clock(void)
{
	return clock_now_ns();
}

#if defined(__x86_64__)
static bool tsc_is_even(void)
{
	char line[8192] = "";
	FILE *f = fopen("/proc/cpuinfo", "re");

	while (f && fgets(line, sizeof(line), f) && strncmp(line, "flags", 5))
		line[0] = 0;
	if (f)
		fclose(f);
	return strstr(line, " constant_tsc") && strstr(line, " nonstop_tsc");
}

/* A TSC value and a time that belong together: of many pairs the one whose reads were closest to each other. */
static void pair(uint64_t *tsc, uint64_t *ns)
{
	uint64_t best = UINT64_MAX;

	for (int i = 0; i < PAIRS; i++) {
		uint64_t before = __builtin_ia32_rdtsc(), now = clock_now_ns(), after = __builtin_ia32_rdtsc();

		if (after - before < best) {
			best = after - before;
			*tsc = before + best / 2;
			*ns = now;
		}
	}
}

void tick_calibrate(void)
{
	uint64_t tsc0 = 0, tsc1 = 0, ns0 = 0, ns1 = 0;

	if (!tsc_is_even())
		return;
	pair(&tsc0, &ns0);
	nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
	pair(&tsc1, &ns1);
	if (tsc1 <= tsc0 || ns1 <= ns0)
		return;
	tick_scale = (struct tick_scale){.tsc = true,
					 .per_tick = (uint64_t)(((unsigned __int128)(ns1 - ns0) << 32) / (tsc1 - tsc0)),
					 .per_ns = (uint64_t)(((unsigned __int128)(tsc1 - tsc0) << 32) / (ns1 - ns0))};
}
#else
void tick_calibrate(void)
{
}
#endif
