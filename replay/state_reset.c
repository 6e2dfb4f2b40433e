/* Undoing a replay: what it changed, made or removed becomes as it was at the start; everything else stays where it is. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "replay/golden.h"
#include "replay/state.h"

struct reset {
	struct state_work *w;
	const struct plan_entry **by_path;
	char path[PATH_MAX];
};

static const char *texts; /* of sort */

static int compare(const void *a, const void *b)
{
	const struct plan_entry *const *x = a, *const *y = b;

	return strcmp(texts + (*x)->path, texts + (*y)->path);
}

static int compare_key(const void *key, const void *b)
{
	const struct plan_entry *const *y = b;

	return strcmp(key, texts + (*y)->path);
}

static const struct plan_entry *find(const struct reset *r)
{
	const struct plan_entry *const *at =
		bsearch(r->path, r->by_path, r->w->plan->start_n, sizeof(*r->by_path), compare_key);

	return at ? *at : NULL;
}

static bool is_as_it_was(const struct reset *r, const struct plan_entry *e, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n;

	if (!e || e->bits & (PLAN_ENTRY_CHANGED | PLAN_ENTRY_NAMELESS) || (st->st_mode & S_IFMT) != (e->mode & S_IFMT))
		return false;
	if (S_ISLNK(e->mode)) {
		n = readlink(r->path, target, sizeof(target) - 1);
		target[n < 0 ? 0 : n] = 0;
		return !strcmp(target, plan_text(r->w->plan, e->target));
	}
	if (S_ISDIR(e->mode))
		return (st->st_mode & 0777) == (e->mode & 0777) || !chmod(r->path, e->mode & 0777);
	return (uint64_t)st->st_size == e->size && (st->st_mode & 0777) == (e->mode & 0777);
}

/* Removes from the directory what is not as it was. Closes fd. */
static int sweep(struct reset *r, int fd, size_t length)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int rc = d ? 0 : state_fail(r->w, "/", "cannot read", -errno);

	while (d && !rc && (e = readdir(d))) {
		size_t n = strlen(e->d_name);
		struct stat st;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || (!length && !strcmp(e->d_name, "lost+found")))
			continue;
		if (length + n + 2 > sizeof(r->path)) {
			rc = tree_remove_name(dirfd(d), e->d_name);
			continue;
		}
		r->path[length] = '/';
		memcpy(r->path + length + 1, e->d_name, n + 1);
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			rc = -errno;
		else if (!is_as_it_was(r, find(r), &st))
			rc = tree_remove_name(dirfd(d), e->d_name);
		else if (S_ISDIR(st.st_mode))
			rc = sweep(r, openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), length + 1 + n);
		if (rc && !r->w->failed)
			state_fail(r->w, "/", "cannot undo a replay below", rc);
		if (*r->w->stop)
			rc = -EINTR;
	}
	if (d)
		closedir(d);
	return rc;
}

/* What is to be made again must fit, before anything is written. What is cloned takes no room. */
static int check_room(struct state_work *w)
{
	const struct plan *p = w->plan;
	struct statvfs fs;
	struct stat st;
	uint64_t bytes = 0, inodes = 0;

	if (statvfs("/", &fs))
		return state_fail(w, "/", "cannot tell the free space of", -errno);
	for (uint32_t i = 0; i < p->start_n; i++) {
		const struct plan_entry *e = &p->start[i];

		if (e->same_as != PLAN_NONE || !lstat(plan_text(p, e->path), &st))
			continue;
		inodes++;
		if ((!w->golden || !golden_has(e)) && __builtin_add_overflow(bytes, state_stored_bytes(p, e), &bytes))
			bytes = UINT64_MAX;
	}
	if (bytes / fs.f_frsize <= fs.f_bavail && (!fs.f_files || inodes <= fs.f_favail))
		return 0;
	return state_fail(w, "/", "too little room to undo a replay in", -ENOSPC);
}

int state_reset(struct state_work *w)
{
	const struct plan *p = w->plan;
	struct reset *r = calloc(1, sizeof(*r));
	int rc = -ENOMEM;

	if (r)
		r->by_path = calloc((size_t)p->start_n + 1, sizeof(*r->by_path));
	if (r && r->by_path) {
		r->w = w;
		for (uint32_t i = 0; i < p->start_n; i++)
			r->by_path[i] = &p->start[i];
		texts = p->strings;
		qsort(r->by_path, p->start_n, sizeof(*r->by_path), compare);
		rc = sweep(r, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
		if (!rc)
			rc = check_room(w);
	}
	if (r)
		free(r->by_path);
	free(r);
	w->only_missing = true;
	return rc ? rc : state_create(w);
}
