#include "results/document.h"

#include <math.h>

#include "lib/json.h"

static json_t *text_or_null(const char *text)
{
	return text ? json_safe_text(text) : json_null();
}

static json_t *estimate_document(const struct matrix *m, size_t cell, size_t metric)
{
	const struct estimate *e = matrix_at(m, cell, metric);
	const struct contrast *c = &e->contrast;
	json_t *doc = json_object(), *interval = json_array();

	json_object_set_new(doc, "n", json_integer((json_int_t)e->n));
	json_object_set_new(doc, "median", json_rounded(e->median.median));
	json_object_set_new(doc, "lo", json_rounded(e->median.low));
	json_object_set_new(doc, "hi", json_rounded(e->median.high));
	json_object_set_new(doc, "interval", json_string(e->median.is_interval ? "median" : "range"));
	json_object_set_new(doc, "coverage", e->median.is_interval ? json_rounded(e->median.coverage) : json_null());
	if (isfinite(e->merged))
		json_object_set_new(doc, "merged", json_rounded(e->merged));
	if (cell == m->sweep->control) {
		json_decref(interval);
		json_object_set_new(doc, "ratio", e->n ? json_integer(1) : json_null());
		json_object_set_new(doc, "verdict", json_null());
		return doc;
	}
	json_array_append_new(interval, json_rounded(c->low));
	json_array_append_new(interval, json_rounded(c->high));
	json_object_set_new(doc, "ratio", json_rounded(c->ratio));
	json_object_set_new(doc, "ratio_ci95", interval);
	json_object_set_new(doc, "p", json_rounded(c->p));
	json_object_set_new(doc, "p_holm", json_rounded(e->p_holm));
	json_object_set_new(doc, "p_mann_whitney", json_rounded(e->p_rank));
	json_object_set_new(doc, "p_mann_whitney_holm", json_rounded(e->p_rank_holm));
	json_object_set_new(doc, "p_sign_flip", json_rounded(c->p_flip));
	json_object_set_new(doc, "difference_shown", json_boolean(e->shown));
	if (e->outliers)
		json_object_set_new(doc, "depends_on_outliers", json_true());
	if (c->paired)
		json_object_set_new(doc, "own_pairs", json_true());
	json_object_set_new(doc, "verdict", text_or_null(verdict_names[e->verdict]));
	if (e->blocks_to_decide)
		json_object_set_new(doc, "blocks_to_decide", json_integer(e->blocks_to_decide));
	return doc;
}

static json_t *cell_document(const struct matrix *m, size_t cell)
{
	const struct cell *c = &m->sweep->cells[cell];
	json_t *metrics = json_object();

	for (size_t k = 0; k < m->nmetrics; k++)
		if (matrix_at(m, cell, k)->n)
			json_object_set_new(metrics, m->metric[k].name, estimate_document(m, cell, k));
	return json_pack("{so so sO so sb so so so si si sb sb so}", "id", json_safe_text(c->id), "label", json_safe_text(c->label), "set",
		c->set ? c->set : json_null(), "durability", json_safe_text(c->durability), "single_device", c->single_device, "risk",
		json_string(cell_risk(m, c)), "outcome", json_string(outcome_names[c->outcome]), "reason", text_or_null(c->reason),
		"runs", (int)c->ok, "runs_planned", (int)c->planned, "allowed", cell_allowed(m, c), "best_set", m->best[cell], "metrics", metrics);
}

static json_t *metrics_document(const struct matrix *m)
{
	json_t *all = json_object();

	for (size_t k = 0; k < m->nmetrics; k++) {
		const struct metric_fit *f = &m->fit[k];

		json_object_set_new(all, m->metric[k].name,
			json_pack("{ss ss ss si si so so so so so so}", "title", m->metric[k].title, "unit", unit_names[m->metric[k].unit], "better",
				m->metric[k].higher_is_better ? "higher" : "lower", "comparisons", (int)f->comparisons, "blocks", (int)f->blocks,
				"df", json_rounded(f->df), "noise_ratio", json_rounded(f->noise_ratio), "mde_ratio", json_rounded(f->mde_ratio),
				"f", json_rounded(f->f), "p", json_rounded(f->p), "friedman", json_rounded(f->friedman)));
	}
	return all;
}

