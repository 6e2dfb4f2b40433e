#include "sweeps/attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "lib/proc.h"
#include "lib/stop.h"
#include "lib/why.h"
#include "profiles/stage.h"
#include "sweeps/fio.h"
#include "sweeps/folder.h"
#include "sweeps/passes.h"
#include "sweeps/plan.h"
#include "sweeps/watch.h"

#define IDLE_S 1.0
#define IDLE_LIMIT_S 30.0
#define BUSY_LIMIT_S 60.0

struct attempt {
	struct session *s;
	const json_t *run, *settings;
	int64_t seq, number;
	double timeout_s;
	char folder[4200]; /* DIR/runs/0001 */
	struct stage *stage;
	json_t *report; /* apply.json */
	char *why;
	json_t *passes; /* of several: what the journal says of them */
	const char *ev; /* how it ended, NULL: well so far */
};

static json_t *step_facts(const struct attempt *a)
{
	return json_pack("{sI ss sI sI}", "seq", (json_int_t)a->seq, "cell", json_text(a->run, "cell", ""), "block",
			 (json_int_t)json_int(a->run, "block", 0), "attempt", (json_int_t)a->number);
}

static int journal(struct attempt *a, const char *ev, json_t *more)
{
	json_t *facts;

	if (a->number == ATTEMPT_WARMUP) {
		json_decref(more);
		return 0;
	}
	facts = step_facts(a);
	if (more) {
		json_object_update(facts, more);
		json_decref(more);
	}
	return journal_add(&a->s->journal, ev, facts);
}

/* Ends the attempt as `ev`; the reason is what a->why says or the text. */
static int over(struct attempt *a, const char *ev, const char *reason)
{
	a->ev = ev;
	if (reason)
		why_set(&a->why, 0, "%s", reason);
	return -ECANCELED;
}

static char *file_of(const struct attempt *a, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", a->folder, name) < 0 ? NULL : path;
}

/* ---- settings --------------------------------------------------------------------------------------------------------------------- */

static void write_report(const struct attempt *a)
{
	_cleanup_free_ char *path = file_of(a, "apply.json");
	int rc = json_write(path, a->report);

	if (rc)
		warn("cannot write '%s': %s", path, strerror(-rc));
}

static int judge_stage(struct attempt *a, enum stage_outcome got, const json_t *report, const char *when)
{
	if (got == STAGE_OK)
		return 0;
	why_set(&a->why, 0, "%s%s", when, json_text(report, "reason", "no reason was given"));
	return over(a, stage_outcome_name(got), NULL);
}

static int apply(struct attempt *a)
{
	struct session *s = a->s;
	struct stage_options options = {.knobs = s->knobs,
					.devices = (const char *const *)s->devices.path,
					.device_count = s->devices.n,
					.mount_point = s->mount_point,
					.settings = a->settings,
					.undo = s->undo};
	enum stage_outcome got;
	int rc = devices_claim_again(&s->devices, &s->sweep, &a->why);

	if (rc)
		return over(a, "failed", NULL);
	devices_wait_free(&s->devices, BUSY_LIMIT_S);
	got = stage_apply(&options, &a->stage, &a->report);
	write_report(a);
	rc = judge_stage(a, got, a->report, "");
	return rc ? rc : journal(a, "applied", NULL);
}

static int verify_again(struct attempt *a)
{
	json_t *after = NULL;
	enum stage_outcome got = stage_verify(a->stage, &after);
	int rc = judge_stage(a, got, after, "changed during the run: ");

	json_object_set_new(a->report, "after", after);
	write_report(a);
	return rc;
}

/* ---- the replay ------------------------------------------------------------------------------------------------------------------- */

static void keep_words(const struct attempt *a, const char *title, const struct proc_result *got)
{
	_cleanup_free_ char *path = file_of(a, "log.txt");
	FILE *f = fopen(path, "ae");

	if (!f)
		return;
	fprintf(f, "== %s: status %d after %.1f s\n%s%s", title, got->status, (double)got->elapsed_ns / 1e9, got->out, got->err);
	fclose(f);
}

/* What a failed replay says: its run document's reason, else its last words. */
static void explain_replay(struct attempt *a, const char *title, struct proc_result *got, double timeout_s)
{
	_cleanup_free_ char *path = file_of(a, "run.json"), *ignored = NULL;
	_cleanup_json_ json_t *doc = json_read(path, NULL, &ignored);
	const char *reason = json_text(doc, "reason", NULL), *words = proc_last_words(got);

	if (got->status == 124 && stop_count() < 2)
		why_set(&a->why, 0, "%s had not ended after %.0f s", title, timeout_s);
	else
		why_set(&a->why, 0, "%s: %s", title, reason ? reason : strncmp(words, "iorig: ", 7) ? words : words + 7);
}

