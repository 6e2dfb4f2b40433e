#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "capture/tracee.h"

/* Found here and not by the child, so that the search is not part of the recording. */
static int find(const char *name, char path[PATH_MAX])
{
	const char *dirs = getenv("PATH"), *end;
	struct stat st;
	int why = -ENOENT;

	if (strchr(name, '/'))
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX ? (access(path, X_OK) ? -errno : 0) : -ENAMETOOLONG;
	for (dirs = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; dirs; dirs = *end ? end + 1 : NULL) {
		end = strchrnul(dirs, ':');
		if (snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - dirs), dirs, end == dirs ? "./" : "/", name) >= PATH_MAX)
			continue;
		if (!access(path, X_OK) && !stat(path, &st) && S_ISREG(st.st_mode))
			return 0;
		if (errno == EACCES)
			why = -EACCES;
	}
	return why;
}

__attribute__((noreturn)) static void become(const char *path, char *const argv[], int go, int failed)
{
	char byte;
	int why;

	if (read(go, &byte, 1) != 1)
		_exit(127); /* the recorder has given up */
	execv(path, argv);
	why = errno;
	if (write(failed, &why, sizeof(why)) != sizeof(why))
		_exit(126);
	_exit(127);
}

int tracee_make(struct tracee *c, char *const argv[])
{
	char path[PATH_MAX];
	int go[2], failed[2], rc;

	memset(c, 0, sizeof(*c));
	c->go = c->failed = -1;
	rc = find(argv[0], path);
	if (rc)
		return rc;
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failed, O_CLOEXEC)) {
		rc = -errno;
		close(go[0]);
		close(go[1]);
		return rc;
	}
	c->pid = fork();
	rc = -errno;
	if (!c->pid) {
		close(go[1]);
		close(failed[0]);
		become(path, argv, go[0], failed[1]);
	}
	close(go[0]);
	close(failed[1]);
	c->go = go[1];
	c->failed = failed[0];
	return c->pid < 0 ? rc : 0;
}

int tracee_start(struct tracee *c)
{
	int why = 0;

	if (write(c->go, "", 1) != 1)
		return -errno;
	close(c->go);
	c->go = -1;
	/* Ends without a word when the exec has closed the pipe. */
	while (read(c->failed, &why, sizeof(why)) < 0 && errno == EINTR)
		;
	return -why;
}

bool tracee_ended(struct tracee *c)
{
	int status;

	if (c->ended || c->pid <= 0)
		return c->ended;
	if (waitpid(c->pid, &status, WNOHANG) != c->pid)
		return false;
	c->ended = true;
	c->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	return true;
}

bool tracee_stop(struct tracee *c, int signal, unsigned int milliseconds)
{
	struct timespec nap = {0, 5000000};

	if (c->pid <= 0 || tracee_ended(c))
		return true;
	kill(c->pid, signal);
	for (unsigned int waited = 0; waited < milliseconds && !tracee_ended(c); waited += 5)
		nanosleep(&nap, NULL);
	return tracee_ended(c);
}

void tracee_release(struct tracee *c)
{
	if (c->go >= 0)
		close(c->go);
	if (c->failed >= 0)
		close(c->failed);
	c->go = c->failed = -1;
}
