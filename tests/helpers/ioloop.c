/*
 * A tight loop of one kind of file system call, for measuring what tracing adds to it. Prints the median over batches of CPU nanoseconds a
 * call (the thread's own CPU time: other load on the machine matters little).
 *
 *	ioloop pread|open|write|getppid FILE MILLISECONDS
 *	ioloop count FILE N       exactly N preads, as fast as they go; prints nothing
 *	ioloop pace FILE N        the same, but says "ready" and waits for SIGUSR1 first
 */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1024
#define BATCHES 65536
#define PAGES 4096

static char buffer[4096];
static uint64_t seed = 88172645463325252ULL;

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static off_t random_page(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (off_t)(seed % PAGES) * 4096;
}

static void one(char what, const char *file, int fd)
{
	struct stat st;
	int other;

	switch (what) {
	case 'p':
		if (pread(fd, buffer, 4096, random_page()) != 4096)
			exit(1);
		break;
	case 'w':
		if (pwrite(fd, buffer, 512, random_page()) != 512)
			exit(1);
		break;
	case 'o':
		other = open(file, O_RDONLY);
		if (other < 0 || fstat(other, &st) || close(other))
			exit(1);
		break;
	case 'g': syscall(SYS_getppid); break;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double batch[BATCHES];
	size_t n = 0;
	uint64_t end, count;
	int fd;

	if (argc != 4)
		return 2;
	fd = open(argv[2], O_RDWR | O_CREAT, 0644);
	if (fd < 0 || ftruncate(fd, (off_t)PAGES * 4096))
		return 1;
	for (int i = 0; i < PAGES; i++)
		if (pwrite(fd, buffer, 4096, (off_t)i * 4096) != 4096)
			return 1;
	if (!strcmp(argv[1], "count") || !strcmp(argv[1], "pace")) {
		if (argv[1][0] == 'p') {
			sigset_t set;
			int got;

			sigemptyset(&set);
			sigaddset(&set, SIGUSR1);
			sigprocmask(SIG_BLOCK, &set, NULL);
			puts("ready");
			fflush(stdout);
			sigwait(&set, &got);
		}
		for (count = strtoull(argv[3], NULL, 10); count--;)
			one('p', argv[2], fd);
		return 0;
	}
	end = cpu_ns() + strtoull(argv[3], NULL, 10) * 1000000ULL;
	while (n < BATCHES && cpu_ns() < end) {
		uint64_t from = cpu_ns();

		for (int i = 0; i < BATCH; i++)
			one(argv[1][0], argv[2], fd);
		batch[n++] = (double)(cpu_ns() - from) / BATCH;
	}
	qsort(batch, n, sizeof(*batch), compare);
	printf("%.1f\n", batch[n / 2]);
	return 0;
}
