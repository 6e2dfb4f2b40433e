#include "results/matrix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

const char *const verdict_names[] = {NULL, "better", "worse", "same", "undecided"};

#define ALPHA 0.05

static struct estimate *at(struct matrix *m, size_t cell, size_t metric)
{
	return &m->estimate[cell * m->nmetrics + metric];
}

static int read_values(struct matrix *m)
{
	const struct sweep *s = m->sweep;

	m->metric = metrics_of(s, &m->nmetrics);
	m->value = calloc(s->nruns * m->nmetrics + 1, sizeof(*m->value));
	m->estimate = calloc(s->ncells * m->nmetrics + 1, sizeof(*m->estimate));
	m->fit = calloc(m->nmetrics + 1, sizeof(*m->fit));
	m->best = calloc(s->ncells + 1, sizeof(*m->best));
	if (!m->metric || !m->value || !m->estimate || !m->fit || !m->best)
		return -1;
	for (size_t r = 0; r < s->nruns; r++)
		for (size_t k = 0; k < m->nmetrics; k++)
			m->value[r * m->nmetrics + k] = s->runs[r].outcome == OUTCOME_OK ? metric_value(&m->metric[k], &s->runs[r]) : NAN;
	return 0;
}

/* The metric's values of one cell, in run order. */
static size_t values_of(const struct matrix *m, size_t cell, size_t metric, double *x)
{
	size_t n = 0;

	for (size_t r = 0; r < m->sweep->nruns; r++)
		if (m->sweep->runs[r].cell == cell && isfinite(matrix_value(m, r, metric)))
			x[n++] = matrix_value(m, r, metric);
	return n;
}

static int describe_cells(struct matrix *m, size_t metric)
{
	const struct sweep *s = m->sweep;
	_cleanup_free_ double *x = calloc(s->nruns + 1, sizeof(*x)), *control = calloc(s->nruns + 1, sizeof(*control));
	size_t nc;

	if (!x || !control)
		return -1;
	nc = values_of(m, s->control, metric, control);
	for (size_t c = 0; c < s->ncells; c++) {
		struct estimate *e = at(m, c, metric);

		e->n = values_of(m, c, metric, x);
		e->median = median_interval(x, e->n);
		e->merged = e->p_holm = e->p_rank_holm = NAN;
		e->p_rank = c == s->control || !e->n || !nc ? NAN : mann_whitney(x, e->n, control, nc);
	}
	return 0;
}

/* ln of every counted value; false when one is not positive (a counter that stayed 0): then there is no ratio model. */
static bool observations(const struct matrix *m, size_t metric, struct observation *obs, size_t *n)
{
	const struct sweep *s = m->sweep;

	*n = 0;
	for (size_t r = 0; r < s->nruns; r++) {
		double v = matrix_value(m, r, metric);

		if (!isfinite(v))
			continue;
		if (v <= 0)
			return false;
		obs[(*n)++] = (struct observation){s->runs[r].block_index, s->runs[r].cell, log(v)};
	}
	return *n > 0;
}

static enum verdict judge(const struct matrix *m, const struct metric *metric, const struct estimate *e)
{
	const struct contrast *c = &e->contrast;
	double below = 1 - m->min_effect_ratio, above = 1 + m->min_effect_ratio;

	if (!e->n)
		return VERDICT_NONE;
	if (e->shown && !e->outliers && c->high < below)
		return metric->higher_is_better ? VERDICT_WORSE : VERDICT_BETTER;
	if (e->shown && !e->outliers && c->low > above)
		return metric->higher_is_better ? VERDICT_BETTER : VERDICT_WORSE;
	return c->low > below && c->high < above ? VERDICT_SAME : VERDICT_UNDECIDED;
}

/* Blocks until the interval is narrow enough to leave the band of min_effect, or to fit into it, if the estimate stays. */
static unsigned blocks_to_decide(const struct matrix *m, const struct block_fit *fit, const struct contrast *c)
{
	double gap = fabs(fabs(log(c->ratio)) - log1p(m->min_effect_ratio)), blocks;

	if (!isfinite(fit->mse) || !(gap > 1e-4))
		return 0;
	blocks = ceil(2 * fit->mse * 4 / (gap * gap)); /* t is about 2 */
	return blocks > 9999 ? 0 : (unsigned)fmax(blocks, (double)fit->used_blocks + 1);
}

static double friedman_of(const struct block_fit *fit)
{
	_cleanup_free_ double *whole = calloc(fit->blocks * fit->cells + 1, sizeof(*whole));
	size_t cells = 0, blocks = 0;

	for (size_t j = 0; j < fit->cells; j++)
		for (size_t i = 0; i < fit->blocks; i++)
			if (!isnan(fit->mean[i * fit->cells + j])) {
				cells++;
				break;
			}
	for (size_t i = 0; whole && i < fit->blocks; i++) {
		size_t n = 0;

		for (size_t j = 0; j < fit->cells; j++)
			if (!isnan(fit->mean[i * fit->cells + j]))
				whole[blocks * cells + n++] = fit->mean[i * fit->cells + j];
		blocks += n == cells && n > 0;
	}
	return whole && blocks >= 2 ? friedman(whole, blocks, cells, NULL) : NAN;
}

static void summarise(struct matrix *m, size_t metric, const struct block_fit *fit)
{
	_cleanup_free_ double *mde = calloc(fit->cells + 1, sizeof(*mde));
	struct metric_fit *sum = &m->fit[metric];
	size_t n = 0;

	for (size_t c = 0; mde && c < fit->cells; c++)
		if (isfinite(at(m, c, metric)->contrast.mde_ratio))
			mde[n++] = at(m, c, metric)->contrast.mde_ratio;
	*sum = (struct metric_fit){.comparisons = sum->comparisons, .blocks = fit->used_blocks, .df = fit->df, .noise_ratio = fit->residual_sd,
		.mde_ratio = mde ? median(mde, n) : NAN, .f = fit->f, .p = fit->p, .friedman = friedman_of(fit)};
}

