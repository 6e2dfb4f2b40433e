/*
 * A mail server's deliveries, as ground truth for recording and replay: THREADS threads deliver MESSAGES messages into DIR.
 * Each message is created in tmp/, written, fsynced, renamed to new/, read back, and every second one is unlinked.
 * Prints what it did, one "name count" a line, so that a test can compare it with a trace.
 *
 *	maildir DIR MESSAGES THREADS
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct worker {
	pthread_t thread;
	int id, messages, tmp, new;
	long opens, writes, fsyncs, renames, reads, unlinks;
};

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "maildir: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void deliver(struct worker *w, int n)
{
	char name[64], text[16384];
	size_t size = 500 + (size_t)(n * 7919) % 15000;
	int fd;

	snprintf(name, sizeof(name), "%d.%06d.host", w->id, n);
	memset(text, 'a' + n % 26, size);
	fd = openat(w->tmp, name, O_CREAT | O_EXCL | O_WRONLY, 0600);
	check(fd >= 0, "create in tmp");
	w->opens++;
	for (size_t done = 0; done < size; done += 4096, w->writes++) {
		size_t part = size - done < 4096 ? size - done : 4096;

		check(write(fd, text + done, part) == (ssize_t)part, "write");
	}
	check(!fsync(fd), "fsync");
	w->fsyncs++;
	close(fd);
	check(!renameat(w->tmp, name, w->new, name), "rename");
	w->renames++;
	fd = openat(w->new, name, O_RDONLY);
	check(fd >= 0, "open in new");
	w->opens++;
	for (ssize_t got = 1; got > 0; w->reads++)
		check((got = read(fd, text, 4096)) >= 0, "read");
	close(fd);
	if (n % 2) {
		check(!unlinkat(w->new, name, 0), "unlink");
		w->unlinks++;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (int n = 0; n < w->messages; n++)
		deliver(w, n);
	return NULL;
}

int main(int argc, char **argv)
{
	struct worker workers[64] = {0}, sum = {0};
	int messages = argc == 4 ? atoi(argv[2]) : 0, threads = argc == 4 ? atoi(argv[3]) : 0, dir, tmp, new;

	if (messages < 1 || threads < 1 || threads > 64) {
		fprintf(stderr, "usage: maildir DIR MESSAGES THREADS\n");
		return 2;
	}
	dir = open(argv[1], O_RDONLY | O_DIRECTORY);
	check(dir >= 0, argv[1]);
	check(!mkdirat(dir, "tmp", 0700) && !mkdirat(dir, "new", 0700), "mkdir");
	tmp = openat(dir, "tmp", O_RDONLY | O_DIRECTORY);
	new = openat(dir, "new", O_RDONLY | O_DIRECTORY);
	check(tmp >= 0 && new >= 0, "open directories");
	for (int i = 0; i < threads; i++) {
		workers[i] = (struct worker){.id = i, .messages = messages / threads, .tmp = tmp, .new = new};
		check(!pthread_create(&workers[i].thread, NULL, work, &workers[i]), "thread");
	}
	for (int i = 0; i < threads; i++) {
		pthread_join(workers[i].thread, NULL);
		sum.opens += workers[i].opens;
		sum.writes += workers[i].writes;
		sum.fsyncs += workers[i].fsyncs;
		sum.renames += workers[i].renames;
		sum.reads += workers[i].reads;
		sum.unlinks += workers[i].unlinks;
	}
	printf("openat %ld\nwrite %ld\nfsync %ld\nrenameat %ld\nread %ld\nunlinkat %ld\n", sum.opens, sum.writes, sum.fsyncs, sum.renames,
	       sum.reads, sum.unlinks);
	return 0;
}
