#include "rootfs/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_STEPS 100
#define STEP_NS 50000000L

int child_start(struct child *c, const char *name, const char *const argv[])
{
	pid_t us = getpid();
	int out[2];

	*c = (struct child){.name = name, .fd = -1};
	if (pipe2(out, O_CLOEXEC))
		return -errno;
	c->pid = fork();
	if (c->pid == 0) {
		int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

		prctl(PR_SET_PDEATHSIG, SIGTERM);
		if (getppid() != us)
			_exit(127);
		/* A Ctrl-C is for us; we end the servers in order. */
		setpgid(0, 0);
		dup2(null, 0);
		dup2(out[1], 1);
		dup2(out[1], 2);
		execvp(argv[0], (char *const *)argv);
		dprintf(2, "cannot start %s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	close(out[1]);
	if (c->pid < 0) {
		close(out[0]);
		c->pid = 0;
		return -EAGAIN;
	}
	c->fd = out[0];
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	return 0;
}

bool child_line(struct child *c, char *line, size_t size)
{
	char *end = memchr(c->pending, '\n', c->n);
	size_t length, take;
	ssize_t got;

	if (!end && c->fd >= 0 && c->n < sizeof(c->pending)) {
		got = read(c->fd, c->pending + c->n, sizeof(c->pending) - c->n);
		if (got > 0)
			c->n += (size_t)got;
		if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
			close(c->fd);
			c->fd = -1;
		}
		end = memchr(c->pending, '\n', c->n);
	}
	/* A line longer than the buffer comes in pieces, and so does a last one without a newline. */
	if (!end && (!c->n || (c->n < sizeof(c->pending) && c->fd >= 0)))
		return false;
	length = end ? (size_t)(end - c->pending) : c->n;
	take = length < size - 1 ? length : size - 1;
	memcpy(line, c->pending, take);
	line[take] = 0;
	length += end != NULL;
	memmove(c->pending, c->pending + length, c->n - length);
	c->n -= length;
	return true;
}

bool child_gone(struct child *c)
{
	if (c->pid && waitpid(c->pid, NULL, WNOHANG) == c->pid)
		c->pid = 0;
	return !c->pid;
}

void child_end(struct child *c)
{
	static const struct timespec step = {0, STEP_NS};

	if (!c->pid)
		return;
	kill(c->pid, SIGTERM);
	for (int i = 0; i < PATIENCE_STEPS && !child_gone(c); i++)
		nanosleep(&step, NULL);
	if (c->pid) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
		c->pid = 0;
	}
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}
