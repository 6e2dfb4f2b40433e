/* The final tree against the one that the trace implies. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/state.h"

struct comparison {
	const struct plan *plan;
	const struct plan_entry **by_path;
	bool *seen;
	struct tree_result *result;
	char path[PATH_MAX];
	int error;
};

static const char *strings_of_sort;

static int by_path(const void *a, const void *b)
{
	const struct plan_entry *const *x = a, *const *y = b;

	return strcmp(strings_of_sort + (*x)->path, strings_of_sort + (*y)->path);
}

static void differs(struct comparison *c, const char *path, const char *what, uint64_t want, uint64_t got)
{
	struct tree_result *r = c->result;

	if (r->differences++ < sizeof(r->first) / sizeof(r->first[0]))
		r->first[r->first_n++] = (struct tree_difference){.path = strdup(path), .what = what, .wanted = want, .got = got};
}

/* Index into by_path, or -1. */
static ssize_t find(const struct comparison *c, const char *path)
{
	size_t low = 0, high = c->plan->final_n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(path, plan_text(c->plan, c->by_path[middle]->path));

		if (!order)
			return (ssize_t)middle;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

static void compare_entry(struct comparison *c, const struct stat *st)
{
	ssize_t at = find(c, c->path);
	const struct plan_entry *e;

	if (at < 0) {
		if (strcmp(c->path, "/lost+found"))
			differs(c, c->path, "unexpected", 0, 0);
		return;
	}
	e = c->by_path[at];
	c->seen[at] = true;
	if ((e->mode & S_IFMT) != (st->st_mode & S_IFMT)) {
		differs(c, c->path, "type", 0, 0);
	} else if (S_ISREG(st->st_mode) && e->size != (uint64_t)st->st_size) {
		differs(c, c->path, "size", e->size, (uint64_t)st->st_size);
	} else if (S_ISLNK(st->st_mode)) {
		char target[PATH_MAX];
		ssize_t n = readlink(c->path, target, sizeof(target) - 1);

		target[n < 0 ? 0 : n] = 0;
		if (strcmp(target, plan_text(c->plan, e->target)))
			differs(c, c->path, "target", 0, 0);
	} else if ((e->mode ^ st->st_mode) & 0777) {
		differs(c, c->path, "mode", e->mode & 0777, st->st_mode & 0777);
	}
}

static void walk(struct comparison *c, int fd, size_t length)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		c->error = -errno;
		return;
	}
	while ((e = readdir(d))) {
		struct stat st;
		size_t n = strlen(e->d_name);

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..") || length + n + 2 > sizeof(c->path))
			continue;
		c->path[length] = '/';
		memcpy(c->path + length + 1, e->d_name, n + 1);
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		compare_entry(c, &st);
		if (S_ISDIR(st.st_mode))
			walk(c, openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), length + 1 + n);
	}
	closedir(d);
}

int tree_compare(const struct plan *plan, struct tree_result *result)
{
	struct comparison c = {.plan = plan, .result = result};

	*result = (struct tree_result){0};
	c.by_path = calloc(plan->final_n + 1, sizeof(*c.by_path));
	c.seen = calloc(plan->final_n + 1, sizeof(*c.seen));
	if (!c.by_path || !c.seen) {
		c.error = -ENOMEM;
	} else {
		for (uint32_t i = 0; i < plan->final_n; i++)
			c.by_path[i] = &plan->final[i];
		strings_of_sort = plan->strings;
		qsort(c.by_path, plan->final_n, sizeof(*c.by_path), by_path);
		walk(&c, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), 0);
		for (uint32_t i = 0; i < plan->final_n; i++)
			if (!c.seen[i])
				differs(&c, plan_text(plan, c.by_path[i]->path), "missing", 0, 0);
	}
	free(c.by_path);
	free(c.seen);
	return c.error;
}

void tree_result_release(struct tree_result *r)
{
	for (uint32_t i = 0; i < r->first_n; i++)
		free(r->first[i].path);
	*r = (struct tree_result){0};
}

static int remove_in(int fd)
{
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;
	int rc = d ? 0 : -errno;

	while (d && (e = readdir(d))) {
		int failed;

		if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."))
			continue;
		failed = tree_remove_name(dirfd(d), e->d_name);
		rc = rc ? rc : failed;
	}
	if (d)
		closedir(d);
	return rc;
}

int tree_remove_name(int directory_fd, const char *name)
{
	if (!unlinkat(directory_fd, name, 0))
		return 0;
	remove_in(openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
	return unlinkat(directory_fd, name, AT_REMOVEDIR) ? -errno : 0;
}

int tree_remove(void)
{
	return remove_in(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}
