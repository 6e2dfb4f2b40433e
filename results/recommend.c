/* Which cell to take: inside the allowed durability class, and only when it is shown to be better. Else: keep the control. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "results/matrix.h"

const char *cell_risk(const struct matrix *m, const struct cell *c)
{
	double rank = durability_rank(c->durability);

	if (rank >= 3)
		return "an acknowledged fsync can be lost in a power cut";
	if (rank >= 2)
		return "after a power cut files can hold stale or zero data without an error";
	if (c->single_device && !m->sweep->cells[m->sweep->control].single_device)
		return "one failing device loses data";
	if (rank >= 1)
		return "more seconds of data that was never fsynced are at risk in a power cut";
	return rank == 0 ? "nothing changes in what survives a power cut" : "its durability class is unknown";
}

char *cell_badge(const struct cell *c, char *to)
{
	_cleanup_free_ char *safe = text_safe(c->durability);

	snprintf(to, TEXT_MAX, "%s%s", safe ? safe : "?", c->single_device && !strstr(c->durability, "D4") ? "+D4" : "");
	return to;
}

bool cell_allowed(const struct matrix *m, const struct cell *c)
{
	double rank = durability_rank(c->durability);

	if (c->single_device && !m->sweep->cells[m->sweep->control].single_device && !strstr(m->max_durability, "D4"))
		return false;
	return rank >= 0 && rank <= durability_rank(m->max_durability);
}

/* An improvement as a positive logarithm, whichever direction is better. */
static double gain(const struct matrix *m, size_t cell)
{
	double d = log(matrix_at(m, cell, m->primary)->contrast.ratio);

	if (cell == m->sweep->control)
		return 0;
	return m->metric[m->primary].higher_is_better ? d : -d;
}

static int fastest(const struct matrix *m, bool allowed)
{
	int best = -1;

	for (size_t c = 0; c < m->sweep->ncells; c++)
		if (matrix_at(m, c, m->primary)->verdict == VERDICT_BETTER && cell_allowed(m, &m->sweep->cells[c]) == allowed &&
		    (best < 0 || gain(m, c) > gain(m, (size_t)best)))
			best = (int)c;
	return best;
}

/* The block model of the primary metric with another cell in the control's place. NULL when out of memory or not fitted at all. */
static struct block_fit *fit_against(const struct matrix *m, size_t cell)
{
	const struct sweep *s = m->sweep;
	_cleanup_free_ struct observation *obs = calloc(s->nruns + 1, sizeof(*obs));
	size_t n = 0;

	for (size_t r = 0; obs && r < s->nruns; r++) {
		double v = matrix_value(m, r, m->primary);

		if (isfinite(v) && v <= 0)
			return NULL;
		if (isfinite(v))
			obs[n++] = (struct observation){s->runs[r].block_index, s->runs[r].cell, log(v)};
	}
	return obs ? block_fit(obs, n, s->nblocks, s->ncells, (unsigned)cell, m->metric[m->primary].floor_sd) : NULL;
}

bool matrix_differ(const struct matrix *m, size_t a, size_t b)
{
	struct block_fit *fit = a == b ? NULL : fit_against(m, b);
	double p = fit ? block_contrast(fit, (unsigned)a).p : NAN;

	block_fit_free(fit);
	return p * m->fit[m->primary].comparisons <= 0.05;
}

/* Marks the allowed cells that cannot be told from the fastest, Holm-adjusted. */
static int mark_best(struct matrix *m, size_t fastest_cell)
{
	const struct sweep *s = m->sweep;
	_cleanup_free_ double *p = calloc(s->ncells + 1, sizeof(*p));
	struct block_fit *fit = fit_against(m, fastest_cell);

	if (!p || !fit) {
		block_fit_free(fit);
		return -1;
	}
	for (size_t c = 0; c < s->ncells; c++)
		p[c] = cell_allowed(m, &s->cells[c]) ? block_contrast(fit, (unsigned)c).p : NAN;
	holm(p, p, s->ncells);
	for (size_t c = 0; c < s->ncells; c++)
		m->best[c] = c == fastest_cell || p[c] > 0.05;
	block_fit_free(fit);
	return 0;
}

/* Less at risk comes first; the gain decides among equals. */
static bool preferred(const struct matrix *m, size_t a, size_t b)
{
	const struct cell *x = &m->sweep->cells[a], *y = &m->sweep->cells[b];
	double rx = durability_rank(x->durability) + x->single_device * 10, ry = durability_rank(y->durability) + y->single_device * 10;

	return rx != ry ? rx < ry : gain(m, a) > gain(m, b);
}

int matrix_recommend(struct matrix *m)
{
	const struct sweep *s = m->sweep;
	int unsafe = fastest(m, false), first = fastest(m, true);

	if (!s->cells[s->control].ok)
		return 0;
	m->recommended = (int)s->control;
	if (first >= 0) {
		if (mark_best(m, (size_t)first))
			return -1;
		m->recommended = first;
		for (size_t c = 0; c < s->ncells; c++)
			if (m->best[c] && matrix_at(m, c, m->primary)->verdict == VERDICT_BETTER && preferred(m, c, (size_t)m->recommended))
				m->recommended = (int)c;
	}
	if (unsafe >= 0 && gain(m, (size_t)unsafe) > gain(m, (size_t)m->recommended))
		m->fastest_unsafe = unsafe;
	return 0;
}

size_t *matrix_order(const struct matrix *m, size_t metric)
{
	size_t n = m->sweep->ncells, *order = calloc(n + 1, sizeof(*order));

	for (size_t i = 0; order && i < n; i++) {
		double v = matrix_at(m, i, metric)->median.median;
		size_t to = i;

		for (; to; to--) {
			double before = matrix_at(m, order[to - 1], metric)->median.median;

			/* Stable: equals keep the order of the plan, what has no number stays behind. */
			if (isnan(v) || (!isnan(before) && (m->metric[metric].higher_is_better ? before >= v : before <= v)))
				break;
			order[to] = order[to - 1];
		}
		order[to] = i;
	}
	return order;
}
