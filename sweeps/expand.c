#include "sweeps/expand.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/why.h"

#define COMBINATIONS_MAX 20000

struct expander {
	const struct sweep *sweep;
	const struct knobs *knobs;
	const json_t *matrix, *only_if;
	json_t *excludes;         /* normalised: array of {knob: value or list} */
	size_t *exclude_hits;
	struct cells *cells;
	char **why;
};

static const char *const status_names[] = {"planned", "refused", "unsupported"};

const char *cell_status_name(enum cell_status status)
{
	return status_names[status];
}

/* value is wanted itself or one of a list. */
static bool is_one_of(const json_t *value, const json_t *wanted)
{
	const json_t *item;
	size_t i;

	if (!json_is_array(wanted))
		return json_equal(value, wanted);
	json_array_foreach((json_t *)wanted, i, item)
		if (json_equal(value, item))
			return true;
	return false;
}

static bool matches(const json_t *settings, const json_t *condition)
{
	const char *knob;
	json_t *wanted;

	json_object_foreach((json_t *)condition, knob, wanted) {
		const json_t *value = json_object_get(settings, knob);

		if (!is_one_of(value ? value : json_null(), wanted))
			return false;
	}
	return true;
}

/* The base with a cell's own settings on top; a null leaves the base's value. */
static json_t *on_base(const struct expander *x, const json_t *set)
{
	json_t *all = json_copy(x->sweep->base), *value;
	const char *knob;

	json_object_foreach((json_t *)set, knob, value)
		if (!json_is_null(value))
			json_object_set(all, knob, value);
	return all;
}

/* ---- checks of the words, before anything is expanded -------------------------------------------------------------------------- */

static int check_pair(const struct expander *x, const char *where, const char *knob, const json_t *value)
{
	_cleanup_json_ json_t *one = json_object();
	_cleanup_free_ char *reason = NULL;

	json_object_set(one, knob, (json_t *)value);
	if (knobs_validate(x->knobs, one, &reason))
		return why_set(x->why, -EINVAL, "in '%s': %s", where, reason);
	return 0;
}

/* {knob: value or [values]}: every name a knob, every value one that it can have, no list empty. */
static int check_values(const struct expander *x, const char *where, const json_t *map)
{
	const char *knob;
	json_t *value, *item;
	size_t i;
	int rc = 0;

	json_object_foreach((json_t *)map, knob, value) {
		if (!json_is_array(value)) {
			rc = check_pair(x, where, knob, value);
		} else {
			if (!json_array_size(value))
				return why_set(x->why, -EINVAL, "in '%s': '%s' has an empty list", where, knob);
			json_array_foreach(value, i, item)
				if (!rc)
					rc = check_pair(x, where, knob, item);
		}
		if (rc)
			return rc;
	}
	return 0;
}

static int check_matrix(const struct expander *x)
{
	const char *knob;
	json_t *value;
	size_t n = 1;

	json_object_foreach((json_t *)x->matrix, knob, value) {
		if (!json_is_array(value))
			return why_set(x->why, -EINVAL, "in 'matrix': '%s' must be a list of values", knob);
		n *= json_array_size(value);
		if (n > COMBINATIONS_MAX)
			return why_set(x->why, -EINVAL, "'matrix' has more than %d combinations; no night is that long", COMBINATIONS_MAX);
	}
	return check_values(x, "matrix", x->matrix);
}

static int check_only_if(const struct expander *x)
{
	const char *knob;
	json_t *condition;

	json_object_foreach((json_t *)x->only_if, knob, condition) {
		if (!json_object_get(x->matrix, knob))
			return why_set(x->why, -EINVAL, "in 'only_if': '%s' is no axis of the matrix", knob);
		if (!json_is_object(condition))
			return why_set(x->why, -EINVAL, "in 'only_if': the condition of '%s' must be an object {knob: [values]}", knob);
		if (check_values(x, "only_if", condition))
			return -EINVAL;
	}
	return 0;
}

/* An entry is {knob: value} as GitHub writes it, or {"match": {knob: value}, "why": "text"}. */
static int read_excludes(struct expander *x)
{
	const json_t *list = json_object_get(x->sweep->doc, "exclude"), *entry;
	size_t i;

	if (list && !json_is_array(list))
		return why_set(x->why, -EINVAL, "'exclude' must be a list of objects");
	x->excludes = json_array();
	json_array_foreach((json_t *)list, i, entry) {
		const json_t *match = json_object_get(entry, "match");
		const char *key;
		json_t *value;

		if (!json_is_object(entry) || !json_object_size(entry) || (match && !json_object_size(match)))
			return why_set(x->why, -EINVAL, "'exclude[%zu]' must be an object {knob: value} or {\"match\": {...}, \"why\": ...}", i);
		json_object_foreach((json_t *)entry, key, value)
			if (match && strcmp(key, "match") && strcmp(key, "why"))
				return why_set(x->why, -EINVAL, "unknown key 'exclude[].%s'; known here: match, why", key);
		if (check_values(x, "exclude", match ? match : entry))
			return -EINVAL;
		json_array_append(x->excludes, (json_t *)(match ? match : entry));
	}
	x->exclude_hits = calloc(i + 1, sizeof(*x->exclude_hits));
	return x->exclude_hits ? 0 : -ENOMEM;
}

