#include "results/blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "results/special.h"
#include "results/stats.h"

#define NOISY_SPREAD 4.0

static double *cell_of(const struct block_fit *fit, size_t block, size_t cell)
{
	return &fit->mean[block * fit->cells + cell];
}

static bool present(const struct block_fit *fit, size_t block, size_t cell)
{
	return !isnan(*cell_of(fit, block, cell));
}

/* Averages what ran several times in one block. */
static int fill_means(struct block_fit *fit, const struct observation *obs, size_t n)
{
	_cleanup_free_ unsigned *count = calloc(fit->blocks * fit->cells + 1, sizeof(*count));

	if (!count)
		return -1;
	for (size_t i = 0; i < n; i++) {
		size_t at = obs[i].block * fit->cells + obs[i].cell;

		fit->mean[at] += obs[i].log_value;
		count[at]++;
	}
	for (size_t at = 0; at < fit->blocks * fit->cells; at++)
		fit->mean[at] = count[at] ? fit->mean[at] / count[at] : NAN;
	return 0;
}

/* Drops what no chain of shared blocks ties to the control: such a difference would be the blocks', not the cells'. */
static int keep_connected(struct block_fit *fit)
{
	_cleanup_free_ bool *cell = calloc(fit->cells + 1, 1), *block = calloc(fit->blocks + 1, 1);
	bool grew = true;

	if (!cell || !block)
		return -1;
	cell[fit->control] = true;
	while (grew) {
		grew = false;
		for (size_t i = 0; i < fit->blocks; i++) {
			for (size_t j = 0; j < fit->cells; j++) {
				if (!present(fit, i, j) || block[i] == cell[j])
					continue;
				block[i] = cell[j] = grew = true;
			}
		}
	}
	for (size_t i = 0; i < fit->blocks; i++)
		for (size_t j = 0; j < fit->cells; j++)
			if (!cell[j])
				*cell_of(fit, i, j) = NAN;
	return 0;
}

/*
 * Solves a symmetric positive semidefinite system in place (Gauss-Jordan without pivoting: the matrix is a Laplacian). A row whose
 * pivot vanishes is a block without data or the one redundant block: its effect is 0. Leaves the (generalised) inverse in a.
 */
static void invert_laplacian(double *a, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		double pivot = a[k * n + k];

		if (pivot < 1e-9) {
			for (size_t i = 0; i < n; i++)
				a[k * n + i] = a[i * n + k] = 0;
			continue;
		}
		a[k * n + k] = 1;
		for (size_t j = 0; j < n; j++)
			a[k * n + j] /= pivot;
		for (size_t i = 0; i < n; i++) {
			double factor = a[i * n + k];

			if (i == k)
				continue;
			a[i * n + k] = 0;
			for (size_t j = 0; j < n; j++)
				a[i * n + j] -= factor * a[k * n + j];
		}
	}
}

/* Cells eliminated, blocks solved: reduced = diag(cells per block) - N diag(1/n_j) N', blocks x blocks, then inverted. */
static int solve(struct block_fit *fit)
{
	size_t b = fit->blocks, k = fit->cells;
	_cleanup_free_ double *right = calloc(b + 1, sizeof(*right)), *beta = calloc(b + 1, sizeof(*beta));

	if (!right || !beta)
		return -1;
	memset(fit->reduced, 0, b * b * sizeof(double));
	for (size_t j = 0; j < k; j++) {
		double n = 0, sum = 0;

		for (size_t i = 0; i < b; i++) {
			if (present(fit, i, j)) {
				n++;
				sum += *cell_of(fit, i, j);
			}
		}
		fit->cell[j].n = (unsigned)n;
		for (size_t i = 0; i < b; i++) {
			fit->block_of_cell[j * b + i] = present(fit, i, j) ? 1 / n : 0;
			if (!present(fit, i, j))
				continue;
			fit->reduced[i * b + i] += 1;
			right[i] += *cell_of(fit, i, j) - sum / n;
			for (size_t h = 0; h < b; h++)
				if (present(fit, h, j))
					fit->reduced[i * b + h] -= 1 / n;
		}
	}
	invert_laplacian(fit->reduced, b);
	for (size_t i = 0; i < b; i++)
		for (size_t h = 0; h < b; h++)
			beta[i] += fit->reduced[i * b + h] * right[h];
	for (size_t j = 0; j < k; j++) {
		struct cell_fit *c = &fit->cell[j];

		c->effect = c->n ? 0 : NAN;
		for (size_t i = 0; i < b; i++)
			if (present(fit, i, j))
				c->effect += (*cell_of(fit, i, j) - beta[i]) / c->n;
		c->spread = 0;
		for (size_t i = 0; i < b; i++)
			if (present(fit, i, j))
				c->spread += fabs(*cell_of(fit, i, j) - beta[i] - c->effect) / c->n;
	}
	/* beta stays implicit: residuals are recomputed from it here, once. */
	fit->ss_error = 0;
	for (size_t j = 0; j < k; j++) {
		for (size_t i = 0; i < b; i++) {
			if (present(fit, i, j) && !fit->cell[j].noisy) {
				double e = *cell_of(fit, i, j) - beta[i] - fit->cell[j].effect;

				fit->ss_error += e * e;
			}
		}
	}
	return 0;
}