static int compare_cells(struct matrix *m, size_t metric)
{
	const struct sweep *s = m->sweep;
	_cleanup_free_ struct observation *obs = calloc(s->nruns + 1, sizeof(*obs));
	_cleanup_free_ double *p = calloc(s->ncells + 1, sizeof(*p)), *rank = calloc(s->ncells + 1, sizeof(*rank));
	struct block_fit *fit = NULL;
	size_t n;

	if (!obs || !p || !rank)
		return -1;
	m->fit[metric] = (struct metric_fit){0, 0, 0, NAN, NAN, NAN, NAN, NAN};
	if (observations(m, metric, obs, &n))
		fit = block_fit(obs, n, s->nblocks, s->ncells, s->control, m->metric[metric].floor_sd);
	for (size_t c = 0; c < s->ncells; c++) {
		struct estimate *e = at(m, c, metric);

		e->contrast = (struct contrast){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, false};
		if (fit && c != s->control && e->n)
			e->contrast = block_contrast(fit, (unsigned)c);
		p[c] = e->contrast.p;
		rank[c] = e->p_rank;
		m->fit[metric].comparisons += isfinite(p[c]);
	}
	holm(p, p, s->ncells);
	holm(rank, rank, s->ncells);
	for (size_t c = 0; c < s->ncells; c++) {
		struct estimate *e = at(m, c, metric);

		e->p_holm = p[c];
		e->p_rank_holm = rank[c];
		e->shown = p[c] <= ALPHA;
		e->outliers = e->shown && e->contrast.pairs >= 6 && e->contrast.p_flip > ALPHA;
		e->verdict = c == s->control ? VERDICT_NONE : judge(m, &m->metric[metric], e);
		if (fit && e->verdict == VERDICT_UNDECIDED)
			e->blocks_to_decide = blocks_to_decide(m, fit, &e->contrast);
	}
	if (fit)
		summarise(m, metric, fit);
	block_fit_free(fit);
	return 0;
}

/* Adds a run's histograms to h[first metric of the class]. "all" is the sum of the classes: run.hist holds only these. */
static void add_histograms(const struct matrix *m, const struct run *run, struct hist *h)
{
	_cleanup_json_ json_t *doc = sweep_run_file(m->sweep, run, "run.hist");

	for (size_t k = 0; k < m->nmetrics; k++) {
		const char *name = m->metric[k].class_name, *key;
		json_t *op;

		if (!name || (k && m->metric[k - 1].class_name == name))
			continue;
		json_object_foreach(json_object_get(doc, "op"), key, op)
			if (!strcmp(name, key) || (!strcmp(name, "all") && strcmp(key, "all")))
				hist_add_sparse(&h[k], json_object_get(op, "lat_ns"));
	}
}

/* Merged percentiles: the counts of all runs of a cell are added first. */
static int merge_histograms(struct matrix *m)
{
	const struct sweep *s = m->sweep;
	_cleanup_free_ struct hist *h = calloc(m->nmetrics + 1, sizeof(*h));

	if (!h)
		return -1;
	for (size_t c = 0; c < s->ncells; c++) {
		for (size_t k = 0; k < m->nmetrics; k++)
			hist_init(&h[k]);
		for (size_t r = 0; r < s->nruns; r++)
			if (s->runs[r].cell == c && s->runs[r].outcome == OUTCOME_OK)
				add_histograms(m, &s->runs[r], h);
		for (size_t k = 0, first = 0; k < m->nmetrics; k++) {
			if (!m->metric[k].class_name)
				continue;
			if (!k || m->metric[k - 1].class_name != m->metric[k].class_name)
				first = k;
			if (h[first].count && m->metric[k].quantile < 1)
				at(m, c, k)->merged = (double)hist_quantile(&h[first], m->metric[k].quantile);
		}
	}
	return 0;
}

int matrix_build(struct matrix *m, const struct sweep *s, const char *metric, const char *max_durability, char **why)
{
	const char *primary = metric ? metric : json_text(s->plan, "primary", "elapsed_s");
	const char *asked = max_durability ? max_durability : json_text(json_at(s->input, "durability"), "max", NULL);
	int found;

	*m = (struct matrix){.sweep = s, .recommended = -1, .fastest_unsafe = -1};
	if (read_values(m))
		goto broken;
	found = metric_find(m->metric, m->nmetrics, primary);
	if (found < 0) {
		if (asprintf(why, "there is no metric '%s' in '%s'; 'iorig report %s --format csv' shows their names", primary, s->dir, s->dir) < 0)
			*why = NULL;
		goto broken;
	}
	m->primary = (size_t)found;
	m->min_effect_ratio = json_number(json_at(s->input, "metrics"), "min_effect", 0.02);
	m->max_durability = asked ? asked : s->cells[s->control].durability;
	m->max_from_sweep = asked;
	for (size_t k = 0; k < m->nmetrics; k++)
		if (describe_cells(m, k) || compare_cells(m, k))
			goto broken;
	if (merge_histograms(m) || matrix_recommend(m))
		goto broken;
	return 0;
broken:
	matrix_release(m);
	return -1;
}

void matrix_release(struct matrix *m)
{
	free(m->metric);
	free(m->value);
	free(m->estimate);
	free(m->fit);
	free(m->best);
	*m = (struct matrix){0};
}
