#include <stdatomic.h>

#include "replay/state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/cleanup.h"

/*
 * As cp writes: a file's parts become folios of the page cache, and each small write into a large folio looks at all of its blocks (1 MiB
 * folios made a database's 4 KiB writes 1.7 times as slow as they were on the recorded host).
 */
enum { PART_BYTES = 128 * 1024 };

struct state_need state_need(const struct plan *p)
{
	struct state_need need = {0};

	for (uint32_t i = 0; i < p->start_n; i++) {
		if (p->start[i].same_as != PLAN_NONE)
			continue;
		need.inodes++;
		if (p->start[i].bits & PLAN_ENTRY_SPARSE)
			continue;
		if (__builtin_add_overflow(need.bytes, (p->start[i].size + 4095) & ~4095ULL, &need.bytes))
			need.bytes = UINT64_MAX;
	}
	return need;
}

static int failed(struct state_work *w, const char *path, const char *what, int code)
{
	w->error = (struct state_error){.code = code, .path = path};
	snprintf(w->error.what, sizeof(w->error.what), "%s", what);
	return code;
}

static int fill(struct state_work *w, int fd, const struct plan_entry *e)
{
	uint64_t shift = (uint64_t)(e - w->plan->start) * 0x9e3779b97f4a7c15ULL;

	for (uint64_t at = 0; at < e->size;) {
		uint64_t n = e->size - at < PART_BYTES ? e->size - at : PART_BYTES;
		/* Another part of the pool for every part of every file. */
		uint64_t from = (shift + at) % (w->pool_bytes - PART_BYTES) & ~511ULL;
		ssize_t done = pwrite(fd, w->pool + from, n, (off_t)at);

		if (done < 0)
			return -errno;
		at += (uint64_t)done;
		atomic_fetch_add_explicit(&w->done, (uint64_t)done, memory_order_relaxed);
		if (*w->stop)
			return -EINTR;
	}
	return 0;
}

static int create_file(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0)
		return failed(w, path, "cannot create", -errno);
	rc = e->bits & PLAN_ENTRY_SPARSE ? (ftruncate(fd, (off_t)e->size) ? -errno : 0) : fill(w, fd, e);
	if (rc)
		return failed(w, path, "cannot fill", rc);
	if (fchmod(fd, e->mode & 0777))
		return failed(w, path, "cannot set the mode of", -errno);
	return 0;
}

static int create_entry(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);
	int rc = 0;

	if (e->same_as != PLAN_NONE)
		rc = link(plan_text(w->plan, w->plan->start[e->same_as].path), path);
	else if (S_ISDIR(e->mode))
		rc = mkdir(path, e->mode & 0777);
	else if (S_ISLNK(e->mode))
		rc = symlink(plan_text(w->plan, e->target), path);
	else
		return create_file(w, e);
	return rc ? failed(w, path, "cannot create", -errno) : 0;
}

int state_create(struct state_work *w)
{
	umask(0);
	for (uint32_t i = 0; i < w->plan->start_n; i++) {
		int rc = create_entry(w, &w->plan->start[i]);

		if (rc)
			return rc;
		if (*w->stop)
			return -EINTR;
	}
	for (uint32_t i = 0; i < w->plan->xattr_n; i++) {
		const struct plan_xattr *x = &w->plan->xattr[i];
		const char *path = plan_text(w->plan, x->path);

		if (lsetxattr(path, plan_text(w->plan, x->name), w->pool, x->size, 0))
			return failed(w, path, "cannot set an extended attribute of", -errno);
	}
	return 0;
}

static int verify_entry(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (lstat(path, &st))
		return failed(w, path, "missing from the starting state:", -errno);
	if ((st.st_mode & S_IFMT) != (e->mode & S_IFMT))
		return failed(w, path, "has another type than in the starting state:", -EINVAL);
	if (S_ISREG(e->mode) && (uint64_t)st.st_size != e->size)
		return failed(w, path, "has another size than in the starting state:", -EINVAL);
	if (!S_ISLNK(e->mode))
		return 0;
	n = readlink(path, target, sizeof(target) - 1);
	target[n < 0 ? 0 : n] = 0;
	return strcmp(target, plan_text(w->plan, e->target)) ? failed(w, path, "leads elsewhere than in the starting state:", -EINVAL) : 0;
}

int state_verify(struct state_work *w)
{
	struct stat st;

	for (uint32_t i = 0; i < w->plan->start_n; i++) {
		int rc = verify_entry(w, &w->plan->start[i]);

		if (rc)
			return rc;
		if (*w->stop)
			return -EINTR;
	}
	for (uint32_t i = 0; i < w->plan->absent_n; i++) {
		const char *path = plan_text(w->plan, w->plan->absent[i]);

		if (!lstat(path, &st))
			return failed(w, path, "must not exist at the start:", -EEXIST);
	}
	return 0;
}
