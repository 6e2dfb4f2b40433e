/* iorig replay: from a trace to a run document. The phases are in the other files of this folder; here is their order. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "lib/progress.h"
#include "lib/stop.h"
#include "replay/engine.h"
#include "replay/session.h"
#include "replay/tick.h"

static struct replay_options opt = {.timing = "asap", .order = "resource", .engine = "traced", .cache = "cold", .speed = 1, .max_mismatch = 0.1};

static const struct option_row rows[] = {
	{"root", 'r', "DIR", OPT_STRING, &opt.root, "an empty directory; everything happens in there"},
	{"timing", 't', "MODE", OPT_STRING, &opt.timing, "asap (default), think: recorded pauses, schedule: recorded times"},
	{"speed", 0, "X", OPT_DOUBLE, &opt.speed, "think and schedule X times as fast (default 1)"},
	{"order", 0, "MODE", OPT_STRING, &opt.order, "resource (default), thread, temporal"},
	{"engine", 'e', "ENGINE", OPT_STRING, &opt.engine, "as traced (default); what if: psync, uring, mmap"},
	{"direct", 0, NULL, OPT_FLAG, &opt.direct, "what if: reads and writes with O_DIRECT"},
	{"cache", 'c', "STATE", OPT_STRING, &opt.cache, "page cache at the start: cold (default), traced, hot"},
	{"plan-cache", 0, "DIR", OPT_STRING, &opt.plan_cache, "keep compiled plans there; none: do not (default ~/.cache/iorig/plans)"},
	{"plan-only", 0, NULL, OPT_FLAG, &opt.plan_only, "compile and say what a replay will do and need; touch nothing"},
	{"prepare-only", 0, NULL, OPT_FLAG, &opt.prepare_only, "make and verify the starting state, replay nothing"},
	{"prepared", 0, NULL, OPT_FLAG, &opt.prepared, "DIR holds the starting state already; verify it"},
	{"reset", 0, NULL, OPT_FLAG, &opt.reset, "DIR is as an earlier replay of the trace left it: undo that first"},
	{"golden", 0, NULL, OPT_FLAG, &opt.golden, "keep a copy beside DIR that --reset clones from (xfs, btrfs); its blocks are shared"},
	{"max-mismatch", 0, "PERCENT", OPT_DOUBLE, &opt.max_mismatch, "more unexpected results make a failed run (default 0.1)"},
	{"clean", 0, NULL, OPT_FLAG, &opt.clean, "remove everything from DIR in the end"},
	{"output", 'o', "RUNDIR", OPT_STRING, &opt.out, "write run.json and run.hist there"},
	{"json", 0, NULL, OPT_FLAG, &opt.json, "print run.json"},
	{0},
};

/* ---- options --------------------------------------------------------------------------------------------------------------- */

static int choice(const char *text, const char *const *names)
{
	for (int i = 0; names[i]; i++)
		if (!strcmp(text, names[i]))
			return i;
	return -1;
}

static int check_options(struct session *s, int argc, int first)
{
	int timing = choice(opt.timing, (const char *const[]){"asap", "think", "schedule", NULL});
	int order = choice(opt.order, (const char *const[]){"resource", "thread", "temporal", NULL});
	int engine = choice(opt.engine, (const char *const[]){"traced", "psync", "uring", "mmap", NULL});
	int cache = choice(opt.cache, (const char *const[]){"cold", "traced", "hot", NULL});

	if (first != argc - 1)
		return fail(EXIT_USAGE, "replay takes one trace; see 'iorig replay -h'");
	if (!opt.root && !opt.plan_only)
		return fail(EXIT_USAGE, "replay needs --root DIR, an empty directory to work in");
	if (timing < 0)
		return fail(EXIT_USAGE, "--timing %s: there are asap, think and schedule", opt.timing);
	if (order < 0)
		return fail(EXIT_USAGE, "--order %s: there are resource, thread and temporal", opt.order);
	if (cache < 0)
		return fail(EXIT_USAGE, "--cache %s: there are cold, traced and hot", opt.cache);
	if (engine < 0)
		return fail(EXIT_USAGE, "--engine %s: there are traced, psync, uring and mmap", opt.engine);
	if (opt.direct && engine == ENGINE_MMAP)
		return fail(EXIT_USAGE, "--direct and --engine mmap exclude each other");
	if (!(opt.speed > 0 && opt.speed < 1e9))
		return fail(EXIT_USAGE, "--speed must be above 0");
	if (!(opt.max_mismatch >= 0 && opt.max_mismatch <= 100))
		return fail(EXIT_USAGE, "--max-mismatch must be 0 to 100 (percent)");
	if (opt.prepare_only && opt.prepared)
		return fail(EXIT_USAGE, "--prepare-only and --prepared exclude each other");
	if (opt.reset && opt.prepared)
		return fail(EXIT_USAGE, "--reset and --prepared exclude each other");
	if (opt.golden && opt.prepared)
		return fail(EXIT_USAGE, "--golden and --prepared exclude each other");
	s->timing = (enum replay_timing)timing;
	s->order = (enum order_mode)order;
	s->engine = (enum replay_engine)engine;
	s->cache = (enum replay_cache)cache;
	return EXIT_DONE;
}