static void count_used(struct block_fit *fit)
{
	fit->used = fit->used_blocks = fit->used_cells = 0;
	for (size_t j = 0; j < fit->cells; j++)
		fit->used_cells += fit->cell[j].n > 0 && !fit->cell[j].noisy;
	for (size_t i = 0; i < fit->blocks; i++) {
		size_t here = 0;

		for (size_t j = 0; j < fit->cells; j++)
			here += present(fit, i, j) && !fit->cell[j].noisy;
		fit->used += here;
		fit->used_blocks += here > 0;
	}
}

/* The sums of squares over what is pooled: blocks first, then what the cells explain beyond them. */
static void analyse(struct block_fit *fit)
{
	double grand = 0, total = 0, between = 0;

	count_used(fit);
	fit->df = (double)fit->used - (double)fit->used_blocks - (double)fit->used_cells + 1;
	for (size_t at = 0; at < fit->blocks * fit->cells; at++)
		if (!isnan(fit->mean[at]) && !fit->cell[at % fit->cells].noisy)
			grand += fit->mean[at] / (double)fit->used;
	for (size_t i = 0; i < fit->blocks; i++) {
		double sum = 0, n = 0;

		for (size_t j = 0; j < fit->cells; j++) {
			if (!present(fit, i, j) || fit->cell[j].noisy)
				continue;
			sum += *cell_of(fit, i, j) - grand;
			total += (*cell_of(fit, i, j) - grand) * (*cell_of(fit, i, j) - grand);
			n++;
		}
		between += n > 0 ? sum * sum / n : 0;
	}
	fit->ss_block = between;
	fit->ss_cell = fmax(0, total - between - fit->ss_error);
	fit->mse = fit->residual_sd = fit->f = fit->p = NAN;
	if (fit->df < 1)
		return;
	fit->mse = fmax(fit->ss_error / fit->df, fit->floor_sd * fit->floor_sd);
	fit->residual_sd = sqrt(fit->mse);
	if (fit->used_cells > 1 && fit->mse > 0) {
		fit->f = fit->ss_cell / (double)(fit->used_cells - 1) / fit->mse;
		fit->p = f_upper(fit->f, (double)(fit->used_cells - 1), fit->df);
	}
}

/*
 * One wild cell must not blur all the others. A cell that spreads over 4 times the median cell's is fitted apart: it is masked, the
 * rest is fitted again, and its own comparison goes by its pairs.
 */
static bool mark_noisy(struct block_fit *fit)
{
	_cleanup_free_ double *spread = calloc(fit->cells + 1, sizeof(*spread));
	size_t n = 0;
	double typical;
	bool any = false;

	if (!spread)
		return false;
	for (size_t j = 0; j < fit->cells; j++)
		if (fit->cell[j].n >= 2)
			spread[n++] = fit->cell[j].spread;
	typical = median(spread, n);
	if (n < 3 || !(typical > 1e-12))
		return false;
	for (size_t j = 0; j < fit->cells; j++) {
		fit->cell[j].noisy = fit->cell[j].n >= 2 && fit->cell[j].spread > NOISY_SPREAD * typical &&
				     fit->cell[j].spread > fit->floor_sd;
		any |= fit->cell[j].noisy;
	}
	return any;
}

/* Fits the quiet cells alone, the noisy ones masked meanwhile. */
static int refit_without_noisy(struct block_fit *fit)
{
	size_t n = fit->blocks * fit->cells;
	_cleanup_free_ double *all = malloc((n + 1) * sizeof(*all));
	int rc;

	if (!all)
		return -1;
	memcpy(all, fit->mean, n * sizeof(*all));
	for (size_t at = 0; at < n; at++)
		if (fit->cell[at % fit->cells].noisy)
			fit->mean[at] = NAN;
	rc = solve(fit);
	if (!rc)
		analyse(fit);
	memcpy(fit->mean, all, n * sizeof(*all));
	return rc;
}