/* ---- one cell ------------------------------------------------------------------------------------------------------------------- */

/* What of `settings` differs from the control's; null for a knob that only the control has. */
static json_t *difference(const json_t *settings, const json_t *control)
{
	json_t *set = json_object(), *value;
	const char *knob;

	json_object_foreach((json_t *)settings, knob, value)
		if (!json_equal(value, json_object_get(control, knob)))
			json_object_set(set, knob, value);
	json_object_foreach((json_t *)control, knob, value)
		if (!json_object_get(settings, knob))
			json_object_set_new(set, knob, json_null());
	return set;
}

static const char *last_part(const char *knob)
{
	const char *dot = strrchr(knob, '.');

	return dot ? dot + 1 : knob;
}

/* "fs.type=xfs scheduler=bfq". The last part of a knob's name is enough unless it says nothing by itself. */
static char *make_label(const json_t *set)
{
	static const char *const vague[] = {"type", "level", "data", "mode", "layout", "mkfs"};
	char *label = NULL;
	size_t size, i;
	FILE *out = open_memstream(&label, &size);
	const char *knob;
	json_t *value;

	json_object_foreach((json_t *)set, knob, value) {
		const char *name = last_part(knob);
		_cleanup_free_ char *text = NULL;

		if (json_is_null(value)) /* follows from another knob that differs: ext4.data on xfs */
			continue;
		for (i = 0; i < ARRAY_SIZE(vague); i++)
			if (!strcmp(name, vague[i]))
				name = knob;
		text = json_is_string(value) ? strdup(json_string_value(value)) : json_canonical(value);
		fprintf(out, "%s%s=%s", ftell(out) ? " " : "", name, text);
	}
	fclose(out);
	return label;
}

static void cell_id(const struct expander *x, const json_t *settings, char id[11])
{
	_cleanup_free_ char *canonical = json_canonical(settings);
	_cleanup_free_ char *text = NULL;
	char hex[SHA256_HEX];

	if (asprintf(&text, "%s\n%s\n", canonical, x->sweep->trace_sha256) < 0)
		abort();
	sha256_text(text, strlen(text), hex);
	memcpy(id, hex, 10);
	id[10] = 0;
}

static void judge(const struct expander *x, struct cell *cell, const struct durability *accepted)
{
	char text[32], max[32];

	cell->reason = knobs_unsupported(x->knobs, cell->settings);
	if (cell->reason) {
		cell->status = CELL_UNSUPPORTED;
		return;
	}
	if (durability_compare(&cell->durability, &x->sweep->durability_max) <= 0)
		return;
	if (accepted && durability_compare(&cell->durability, accepted) <= 0) {
		cell->accepted = true;
		return;
	}
	cell->status = CELL_REFUSED;
	why_set(&cell->reason, 0, "class %s is above durability.max %s; an include with \"accept_durability\": \"%s\" would run it",
		durability_text(&cell->durability, text), durability_text(&x->sweep->durability_max, max), text);
}

/* Adds the cell of base + set unless an equal one is there. entry is its include, NULL for one of the matrix. */
static int add_cell(struct expander *x, const json_t *set, const json_t *entry)
{
	struct cells *all = x->cells;
	_cleanup_json_ json_t *wanted = on_base(x, set);
	json_t *settings = knobs_resolve(x->knobs, wanted);
	const char *label = json_text(entry, "label", NULL), *accept = json_text(entry, "accept_durability", NULL);
	struct durability accepted;
	struct cell *cell, *grown;

	if (!settings)
		return -ENOMEM;
	if (accept && durability_parse(accept, &accepted)) {
		json_decref(settings);
		return why_set(x->why, -EINVAL, "'include[].accept_durability' is '%s'; possible: D1:30s, D1:unbounded, D2, D3", accept);
	}
	for (size_t i = 0; i < all->n; i++) {
		if (!json_equal(all->cell[i].settings, settings))
			continue;
		json_decref(settings);
		cell = &all->cell[i];
		if (entry && i == 0)
			return why_set(x->why, -EINVAL, "'include' with label '%s' changes nothing that applies: it is the base itself", label ? label : "");
		/* The matrix had it already: the include may still name it and accept its risk. */
		if (entry && label)
			why_set(&cell->label, 0, "%s", label);
		if (entry && cell->status == CELL_REFUSED) {
			cell->status = CELL_PLANNED;
			free(cell->reason);
			cell->reason = NULL;
			judge(x, cell, accept ? &accepted : NULL);
		}
		all->merged++;
		return 0;
	}
	grown = realloc(all->cell, (all->n + 1) * sizeof(*grown));
	if (!grown) {
		json_decref(settings);
		return -ENOMEM;
	}
	all->cell = grown;
	cell = &grown[all->n++];
	*cell = (struct cell){.settings = settings};
	cell_id(x, settings, cell->id);
	cell->set = difference(settings, all->cell[0].settings);
	cell->label = all->n == 1 ? strdup("control") : label ? strdup(label) : make_label(cell->set);
	if (json_text(entry, "why", NULL))
		cell->why = strdup(json_text(entry, "why", NULL));
	knobs_durability(x->knobs, settings, &cell->durability, NULL);
	judge(x, cell, accept ? &accepted : NULL);
	return 0;
}

