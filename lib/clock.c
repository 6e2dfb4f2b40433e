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

uint64_t clock_cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
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

const char *clock_text(char text[16], uint64_t ns)
{
	if (ns < 10000)
		snprintf(text, 16, "%u ns", (unsigned)ns);
	else if (ns < 10000000)
		snprintf(text, 16, "%.4g us", (double)ns / 1e3);
	else if (ns < 10000000000)
		snprintf(text, 16, "%.4g ms", (double)ns / 1e6);
	else
		snprintf(text, 16, "%.5g s", (double)ns / 1e9);
	return text;
}
