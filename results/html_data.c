/* The data of the HTML page, packed: counts as base64 of varints, because that is a third of the same in JSON. */
#include "results/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

#define MAPS_MAX 24
#define MAP_COLUMNS 600
#define MAP_BITS 3
#define MAP_BUCKETS ((65 - MAP_BITS) << MAP_BITS)
#define EXEMPLARS_MAX 400

struct bytes {
	unsigned char *at;
	size_t n, room;
};

static int put_varint(struct bytes *b, uint64_t v)
{
	if (b->n + 10 > b->room) {
		size_t room = b->room ? b->room * 2 : 1024;
		unsigned char *more = realloc(b->at, room);

		if (!more)
			return -1;
		b->at = more;
		b->room = room;
	}
	for (; v >= 128; v >>= 7)
		b->at[b->n++] = (unsigned char)(v | 128);
	b->at[b->n++] = (unsigned char)v;
	return 0;
}

char *base64(const void *data, size_t n)
{
	static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *p = data;
	char *text = malloc((n + 2) / 3 * 4 + 1), *to = text;

	if (!text)
		return NULL;
	for (size_t i = 0; i < n; i += 3) {
		unsigned v = (unsigned)p[i] << 16 | (i + 1 < n ? (unsigned)p[i + 1] << 8 : 0) | (i + 2 < n ? p[i + 2] : 0);

		*to++ = digit[v >> 18];
		*to++ = digit[v >> 12 & 63];
		*to++ = i + 1 < n ? digit[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? digit[v & 63] : '=';
	}
	*to = 0;
	return text;
}

/* Appends one column: the number of non-empty buckets, then gap and count of each. */
static int put_column(struct bytes *b, const uint64_t *bucket, size_t n)
{
	size_t filled = 0, last = 0;

	for (size_t i = 0; i < n; i++)
		filled += bucket[i] > 0;
	if (put_varint(b, filled))
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (!bucket[i])
			continue;
		if (put_varint(b, i - last) || put_varint(b, bucket[i]))
			return -1;
		last = i;
	}
	return 0;
}

static json_t *packed(const struct bytes *b)
{
	_cleanup_free_ char *text = base64(b->at, b->n);

	return text ? json_string(text) : json_null();
}

/* A histogram as one column; bits below HIST_BITS makes it coarser. */
static json_t *packed_hist(const struct hist *h, unsigned bits)
{
	_cleanup_free_ uint64_t *bucket = calloc(HIST_BUCKETS, sizeof(*bucket));
	struct bytes b = {0};
	json_t *text = NULL;

	if (!bucket)
		return json_null();
	for (uint32_t i = 0; i < HIST_BUCKETS; i++)
		if (h->bucket[i])
			bucket[hist_index(hist_low(i, HIST_BITS), bits)] += h->bucket[i];
	if (!put_column(&b, bucket, HIST_BUCKETS))
		text = packed(&b);
	free(b.at);
	return text ? text : json_null();
}

static void add_all(struct hist *h, const json_t *doc, const char *which)
{
	const char *key;
	json_t *op;

	json_object_foreach(json_object_get(doc, "op"), key, op)
		if (strcmp(key, "all"))
			hist_add_sparse(h, json_object_get(op, which));
}

/* Of one class: [[t,bucket,count],...] folded into at most MAP_COLUMNS columns of `fold` time steps each. */
static json_t *packed_cells(const json_t *triples, size_t columns, size_t fold)
{
	_cleanup_free_ uint64_t *grid = calloc(columns * MAP_BUCKETS + 1, sizeof(*grid));
	struct bytes b = {0};
	const json_t *triple;
	json_t *text = NULL;
	size_t i;

	if (!grid)
		return json_null();
	json_array_foreach(triples, i, triple) {
		json_int_t t = json_integer_value(json_array_get(triple, 0)), bucket = json_integer_value(json_array_get(triple, 1));
		json_int_t count = json_integer_value(json_array_get(triple, 2));

		if (t >= 0 && (size_t)t / fold < columns && bucket >= 0 && bucket < MAP_BUCKETS && count > 0 && count < 1LL << 50)
			grid[(size_t)t / fold * MAP_BUCKETS + (size_t)bucket] += (uint64_t)count;
	}
	for (i = 0; i < columns; i++)
		if (put_column(&b, grid + i * MAP_BUCKETS, MAP_BUCKETS))
			break;
	if (i == columns)
		text = packed(&b);
	free(b.at);
	return text ? text : json_null();
}

