#include "results/fio.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

/* fio may print warnings in front of its JSON, and does (axboe/fio issue 731). */
static json_t *read_fio(const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = calloc(1, (4 << 20) + 1);
	json_error_t error;
	char *start;

	if (!f || !text || !fread(text, 1, 4 << 20, f))
		return NULL;
	start = strchr(text, '{');
	/* cppcheck-suppress [memleak, resourceLeak] ; the cleanup attribute frees both */
	return start ? json_loads(start, JSON_DISABLE_EOF_CHECK, &error) : NULL;
}

static double iops_of(const json_t *doc)
{
	const json_t *job;
	double sum = 0;
	size_t i;

	json_array_foreach(json_object_get(doc, "jobs"), i, job)
		sum += json_number(json_object_get(job, "read"), "iops", 0) + json_number(json_object_get(job, "write"), "iops", 0);
	return sum > 0 ? sum : NAN;
}

/* {"job": [[cell, iops], ...]} from every fio-<job>.json of the counted runs. */
static json_t *collect(const struct sweep *s)
{
	json_t *jobs = json_object();

	for (size_t r = 0; r < s->nruns; r++) {
		_cleanup_free_ char *dir = NULL;
		struct dirent **entry = NULL;
		int n;

		if (s->runs[r].outcome != OUTCOME_OK || asprintf(&dir, "%s/runs/%04d", s->dir, s->runs[r].seq) < 0)
			continue;
		n = scandir(dir, &entry, NULL, alphasort);
		for (int i = 0; i < n; i++) {
			char *name = entry[i]->d_name, *end = name + strlen(name) - 5;

			if (!strncmp(name, "fio-", 4) && end > name + 4 && !strcmp(end, ".json")) {
				_cleanup_free_ char *path = NULL;
				_cleanup_json_ json_t *doc = NULL;
				double iops;

				doc = asprintf(&path, "%s/%s", dir, name) < 0 ? NULL : read_fio(path);
				*end = 0;
				iops = iops_of(doc);
				if (isfinite(iops)) {
					if (!json_object_get(jobs, name + 4))
						json_object_set_new(jobs, name + 4, json_array());
					json_array_append_new(json_object_get(jobs, name + 4), json_pack("[if]", (int)s->runs[r].cell, iops));
				}
			}
			free(entry[i]);
		}
		free(entry);
	}
	return jobs;
}

/* The median over a cell's runs of one job; NAN without any. */
static double job_median(const json_t *pairs, size_t cell)
{
	_cleanup_free_ double *x = calloc(json_array_size(pairs) + 1, sizeof(*x));
	const json_t *pair;
	size_t i, n = 0;

	json_array_foreach(pairs, i, pair)
		if (x && (size_t)json_integer_value(json_array_get(pair, 0)) == cell)
			x[n++] = json_number_value(json_array_get(pair, 1));
	return x ? median(x, n) : NAN;
}

/* The replay as a score: higher is faster. The ratio to the control is paired by blocks, so it is preferred to the median. */
static double replay_score(const struct matrix *m, size_t cell)
{
	double ratio = cell == m->sweep->control ? 1 : matrix_at(m, cell, m->primary)->contrast.ratio;

	return m->metric[m->primary].higher_is_better ? ratio : 1 / ratio;
}

static double tau_of(const struct matrix *m, const double *fio, size_t *cells)
{
	size_t n = 0, ncells = m->sweep->ncells;
	_cleanup_free_ double *x = calloc(ncells + 1, sizeof(*x)), *y = calloc(ncells + 1, sizeof(*y));

	for (size_t c = 0; x && y && c < ncells; c++) {
		if (!isfinite(fio[c]) || !isfinite(replay_score(m, c)))
			continue;
		x[n] = fio[c];
		y[n++] = replay_score(m, c);
	}
	*cells = n;
	return n >= 2 ? kendall_tau(x, y, n) : NAN;
}

static int rank_of(const struct matrix *m, const double *fio, size_t cell, bool replay)
{
	int rank = 1;

	for (size_t c = 0; c < m->sweep->ncells; c++)
		if (isfinite(fio[c]) && isfinite(replay_score(m, c)))
			rank += replay ? replay_score(m, c) > replay_score(m, cell) : fio[c] > fio[cell];
	return rank;
}

static void rank_cells(const struct matrix *m, const double *fio, json_t *into)
{
	json_t *ranking = json_array();
	int first = -1, best = -1;

	for (size_t c = 0; c < m->sweep->ncells; c++) {
		if (!isfinite(fio[c]) || !isfinite(replay_score(m, c)))
			continue;
		json_array_append_new(ranking, json_pack("{so so si si}", "id", json_safe_text(m->sweep->cells[c].id), "score_ratio",
			json_rounded(fio[c]), "rank", rank_of(m, fio, c, false), "replay_rank", rank_of(m, fio, c, true)));
		if (!cell_allowed(m, &m->sweep->cells[c]))
			continue;
		first = first < 0 || fio[c] > fio[first] ? (int)c : first;
		best = best < 0 || replay_score(m, c) > replay_score(m, (size_t)best) ? (int)c : best;
	}
	if (first >= 0) {
		json_object_set_new(into, "would_choose", json_safe_text(m->sweep->cells[first].id));
		json_object_set_new(into, "would_cost_ratio", json_rounded(replay_score(m, (size_t)best) / replay_score(m, (size_t)first)));
		json_object_set_new(into, "would_cost_shown", json_boolean(matrix_differ(m, (size_t)first, (size_t)best)));
	}
	json_object_set_new(into, "ranking", ranking);
}

json_t *fio_compare(const struct matrix *m)
{
	const struct sweep *s = m->sweep;
	_cleanup_json_ json_t *jobs = collect(s);
	_cleanup_free_ double *one = calloc(s->ncells + 1, sizeof(*one)), *all = calloc(s->ncells + 1, sizeof(*all));
	json_t *result = json_object(), *list = json_array(), *pairs;
	const char *name;
	size_t n = 0, with_all;
	double tau;

	if (!one || !all || !json_object_size(jobs)) {
		json_decref(result);
		json_decref(list);
		return json_null();
	}
	json_object_foreach(jobs, name, pairs) {
		double control = job_median(pairs, s->control);

		for (size_t c = 0; c < s->ncells; c++) {
			one[c] = job_median(pairs, c) / control;
			all[c] += log(one[c]);
		}
		tau = tau_of(m, one, &n);
		json_array_append_new(list, json_pack("{so so si}", "name", json_safe_text(name), "kendall_tau", json_rounded(tau), "cells", (int)n));
	}
	for (size_t c = 0; c < s->ncells; c++)
		all[c] = exp(all[c] / (double)json_object_size(jobs));
	tau = tau_of(m, all, &with_all);
	json_object_set_new(result, "kendall_tau", json_rounded(tau));
	json_object_set_new(result, "cells", json_integer((json_int_t)with_all));
	rank_cells(m, all, result);
	json_object_set_new(result, "jobs", list);
	return result;
}
