/*
 * A tight loop of one kind of file system call, for measuring what tracing adds to it. Prints the medians over batches of CPU nanoseconds a call (the
 * thread's own CPU time: other load on the machine matters little) and of wall clock nanoseconds a call; of several threads the mean of theirs.
 *
 *	ioloop pread|open|write|getppid FILE MILLISECONDS [THREADS]     CPU time for each thread; thread N runs on processor N
 *	ioloop count FILE N       exactly N preads, as fast as they go; prints nothing
 *	ioloop pace FILE N        the same, but says "ready" and waits for SIGUSR1 first
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
#define BATCHES 65536
#define PAGES 4096
#define THREADS 16

static const char *file;
static char what;
static uint64_t limit_ns;

struct loop {
	pthread_t thread;
	int processor; /* -1: any */
	uint64_t seed;
	double cpu_ns, wall_ns;
};

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static off_t random_page(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return (off_t)(*seed % PAGES) * 4096;
}

static void one(int fd, char *buffer, uint64_t *seed)
{
	struct stat st;
	int other;

	switch (what) {
	case 'p':
		if (pread(fd, buffer, 4096, random_page(seed)) != 4096)
			exit(1);
		break;
	case 'w':
		if (pwrite(fd, buffer, 512, random_page(seed)) != 512)
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

static double median(double *v, size_t n)
{
	qsort(v, n, sizeof(*v), compare);
	return v[n / 2];
}

static void *loop(void *data)
{
	struct loop *l = data;
	double *cpu = malloc(BATCHES * sizeof(*cpu)), *wall = malloc(BATCHES * sizeof(*wall));
	static __thread char buffer[4096];
	int fd = open(file, O_RDWR);
	uint64_t end = clock_ns(CLOCK_THREAD_CPUTIME_ID) + limit_ns;
	size_t n = 0;
	cpu_set_t set;

	CPU_ZERO(&set);
	if (l->processor >= 0)
		CPU_SET(l->processor, &set);
	if (!cpu || !wall || fd < 0 || (l->processor >= 0 && sched_setaffinity(0, sizeof(set), &set)))
		exit(1);
	while (n < BATCHES && clock_ns(CLOCK_THREAD_CPUTIME_ID) < end) {
		uint64_t from = clock_ns(CLOCK_THREAD_CPUTIME_ID), since = clock_ns(CLOCK_MONOTONIC);

		for (int i = 0; i < BATCH; i++)
			one(fd, buffer, &l->seed);
		wall[n] = (double)(clock_ns(CLOCK_MONOTONIC) - since) / BATCH;
		cpu[n++] = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - from) / BATCH;
	}
	l->cpu_ns = median(cpu, n);
	l->wall_ns = median(wall, n);
	free(cpu);
	free(wall);
	close(fd);
	return NULL;
}

static int measure(int threads)
{
	struct loop loops[THREADS];
	double cpu = 0, wall = 0;

	for (int i = 0; i < threads; i++) {
		loops[i] = (struct loop){.processor = threads > 1 ? i : -1, .seed = 88172645463325252ULL + (uint64_t)i};
		if (threads > 1 && pthread_create(&loops[i].thread, NULL, loop, &loops[i]))
			return 1;
	}
	if (threads == 1)
		loop(&loops[0]);
	for (int i = 0; i < threads; i++) {
		if (threads > 1)
			pthread_join(loops[i].thread, NULL);
		cpu += loops[i].cpu_ns / threads;
		wall += loops[i].wall_ns / threads;
	}
	printf("%.1f %.1f\n", cpu, wall);
	return 0;
}

static int count(int fd, uint64_t n, bool wait)
{
	uint64_t seed = 88172645463325252ULL;
	char buffer[4096];
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (wait) {
		puts("ready");
		fflush(stdout);
		sigwait(&set, &got);
	}
	what = 'p';
	while (n--)
		one(fd, buffer, &seed);
	return 0;
}

int main(int argc, char **argv)
{
	static char page[4096];
	int fd, threads = argc == 5 ? atoi(argv[4]) : 1;

	if (argc < 4 || threads < 1 || threads > THREADS)
		return 2;
	file = argv[2];
	fd = open(file, O_RDWR | O_CREAT, 0644);
	if (fd < 0 || ftruncate(fd, (off_t)PAGES * 4096))
		return 1;
	for (int i = 0; i < PAGES; i++)
		if (pwrite(fd, page, 4096, (off_t)i * 4096) != 4096)
			return 1;
	if (!strcmp(argv[1], "count") || !strcmp(argv[1], "pace"))
		return count(fd, strtoull(argv[3], NULL, 10), argv[1][0] == 'p');
	what = argv[1][0];
	limit_ns = strtoull(argv[3], NULL, 10) * 1000000ULL;
	return measure(threads);
}
