/*
 * The floor under every replayer: the same operations in a plain loop, nothing measured, nothing compared.
 *
 *	plain_loop FILE random|sequential|fstat COUNT BYTES_OF_FILE     prints the loop's CPU time in ns
 *	plain_loop offsets random|sequential COUNT BYTES_OF_FILE        prints its offsets, one a line
 *	plain_loop beside FILE KIND COUNT BYTES COMMAND...               the loop again and again while the command runs, on the same processor:
 *	                                                                 the scheduler interleaves them every few ms. Prints a line per SLICE
 *	                                                                 operations: when they ended (ns since 1970), CPU ns an operation
 *	plain_loop race COMMAND... -- COMMAND...                         runs both at the same time on one processor, prints the CPU time of
 *	                                                                 each whole process in ms
 */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SLICE = 1000 };

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static uint64_t *offsets(int is_random, uint64_t count, uint64_t bytes)
{
	uint64_t *o = malloc(count * sizeof(*o)), x = 88172645463325252ULL;

	for (uint64_t i = 0; o && i < count; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		o[i] = (is_random ? x : i) % (bytes / 4096) * 4096;
	}
	return o;
}

static void stay_here(void)
{
	cpu_set_t one;
	int cpu = sched_getcpu();

	CPU_ZERO(&one);
	CPU_SET(cpu < 0 ? 0 : cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static pid_t start(char **argv)
{
	pid_t child = fork();

	if (child)
		return child;
	if (!freopen("/dev/null", "w", stdout))
		_exit(127);
	execvp(argv[0], argv);
	_exit(127);
}

static int race(char **argv)
{
	struct rusage u[2] = {0};
	pid_t child[2];
	char **second = argv;

	while (*second && strcmp(*second, "--"))
		second++;
	if (!*second)
		return 2;
	*second++ = NULL;
	stay_here();
	child[0] = start(argv);
	child[1] = start(second);
	for (int i = 0; i < 2; i++) {
		int status;

		if (child[i] < 0 || wait4(child[i], &status, 0, &u[i]) != child[i] || status)
			return 1;
	}
	for (int i = 0; i < 2; i++)
		printf("%ld%c", (long)((u[i].ru_utime.tv_sec + u[i].ru_stime.tv_sec) * 1000 + (u[i].ru_utime.tv_usec + u[i].ru_stime.tv_usec) / 1000),
		       i ? '\n' : ' ');
	return 0;
}

/* count operations, beginning with the one of number *at. 0: done. */
static int run(int fd, const char *kind, const uint64_t *o, uint64_t all, uint64_t *at, uint64_t count)
{
	static char buffer[4096] __attribute__((aligned(4096)));
	struct stat st;
	uint64_t i = *at, end = i + count > all ? all : i + count;

	*at = end == all ? 0 : end;
	if (!strcmp(kind, "fstat")) {
		for (; i < end; i++)
			if (syscall(SYS_fstat, fd, &st)) /* fstat() of glibc is a newfstatat, which is slower */
				return 1;
	} else {
		for (; i < end; i++)
			if (pread(fd, buffer, sizeof(buffer), (off_t)o[i]) != sizeof(buffer))
				return 1;
	}
	return 0;
}

static int beside(int fd, const char *kind, const uint64_t *o, uint64_t all, char **argv)
{
	pid_t child;
	int status;

	stay_here();
	child = start(argv);
	for (uint64_t at = 0; !waitpid(child, &status, WNOHANG);) {
		uint64_t from = at, began = cpu_ns();
		struct timespec now;

		if (run(fd, kind, o, all, &at, SLICE))
			return 1;
		clock_gettime(CLOCK_REALTIME, &now);
		printf("%lld%09ld %.1f\n", (long long)now.tv_sec, now.tv_nsec,
		       (double)(cpu_ns() - began) / (double)((at ? at : all) - from));
	}
	return status != 0;
}

int main(int argc, char **argv)
{
	uint64_t count, *o, began, at = 0;
	int fd;

	if (argc > 2 && !strcmp(argv[1], "race"))
		return race(argv + 2);
	if (argc > 6 && !strcmp(argv[1], "beside"))
		argv++;
	else if (argc != 5)
		return 2;
	count = strtoull(argv[3], NULL, 10);
	o = offsets(!strcmp(argv[2], "random"), count, strtoull(argv[4], NULL, 10));
	if (!o)
		return 1;
	if (!strcmp(argv[1], "offsets")) {
		for (uint64_t i = 0; i < count; i++)
			printf("%llu\n", (unsigned long long)o[i]);
		return 0;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 1;
	if (argc != 5)
		return beside(fd, argv[2], o, count, argv + 5);
	began = cpu_ns();
	if (run(fd, argv[2], o, count, &at, count))
		return 1;
	printf("%llu\n", (unsigned long long)(cpu_ns() - began));
	return 0;
}