struct block_fit *block_fit(const struct observation *obs, size_t n, size_t blocks, size_t cells, unsigned control, double floor_sd)
{
	struct block_fit *fit = calloc(1, sizeof(*fit));

	if (!fit)
		return NULL;
	fit->blocks = blocks;
	fit->cells = cells;
	fit->control = control;
	fit->floor_sd = floor_sd;
	fit->cell = calloc(cells + 1, sizeof(*fit->cell));
	fit->mean = calloc(blocks * cells + 1, sizeof(double));
	fit->block_of_cell = calloc(blocks * cells + 1, sizeof(double));
	fit->reduced = calloc(blocks * blocks + 1, sizeof(double));
	if (!fit->cell || !fit->mean || !fit->block_of_cell || !fit->reduced || fill_means(fit, obs, n) || keep_connected(fit) ||
	    solve(fit)) {
		block_fit_free(fit);
		return NULL;
	}
	if (mark_noisy(fit) ? refit_without_noisy(fit) : (analyse(fit), 0)) {
		block_fit_free(fit);
		return NULL;
	}
	return fit;
}

/* Var(effect_j - effect_control) / mse = 1/n_j + 1/n_0 + (w_j - w_0)' reduced^-1 (w_j - w_0); 2/b when nothing is missing. */
static double contrast_factor(const struct block_fit *fit, unsigned cell)
{
	const double *wj = &fit->block_of_cell[cell * fit->blocks], *w0 = &fit->block_of_cell[fit->control * fit->blocks];
	double q = 1.0 / fit->cell[cell].n + 1.0 / fit->cell[fit->control].n;

	for (size_t i = 0; i < fit->blocks; i++)
		for (size_t h = 0; h < fit->blocks; h++)
			q += (wj[i] - w0[i]) * fit->reduced[i * fit->blocks + h] * (wj[h] - w0[h]);
	return q;
}

static size_t paired_differences(const struct block_fit *fit, unsigned cell, double *difference)
{
	size_t n = 0;

	for (size_t i = 0; i < fit->blocks; i++)
		if (present(fit, i, cell) && present(fit, i, fit->control))
			difference[n++] = *cell_of(fit, i, cell) - *cell_of(fit, i, fit->control);
	return n;
}

static void conclude(struct contrast *c, double d, double se, double df)
{
	double t975 = t_quantile(0.975, df);

	c->df = df;
	c->ratio = exp(d);
	c->low = exp(d - t975 * se);
	c->high = exp(d + t975 * se);
	c->t = se > 1e-12 ? d / se : fabs(d) < 1e-12 ? 0 : copysign(INFINITY, d);
	c->p = t_two_sided(c->t, df);
	c->mde_ratio = expm1((t975 + t_quantile(0.8, df)) * se);
}

struct contrast block_contrast(const struct block_fit *fit, unsigned cell)
{
	struct contrast c = {NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0, false};
	_cleanup_free_ double *difference = calloc(fit->blocks + 1, sizeof(*difference));
	double mean = 0, square = 0;
	size_t n;

	if (!difference || cell == fit->control)
		return c;
	n = paired_differences(fit, cell, difference);
	c.pairs = (unsigned)n;
	c.p_flip = n ? sign_flip(difference, n) : NAN;
	c.paired = fit->cell[cell].noisy || fit->cell[fit->control].noisy;
	if (!c.paired) {
		if (!fit->cell[cell].n || !fit->cell[fit->control].n)
			return c;
		c.ratio = exp(fit->cell[cell].effect - fit->cell[fit->control].effect);
		if (fit->df >= 1)
			conclude(&c, log(c.ratio), sqrt(fit->mse * contrast_factor(fit, cell)), fit->df);
		return c;
	}
	for (size_t i = 0; i < n; i++)
		mean += difference[i] / (double)n;
	for (size_t i = 0; i < n; i++)
		square += (difference[i] - mean) * (difference[i] - mean);
	if (n)
		c.ratio = exp(mean);
	if (n >= 2)
		conclude(&c, mean, sqrt(fmax(square / (double)(n - 1), 2 * fit->floor_sd * fit->floor_sd) / (double)n), (double)(n - 1));
	return c;
}

void block_fit_free(struct block_fit *fit)
{
	if (!fit)
		return;
	free(fit->cell);
	free(fit->mean);
	free(fit->block_of_cell);
	free(fit->reduced);
	free(fit);
}
