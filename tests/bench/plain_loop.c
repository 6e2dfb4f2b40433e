/*
 * The floor under every replayer: the same operations in a plain loop, nothing measured, nothing compared.
 *
 *	plain_loop FILE random|sequential|fstat COUNT BYTES_OF_FILE     prints the loop's CPU time in ns
 *	plain_loop offsets random|sequential COUNT BYTES_OF_FILE        prints its offsets, one a line
 *	plain_loop cpu COMMAND...                                        runs it, prints the CPU time of the whole process in ms
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

static int cpu_of(char **argv)
{
	struct rusage u;
	pid_t child = fork();
	int status;

	if (!child) {
		if (!freopen("/dev/null", "w", stdout))
			_exit(127);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &u) != child || status)
		return 1;
	printf("%ld\n", (long)((u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000));
	return 0;
}

int main(int argc, char **argv)
{
	uint64_t count, *o, began;
	static char buffer[4096] __attribute__((aligned(4096)));
	struct stat st;
	int fd;

	if (argc > 2 && !strcmp(argv[1], "cpu"))
		return cpu_of(argv + 2);
	if (argc != 5)
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
	fd = open(argv[1], O_RDONLY);
	if (fd < 0)
		return 1;
	began = cpu_ns();
	if (!strcmp(argv[2], "fstat")) {
		for (uint64_t i = 0; i < count; i++)
			if (fstat(fd, &st))
				return 1;
	} else {
		for (uint64_t i = 0; i < count; i++)
			if (pread(fd, buffer, sizeof(buffer), (off_t)o[i]) != sizeof(buffer))
				return 1;
	}
	printf("%llu\n", (unsigned long long)(cpu_ns() - began));
	return 0;
}
