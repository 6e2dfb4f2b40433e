#include "results/difference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "results/special.h"

struct pairing *pair_cells(const struct sweep *a, const struct sweep *b, size_t *n)
{
	struct pairing *pair = calloc(a->ncells + 1, sizeof(*pair));

	*n = 0;
	for (size_t i = 0; pair && i < a->ncells; i++) {
		for (size_t j = 0; j < b->ncells; j++) {
			const struct cell *x = &a->cells[i], *y = &b->cells[j];

			if (x->settings && y->settings ? !json_equal(x->settings, y->settings) : strcmp(x->id, y->id) != 0)
				continue;
			pair[(*n)++] = (struct pairing){i, j};
			break;
		}
	}
	return pair;
}

struct sample {
	size_t n;
	double mean, variance; /* of ln; variance NAN below 2 */
	bool positive;
};

static struct sample sample_of(const struct matrix *m, size_t cell, size_t metric)
{
	struct sample s = {.variance = NAN, .positive = true};
	double square = 0;

	for (size_t r = 0; r < m->sweep->nruns; r++) {
		double v = matrix_value(m, r, metric), d;

		if (m->sweep->runs[r].cell != cell || !isfinite(v))
			continue;
		if (v <= 0) {
			s.positive = false;
			continue;
		}
		s.n++;
		d = log(v) - s.mean;
		s.mean += d / (double)s.n;
		square += d * (log(v) - s.mean);
	}
	if (s.n >= 2)
		s.variance = square / (double)(s.n - 1);
	return s;
}

/* From two estimates with their variances and degrees of freedom (Welch and Satterthwaite). */
static void conclude(double d, double va, double dfa, double vb, double dfb, double *low, double *high, double *p)
{
	double v = va + vb, df, t975;

	*low = *high = *p = NAN;
	if (!isfinite(v))
		return;
	if (v < 1e-24) {
		*low = *high = exp(d);
		*p = fabs(d) < 1e-12 ? 1 : 0;
		return;
	}
	df = v * v / (va * va / dfa + vb * vb / dfb);
	t975 = t_quantile(0.975, df);
	*low = exp(d - t975 * sqrt(v));
	*high = exp(d + t975 * sqrt(v));
	*p = t_two_sided(d / sqrt(v), df);
}

static void direct(struct difference *d, const struct matrix *a, size_t ka, const struct matrix *b, size_t kb, const struct pairing *pair)
{
	struct sample x = sample_of(a, pair->a, ka), y = sample_of(b, pair->b, kb);
	double floor = a->metric[ka].floor_sd * a->metric[ka].floor_sd;

	d->n_a = x.n;
	d->n_b = y.n;
	d->median_a = matrix_at(a, pair->a, ka)->median.median;
	d->median_b = matrix_at(b, pair->b, kb)->median.median;
	if (!x.n || !y.n || !x.positive || !y.positive)
		return;
	d->ratio = exp(y.mean - x.mean);
	conclude(y.mean - x.mean, fmax(x.variance, isnan(x.variance) ? NAN : floor) / (double)x.n, (double)x.n - 1,
		fmax(y.variance, isnan(y.variance) ? NAN : floor) / (double)y.n, (double)y.n - 1, &d->low, &d->high, &d->p);
	/* fmax() prefers the number to the NAN: a single run must not borrow the floor as its variance. */
	if (x.n < 2 || y.n < 2)
		d->low = d->high = d->p = NAN;
}

/* The standard error is taken back from the interval that the block model gave. */
static void through_control(struct difference *d, const struct contrast *x, const struct contrast *y)
{
	double tx, ty, sx, sy;

	if (!isfinite(x->low) || !isfinite(y->low))
		return;
	tx = t_quantile(0.975, x->df);
	ty = t_quantile(0.975, y->df);
	sx = log(x->high / x->ratio) / tx;
	sy = log(y->high / y->ratio) / ty;
	d->through = y->ratio / x->ratio;
	conclude(log(d->through), sx * sx, x->df, sy * sy, y->df, &d->through_low, &d->through_high, &d->through_p);
}

static enum verdict judge(const struct difference *d, double min_effect, bool higher_is_better)
{
	if (!isfinite(d->ratio))
		return VERDICT_NONE;
	if (d->p_holm <= 0.05 && d->high < 1 - min_effect)
		return higher_is_better ? VERDICT_WORSE : VERDICT_BETTER;
	if (d->p_holm <= 0.05 && d->low > 1 + min_effect)
		return higher_is_better ? VERDICT_BETTER : VERDICT_WORSE;
	return d->low > 1 - min_effect && d->high < 1 + min_effect ? VERDICT_SAME : VERDICT_UNDECIDED;
}

struct difference *differences(const struct matrix *a, size_t metric_a, const struct matrix *b, size_t metric_b, const struct pairing *pair, size_t n)
{
	struct difference *d = calloc(n + 1, sizeof(*d));
	_cleanup_free_ double *p = calloc(n + 1, sizeof(*p)), *q = calloc(n + 1, sizeof(*q));

	if (!d || !p || !q) {
		free(d);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		d[i] = (struct difference){.median_a = NAN, .median_b = NAN, .ratio = NAN, .low = NAN, .high = NAN, .p = NAN, .through = NAN,
			.through_low = NAN, .through_high = NAN, .through_p = NAN};
		direct(&d[i], a, metric_a, b, metric_b, &pair[i]);
		if (pair[i].a != a->sweep->control && pair[i].b != b->sweep->control)
			through_control(&d[i], &matrix_at(a, pair[i].a, metric_a)->contrast, &matrix_at(b, pair[i].b, metric_b)->contrast);
		p[i] = d[i].p;
		q[i] = d[i].through_p;
	}
	holm(p, p, n);
	holm(q, q, n);
	for (size_t i = 0; i < n; i++) {
		d[i].p_holm = p[i];
		d[i].through_p_holm = q[i];
		d[i].verdict = judge(&d[i], a->min_effect_ratio, a->metric[metric_a].higher_is_better);
	}
	return d;
}
