/* cputime COMMAND...: the user and system CPU time of a command and its descendants, and how long it took, in ns, on stderr; its status. */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long wall_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct rusage used;
	long long cpu_us, from = wall_ns();
	pid_t child;
	int status;

	if (argc < 2)
		return 2;
	child = fork();
	if (!child) {
		execvp(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0 || getrusage(RUSAGE_CHILDREN, &used))
		return 1;
	cpu_us = (used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000LL + used.ru_utime.tv_usec + used.ru_stime.tv_usec;
	fprintf(stderr, "%lld %lld\n", 1000 * cpu_us, wall_ns() - from);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
