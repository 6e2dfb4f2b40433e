#include "sweeps/confirm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/outfile.h"
#include "lib/why.h"
#include "sweeps/journal.h"
#include "sweeps/plan.h"

struct leader {
	const json_t *cell;
	double median_s;
};

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static int by_median(const void *a, const void *b)
{
	return by_value(&((const struct leader *)a)->median_s, &((const struct leader *)b)->median_s);
}

/* Median elapsed time of the cell's done runs; < 0 when it has none. */
static double median_of(const json_t *plan, const struct journal *j, const char *cell)
{
	int64_t runs = plan_runs(plan);
	double *values = calloc((size_t)runs + 1, sizeof(*values)), median;
	size_t n = 0;

	for (int64_t seq = 1; values && seq <= runs; seq++) {
		struct run_state state = journal_run(j, seq);

		if (state.over && !strcmp(state.over, "done") && !strcmp(json_text(plan_run(plan, seq), "cell", ""), cell))
			values[n++] = state.elapsed_s;
	}
	if (n)
		qsort(values, n, sizeof(*values), by_value);
	median = !n ? -1 : n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
	free(values);
	return median;
}

/* The includes of the new sweep: what differs from the control, for each leader. */
static int choose(const json_t *plan, const struct journal *j, int64_t top, json_t *include, char **why)
{
	const json_t *cells = json_object_get(plan, "cells"), *cell;
	struct leader *leaders = calloc(json_array_size(cells) + 1, sizeof(*leaders));
	size_t n = 0, i;

	if (!leaders)
		return -ENOMEM;
	json_array_foreach((json_t *)cells, i, cell) {
		double median = median_of(plan, j, json_text(cell, "id", ""));

		if (median >= 0 && !json_flag(cell, "accepted", false) && strcmp(json_text(cell, "id", ""), json_text(plan, "control", "")))
			leaders[n++] = (struct leader){cell, median};
	}
	qsort(leaders, n, sizeof(*leaders), by_median);
	for (i = 0; i < n && (int64_t)i < top; i++)
		json_array_append_new(include, json_pack("{sO ss}", "set", json_object_get(leaders[i].cell, "settings"), "label",
							 json_text(leaders[i].cell, "label", "")));
	free(leaders);
	return n ? 0 : why_set(why, -ENOENT, "no allowed cell beside the control has a number; there is nothing to confirm");
}

static json_t *make_sweep(const json_t *old, const json_t *include)
{
	static const char *const kept[] = {"schema", "question", "trace", "replay", "box", "base", "durability", "metrics", "resolved"};
	const json_t *plan = json_object_get(old, "plan");
	json_t *sweep = json_object();
	char name[200];

	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		if (json_object_get(old, kept[i]))
			json_object_set(sweep, kept[i], json_object_get(old, kept[i]));
	snprintf(name, sizeof(name), "%.180s-confirm", json_text(old, "name", "sweep"));
	json_object_set_new(sweep, "name", json_string(name));
	json_object_set(sweep, "include", (json_t *)include);
	json_object_set_new(sweep, "plan",
			    json_pack("{sI sI sI}", "blocks", (json_int_t)json_int(json_object_get(plan, "confirm"), "blocks", 6), "seed",
				      (json_int_t)(json_int(plan, "seed", 1) + 1), "control_every", (json_int_t)json_int(plan, "control_every", 8)));
	return sweep;
}

int confirm_write_sweep(const char *folder, const char *out, int64_t top, char **why)
{
	_cleanup_free_ char *sweep_path = NULL, *plan_path = NULL, *new_path = NULL;
	_cleanup_json_ json_t *sweep = NULL, *plan = NULL, *include = json_array(), *made = NULL;
	struct journal j;
	int rc;

	if (asprintf(&sweep_path, "%s/sweep.json", folder) < 0 || asprintf(&plan_path, "%s/plan.json", folder) < 0 ||
	    asprintf(&new_path, "%s/confirm.sweep.json", out) < 0)
		return -ENOMEM;
	sweep = json_read(sweep_path, "iorig.sweep/1", why);
	plan = sweep ? json_read(plan_path, "iorig.plan/1", why) : NULL;
	if (!plan)
		return -EINVAL;
	rc = journal_read(folder, &j, why);
	if (rc)
		return rc;
	if (!top)
		top = json_int(json_at(sweep, "plan.confirm"), "top", 3);
	rc = choose(plan, &j, top, include, why);
	journal_close(&j);
	if (rc)
		return rc;
	made = make_sweep(sweep, include);
	rc = make_directories(out);
	if (!rc)
		rc = json_write(new_path, made);
	return rc ? why_set(why, rc, "cannot write '%s': %s", new_path, strerror(-rc)) : 0;
}
