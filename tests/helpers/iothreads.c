/*
 * Threads that read one file at once and interrupt each other: known numbers of calls for recorders that may lose some.
 *
 *	iothreads FILE THREADS N     each thread reads N times; one more of high priority wakes up all the time and reads N / 20 times
 *
 * Thread number i reads i + 1 bytes, the one of high priority reads 100: a call that is recorded says whose it was. Prints what was done, one line a
 * length: "pread64 LENGTH TIMES".
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define HIGH_LENGTH 100

static int fd;

struct work {
	pthread_t thread;
	size_t length;
	long count;
	long pause_ns;
};

static void *reader(void *data)
{
	const struct work *w = data;
	const struct timespec pause = {0, w->pause_ns};
	char buffer[HIGH_LENGTH];

	for (long i = 0; i < w->count; i++) {
		if (pread(fd, buffer, w->length, i % 4096) != (ssize_t)w->length)
			exit(1);
		if (w->pause_ns)
			nanosleep(&pause, NULL);
	}
	return NULL;
}

static int start(struct work *w, int policy)
{
	struct sched_param priority = {.sched_priority = policy == SCHED_FIFO ? 50 : 0};
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
	pthread_attr_setschedpolicy(&attributes, policy);
	pthread_attr_setschedparam(&attributes, &priority);
	return pthread_create(&w->thread, &attributes, reader, w);
}

int main(int argc, char **argv)
{
	static char content[8192];
	struct work work[65];
	int threads;
	long count;

	if (argc != 4)
		return 2;
	threads = atoi(argv[2]);
	count = atol(argv[3]);
	if (threads < 1 || threads > 64 || count < 1)
		return 2;
	fd = open(argv[1], O_RDWR | O_CREAT, 0644);
	if (fd < 0 || pwrite(fd, content, sizeof(content), 0) != sizeof(content))
		return 1;
	work[0] = (struct work){.length = HIGH_LENGTH, .count = count / 20, .pause_ns = 50000};
	for (int i = 1; i <= threads; i++)
		work[i] = (struct work){.length = (size_t)i, .count = count};
	for (int i = 0; i <= threads; i++)
		if (start(&work[i], i ? SCHED_OTHER : SCHED_FIFO))
			return 1;
	for (int i = 0; i <= threads; i++)
		pthread_join(work[i].thread, NULL);
	for (int i = 0; i <= threads; i++)
		printf("pread64 %zu %ld\n", work[i].length, work[i].count);
	return 0;
}