static json_t *runs_document(const struct matrix *m)
{
	json_t *all = json_array();

	for (size_t r = 0; r < m->sweep->nruns; r++) {
		const struct run *run = &m->sweep->runs[r];
		json_t *values = json_object();

		for (size_t k = 0; k < m->nmetrics; k++)
			if (isfinite(matrix_value(m, r, k)))
				json_object_set_new(values, m->metric[k].name, json_rounded(matrix_value(m, r, k)));
		json_array_append_new(all, json_pack("{si so si si ss so so}", "seq", run->seq, "cell", json_safe_text(m->sweep->cells[run->cell].id),
			"block", run->block, "position", run->position, "outcome", outcome_names[run->outcome], "reason", text_or_null(run->reason),
			"values", values));
	}
	return all;
}

static json_t *unsafe_document(const struct matrix *m)
{
	const struct cell *c;

	if (m->fastest_unsafe < 0)
		return json_null();
	c = &m->sweep->cells[m->fastest_unsafe];
	return json_pack("{so so ss so ss}", "id", json_safe_text(c->id), "label", json_safe_text(c->label), "durability", c->durability, "ratio",
		json_rounded(matrix_at(m, (size_t)m->fastest_unsafe, m->primary)->contrast.ratio), "risk",
		cell_risk(m, c));
}

static json_t *trace_document(const struct sweep *s)
{
	for (size_t r = 0; r < s->nruns; r++)
		if (s->runs[r].doc)
			return json_incref(json_object_get(s->runs[r].doc, "trace"));
	return json_pack("{so}", "sha256", text_or_null(json_text(s->plan, "trace_sha256", NULL)));
}

static json_t *sweep_facts(const struct matrix *m)
{
	const struct sweep *s = m->sweep;
	size_t ok = 0, over = 0;

	for (size_t c = 0; c < s->ncells; c++) {
		ok += s->cells[c].ok;
		over += s->cells[c].over;
	}
	return json_pack("{so so si si si si sb}", "name", text_or_null(json_text(s->input, "name", NULL)), "seed",
		json_object_get(s->plan, "seed") ? json_incref(json_object_get(s->plan, "seed")) : json_null(), "blocks", (int)s->nblocks,
		"runs_planned", (int)s->nruns, "runs_over", (int)over, "runs_ok", (int)ok, "complete", s->complete);
}

json_t *matrix_document(const struct matrix *m, const json_t *checks, const json_t *fio)
{
	const struct sweep *s = m->sweep;
	json_t *doc = json_object(), *cells = json_array();

	for (size_t c = 0; c < s->ncells; c++)
		json_array_append_new(cells, cell_document(m, c));
	json_object_set_new(doc, "schema", json_string("iorig.matrix/1"));
	json_object_set_new(doc, "question", text_or_null(json_text(s->input, "question", NULL)));
	json_object_set_new(doc, "sweep", sweep_facts(m));
	json_object_set_new(doc, "trace", trace_document(s));
	json_object_set(doc, "box", s->box ? s->box : json_null());
	json_object_set_new(doc, "replay", s->input ? json_incref(json_object_get(s->input, "replay")) : json_null());
	json_object_set_new(doc, "control", json_safe_text(s->cells[s->control].id));
	json_object_set_new(doc, "primary", json_string(m->metric[m->primary].name));
	json_object_set_new(doc, "min_effect_ratio", json_rounded(m->min_effect_ratio));
	json_object_set_new(doc, "blocks", json_integer((json_int_t)m->fit[m->primary].blocks));
	json_object_set_new(doc, "noise_ratio", json_rounded(m->fit[m->primary].noise_ratio));
	json_object_set_new(doc, "mde_ratio", json_rounded(m->fit[m->primary].mde_ratio));
	json_object_set_new(doc, "durability_max", json_safe_text(m->max_durability));
	json_object_set_new(doc, "recommended", m->recommended < 0 ? json_null() : json_safe_text(s->cells[m->recommended].id));
	json_object_set_new(doc, "keep_control", json_boolean(m->recommended == (int)s->control));
	json_object_set_new(doc, "faster_but_unsafe", unsafe_document(m));
	json_object_set_new(doc, "metrics", metrics_document(m));
	json_object_set_new(doc, "cells", cells);
	json_object_set_new(doc, "runs", runs_document(m));
	json_object_set(doc, "fio", (json_t *)fio);
	json_object_set(doc, "checks", (json_t *)checks);
	json_object_set(doc, "warnings", s->warnings);
	return doc;
}
