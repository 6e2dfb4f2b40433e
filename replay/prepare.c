/* Before the clock starts: the starting state and the page cache. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/log.h"
#include "lib/progress.h"
#include "lib/stop.h"
#include "replay/session.h"

enum { DESCRIPTORS_OWN = 64 }; /* beside the recorded ones */

#define MARK "user.iorig.trace" /* of the root: the SHA-256 of the trace whose starting state was made in it */
#define MADE "user.iorig.made"  /* and how, for the run that finds it prepared */

int session_interrupted(void)
{
	return fail(EXIT_FAILED, "interrupted by signal %d; no run document was written", stop_signal());
}

/* ---- the starting state ---------------------------------------------------------------------------------------------------- */

int session_in_sandbox(struct session *s, int (*function)(void *), const char *what, uint64_t total, const _Atomic uint64_t *done)
{
	struct sandbox box;
	struct progress progress;
	int rc = sandbox_start(&box, s->root_fd, function, s);

	if (rc)
		return rc;
	progress_start(&progress, what, total);
	while (!sandbox_wait(&box, 20)) {
		if (stop_requested())
			s->run.stop = true;
		if (done)
			progress_update(&progress, *done, " ");
	}
	progress_finish(&progress);
	return sandbox_join(&box);
}

static int create_phase(void *context)
{
	return state_create(&((struct session *)context)->state);
}

static int golden_phase(void *context)
{
	struct session *s = context;

	return golden_keep(&s->golden, &s->plan, s->sha256, &s->run.stop);
}

static int reset_phase(void *context)
{
	return state_reset(&((struct session *)context)->state);
}

static int verify_phase(void *context)
{
	return state_verify(&((struct session *)context)->state);
}

static int check_room(struct session *s, struct state_need need)
{
	struct statvfs fs;

	if (fstatvfs(s->root_fd, &fs))
		return fail(EXIT_FAILED, "--root %s: %s", s->opt.root, strerror(errno));
	if (need.bytes / fs.f_frsize > fs.f_bavail)
		return fail(EXIT_FAILED, "--root %s: the starting state needs %.1f MiB and %.1f MiB are free; give a larger file system", s->opt.root,
			    (double)need.bytes / 1048576, (double)fs.f_bavail * (double)fs.f_frsize / 1048576);
	if (fs.f_files && need.inodes > fs.f_favail)
		return fail(EXIT_FAILED, "--root %s: the starting state needs %llu inodes and %llu are free; give a larger file system", s->opt.root,
			    (unsigned long long)need.inodes, (unsigned long long)fs.f_favail);
	return EXIT_DONE;
}

/* Only where an earlier replay of the same trace was prepared, names that are not in the plan are removed. */
static int check_mark(struct session *s)
{
	char mark[SHA256_HEX] = "";
	ssize_t n = fgetxattr(s->root_fd, MARK, mark, sizeof(mark));

	if (n == (ssize_t)strlen(s->sha256) && !memcmp(mark, s->sha256, (size_t)n))
		return EXIT_DONE;
	return fail(EXIT_REFUSED, "--root %s was not prepared by a replay of this trace: there is nothing to reset; give an empty directory without --reset",
		    s->opt.root);
}

/* A recorded descriptor is one of ours, whichever process had it: raises the limit as far as that may be. */
static int check_descriptors(struct session *s)
{
	rlim_t needed = s->plan.slots + DESCRIPTORS_OWN;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return EXIT_DONE;
	if (limit.rlim_max >= needed || setrlimit(RLIMIT_NOFILE, &(struct rlimit){needed, needed})) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
		if (limit.rlim_max < needed)
			return fail(EXIT_FAILED, "the replay may have %llu descriptors open at once and this process is limited to %llu; raise ulimit -n",
				    (unsigned long long)needed, (unsigned long long)limit.rlim_max);
	}
	return EXIT_DONE;
}

static int state_failed(struct session *s, int rc)
{
	if (stop_requested())
		return session_interrupted();
	if (s->state.error.path)
		return fail(EXIT_FAILED, "--root %s: %s %s: %s", s->opt.root, s->state.error.what, s->state.error.path, strerror(-rc));
	return fail(EXIT_FAILED, "--root %s: cannot enter the sandbox (chroot): %s", s->opt.root, strerror(-rc));
}

/* A reset opens the one that there is; else one is begun, where the file system can share blocks. */
static void open_golden(struct session *s, bool reset)
{
	int rc = reset ? golden_open(&s->golden, s->root_fd, s->opt.root, s->sha256, false) : -ENOENT;

	if (rc)
		rc = golden_open(&s->golden, s->root_fd, s->opt.root, s->sha256, true);
	if (rc)
		say("no golden copy beside --root %s: %s; a reset will write again what a replay changes", s->opt.root, strerror(-rc));
}