static size_t last_column(const json_t *cells)
{
	const char *name;
	json_t *triples;
	size_t last = 0, i;
	const json_t *triple;

	json_object_foreach(json_object_get(cells, "op"), name, triples) {
		json_array_foreach(triples, i, triple) {
			json_int_t t = json_integer_value(json_array_get(triple, 0));

			if (t > (json_int_t)last && t < 10000000)
				last = (size_t)t;
		}
	}
	return last;
}

static json_t *exemplars(const json_t *doc)
{
	json_t *kept = json_array();
	const json_t *all = json_object_get(doc, "exemplars"), *one;
	size_t i;

	json_array_foreach(all, i, one) {
		json_t *copy;
		const char *path = json_text(one, "path", NULL);

		if (i >= EXEMPLARS_MAX || !json_is_object(one))
			break;
		copy = json_copy((json_t *)one);
		if (path)
			json_object_set_new(copy, "path", json_safe_text(path));
		json_array_append_new(kept, copy);
	}
	return kept;
}

static json_t *map_of(const struct sweep *s, const struct run *run)
{
	_cleanup_json_ json_t *doc = sweep_run_file(s, run, "run.hist");
	const json_t *cells = json_object_get(doc, "cells");
	json_int_t dt_ns = json_int(cells, "dt_ns", 0);
	size_t steps = last_column(cells) + 1, fold = (steps + MAP_COLUMNS - 1) / MAP_COLUMNS;
	json_t *op = json_object(), *triples;
	const char *name;

	if (dt_ns <= 0 || json_int(cells, "bits", 0) != MAP_BITS || !json_object_size(json_object_get(cells, "op"))) {
		json_decref(op);
		return NULL;
	}
	json_object_foreach(json_object_get(cells, "op"), name, triples)
		if (json_array_size(triples))
			json_object_set_new(op, name, packed_cells(triples, (steps + fold - 1) / fold, fold));
	return json_pack("{so si sI si so so}", "cell", json_safe_text(s->cells[run->cell].id), "seq", run->seq, "dt_ns", dt_ns * (json_int_t)fold, "bits",
		MAP_BITS, "op", op, "exemplars", exemplars(doc));
}

/* The counted run nearest its cell's median: it stands for the cell in the time maps, which cannot be merged. */
static const struct run *typical_run(const struct matrix *m, size_t cell)
{
	double target = matrix_at(m, cell, m->primary)->median.median, best = INFINITY;
	const struct run *found = NULL;

	for (size_t r = 0; r < m->sweep->nruns; r++) {
		double away = fabs(matrix_value(m, r, m->primary) - target);

		if (m->sweep->runs[r].cell == cell && away < best) {
			best = away;
			found = &m->sweep->runs[r];
		}
	}
	return found;
}

static void add_map(const struct report *r, json_t *maps, int cell)
{
	const struct matrix *m = r->matrix;
	const struct run *run = cell < 0 ? NULL : typical_run(m, (size_t)cell);
	const json_t *have;
	json_t *map;
	size_t i;

	if (!run || json_array_size(maps) >= MAPS_MAX)
		return;
	json_array_foreach(maps, i, have)
		if (!strcmp(json_text(have, "cell", ""), m->sweep->cells[cell].id))
			return;
	map = map_of(m->sweep, run);
	if (map)
		json_array_append_new(maps, map);
}

static json_t *maps(const struct report *r)
{
	const struct matrix *m = r->matrix;
	_cleanup_free_ size_t *order = matrix_order(m, m->primary);
	json_t *all = json_array();

	add_map(r, all, (int)m->sweep->control);
	add_map(r, all, m->recommended);
	add_map(r, all, m->fastest_unsafe);
	for (size_t i = 0; order && i < m->sweep->ncells; i++)
		add_map(r, all, (int)order[i]);
	return all;
}

