/* That the starting state is there, name by name. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "replay/state.h"

static int differs(struct state_work *w, const char *path, const char *what)
{
	char text[96];

	snprintf(text, sizeof(text), "has another %s than in the starting state:", what);
	return state_fail(w, path, text, -EINVAL);
}

static int verify_link(struct state_work *w, const struct plan_entry *e, const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	target[n < 0 ? 0 : n] = 0;
	if (strcmp(target, plan_text(w->plan, e->target)))
		return state_fail(w, path, "leads elsewhere than in the starting state:", -EINVAL);
	return 0;
}

static int verify_entry(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);
	struct stat st, first;

	if (lstat(path, &st))
		return state_fail(w, path, "missing from the starting state:", -errno);
	if ((st.st_mode & S_IFMT) != (e->mode & S_IFMT))
		return differs(w, path, "type");
	if (S_ISLNK(e->mode))
		return verify_link(w, e, path);
	if (S_ISREG(e->mode) && (uint64_t)st.st_size != e->size)
		return differs(w, path, "size");
	if ((st.st_mode & 0777) != (e->mode & 0777))
		return differs(w, path, "mode");
	if (e->same_as == PLAN_NONE)
		return 0;
	if (lstat(plan_text(w->plan, w->plan->start[e->same_as].path), &first) || first.st_ino != st.st_ino || first.st_dev != st.st_dev)
		return state_fail(w, path, "is no hard link as in the starting state:", -EINVAL);
	return 0;
}

int state_verify(struct state_work *w)
{
	struct stat st;
	int rc = state_each(w, verify_entry);

	for (uint32_t i = 0; i < w->plan->xattr_n && !rc; i++) {
		const struct plan_xattr *x = &w->plan->xattr[i];
		const char *path = plan_text(w->plan, x->path);

		if (lgetxattr(path, plan_text(w->plan, x->name), NULL, 0) != (ssize_t)x->size)
			rc = differs(w, path, "extended attribute");
	}
	for (uint32_t i = 0; i < w->plan->absent_n && !rc; i++) {
		const char *path = plan_text(w->plan, w->plan->absent[i]);

		if (!lstat(path, &st))
			rc = state_fail(w, path, "must not exist at the start:", -EEXIST);
	}
	return rc;
}
