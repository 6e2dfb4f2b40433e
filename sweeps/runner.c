#include "sweeps/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/progress.h"
#include "lib/stop.h"
#include "sweeps/attempt.h"
#include "sweeps/plan.h"
#include "sweeps/precision.h"

/*
 * A run during which the runner itself died this often, with the box staying up, is not tried again: something kills it each time. That is
 * generous, because usually a person or a test did it and the cell is innocent ...
 */
#define DEATHS_MAX 10
/* ... and neither is any run of a cell that took the whole box down this often. */
#define BOX_DEATHS_MAX 2

#define FIRST_TIMEOUT_S 1800.0
#define LEAST_TIMEOUT_S 120.0

struct runner {
	struct session *s;
	struct progress progress;
	double session_start_s; /* CLOCK_MONOTONIC */
	double worked_before_s;
	const char *why_early; /* NULL: everything was done */
};

static double now_s(void)
{
	return (double)clock_now_ns() / 1e9;
}

enum run_need runner_need(const struct sweep *sweep, const struct journal *j, const json_t *run)
{
	struct run_state state = journal_run(j, json_int(run, "seq", 0));
	bool again = state.over && !strcmp(state.over, "failed") && state.failures <= sweep->plan.retries;

	if (state.over && !again)
		return RUN_OVER;
	if (state.deaths >= DEATHS_MAX || journal_box_deaths(j, json_text(run, "cell", "")) >= BOX_DEATHS_MAX)
		return RUN_CRASHED;
	return RUN_NOW;
}

static json_t *run_facts(const json_t *run, int64_t attempt)
{
	return json_pack("{sI ss sI sI}", "seq", (json_int_t)json_int(run, "seq", 0), "cell", json_text(run, "cell", ""), "block",
			 (json_int_t)json_int(run, "block", 0), "attempt", (json_int_t)attempt);
}

int runner_bury(struct session *s)
{
	for (int64_t seq = 1; seq <= plan_runs(s->plan); seq++) {
		const json_t *run = plan_run(s->plan, seq);
		struct run_state state = journal_run(&s->journal, seq);
		bool rebooted = state.boot && strcmp(state.boot, s->journal.boot);
		json_t *facts;
		char reason[160];
		int rc;

		if (!state.in_flight)
			continue;
		snprintf(reason, sizeof(reason), "%s after '%s' of attempt %lld", rebooted ? "the box went down" : "the runner was killed",
			 state.step, (long long)state.attempts);
		facts = run_facts(run, state.attempts);
		json_object_set_new(facts, "reason", json_string(reason));
		json_object_set_new(facts, "died", json_true());
		json_object_set_new(facts, "rebooted", json_boolean(rebooted));
		rc = journal_add(&s->journal, "failed", facts);
		if (rc)
			return rc;
		say("run %lld/%lld %s: %s; it is done again", (long long)seq, (long long)plan_runs(s->plan),
		    plan_label(s->plan, json_text(run, "cell", "")), reason);
	}
	return 0;
}

