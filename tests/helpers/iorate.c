/*
 * Seeks in a file (the cheapest call on one) at a given rate from each of some processors, and says how many seeks that were: ground truth for what a
 * recorder under load must not lose.
 *
 *	iorate FILE PROCESSORS RATE SECONDS     "iorate data 0,1 1000000 10": a million a second from each of two; RATE 0: as fast as they go
 *
 * Prints a line for each processor: PROCESSOR SEEKS SEEKS_PER_SECOND, and one for all: all SEEKS SEEKS_PER_SECOND.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
#define THREADS 64
#define SLEEP_MIN_NS 100000

static const char *path;
static double rate, seconds;

struct source {
	pthread_t thread;
	int processor;
	uint64_t seeks;
	double took;
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wait_until(double when)
{
	double rest = when - now();
	struct timespec t = {.tv_nsec = (long)(rest * 1e9)};

	if (rest > SLEEP_MIN_NS * 1e-9 && rest < 1)
		nanosleep(&t, NULL);
}

static void *seek_at_rate(void *data)
{
	struct source *s = data;
	cpu_set_t set;
	double begin;
	int fd = open(path, O_RDONLY);

	CPU_ZERO(&set);
	CPU_SET(s->processor, &set);
	if (fd < 0 || sched_setaffinity(0, sizeof(set), &set)) {
		perror(path);
		exit(1);
	}
	for (begin = now(); s->took < seconds; s->took = now() - begin) {
		for (int i = 0; i < BATCH; i++)
			if (lseek(fd, i, SEEK_SET) != i)
				exit(1);
		s->seeks += BATCH;
		if (rate > 0)
			wait_until(begin + (double)s->seeks / rate);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static struct source source[THREADS];
	uint64_t all = 0;
	double sum = 0;
	int n = 0, fd;

	if (argc != 5)
		return 2;
	path = argv[1];
	rate = atof(argv[3]);
	seconds = atof(argv[4]);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
	if (fd < 0 || ftruncate(fd, 4096))
		return 1;
	for (char *p = strtok(argv[2], ","); p && n < THREADS; p = strtok(NULL, ","))
		source[n++].processor = atoi(p);
	for (int i = 0; i < n; i++)
		if (pthread_create(&source[i].thread, NULL, seek_at_rate, &source[i]))
			return 1;
	for (int i = 0; i < n; i++) {
		pthread_join(source[i].thread, NULL);
		printf("%d %llu %.0f\n", source[i].processor, (unsigned long long)source[i].seeks, (double)source[i].seeks / source[i].took);
		all += source[i].seeks;
		sum += (double)source[i].seeks / source[i].took;
	}
	printf("all %llu %.0f\n", (unsigned long long)all, sum);
	return 0;
}