/* ---- the matrix ----------------------------------------------------------------------------------------------------------------- */

/* Combination number `index` of the product, the first axis changing slowest. */
static json_t *combination(const struct expander *x, size_t index)
{
	json_t *set = json_object(), *values;
	size_t below = x->cells->raw;
	const char *knob;

	json_object_foreach((json_t *)x->matrix, knob, values) {
		below /= json_array_size(values);
		json_object_set(set, knob, json_array_get(values, index / below % json_array_size(values)));
	}
	return set;
}

static void drop_meaningless(const struct expander *x, json_t *set)
{
	const char *knob;
	json_t *condition;
	bool dropped;

	do { /* an axis that goes may be the condition of another */
		dropped = false;
		json_object_foreach((json_t *)x->only_if, knob, condition) {
			_cleanup_json_ json_t *all = on_base(x, set);

			if (json_object_get(set, knob) && !matches(all, condition)) {
				json_object_del(set, knob);
				dropped = true;
			}
		}
	} while (dropped);
}

static bool excluded(const struct expander *x, const json_t *set)
{
	_cleanup_json_ json_t *all = on_base(x, set);
	bool hit = false;
	json_t *entry;
	size_t i;

	json_array_foreach(x->excludes, i, entry) {
		if (matches(all, entry)) {
			x->exclude_hits[i]++;
			hit = true;
		}
	}
	return hit;
}

static int expand_matrix(struct expander *x)
{
	json_t *values, *entry;
	const char *knob;
	size_t i;
	int rc = 0;

	x->cells->raw = json_object_size(x->matrix) ? 1 : 0;
	json_object_foreach((json_t *)x->matrix, knob, values) {
		x->cells->raw *= json_array_size(values);
	}
	for (i = 0; i < x->cells->raw && !rc; i++) {
		_cleanup_json_ json_t *set = combination(x, i);

		drop_meaningless(x, set);
		if (!excluded(x, set))
			rc = add_cell(x, set, NULL);
	}
	json_array_foreach(x->excludes, i, entry) {
		_cleanup_free_ char *text = json_canonical(entry);

		if (!rc && !x->exclude_hits[i])
			rc = why_set(x->why, -EINVAL, "'exclude[%zu]' %s matches no combination of the matrix; correct or remove it", i, text);
	}
	return rc;
}

static int expand_includes(struct expander *x)
{
	const json_t *list = json_object_get(x->sweep->doc, "include"), *entry;
	size_t i;
	int rc = 0;

	json_array_foreach((json_t *)list, i, entry) {
		const json_t *set = json_object_get(entry, "set");

		if (!json_object_size(set))
			return why_set(x->why, -EINVAL, "'include[%zu]' has no 'set'", i);
		if (knobs_validate(x->knobs, set, x->why))
			return why_set(x->why, -EINVAL, "in 'include[%zu]': %s", i, *x->why);
		rc = add_cell(x, set, entry);
		if (rc)
			return rc;
	}
	return 0;
}

int cells_expand(const struct sweep *sweep, const struct knobs *knobs, struct cells *cells, char **why)
{
	struct expander x = {.sweep = sweep, .knobs = knobs, .cells = cells, .why = why};
	_cleanup_json_ json_t *nothing = json_object();
	int rc;

	*cells = (struct cells){0};
	x.matrix = json_object_get(sweep->doc, "matrix");
	x.only_if = json_object_get(sweep->doc, "only_if");
	rc = check_matrix(&x);
	if (!rc)
		rc = check_only_if(&x);
	if (!rc)
		rc = read_excludes(&x);
	if (!rc)
		rc = add_cell(&x, nothing, NULL); /* the control */
	if (!rc && cells->cell[0].status != CELL_PLANNED)
		rc = why_set(why, -EINVAL, "'base' cannot run: %s", cells->cell[0].reason);
	if (!rc)
		rc = expand_matrix(&x);
	if (!rc)
		rc = expand_includes(&x);
	json_decref(x.excludes);
	free(x.exclude_hits);
	if (rc)
		cells_release(cells);
	return rc;
}

void cells_release(struct cells *cells)
{
	for (size_t i = 0; i < cells->n; i++) {
		struct cell *cell = &cells->cell[i];

		free(cell->label);
		free(cell->reason);
		free(cell->why);
		json_decref(cell->settings);
		json_decref(cell->set);
	}
	free(cells->cell);
	*cells = (struct cells){0};
}