static int open_root(struct session *s)
{
	switch (sandbox_open(opt.root, opt.prepared || opt.reset, &s->root_fd)) {
	case SANDBOX_OK: return EXIT_DONE;
	case SANDBOX_IS_ROOT: return fail(EXIT_REFUSED, "--root %s is the root of this system; give an empty directory", opt.root);
	case SANDBOX_NOT_EMPTY:
		return fail(EXIT_REFUSED, "--root %s is not empty; give an empty directory, --prepared when an earlier run prepared it, or --reset to undo one", opt.root);
	default: return fail(EXIT_FAILED, "--root %s: %s", opt.root, strerror(errno));
	}
}

/* ---- the replay ------------------------------------------------------------------------------------------------------------ */

static int lanes_phase(void *context)
{
	struct session *s = context;
	int rc = run_open_start(&s->run, &s->result);

	return rc ? rc : run_lanes(&s->run, &s->result);
}

static int tree_phase(void *context)
{
	struct session *s = context;

	return tree_compare(&s->plan, &s->tree);
}

static uint64_t done_so_far(const struct session *s)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < s->plan.lanes; i++)
		n += atomic_load_explicit(&s->run.lane[i].done, memory_order_relaxed);
	return n;
}

/* Waits for the next round of watching; a short run must not wait for its watcher, nor a large plan's window grow until then. */
static void doze(struct session *s, struct sandbox *box, uint64_t *forgot)
{
	const struct plan *p = &s->plan;

	for (int i = 0; i < 5 && !sandbox_wait(box, 20); i++) {
		if (!plan_is_small(p) && (done_so_far(s) - *forgot) * plan_bytes(p) / p->ops > PLAN_WINDOW_BYTES) {
			*forgot = done_so_far(s);
			plan_forget(p);
		}
	}
}

/* What the status line says of the last second. */
struct lately {
	uint64_t at_ns, operations, p99_ns, late_ns;
	double per_s;
};

static void look(struct session *s, struct lately *last)
{
	uint64_t now = clock_now_ns(), n = done_so_far(s);

	if (now - last->at_ns < 1000000000)
		return;
	last->per_s = (double)(n - last->operations) * 1e9 / (double)(now - last->at_ns);
	last->operations = n;
	last->at_ns = now;
	totals_recent(&s->totals, &last->p99_ns, &last->late_ns);
}

static void show(struct session *s, struct progress *progress, const struct lately *last)
{
	char p99[16], late[16];

	clock_text(p99, last->p99_ns);
	clock_text(late, last->late_ns);
	progress_update(progress, done_so_far(s), "%.0f ops/s, p99 %s, %s%s%" PRIu64 " unexpected", last->per_s, p99,
			s->timing == TIMING_ASAP ? "" : late, s->timing == TIMING_ASAP ? "" : " late, ", (uint64_t)s->totals.mismatched);
}

static void watch(struct session *s, struct sandbox *box)
{
	struct progress progress;
	struct lately last = {.at_ns = clock_now_ns()};
	uint64_t forgot = 0;

	progress_start(&progress, "replay", s->plan.ops);
	while (!box->done) {
		uint64_t dirty = system_dirty_bytes();

		if (dirty > s->peak_dirty_bytes)
			s->peak_dirty_bytes = dirty;
		if (stop_requested()) {
			s->run.stop = true;
			wake_all(&s->run);
		}
		look(s, &last);
		show(s, &progress, &last);
		system_memory_peak(&s->memory);
		doze(s, box, &forgot);
	}
	progress_finish(&progress);
}

static int clean_phase(void *context)
{
	(void)context;
	return tree_remove();
}