static int crashed(struct runner *r, const json_t *run)
{
	struct run_state state = journal_run(&r->s->journal, json_int(run, "seq", 0));
	json_t *facts = run_facts(run, state.attempts);
	char reason[160];

	snprintf(reason, sizeof(reason), "skipped: %s",
		 state.deaths >= DEATHS_MAX ? "the runner died in it too often" : "this cell took the box down twice");
	json_object_set_new(facts, "reason", json_string(reason));
	say("run %lld/%lld block %lld %s: crashed: %s", (long long)json_int(run, "seq", 0), (long long)plan_runs(r->s->plan),
	    (long long)json_int(run, "block", 0), plan_label(r->s->plan, json_text(run, "cell", "")), reason);
	return journal_add(&r->s->journal, "crashed", facts);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median over the done runs of a cell (NULL: of all cells); < 0 when there is none. */
static double median_done(const struct session *s, const char *cell, bool took)
{
	int64_t runs = plan_runs(s->plan);
	double *values = calloc((size_t)runs + 1, sizeof(*values)), median = -1;
	size_t n = 0;

	for (int64_t seq = 1; values && seq <= runs; seq++) {
		struct run_state state = journal_run(&s->journal, seq);

		if (state.over && !strcmp(state.over, "done") && (!cell || !strcmp(cell, json_text(plan_run(s->plan, seq), "cell", ""))))
			values[n++] = took ? state.took_s : state.elapsed_s;
	}
	if (n) {
		qsort(values, n, sizeof(*values), by_value);
		median = n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
	}
	free(values);
	return median;
}

/* How long a replay may take before it counts as hung. */
static double timeout_s(const struct session *s)
{
	double median = median_done(s, NULL, true);

	if (s->sweep.replay.timeout_s > 0)
		return s->sweep.replay.timeout_s;
	if (median < 0)
		return FIRST_TIMEOUT_S;
	return fmax(LEAST_TIMEOUT_S, 4 * median);
}

static void report_run(const struct runner *r, const json_t *run, const struct attempt_result *got)
{
	const struct session *s = r->s;
	const char *cell = json_text(run, "cell", ""), *control = json_text(s->plan, "control", "");
	double control_s = median_done(s, control, false);
	char head[400], beside[64] = "";

	snprintf(head, sizeof(head), "run %lld/%lld block %lld %s", (long long)json_int(run, "seq", 0), (long long)plan_runs(s->plan),
		 (long long)json_int(run, "block", 0), plan_label(s->plan, cell));
	if (got->outcome == ATTEMPT_OVER) {
		say("%s: %s: %s", head, got->ev, got->reason);
		return;
	}
	if (strcmp(cell, control) && control_s > 0)
		snprintf(beside, sizeof(beside), " (control %.2f s)", control_s);
	say("%s: %.2f s%s", head, got->elapsed_s, beside);
}

/* EXIT_DONE: go on. Anything else ends the sweep with it. */
static int do_run(struct runner *r, const json_t *run)
{
	struct session *s = r->s;
	struct run_state state = journal_run(&s->journal, json_int(run, "seq", 0));
	struct attempt_result got;

	progress_update(&r->progress, (uint64_t)json_int(run, "seq", 1) - 1, "block %lld %s", (long long)json_int(run, "block", 0),
			plan_label(s->plan, json_text(run, "cell", "")));
	got = attempt_run(s, run, state.attempts + 1, timeout_s(s));
	progress_finish(&r->progress);
	switch (got.outcome) {
	case ATTEMPT_BROKEN:
		return EXIT_FAILED;
	case ATTEMPT_ABORTED:
		return EXIT_INCOMPLETE;
	default:
		report_run(r, run, &got);
		return EXIT_DONE;
	}
}

/* One look at every run of the block that still needs something. *open: how many were worked on. */
static int pass(struct runner *r, int64_t block, size_t *open)
{
	struct session *s = r->s;
	json_t *run;
	size_t i;
	int rc = EXIT_DONE;

	*open = 0;
	json_array_foreach(json_object_get(s->plan, "runs"), i, run) {
		enum run_need need;

		if (json_int(run, "block", 0) != block)
			continue;
		need = runner_need(&s->sweep, &s->journal, run);
		if (need == RUN_OVER)
			continue;
		if (stop_requested())
			return EXIT_INCOMPLETE;
		(*open)++;
		if (need == RUN_CRASHED)
			rc = crashed(r, run) ? EXIT_FAILED : EXIT_DONE;
		else
			rc = do_run(r, run);
		if (rc != EXIT_DONE)
			return rc;
	}
	return EXIT_DONE;
}

static int do_block(struct runner *r, int64_t block)
{
	size_t open;
	int rc;

	do
		rc = pass(r, block, &open);
	while (rc == EXIT_DONE && open);
	return rc;
}

/* Is there any run of the block that needs something, and has none of them begun? */
static bool is_fresh(const struct runner *r, int64_t block)
{
	json_t *run;
	size_t i;

	json_array_foreach(json_object_get(r->s->plan, "runs"), i, run)
		if (json_int(run, "block", 0) == block && journal_run(&r->s->journal, json_int(run, "seq", 0)).step)
			return false;
	return true;
}

/* No new block is begun that would not fit into the budget or is not needed any more. */
static bool ends_before(struct runner *r, int64_t block)
{
	const struct session *s = r->s;
	const struct sweep_plan *p = &s->sweep.plan;
	double per_block = (double)plan_runs(s->plan) / (double)p->blocks_max;
	double worked = r->worked_before_s + now_s() - r->session_start_s, run_s = median_done(s, NULL, true);

	if (block == 1 || !is_fresh(r, block))
		return false;
	if (p->budget_s > 0 && run_s > 0 && worked + per_block * run_s > p->budget_s)
		r->why_early = "the budget has no room for another block";
	else if (p->ci_halfwidth > 0 && block > p->blocks_min && precision_halfwidth(s->plan, &s->journal) <= p->ci_halfwidth)
		r->why_early = "every interval is narrow enough";
	return r->why_early;
}

static void count(const struct session *s, int64_t *done, int64_t *without)
{
	*done = *without = 0;
	for (int64_t seq = 1; seq <= plan_runs(s->plan); seq++) {
		struct run_state state = journal_run(&s->journal, seq);

		if (state.over && !strcmp(state.over, "done"))
			(*done)++;
		else if (state.over)
			(*without)++;
	}
}

/* The last journal line and the last words; the exit code of it all. */
static int conclude(struct runner *r, int rc)
{
	struct session *s = r->s;
	int64_t done, without, left;

	count(s, &done, &without);
	left = plan_runs(s->plan) - done - without;
	if (rc != EXIT_DONE) {
		const char *reason = stop_requested() ? "stopped by the operator" : "this machine or the directory cannot go on";

		journal_add(&s->journal, "stop", json_pack("{ss sI}", "reason", reason, "left", (json_int_t)left));
		say("%s: %lld of %lld runs are left; go on with 'iorig sweep resume %s'", reason, (long long)left, (long long)plan_runs(s->plan),
		    s->options.folder);
		return rc;
	}
	if (journal_add(&s->journal, "complete", json_pack("{sI sI sI ss?}", "done", (json_int_t)done, "without_number", (json_int_t)without,
							   "left", (json_int_t)left, "early", r->why_early)))
		return EXIT_FAILED;
	if (left)
		say("%s: %lld planned runs were not begun", r->why_early, (long long)left);
	say("complete: %lld runs done, %lld without a number; see 'iorig report %s'", (long long)done, (long long)without, s->options.folder);
	return without || !done ? EXIT_INCOMPLETE : EXIT_DONE;
}

/*
 * The first run after a boot pays for loading programs, allocating the loop files' blocks, waking CPUs: a throwaway run of the control
 * pays instead. Its failure says nothing that the first real run will not say.
 */
static int warm_up(struct runner *r)
{
	struct session *s = r->s;

	for (int64_t seq = 1; seq <= plan_runs(s->plan); seq++) {
		const json_t *run = plan_run(s->plan, seq);

		if (strcmp(json_text(run, "cell", ""), json_text(s->plan, "control", "")))
			continue;
		progress_update(&r->progress, 0, "warming up");
		switch (attempt_run(s, run, ATTEMPT_WARMUP, timeout_s(s)).outcome) {
		case ATTEMPT_BROKEN:
			return EXIT_FAILED;
		case ATTEMPT_ABORTED:
			return EXIT_INCOMPLETE;
		default:
			return EXIT_DONE;
		}
	}
	return EXIT_DONE;
}

int runner_run(struct session *s)
{
	struct runner r = {.s = s, .session_start_s = now_s(), .worked_before_s = journal_worked_s(&s->journal)};
	int rc = EXIT_DONE;

	progress_start(&r.progress, "sweep", (uint64_t)plan_runs(s->plan));
	if (s->sweep.plan.warmup)
		rc = warm_up(&r);
	for (int64_t block = 1; rc == EXIT_DONE && block <= s->sweep.plan.blocks_max && !ends_before(&r, block); block++)
		rc = do_block(&r, block);
	progress_finish(&r.progress);
	return conclude(&r, rc);
}
