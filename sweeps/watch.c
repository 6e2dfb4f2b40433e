#include "sweeps/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/outfile.h"
#include "lib/stop.h"

/* A number that changes whenever one of the disks finishes a write; *busy: something is in flight. */
static uint64_t written(const char *const *names, size_t n, bool *busy)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/diskstats", "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	uint64_t sum = 0;

	*busy = false;
	while (f && getline(&line, &size, f) > 0) {
		unsigned long long writes, in_flight;
		char name[64];

		if (sscanf(line, "%*u %*u %63s %*u %*u %*u %*u %llu %*u %*u %*u %llu", name, &writes, &in_flight) != 3)
			continue;
		for (size_t i = 0; i < n; i++) {
			if (strcmp(name, names[i]))
				continue;
			sum += writes;
			*busy |= in_flight > 0;
		}
	}
	return sum;
}

double settle(const char *const *names, size_t n, double idle_s, double limit_s, bool *idle)
{
	uint64_t start = clock_now_ns(), quiet_since = start, now = start, last, seen;
	bool busy;

	last = written(names, n, &busy);
	*idle = false;
	while (stop_count() < 2) {
		nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
		now = clock_now_ns();
		seen = written(names, n, &busy);
		if (busy || seen != last)
			quiet_since = now;
		last = seen;
		*idle = (double)(now - quiet_since) >= idle_s * 1e9;
		if (*idle || (double)(now - start) >= limit_s * 1e9)
			break;
	}
	return (double)(now - start) / 1e9;
}

int kernel_log_mark(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0 && lseek(fd, 0, SEEK_END) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

int kernel_log_save(int mark, const char *path)
{
	char record[8192];
	struct outfile out;
	int lines = 0, rc;
	ssize_t n;

	if (mark < 0)
		return 0;
	rc = outfile_open(&out, path);
	/* One record a read: "priority,sequence,time_us,flags;text". EPIPE: some were overwritten before we came. */
	while (!rc && ((n = read(mark, record, sizeof(record) - 1)) > 0 || (n < 0 && errno == EPIPE))) {
		unsigned long long time_us;
		char *text, *end;

		if (n < 0) {
			fprintf(out.stream, "(kernel messages were lost here)\n");
			continue;
		}
		record[n] = 0;
		text = strchr(record, ';');
		end = text ? strchr(text, '\n') : NULL;
		if (!end || sscanf(record, "%*u,%*u,%llu", &time_us) != 1)
			continue;
		fprintf(out.stream, "[%5llu.%06llu] %.*s\n", time_us / 1000000, time_us % 1000000, (int)(end - text - 1), text + 1);
		lines++;
	}
	close(mark);
	if (!rc)
		rc = outfile_commit(&out);
	return rc ? rc : lines;
}
