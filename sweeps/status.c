#include "sweeps/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <fcntl.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "sweeps/journal.h"
#include "sweeps/plan.h"

struct progress_so_far {
	int64_t runs, done, without, open;
	double took_s, worked_s; /* took_s: sum over the done runs */
	const char *state;       /* "running", "stopped", "complete", "not begun" */
	const json_t *now;       /* the run in flight or NULL */
	const char *step;
};

/* A runner holds the lock as long as it lives. */
static bool is_locked(const char *folder)
{
	_cleanup_close_ int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_SH | LOCK_NB);
}

static struct progress_so_far look(const char *folder, const json_t *plan, const struct journal *j)
{
	struct progress_so_far p = {.runs = plan_runs(plan), .worked_s = journal_worked_s(j)};

	for (int64_t seq = 1; seq <= p.runs; seq++) {
		struct run_state state = journal_run(j, seq);

		if (state.over && !strcmp(state.over, "done")) {
			p.done++;
			p.took_s += state.took_s;
		} else if (state.over) {
			p.without++;
		} else {
			p.open++;
		}
		if (state.in_flight) {
			p.now = plan_run(plan, seq);
			p.step = state.step;
		}
	}
	p.state = journal_has(j, "complete") ? "complete" : is_locked(folder) ? "running" : json_array_size(j->lines) > 1 ? "stopped" : "not begun";
	return p;
}

static double left_s(const struct progress_so_far *p)
{
	return p->done ? p->took_s / (double)p->done * (double)p->open : -1;
}

static void print_text(const char *folder, const json_t *plan, const struct journal *j, const struct progress_so_far *p)
{
	printf("%s: %s, %lld of %lld runs done, %lld without a number, %lld open\n", json_text(plan, "name", folder), p->state,
	       (long long)p->done, (long long)p->runs, (long long)p->without, (long long)p->open);
	if (p->now)
		printf("%s: run %lld, block %lld, %s, after '%s'\n", strcmp(p->state, "running") ? "interrupted" : "now",
		       (long long)json_int(p->now, "seq", 0), (long long)json_int(p->now, "block", 0),
		       plan_label(plan, json_text(p->now, "cell", "")), p->step);
	printf("worked %.1f min", p->worked_s / 60);
	if (p->open && left_s(p) >= 0 && strcmp(p->state, "complete"))
		printf(", about %.1f min to go", left_s(p) / 60);
	printf("\n");
	for (int64_t seq = 1; seq <= p->runs; seq++) {
		struct run_state state = journal_run(j, seq);

		if (state.over && strcmp(state.over, "done"))
			printf("run %lld %s: %s: %s\n", (long long)seq, plan_label(plan, json_text(plan_run(plan, seq), "cell", "")), state.over,
			       state.reason ? state.reason : "no reason was given");
	}
	if (!strcmp(p->state, "stopped"))
		printf("next: iorig sweep resume %s\n", folder);
	else if (!strcmp(p->state, "complete"))
		printf("next: iorig report %s\n", folder);
}

static void print_json(const json_t *plan, const struct progress_so_far *p)
{
	_cleanup_json_ json_t *doc = json_pack("{ss ss ss sI sI sI sI sf}", "schema", "iorig.status/1", "name", json_text(plan, "name", ""), "state",
					       p->state, "runs", (json_int_t)p->runs, "done", (json_int_t)p->done, "without_number",
					       (json_int_t)p->without, "open", (json_int_t)p->open, "worked_s", p->worked_s);
	_cleanup_free_ char *text = NULL;

	json_object_set_new(doc, "left_s", left_s(p) < 0 ? json_null() : json_real(left_s(p)));
	json_object_set_new(doc, "now", p->now ? json_deep_copy(p->now) : json_null());
	if (p->now) {
		json_object_set_new(json_object_get(doc, "now"), "step", json_string(p->step));
		json_object_set_new(json_object_get(doc, "now"), "label", json_string(plan_label(plan, json_text(p->now, "cell", ""))));
	}
	text = json_dumps(doc, JSON_INDENT(1) | JSON_REAL_PRECISION(6));
	puts(text);
}

static int open_both(const char *folder, json_t **plan, struct journal *j, char **why)
{
	_cleanup_free_ char *path = NULL;
	int rc;

	if (asprintf(&path, "%s/plan.json", folder) < 0)
		return -1;
	*plan = json_read(path, "iorig.plan/1", why);
	if (!*plan)
		return -1;
	rc = plan_check(*plan, why);
	if (!rc)
		rc = journal_read(folder, j, why);
	if (rc)
		json_decref(*plan);
	return rc;
}

int status_print(const char *folder, bool json)
{
	_cleanup_free_ char *why = NULL;
	struct progress_so_far p;
	struct journal j;
	json_t *plan;

	if (open_both(folder, &plan, &j, &why))
		return fail(EXIT_FAILED, "sweep status: %s", why ? why : "out of memory");
	p = look(folder, plan, &j);
	if (json)
		print_json(plan, &p);
	else
		print_text(folder, plan, &j, &p);
	journal_close(&j);
	json_decref(plan);
	return EXIT_DONE;
}

int status_code(const char *folder)
{
	_cleanup_free_ char *why = NULL;
	struct progress_so_far p;
	struct journal j;
	json_t *plan;

	if (open_both(folder, &plan, &j, &why))
		return EXIT_FAILED;
	p = look(folder, plan, &j);
	journal_close(&j);
	json_decref(plan);
	return p.without || !p.done ? EXIT_INCOMPLETE : EXIT_DONE;
}