/* phase: --prepare-only, --reset (the same of a state that was replayed) or --prepared. */
static int replay(struct attempt *a, const char *phase, const char *out, double timeout_s)
{
	const struct sweep *sweep = &a->s->sweep;
	bool reset = !strcmp(phase, "--reset");
	_cleanup_free_ char *root = NULL;
	char limit[32];
	const char *argv[28] = {proc_self(), "replay", sweep->trace, "--root", NULL, phase, "--timing", sweep->replay.timing, "--order",
				sweep->replay.order, "--cache", sweep->replay.cache, "--engine", sweep->replay.engine};
	size_t n = 14;
	struct proc_result got;
	int rc;

	if (asprintf(&root, "%s/iorig", a->s->mount_point) < 0)
		return -ENOMEM;
	argv[4] = root;
	if (sweep->replay.max_mismatch_percent >= 0) {
		snprintf(limit, sizeof(limit), "%g", sweep->replay.max_mismatch_percent);
		argv[n++] = "--max-mismatch";
		argv[n++] = limit;
	}
	if (sweep->replay.direct)
		argv[n++] = "--direct";
	if (reset)
		argv[n++] = "--prepare-only";
	if (sweep->replay.golden && !out)
		argv[n++] = "--golden";
	if (out) {
		argv[n++] = "-o";
		argv[n++] = out;
	}
	if (mkdir(root, 0755) && errno != EEXIST) {
		why_set(&a->why, 0, "cannot make '%s': %s", root, strerror(errno));
		return over(a, "failed", NULL);
	}
	rc = proc_run(argv, &(struct proc_options){.timeout_ns = (uint64_t)(timeout_s * 1e9)}, &got);
	if (rc) {
		why_set(&a->why, 0, "cannot run 'iorig replay': %s", strerror(-rc));
		return over(a, "failed", NULL);
	}
	keep_words(a, phase, &got);
	if (got.status) {
		explain_replay(a, out ? "the replay" : reset ? "resetting the starting state" : "preparing the starting state", &got, timeout_s);
		rc = over(a, "failed", NULL);
	}
	proc_release(&got);
	return rc;
}

static int prepare(struct attempt *a)
{
	int rc = replay(a, "--prepare-only", NULL, a->timeout_s);

	return rc ? rc : journal(a, "prepared", NULL);
}

/* Quiet disks and, for a cold start, a file system that was just mounted. */
static int settle_down(struct attempt *a, json_t **facts)
{
	const char *const *leaves;
	size_t n = stage_leaves(a->stage, &leaves);
	bool idle = false;
	double waited;

	if (!strcmp(a->s->sweep.replay.cache, "cold") && stage_remount(a->stage, &a->why))
		return over(a, "failed", NULL);
	sync(); /* what was written before, and below the loop files too */
	waited = settle(leaves, n, IDLE_S, IDLE_LIMIT_S, &idle);
	*facts = json_pack("{sf sb}", "settle_s", waited, "settled", idle);
	return 0;
}

static int measure(struct attempt *a)
{
	json_t *facts = NULL;
	int rc = settle_down(a, &facts);

	if (!rc)
		rc = journal(a, "running", facts);
	if (!rc)
		rc = replay(a, "--prepared", a->folder, a->timeout_s);
	return rc;
}

/* Once more on the same file system, which the replay before it has used. */
static int measure_again(struct attempt *a)
{
	int rc = replay(a, "--reset", NULL, a->timeout_s);

	if (!rc)
		rc = journal(a, "reset", NULL);
	return rc ? rc : measure(a);
}

static int passes_failed(struct attempt *a, int rc)
{
	if (!a->why)
		why_set(&a->why, rc, "cannot keep the passes in '%s'", a->folder);
	return over(a, "failed", NULL);
}

static int measure_passes(struct attempt *a)
{
	const struct sweep *sweep = &a->s->sweep;
	int64_t n = a->number == ATTEMPT_WARMUP ? 1 : sweep->replay.passes;
	int rc = measure(a), kept = 0;

	for (int64_t pass = 1; pass <= n && n > 1 && !rc && !kept; pass++) {
		kept = passes_keep(a->folder, pass);
		if (!kept && pass < n)
			rc = measure_again(a);
	}
	if (n > 1 && !rc && !kept)
		kept = passes_choose(a->folder, n, !strcmp(sweep->primary, "elapsed_plus_sync_s"), &a->passes, &a->why);
	return rc ? rc : kept ? passes_failed(a, kept) : 0;
}

/* ---- fio -------------------------------------------------------------------------------------------------------------------------- */

/* A baseline that failed spoils only itself: it is said, and in the log, and the run counts. */
static void fio_failed(const struct attempt *a, char *why)
{
	struct proc_result said = {.status = 1, .out = (char *)"", .err = why ? why : (char *)"out of memory"};

	warn("run %lld: %s", (long long)a->seq, said.err);
	keep_words(a, "fio", &said);
	free(why);
}

static void fio_on_cell(const struct attempt *a)
{
	const json_t *jobs = json_object_get(a->run, "fio");
	_cleanup_free_ char *file = NULL;
	char *why = NULL;

	if (!json_array_size(jobs) || asprintf(&file, "%s/iorig-fio.data", a->s->mount_point) < 0)
		return;
	if (fio_run(&a->s->sweep, jobs, file, a->folder, "fio", &why))
		fio_failed(a, why);
	unlink(file);
}