static void clean(struct session *s)
{
	if (session_in_sandbox(s, clean_phase, "clean", 0, NULL))
		warn("--root %s: not everything could be removed", opt.root);
	if (!golden_open(&s->golden, s->root_fd, opt.root, s->sha256, false))
		golden_remove(&s->golden);
	golden_close(&s->golden);
}

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int replay(struct session *s)
{
	struct system_sample before, after;
	struct sandbox box;
	double cpu_s;
	uint64_t began;
	int rc;

	s->report.ns_per_op = run_rehearse(&s->run);
	if (!plan_is_small(&s->plan))
		plan_forget(&s->plan); /* what the rehearsal went through */
	system_memory_begin(&s->memory);
	system_disks_find(&s->disks, s->root_fd);
	system_sample(&before, &s->disks);
	clock_iso(s->report.started);
	cpu_s = cpu_seconds();
	rc = sandbox_start(&box, s->root_fd, lanes_phase, s);
	if (!rc) {
		watch(s, &box);
		rc = sandbox_join(&box);
		system_memory_peak(&s->memory);
	}
	s->report.cpu_s = cpu_seconds() - cpu_s;
	if (stop_requested())
		return session_interrupted();
	if (rc)
		return fail(EXIT_FAILED, "replay stopped: %s: %s", s->result.why ? s->result.why : "sandbox", strerror(-rc));
	began = clock_now_ns();
	if (syncfs(s->root_fd))
		return fail(EXIT_FAILED, "--root %s: the final sync failed: %s", opt.root, strerror(errno));
	s->report.sync_ns = clock_now_ns() - began;
	system_sample(&after, &s->disks);
	s->report.system = system_document(&before, &after, s->peak_dirty_bytes);
	s->report.memory = s->memory;
	rc = session_in_sandbox(s, tree_phase, "compare", 0, NULL);
	return rc ? fail(EXIT_FAILED, "--root %s: cannot read the final tree: %s", opt.root, strerror(-rc)) : EXIT_DONE;
}

/* ---- the report ------------------------------------------------------------------------------------------------------------ */

static char *verdict(struct session *s)
{
	uint64_t compared = run_compared(&s->report), n = s->totals.mismatched, trees = s->tree.differences;
	double limit = opt.max_mismatch / 100;
	char *reason = NULL;
	int rc = 0;

	if (compared && (double)n > (double)compared * limit)
		rc = asprintf(&reason, "%llu of %llu results were unexpected, the limit is %g %%", (unsigned long long)n,
			      (unsigned long long)compared, opt.max_mismatch);
	else if ((double)trees > (double)s->plan.final_n * limit)
		rc = asprintf(&reason, "the final tree differs from the recording's in %llu of %u names", (unsigned long long)trees, s->plan.final_n);
	return rc < 0 ? NULL : reason;
}

static void fill_report(struct session *s)
{
	struct run_report *r = &s->report;

	r->plan = &s->plan;
	r->totals = &s->totals;
	r->run = &s->result;
	r->runtime = &s->run;
	r->tree = &s->tree;
	r->trace_file = s->trace;
	r->trace_sha256 = s->sha256;
	r->timing = opt.timing;
	r->order = opt.order;
	r->engine = opt.engine;
	r->cache = opt.cache;
	r->speed = opt.speed;
	r->max_mismatch_percent = opt.max_mismatch;
	r->resident_ratio = s->resident_ratio;
}

static int write_documents(const struct session *s, const json_t *document)
{
	_cleanup_json_ json_t *histograms = run_histograms(&s->report);
	_cleanup_free_ char *json = NULL, *hist = NULL, *text = NULL;
	int rc = make_directories(opt.out);

	if (asprintf(&json, "%s/run.json", opt.out) < 0 || asprintf(&hist, "%s/run.hist", opt.out) < 0)
		return fail(EXIT_FAILED, "out of memory");
	text = json_dumps(histograms, JSON_COMPACT);
	if (!rc && text)
		rc = outfile_write(hist, text, strlen(text));
	/* Last: who sees run.json sees all of the run. */
	if (!rc)
		rc = json_write(json, document);
	return rc ? fail(EXIT_FAILED, "%s: cannot write the run document: %s", opt.out, strerror(-rc)) : EXIT_DONE;
}

static void pace_summary(const struct totals *t)
{
	char p50[16], p99[16], end[16];

	clock_text(p50, hist_quantile(t->lateness, 0.5));
	clock_text(p99, hist_quantile(t->lateness, 0.99));
	clock_text(end, t->last_late_ns);
	printf("%s: half of the operations began less than %s late, 99 %% less than %s, the last one %s\n",
	       run_kept_up(t) ? "kept up" : "saturated", p50, p99, end);
}

