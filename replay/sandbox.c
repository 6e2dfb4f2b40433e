#include "replay/sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

static bool is_empty(int fd, bool *failed)
{
	int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *e;
	bool empty = true;

	*failed = !d;
	/* mkfs makes lost+found. */
	while (d && empty && (e = readdir(d)))
		empty = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || !strcmp(e->d_name, "lost+found");
	if (d)
		closedir(d);
	return empty;
}

bool sandbox_is_empty(int fd)
{
	bool failed;

	return is_empty(fd, &failed) && !failed;
}

enum sandbox_status sandbox_open(const char *directory, bool may_be_full, int *fd)
{
	_cleanup_close_ int dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat self, parent;
	bool failed;

	if (dir < 0 || fstat(dir, &self) || fstatat(dir, "..", &parent, 0))
		return SANDBOX_MISSING;
	if (self.st_dev == parent.st_dev && self.st_ino == parent.st_ino)
		return SANDBOX_IS_ROOT;
	if (!may_be_full && !is_empty(dir, &failed))
		return SANDBOX_NOT_EMPTY;
	*fd = dir;
	dir = -1;
	return SANDBOX_OK;
}

static int write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

int sandbox_allow(void)
{
	char line[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int rc;

	if (!uid)
		return 0;
	if (unshare(CLONE_NEWUSER))
		return -errno;
	snprintf(line, sizeof(line), "0 %u 1", uid);
	rc = write_text("/proc/self/setgroups", "deny");
	if (!rc)
		rc = write_text("/proc/self/uid_map", line);
	snprintf(line, sizeof(line), "0 %u 1", gid);
	return rc ? rc : write_text("/proc/self/gid_map", line);
}

static void *enter(void *arg)
{
	struct sandbox *s = arg;
	sigset_t all;

	/* Signals are for the main thread. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	/* Modes are made as they are told; with the directories the mask becomes the sandbox's own. */
	if (unshare(CLONE_FS) || fchdir(s->fd) || chroot(".") || chdir("/")) {
		s->result = -errno;
	} else {
		umask(0);
		s->result = s->function(s->context);
	}
	s->done = 1;
	syscall(SYS_futex, &s->done, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
	return NULL;
}

int sandbox_start(struct sandbox *s, int fd, int (*function)(void *), void *context)
{
	*s = (struct sandbox){.fd = fd, .function = function, .context = context};
	return -pthread_create(&s->thread, NULL, enter, s);
}

bool sandbox_wait(struct sandbox *s, unsigned ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	if (!s->done)
		syscall(SYS_futex, &s->done, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
	return s->done;
}

int sandbox_join(struct sandbox *s)
{
	int rc = pthread_join(s->thread, NULL);

	return rc ? -rc : s->result;
}