/* On the first disk itself, before anything is made on it. */
static void fio_on_disk(const struct attempt *a)
{
	const json_t *jobs = json_object_get(a->run, "raw");
	char *why = NULL;

	if (!json_array_size(jobs))
		return;
	if (devices_claim_again(&a->s->devices, &a->s->sweep, &why) ||
	    fio_run(&a->s->sweep, jobs, a->s->devices.path[0], a->folder, "raw", &why))
		fio_failed(a, why);
}

/* ---- the whole of it ---------------------------------------------------------------------------------------------------------------- */

static int begin(struct attempt *a)
{
	bool warmup = a->number == ATTEMPT_WARMUP;
	int rc;

	snprintf(a->folder, sizeof(a->folder), "%s/runs/%04lld", a->s->folder, warmup ? 0 : (long long)a->seq);
	folder_empty(a->folder); /* what an attempt before this one left */
	rc = make_directories(a->folder);
	if (rc)
		return rc;
	return warmup ? journal_add(&a->s->journal, "warmup", NULL) : journal(a, "armed", NULL);
}

/* The steps between armed and undone. 0, -ECANCELED: over as a->ev says, other: the journal cannot be written. */
static int steps(struct attempt *a)
{
	bool with_fio = a->number != ATTEMPT_WARMUP;
	int rc;

	if (with_fio)
		fio_on_disk(a);
	rc = apply(a);
	if (!rc)
		rc = prepare(a);
	if (!rc)
		rc = measure_passes(a);
	if (!rc)
		rc = verify_again(a);
	if (!rc && with_fio && stop_count() < 2)
		fio_on_cell(a);
	return rc;
}

static int finish(struct attempt *a, struct attempt_result *result)
{
	_cleanup_free_ char *path = file_of(a, "run.json"), *why = NULL;
	_cleanup_json_ json_t *doc = json_read(path, "iorig.run/1", &why);
	int64_t elapsed_ns = json_int(doc, "elapsed_ns", -1);
	char sha256[SHA256_HEX];
	json_t *facts;

	if (!doc || elapsed_ns < 0 || sha256_file(path, sha256)) {
		why_set(&a->why, 0, "the replay left no good run document: %s", why ? why : "elapsed_ns is missing");
		return over(a, "failed", NULL);
	}
	result->elapsed_s = (double)elapsed_ns / 1e9;
	result->ev = "done";
	facts = json_pack("{sI ss}", "elapsed_ns", (json_int_t)elapsed_ns, "run_sha256", sha256);
	if (a->passes)
		json_object_update(facts, a->passes);
	return journal(a, "done", facts);
}

struct attempt_result attempt_run(struct session *s, const json_t *run, int64_t number, double timeout_s)
{
	struct attempt a = {.s = s, .run = run, .seq = json_int(run, "seq", 0), .number = number, .timeout_s = timeout_s};
	struct attempt_result result = {.outcome = ATTEMPT_BROKEN};
	_cleanup_free_ char *undo_why = NULL, *log = NULL;
	int rc, undone, mark;

	a.settings = json_object_get(plan_cell(s->plan, json_text(run, "cell", "")), "settings");
	rc = begin(&a);
	if (rc) {
		say("cannot begin run %lld in '%s': %s", (long long)a.seq, a.folder, strerror(-rc));
		return result;
	}
	mark = kernel_log_mark();
	rc = steps(&a);
	log = file_of(&a, "dmesg.txt");
	proc_set_group(PROC_SHIELDED);
	undone = stage_undo(a.stage, &undo_why);
	proc_set_group(PROC_ABORTABLE);
	kernel_log_save(mark, log);
	if (!rc && stop_count() < 2)
		rc = finish(&a, &result);
	if (stop_count() >= 2 && (!rc || rc == -ECANCELED)) {
		rc = journal(&a, "failed", json_pack("{ss sb}", "reason", "stopped by the operator", "aborted", 1));
		result.outcome = rc ? ATTEMPT_BROKEN : ATTEMPT_ABORTED;
	} else if (rc == -ECANCELED) {
		snprintf(result.reason, sizeof(result.reason), "%s", a.why ? a.why : "no reason was given");
		result.ev = a.ev;
		rc = journal(&a, a.ev, json_pack("{ss}", "reason", result.reason));
		result.outcome = rc ? ATTEMPT_BROKEN : ATTEMPT_OVER;
	} else if (!rc) {
		result.outcome = ATTEMPT_DONE;
	}
	if (undone) {
		say("this machine could not be put back after run %lld: %s", (long long)a.seq, undo_why ? undo_why : strerror(-undone));
		result.outcome = ATTEMPT_BROKEN;
	}
	if (number == ATTEMPT_WARMUP) {
		folder_empty(a.folder);
		rmdir(a.folder);
	}
	json_decref(a.report);
	json_decref(a.passes);
	free(a.why);
	return result;
}
