#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/stop.h"

#define OUTPUT_MAX (1u << 20)

static _Atomic enum proc_group own_group;

void proc_set_group(enum proc_group group)
{
	own_group = group;
}

struct stream {
	int fd;
	char *text;
	size_t n;
};

static void child(const char *const argv[], const struct proc_options *o, int out, int err)
{
	int in = open(o->in_file ? o->in_file : "/dev/null", O_RDONLY | O_CLOEXEC);

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (own_group != PROC_SHARED)
		setpgid(0, 0);
	if (in < 0)
		_exit(126);
	dup2(in, 0);
	if (o->out_file) {
		out = open(o->out_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (out < 0)
			_exit(126);
	}
	dup2(out, 1);
	if (!o->keep_stderr)
		dup2(err, 2);
	if (o->directory && chdir(o->directory))
		_exit(126);
	for (const char *const *e = o->environment; e && *e; e++)
		putenv((char *)*e);
	execvp(argv[0], (char *const *)argv);
	dprintf(2, "cannot start %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static void stream_read(struct stream *s)
{
	char drop[4096];
	ssize_t got;

	if (s->n < OUTPUT_MAX)
		got = read(s->fd, s->text + s->n, OUTPUT_MAX - s->n);
	else
		got = read(s->fd, drop, sizeof(drop));
	if (got > 0 && s->n < OUTPUT_MAX)
		s->n += (size_t)got;
	if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
		close(s->fd);
		s->fd = -1;
	}
}

/* Why the process has to end now, or 0. */
static bool must_end(uint64_t timeout_ns, uint64_t ran_ns)
{
	return (timeout_ns && ran_ns > timeout_ns) || (own_group == PROC_ABORTABLE && stop_count() >= 2);
}

/* Reads both pipes until the process has ended or its time is up; returns the status for struct proc_result. */
static int supervise(pid_t pid, struct stream *out, struct stream *err, uint64_t timeout_ns)
{
	uint64_t start = clock_now_ns(), late_ns = 0;
	pid_t whom = own_group == PROC_SHARED ? pid : -pid;
	int status, late = 0;

	for (;;) {
		struct pollfd fds[2] = {{out->fd, POLLIN, 0}, {err->fd, POLLIN, 0}};
		uint64_t ran = clock_now_ns() - start;
		pid_t gone;

		poll(fds, 2, out->fd < 0 && err->fd < 0 ? 5 : 50);
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				stream_read(i ? err : out);
		gone = waitpid(pid, &status, WNOHANG);
		if (gone == pid)
			break;
		if (late == 0 && must_end(timeout_ns, ran)) {
			late = 1;
			late_ns = ran;
			kill(whom, SIGTERM);
		} else if (late == 1 && ran > late_ns + 5000000000ULL) {
			late = 2;
			kill(whom, SIGKILL);
		}
	}
	/* What is still in the pipes; a grandchild that keeps them open must not keep us. */
	for (int i = 0; i < 2; i++) {
		struct stream *s = i ? err : out;

		while (s->fd >= 0) {
			struct pollfd p = {s->fd, POLLIN, 0};

			if (poll(&p, 1, 0) <= 0)
				break;
			stream_read(s);
		}
		if (s->fd >= 0)
			close(s->fd);
	}
	if (late)
		return 124;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int proc_run(const char *const argv[], const struct proc_options *options, struct proc_result *result)
{
	static const struct proc_options none;
	struct stream out = {-1, calloc(1, OUTPUT_MAX + 1), 0}, err = {-1, calloc(1, OUTPUT_MAX + 1), 0};
	int po[2] = {-1, -1}, pe[2] = {-1, -1}, rc = -ENOMEM;
	uint64_t start = clock_now_ns();
	pid_t pid;

	*result = (struct proc_result){.status = 127, .out = out.text, .err = err.text};
	if (!out.text || !err.text)
		goto failed;
	if (pipe2(po, O_CLOEXEC) || pipe2(pe, O_CLOEXEC)) {
		rc = -errno;
		goto failed;
	}
	pid = fork();
	if (pid < 0) {
		rc = -errno;
		goto failed;
	}
	if (pid == 0)
		child(argv, options ? options : &none, po[1], pe[1]);
	if (own_group != PROC_SHARED)
		setpgid(pid, pid); /* here too: whoever comes first, the group is there before it is signalled */
	close(po[1]);
	close(pe[1]);
	out.fd = po[0];
	err.fd = pe[0];
	result->status = supervise(pid, &out, &err, options ? options->timeout_ns : 0);
	result->elapsed_ns = clock_now_ns() - start;
	return 0;
failed:
	for (int i = 0; i < 2; i++) {
		cleanup_close(&po[i]);
		cleanup_close(&pe[i]);
	}
	proc_release(result);
	return rc;
}

void proc_release(struct proc_result *result)
{
	free(result->out);
	free(result->err);
	result->out = result->err = NULL;
}

static char *last_line(char *text)
{
	size_t n = text ? strlen(text) : 0;
	char *line;

	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		text[--n] = 0;
	line = n ? strrchr(text, '\n') : NULL;
	return n ? (line ? line + 1 : text) : NULL;
}

const char *proc_last_words(struct proc_result *result)
{
	char *line = last_line(result->err);

	if (!line)
		line = last_line(result->out);
	return line ? line : "it said nothing";
}

const char *proc_self(void)
{
	static char path[4096];

	if (!path[0] && readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		return "iorig";
	return path;
}
