#include "lib/clock.h"

#include <stdio.h>
#include <time.h>

#include "lib/stop.h"

uint64_t clock_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ULL + (uint64_t)ts.tv_nsec;
}

char *clock_iso(char text[32])
{
	struct timespec ts;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &ts);
	gmtime_r(&ts.tv_sec, &tm);
	n = strftime(text, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + n, 32 - n, ".%03ldZ", ts.tv_nsec / 1000000);
	return text;
}

void clock_sleep_ns(uint64_t ns)
{
	uint64_t end = clock_now_ns() + ns, now;

	while (!stop_requested() && (now = clock_now_ns()) < end) {
		uint64_t left = end - now > 100000000ULL ? 100000000ULL : end - now;

		nanosleep(&(struct timespec){.tv_nsec = (long)left}, NULL);
	}
}