/* Of the state that is there now, where it is not there yet. */
static void keep_golden(struct session *s)
{
	int rc;

	if (s->golden.fd < 0 || s->golden.complete)
		return;
	rc = session_in_sandbox(s, golden_phase, "golden copy", 0, NULL);
	if (rc && !stop_requested())
		warn("no golden copy beside --root %s: %s", s->opt.root, strerror(-rc));
}

static struct state_need with_golden(const struct session *s, struct state_need need)
{
	struct state_need more = state_need_golden(&s->plan);

	if (s->golden.fd < 0)
		return need;
	need.inodes += more.inodes;
	if (__builtin_add_overflow(need.bytes, more.bytes, &need.bytes))
		need.bytes = UINT64_MAX;
	return need;
}

static const char *const ways[] = {"populated", "undone", "reflinked"};

static void note_way(struct session *s, const char *way)
{
	s->report.start = way;
	s->report.golden = s->golden.complete;
	fsetxattr(s->root_fd, MADE, way, strlen(way), 0);
}

/* An earlier call made the state. */
static void find_way(struct session *s)
{
	char text[16] = "";

	s->report.start = "prepared";
	s->report.golden = !golden_open(&s->golden, s->root_fd, s->opt.root, s->sha256, false);
	if (fgetxattr(s->root_fd, MADE, text, sizeof(text) - 1) < 0)
		return;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (!strcmp(text, ways[i]))
			s->report.start = ways[i];
}

static int make_state(struct session *s)
{
	struct state_need need = state_need(&s->plan);
	bool reset = s->opt.reset && !sandbox_is_empty(s->root_fd);
	int rc = reset ? check_mark(s) : EXIT_DONE;

	if (rc)
		return rc;
	if (s->opt.golden)
		open_golden(s, reset);
	rc = reset ? EXIT_DONE : check_room(s, with_golden(s, need));
	if (rc)
		return rc;
	s->state.golden = s->golden.complete ? &s->golden : NULL;
	/* Where it cannot be marked, it can be replayed but not reset. */
	fsetxattr(s->root_fd, MARK, s->sha256, strlen(s->sha256), 0);
	rc = session_in_sandbox(s, reset ? reset_phase : create_phase, reset ? "reset" : "prepare", need.bytes, &s->state.done);
	if (rc)
		return state_failed(s, rc);
	keep_golden(s);
	note_way(s, ways[!reset ? 0 : s->state.cloned ? 2 : 1]);
	return EXIT_DONE;
}

int session_prepare(struct session *s)
{
	uint64_t began = clock_now_ns();
	int rc = check_descriptors(s);

	if (rc)
		return rc;
	s->state = (struct state_work){.plan = &s->plan, .pool = s->run.pool, .pool_bytes = s->run.pool_bytes, .stop = &s->run.stop};
	s->golden = (struct golden){.parent_fd = -1, .fd = -1};
	if (s->opt.prepared)
		find_way(s);
	else
		rc = make_state(s);
	/* Lanes are to have no descriptor of it. */
	golden_close(&s->golden);
	if (rc)
		return rc;
	rc = session_in_sandbox(s, verify_phase, "verify", 0, NULL);
	if (rc)
		return state_failed(s, rc);
	if (syncfs(s->root_fd))
		return fail(EXIT_FAILED, "--root %s: cannot write the starting state back: %s", s->opt.root, strerror(errno));
	s->report.prepare_ns = clock_now_ns() - began;
	return EXIT_DONE;
}

/* ---- the page cache -------------------------------------------------------------------------------------------------------- */

static int forget_phase(void *context)
{
	cache_forget(&((struct session *)context)->plan);
	return 0;
}

static int fill_phase(void *context)
{
	struct session *s = context;

	cache_fill(&s->plan, s->cache == CACHE_HOT);
	return 0;
}

static int look_phase(void *context)
{
	struct session *s = context;

	s->resident_ratio = cache_resident_ratio(&s->plan);
	return 0;
}

int session_set_cache(struct session *s)
{
	int rc = 0;

	if (s->cache == CACHE_TRACED && !s->plan.resident_n)
		warn("the trace does not tell what was cached; starting cold (capture with --cache)");
	if (s->cache != CACHE_HOT) {
		rc = session_in_sandbox(s, forget_phase, "cache", 0, NULL);
		if (!rc && (rc = cache_drop(s->root_fd)))
			warn("cannot drop the page cache (%s); only the trace's own files were dropped", strerror(-rc));
	}
	if (s->cache != CACHE_COLD)
		session_in_sandbox(s, fill_phase, "cache", 0, NULL);
	session_in_sandbox(s, look_phase, "cache", 0, NULL);
	/* The plan itself must be in memory, whatever was dropped. */
	plan_keep(&s->plan);
	return stop_requested() ? session_interrupted() : EXIT_DONE;
}