static void summary(const struct session *s, const json_t *document)
{
	const struct plan *p = &s->plan;
	uint64_t ops = run_compared(&s->report);

	printf("%llu operations by %u lanes in %.3f s (%.0f/s; recorded in %.3f s), then %.3f s to sync\n", (unsigned long long)ops, p->lanes,
	       (double)s->result.elapsed_ns / 1e9, json_number(document, "ops_per_s", 0), (double)p->recorded_elapsed_ns / 1e9,
	       (double)s->report.sync_ns / 1e9);
	printf("coverage %.2f %% of operations, %.2f %% of bytes; %llu unexpected results; %llu differences in the final tree of %u names\n",
	       100 * json_number(json_at(document, "coverage"), "ops_ratio", 0), 100 * json_number(json_at(document, "coverage"), "bytes_ratio", 0),
	       (unsigned long long)s->totals.mismatched, (unsigned long long)s->tree.differences, p->final_n);
	if (s->totals.lateness)
		pace_summary(&s->totals);
	if (s->resident_ratio >= 0)
		printf("cache %s: %.1f %% of the starting state resident; own cost %.1f ns an operation\n", opt.cache, 100 * s->resident_ratio,
		       s->report.ns_per_op);
	else
		printf("own cost %.1f ns an operation\n", s->report.ns_per_op);
}

static int report(struct session *s)
{
	_cleanup_json_ json_t *document = NULL;
	_cleanup_free_ char *reason = NULL;
	int rc = EXIT_DONE;

	fill_report(s);
	engine_warn(&s->run);
	s->report.reason = reason = verdict(s);
	document = run_document(&s->report);
	if (opt.out)
		rc = write_documents(s, document);
	if (opt.json) {
		json_dumpf(document, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		summary(s, document);
		engine_summary(&s->run, document);
	}
	if (rc)
		return rc;
	return reason ? fail(EXIT_FAILED, "the run failed: %s", reason) : EXIT_DONE;
}

static int session_run(struct session *s)
{
	struct run_options options = {.timing = s->timing, .engine = s->engine, .direct = opt.direct, .temporal = s->order == ORDER_TEMPORAL, .speed = opt.speed,
				      .fills = !opt.prepared};
	int rc = session_plan(s);

	if (rc)
		return rc;
	if (opt.plan_only)
		return session_show_plan(s);
	rc = run_init(&s->run, &s->plan, &options, &s->totals, s->root_fd);
	if (rc)
		return fail(EXIT_FAILED, "not enough memory for %u lanes: %s", s->plan.lanes, strerror(-rc));
	rc = session_prepare(s);
	if (rc || opt.prepare_only)
		return rc;
	tick_calibrate();
	rc = session_set_cache(s);
	if (!rc)
		rc = replay(s);
	if (!rc)
		rc = report(s);
	if (opt.clean)
		clean(s);
	return rc;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct session *s;
	int first = options_parse(self, argc, argv), rc;

	if (first < 0)
		return -first - 1;
	s = calloc(1, sizeof(*s));
	if (!s)
		return fail(EXIT_FAILED, "out of memory");
	s->root_fd = -1;
	rc = check_options(s, argc, first);
	if (!rc && !opt.plan_only)
		rc = open_root(s);
	if (!rc) {
		s->opt = opt;
		s->trace = argv[first];
		stop_arm();
		if (sha256_file(s->trace, s->sha256))
			rc = fail(EXIT_FAILED, "%s: %s", s->trace, strerror(errno));
		else if (!opt.plan_only && (rc = sandbox_allow()))
			rc = fail(EXIT_IMPOSSIBLE, "replay needs root or user namespaces for its sandbox: %s", strerror(-rc));
	}
	if (!rc) {
		totals_init(&s->totals);
		rc = session_run(s);
		json_decref(s->report.system);
		tree_result_release(&s->tree);
		run_release(&s->run);
		plan_release(&s->plan);
		totals_release(&s->totals);
	}
	if (s->root_fd >= 0)
		close(s->root_fd);
	free(s);
	return rc;
}

const struct command cmd_replay = {
	.name = "replay",
	.synopsis = "TRACE --root DIR [--timing MODE] [--order MODE] [--cache STATE] [-o RUNDIR]",
	.summary = "replay a trace in a directory and measure it",
	.group = "replay",
	.options = rows,
	.run = run,
};