static json_t *pairs_of(const json_t *apply)
{
	json_t *knobs = json_object();
	const char *name;
	json_t *knob;

	json_object_foreach(json_object_get(apply, "knobs"), name, knob) {
		json_object_set(knobs, name, knob);
	}
	return json_pack("{so so}", "knobs", knobs, "fs", json_object_get(apply, "fs") ? json_incref(json_object_get(apply, "fs")) : json_null());
}

/* Runs' and merged histograms in one walk: each run.hist is read once. */
static int histograms(const struct report *r, json_t *data)
{
	const struct matrix *m = r->matrix;
	const struct sweep *s = m->sweep;
	json_t *runs = json_array(), *merged = json_object(), *applied = json_object();
	_cleanup_free_ struct hist *one = calloc(1, sizeof(*one)), *cell = calloc(1, sizeof(*cell)), *recorded = calloc(1, sizeof(*recorded));

	json_object_set_new(data, "runs", runs);
	json_object_set_new(data, "merged", merged);
	json_object_set_new(data, "applied", applied);
	if (!one || !cell || !recorded)
		return -1;
	hist_init(recorded);
	for (size_t c = 0; c < s->ncells; c++) {
		hist_init(cell);
		for (size_t i = 0; i < s->nruns; i++) {
			_cleanup_json_ json_t *doc = NULL;

			if (s->runs[i].cell != c)
				continue;
			if (s->runs[i].apply && !json_object_get(applied, s->cells[c].id))
				json_object_set_new(applied, s->cells[c].id, pairs_of(s->runs[i].apply));
			if (s->runs[i].outcome != OUTCOME_OK)
				continue;
			doc = sweep_run_file(s, &s->runs[i], "run.hist");
			hist_init(one);
			add_all(one, doc, "lat_ns");
			if (!one->count)
				continue;
			hist_merge(cell, one);
			if (!recorded->count)
				add_all(recorded, doc, "recorded_lat_ns");
			json_array_append_new(runs, json_pack("{si so so}", "seq", s->runs[i].seq, "cell", json_safe_text(s->cells[c].id), "all",
				packed_hist(one, MAP_BITS)));
		}
		if (cell->count)
			json_object_set_new(merged, s->cells[c].id, packed_hist(cell, HIST_BITS));
	}
	json_object_set_new(data, "recorded", recorded->count ? packed_hist(recorded, HIST_BITS) : json_null());
	return 0;
}

static json_t *control_commands(const struct sweep *s)
{
	for (size_t i = 0; i < s->nruns; i++)
		if (s->runs[i].cell == s->control && json_is_array(json_object_get(s->runs[i].apply, "commands")))
			return json_incref(json_object_get(s->runs[i].apply, "commands"));
	return json_array();
}

json_t *html_data(const struct report *r)
{
	const struct sweep *s = r->matrix->sweep;
	_cleanup_free_ char *verdict = report_verdict(r), *unsafe = report_unsafe(r);
	json_t *data = json_object(), *settings = json_object(), *notes = json_array();
	size_t n;
	_cleanup_free_ const char **note = report_footnotes(r, &n);

	for (size_t i = 0; note && i < n; i++)
		json_array_append_new(notes, json_string(note[i]));
	for (size_t c = 0; c < s->ncells; c++)
		if (s->cells[c].settings)
			json_object_set(settings, s->cells[c].id, s->cells[c].settings);
	json_object_set(data, "matrix", (json_t *)r->document);
	json_object_set_new(data, "verdict", json_safe_text(verdict));
	json_object_set_new(data, "unsafe", json_safe_text(unsafe));
	json_object_set_new(data, "footnotes", notes);
	json_object_set_new(data, "settings", settings);
	json_object_set_new(data, "commands", control_commands(s));
	json_object_set_new(data, "version", json_string(IORIG_VERSION));
	json_object_set_new(data, "maps", maps(r));
	if (histograms(r, data)) {
		json_decref(data);
		return NULL;
	}
	return data;
}
