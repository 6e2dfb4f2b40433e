/*
 * Reads 4096 bytes of a file at a given rate and does nothing else: sleeps until each is due, reads. What of the processor a machine takes for that
 * is the least that a replay of a schedule can take there.
 *
 *	ontime FILE RATE SECONDS
 *
 * Prints: CPU_PERCENT LATE_P50_US of a core, and how late half of the reads began at most.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	static char buffer[4096];
	int fd = argc == 4 ? open(argv[1], O_RDONLY) : -1;
	double rate = argc == 4 ? atof(argv[2]) : 0, seconds = argc == 4 ? atof(argv[3]) : 0;
	size_t n = (size_t)(rate * seconds);
	uint32_t *late_ns = calloc(n + 1, sizeof(*late_ns));
	uint64_t begin, cpu_ns;

	if (fd < 0 || !n || !late_ns || prctl(PR_SET_TIMERSLACK, 1)) {
		fprintf(stderr, "ontime FILE RATE SECONDS\n");
		return 2;
	}
	begin = clock_ns(CLOCK_MONOTONIC);
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	for (size_t i = 0; i < n; i++) {
		uint64_t due_ns = begin + (uint64_t)((double)(i + 1) * 1e9 / rate);
		struct timespec t = {.tv_sec = (time_t)(due_ns / 1000000000), .tv_nsec = (long)(due_ns % 1000000000)};

		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
		late_ns[i] = (uint32_t)(clock_ns(CLOCK_MONOTONIC) - due_ns);
		if (pread(fd, buffer, sizeof(buffer), (off_t)(i * 7919 % 16384 * 4096)) < 0)
			return 1;
	}
	cpu_ns = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_ns;
	qsort(late_ns, n, sizeof(*late_ns), ascending);
	printf("%.1f %.1f\n", (double)cpu_ns * 100 / (double)(clock_ns(CLOCK_MONOTONIC) - begin), late_ns[n / 2] / 1e3);
	return 0;
}
