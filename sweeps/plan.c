#include "sweeps/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/why.h"

/* splitmix64 (Steele, Lea, Flood 2014): tiny, and equal on every machine. */
static uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* Unbiased 0..n-1. */
static size_t random_below(uint64_t *state, size_t n)
{
	uint64_t limit = UINT64_MAX - UINT64_MAX % n, value;

	do
		value = random_next(state);
	while (value >= limit);
	return (size_t)(value % n);
}

static void shuffle(size_t *order, size_t n, uint64_t *state)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = random_below(state, i), swap = order[i - 1];

		order[i - 1] = order[j];
		order[j] = swap;
	}
}

static json_t *cell_document(const struct cell *cell)
{
	char text[32];
	json_t *doc = json_pack("{ss ss sO sO ss sb ss}", "id", cell->id, "label", cell->label, "set", cell->set, "settings", cell->settings,
				"durability", durability_text(&cell->durability, text), "single_device", cell->durability.single_device,
				"status", cell_status_name(cell->status));

	json_object_set_new(doc, "reason", cell->reason ? json_string(cell->reason) : json_null());
	if (cell->accepted)
		json_object_set_new(doc, "accepted", json_true());
	if (cell->why)
		json_object_set_new(doc, "why", json_string(cell->why));
	return doc;
}

struct sequencer {
	const struct sweep *sweep;
	json_t *runs;
	int64_t block, position;
};

static void add_run(struct sequencer *s, const struct cell *cell, bool extra)
{
	const struct sweep_fio *fio = &s->sweep->fio;
	bool with_fio = fio->jobs && s->block <= fio->blocks;
	json_t *run = json_pack("{sI ss sI sI}", "seq", (json_int_t)json_array_size(s->runs) + 1, "cell", cell->id, "block",
				(json_int_t)s->block, "position", (json_int_t)++s->position);

	json_object_set_new(run, "fio", with_fio && fio->cells && !extra ? json_incref(fio->jobs) : json_array());
	if (with_fio && fio->raw && s->position == 1)
		json_object_set(run, "raw", fio->jobs);
	if (extra)
		json_object_set_new(run, "extra_control", json_true());
	json_array_append_new(s->runs, run);
}

/* One block: every planned cell in random order, and the control again after every control_every runs. */
static void add_block(struct sequencer *s, const struct cells *cells, size_t *order, size_t n, uint64_t *random)
{
	int64_t every = s->sweep->plan.control_every, since = 0;

	shuffle(order, n, random);
	s->block++;
	s->position = 0;
	for (size_t i = 0; i < n; i++) {
		add_run(s, &cells->cell[order[i]], false);
		since = order[i] ? since + 1 : 0;
		if (every && since >= every && i + 1 < n && order[i + 1]) {
			add_run(s, &cells->cell[0], true);
			since = 0;
		}
	}
}

json_t *plan_make(const struct sweep *sweep, const struct cells *cells, const char *sweep_sha256)
{
	struct sequencer s = {.sweep = sweep, .runs = json_array()};
	uint64_t random = (uint64_t)sweep->plan.seed;
	size_t *order = calloc(cells->n, sizeof(*order)), n = 0;
	json_t *list = json_array(), *plan;

	if (!order)
		abort();
	for (size_t i = 0; i < cells->n; i++) {
		json_array_append_new(list, cell_document(&cells->cell[i]));
		if (cells->cell[i].status == CELL_PLANNED)
			order[n++] = i;
	}
	for (int64_t block = 0; block < sweep->plan.blocks_max; block++)
		add_block(&s, cells, order, n, &random);
	free(order);
	plan = json_pack("{ss ss ss ss sI ss ss sI sI sI}", "schema", "iorig.plan/1", "name", sweep->name, "sweep_sha256", sweep_sha256,
			 "trace_sha256", sweep->trace_sha256, "seed", (json_int_t)sweep->plan.seed, "control", cells->cell[0].id, "primary",
			 sweep->primary, "comparisons", (json_int_t)n - 1, "blocks_min", (json_int_t)sweep->plan.blocks_min, "blocks_max",
			 (json_int_t)sweep->plan.blocks_max);
	json_object_set_new(plan, "cells", list);
	json_object_set_new(plan, "runs", s.runs);
	return plan;
}

char *plan_text(const json_t *plan)
{
	_cleanup_free_ char *text = json_dumps(plan, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
	char *line;

	return text && asprintf(&line, "%s\n", text) >= 0 ? line : NULL;
}

const json_t *plan_cell(const json_t *plan, const char *id)
{
	json_t *cell;
	size_t i;

	json_array_foreach(json_object_get(plan, "cells"), i, cell)
		if (!strcmp(json_text(cell, "id", ""), id))
			return cell;
	return NULL;
}

const json_t *plan_run(const json_t *plan, int64_t seq)
{
	return seq < 1 ? NULL : json_array_get(json_object_get(plan, "runs"), (size_t)seq - 1);
}

int64_t plan_runs(const json_t *plan)
{
	return (int64_t)json_array_size(json_object_get(plan, "runs"));
}

const char *plan_label(const json_t *plan, const char *id)
{
	return json_text(plan_cell(plan, id), "label", id);
}

int plan_check(const json_t *plan, char **why)
{
	const char *control = json_text(plan, "control", "");

	if (!plan_cell(plan, control))
		return why_set(why, -EINVAL, "the plan has no control cell '%s'", control);
	if (!plan_runs(plan))
		return why_set(why, -EINVAL, "the plan has no runs");
	for (int64_t seq = 1; seq <= plan_runs(plan); seq++) {
		const json_t *run = plan_run(plan, seq), *cell = plan_cell(plan, json_text(run, "cell", ""));

		if (json_int(run, "seq", 0) != seq || json_int(run, "block", 0) < 1)
			return why_set(why, -EINVAL, "run %lld of the plan has no good number or block", (long long)seq);
		if (!cell || !json_is_object(json_object_get(cell, "settings")))
			return why_set(why, -EINVAL, "run %lld of the plan names a cell that is not in it", (long long)seq);
	}
	return 0;
}
