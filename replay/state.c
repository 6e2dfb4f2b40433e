#include "replay/state.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "replay/golden.h"

enum { THREADS_MAX = 16, TAKE_MAX = 64, THREAD_WORTH = 64, STACK_BYTES = 256 * 1024 };

static void add_need(struct state_need *need, const struct plan *p, const struct plan_entry *e)
{
	need->inodes++;
	if (__builtin_add_overflow(need->bytes, state_stored_bytes(p, e), &need->bytes))
		need->bytes = UINT64_MAX;
}

struct state_need state_need(const struct plan *p)
{
	struct state_need need = {0};

	for (uint32_t i = 0; i < p->start_n; i++)
		if (p->start[i].same_as == PLAN_NONE)
			add_need(&need, p, &p->start[i]);
	return need;
}

struct state_need state_need_golden(const struct plan *p)
{
	struct state_need need = {.inodes = 1};

	for (uint32_t i = 0; i < p->start_n; i++)
		if (golden_has(&p->start[i]))
			add_need(&need, p, &p->start[i]);
	return need;
}

int state_fail(struct state_work *w, const char *path, const char *what, int code)
{
	int none = 0;

	if (!atomic_compare_exchange_strong(&w->failed, &none, code))
		return code;
	w->error = (struct state_error){.code = code, .path = path};
	snprintf(w->error.what, sizeof(w->error.what), "%s", what);
	return code;
}

/* ---- many threads ---------------------------------------------------------------------------------------------------------- */

static size_t directory_bytes(const char *path)
{
	return (size_t)(strrchr(path, '/') - path);
}

/* Entries [*from, end) for one thread: neighbours, so that names of a directory are made one after the other. */
static uint32_t take(struct state_work *w, uint32_t *from)
{
	const struct plan *p = w->plan;
	uint32_t first = w->next, end;

	do {
		const char *path;

		if (first >= p->start_n)
			return 0;
		path = plan_text(p, p->start[first].path);
		for (end = first + 1; end < p->start_n && end - first < TAKE_MAX; end++) {
			const char *other = plan_text(p, p->start[end].path);

			if (directory_bytes(other) != directory_bytes(path) || memcmp(other, path, directory_bytes(path)))
				break;
		}
	} while (!atomic_compare_exchange_weak(&w->next, &first, end));
	*from = first;
	return end;
}

struct each {
	struct state_work *w;
	int (*one)(struct state_work *w, const struct plan_entry *e);
};

static void *work(void *arg)
{
	const struct each *each = arg;
	struct state_work *w = each->w;
	uint32_t at, end;

	while (!*w->stop && !w->failed && (end = take(w, &at)))
		for (; at < end && !w->failed; at++)
			each->one(w, &w->plan->start[at]);
	return NULL;
}

static uint32_t threads_for(const struct plan *p)
{
	uint32_t most = 2 * (uint32_t)get_nprocs(), worth = 1 + p->start_n / THREAD_WORTH;

	most = most > THREADS_MAX ? THREADS_MAX : most;
	return worth < most ? worth : most;
}

int state_each(struct state_work *w, int (*one)(struct state_work *w, const struct plan_entry *e))
{
	struct each each = {.w = w, .one = one};
	pthread_t thread[THREADS_MAX];
	uint32_t wanted = threads_for(w->plan) - 1, n = 0;
	pthread_attr_t attr;

	w->next = 0;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (n < wanted && !pthread_create(&thread[n], &attr, work, &each))
		n++;
	pthread_attr_destroy(&attr);
	work(&each);
	while (n)
		pthread_join(thread[--n], NULL);
	return w->failed ? w->failed : *w->stop ? -EINTR : 0;
}

/* ---- making ---------------------------------------------------------------------------------------------------------------- */

static int create_file(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	int rc = 0;

	if (fd < 0)
		return state_fail(w, path, "cannot create", -errno);
	if (w->golden && golden_restore(w->golden, fd, w->plan, e))
		w->cloned++;
	else
		rc = state_fill(w, fd, e);
	if (rc == -EINTR)
		return rc;
	if (rc)
		return state_fail(w, path, "cannot fill", rc);
	if (fchmod(fd, e->mode & 0777))
		return state_fail(w, path, "cannot set the mode of", -errno);
	return 0;
}

static bool is_there(const struct state_work *w, const char *path)
{
	struct stat st;

	return w->only_missing && !lstat(path, &st);
}

static int create_directory(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);

	if (!S_ISDIR(e->mode) || is_there(w, path))
		return 0;
	return mkdir(path, e->mode & 0777) ? state_fail(w, path, "cannot create", -errno) : 0;
}

static int create_rest(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);

	if (S_ISDIR(e->mode) || e->same_as != PLAN_NONE || is_there(w, path))
		return 0;
	if (S_ISREG(e->mode))
		return create_file(w, e);
	if (S_ISFIFO(e->mode) || S_ISSOCK(e->mode))
		return mknod(path, e->mode & (S_IFMT | 0777), 0) ? state_fail(w, path, "cannot create", -errno) : 0;
	return symlink(plan_text(w->plan, e->target), path) ? state_fail(w, path, "cannot create", -errno) : 0;
}

static int create_hard_link(struct state_work *w, const struct plan_entry *e)
{
	const char *path = plan_text(w->plan, e->path);

	if (e->same_as == PLAN_NONE || is_there(w, path))
		return 0;
	return link(plan_text(w->plan, w->plan->start[e->same_as].path), path) ? state_fail(w, path, "cannot create", -errno) : 0;
}

static int create_attributes(struct state_work *w)
{
	for (uint32_t i = 0; i < w->plan->xattr_n; i++) {
		const struct plan_xattr *x = &w->plan->xattr[i];
		const char *path = plan_text(w->plan, x->path);

		if (lsetxattr(path, plan_text(w->plan, x->name), w->pool, x->size, 0))
			return state_fail(w, path, "cannot set an extended attribute of", -errno);
	}
	return 0;
}

int state_create(struct state_work *w)
{
	int rc = 0;

	/* A directory stands before what is in it. */
	for (uint32_t i = 0; i < w->plan->start_n && !rc; i++)
		rc = create_directory(w, &w->plan->start[i]);
	if (!rc)
		rc = state_each(w, create_rest);
	for (uint32_t i = 0; i < w->plan->start_n && !rc; i++)
		rc = create_hard_link(w, &w->plan->start[i]);
	return rc ? rc : create_attributes(w);
}
