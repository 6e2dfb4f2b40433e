/*
 * Two threads that hand work to each other: known wake-ups for recorders.
 *
 *	handover futex|pipe|eventfd FILE N      the first thread writes 1 byte at offset I, wakes the second, which reads it and wakes the first; N times
 *	handover futex|pipe|eventfd FILE N fast   the same without looking whether the other one sleeps already: prints the processor time of a round in ns
 *
 * Each wakes the other one only when that sleeps (it looks in /proc), so that every wake-up is one.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum how { FUTEX, PIPE, EVENTFD };

struct side {
	int tid, in, out; /* descriptors that it waits on and is woken by */
	uint32_t word;
};

static struct side side[2];
static enum how how;
static int file, fast;
static long rounds;

static void fall_asleep(int tid)
{
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	for (;;) {
		int fd = open(path, O_RDONLY);
		ssize_t n = read(fd, text, sizeof(text) - 1);
		char *state;

		close(fd);
		if (n <= 0)
			exit(1);
		text[n] = 0;
		state = strrchr(text, ')');
		if (state && state[2] == 'S')
			return;
	}
}

static void wake(struct side *other)
{
	uint64_t one = 1;

	if (!fast)
		fall_asleep(__atomic_load_n(&other->tid, __ATOMIC_ACQUIRE));
	if (how == FUTEX) {
		__atomic_store_n(&other->word, 1, __ATOMIC_RELEASE);
		syscall(SYS_futex, &other->word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	} else if (write(other->out, &one, how == PIPE ? 1 : sizeof(one)) < 0) {
		exit(1);
	}
}

static void wait_for(struct side *self)
{
	uint64_t value;

	if (how == FUTEX) {
		while (!__atomic_exchange_n(&self->word, 0, __ATOMIC_ACQ_REL))
			syscall(SYS_futex, &self->word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	} else if (read(self->in, &value, how == PIPE ? 1 : sizeof(value)) < 0) {
		exit(1);
	}
}

static void *second(void *data)
{
	char byte;

	(void)data;
	__atomic_store_n(&side[1].tid, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
	for (long i = 0; i < rounds; i++) {
		wait_for(&side[1]);
		if (pread(file, &byte, 1, i) != 1)
			exit(1);
		wake(&side[0]);
	}
	return NULL;
}

static void make(struct side *s)
{
	int ends[2];

	if (how == PIPE && !pipe(ends)) {
		s->in = ends[0];
		s->out = ends[1];
	} else if (how == EVENTFD) {
		s->in = s->out = eventfd(0, 0);
	}
}

int main(int argc, char **argv)
{
	struct timespec begin, end;
	pthread_t thread;

	if (argc < 4)
		return 2;
	how = !strcmp(argv[1], "futex") ? FUTEX : !strcmp(argv[1], "pipe") ? PIPE : EVENTFD;
	file = open(argv[2], O_RDWR | O_CREAT, 0644);
	rounds = atol(argv[3]);
	fast = argc > 4;
	make(&side[0]);
	make(&side[1]);
	side[0].tid = (int)syscall(SYS_gettid);
	if (file < 0 || pthread_create(&thread, NULL, second, NULL))
		return 1;
	while (!__atomic_load_n(&side[1].tid, __ATOMIC_ACQUIRE))
		usleep(1000);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
	for (long i = 0; i < rounds; i++) {
		if (pwrite(file, "x", 1, i) != 1)
			return 1;
		wake(&side[1]);
		wait_for(&side[0]);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
	pthread_join(thread, NULL);
	if (fast)
		printf("%.0f\n", ((double)(end.tv_sec - begin.tv_sec) * 1e9 + (double)(end.tv_nsec - begin.tv_nsec)) / (double)rounds);
	return 0;
}
