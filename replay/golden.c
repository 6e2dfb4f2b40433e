#include "replay/golden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/cleanup.h"
#include "replay/state.h"

#define MARK "user.iorig.golden" /* of its directory: the SHA-256 of the trace when it is complete, else empty */

bool golden_has(const struct plan_entry *e)
{
	return S_ISREG(e->mode) && e->bits & PLAN_ENTRY_CHANGED && !(e->bits & PLAN_ENTRY_SPARSE) && e->same_as == PLAN_NONE && e->size;
}

static void file_name(char name[64], const struct plan *p, const struct plan_entry *e)
{
	const char *path = plan_text(p, e->path);

	snprintf(name, 64, "%016llx-%016llx", (unsigned long long)XXH3_64bits(path, strlen(path)), (unsigned long long)e->size);
}

/* Can a file of the one be a clone of one of the other? Both are empty. */
static int try_clone(const struct golden *g, int root_fd)
{
	_cleanup_close_ int from = openat(root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	_cleanup_close_ int to = openat(g->fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	return from >= 0 && to >= 0 && !ioctl(to, FICLONE, from) ? 0 : -EOPNOTSUPP;
}

static bool is_ours(int fd, const char *sha256)
{
	char mark[128];
	ssize_t n = fgetxattr(fd, MARK, mark, sizeof(mark));

	return n >= 0 && (!sha256 || (n == (ssize_t)strlen(sha256) && !memcmp(mark, sha256, (size_t)n)));
}

static int open_there(struct golden *g, const char *sha256)
{
	int fd = openat(g->parent_fd, g->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (is_ours(fd, sha256)) {
		g->fd = fd;
		return 0;
	}
	close(fd);
	return sha256 ? -ENOENT : -EEXIST;
}

static int begin(struct golden *g, int root_fd)
{
	int rc = open_there(g, NULL);

	if (rc && rc != -ENOENT)
		return rc;
	if (!rc)
		golden_remove(g);
	if (mkdirat(g->parent_fd, g->name, 0700))
		return -errno;
	g->fd = openat(g->parent_fd, g->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return g->fd < 0 || fsetxattr(g->fd, MARK, "", 0, 0) ? -errno : try_clone(g, root_fd);
}

int golden_open(struct golden *g, int root_fd, const char *root, const char *sha256, bool make)
{
	_cleanup_free_ char *real = realpath(root, NULL);
	int rc = -ENOENT;

	*g = (struct golden){.parent_fd = openat(root_fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .fd = -1};
	if (real && g->parent_fd >= 0 && (size_t)snprintf(g->name, sizeof(g->name), ".%s.iorig-golden", strrchr(real, '/') + 1) < sizeof(g->name))
		rc = make ? begin(g, root_fd) : open_there(g, sha256);
	g->complete = !rc && !make;
	if (rc)
		golden_close(g);
	return rc;
}

static int clone_one(const struct golden *g, const struct plan *p, const struct plan_entry *e)
{
	_cleanup_close_ int from = open(plan_text(p, e->path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC), to = -1;
	char name[64];

	file_name(name, p, e);
	if (from >= 0)
		to = openat(g->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	return to < 0 || ioctl(to, FICLONE, from) ? -errno : 0;
}

int golden_keep(struct golden *g, const struct plan *p, const char *sha256, const _Atomic _Bool *stop)
{
	int rc = 0;

	for (uint32_t i = 0; i < p->start_n && !rc; i++)
		if (golden_has(&p->start[i]))
			rc = *stop ? -EINTR : clone_one(g, p, &p->start[i]);
	if (!rc && (fsync(g->fd) || fsetxattr(g->fd, MARK, sha256, strlen(sha256), 0)))
		rc = -errno;
	g->complete = !rc;
	return rc;
}

bool golden_restore(const struct golden *g, int fd, const struct plan *p, const struct plan_entry *e)
{
	_cleanup_close_ int from = -1;
	struct stat st;
	char name[64];

	if (!golden_has(e))
		return false;
	file_name(name, p, e);
	from = openat(g->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return from >= 0 && !fstat(from, &st) && S_ISREG(st.st_mode) && (uint64_t)st.st_size == e->size && !ioctl(fd, FICLONE, from);
}

void golden_close(struct golden *g)
{
	if (g->fd >= 0 && !g->complete)
		golden_remove(g);
	else if (g->fd >= 0)
		close(g->fd);
	if (g->parent_fd >= 0)
		close(g->parent_fd);
	g->fd = g->parent_fd = -1;
	g->complete = false;
}

void golden_remove(struct golden *g)
{
	close(g->fd);
	g->fd = -1;
	g->complete = false;
	tree_remove_name(g->parent_fd, g->name);
}
