/* Checks on the experiment: is it whole, was the box steady, and could it find what it looked for? */
#include "results/checks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "results/special.h"

static void completeness(const struct matrix *m, json_t *checks)
{
	const struct sweep *s = m->sweep;
	size_t over = 0, ok = 0, without = 0;

	for (size_t c = 0; c < s->ncells; c++) {
		over += s->cells[c].over;
		ok += s->cells[c].ok;
		without += s->cells[c].outcome != OUTCOME_OK;
	}
	check_add(checks, "sweep complete", over < s->nruns && !s->complete ? CHECK_WARN : CHECK_OK,
		"%zu of %zu runs are over, %zu count, %zu of %zu cells have no number%s", over, s->nruns, ok, without, s->ncells,
		over == s->nruns ? "" : s->complete ? "; the sweep ended early by its own rule" : "; the sweep is not finished");
	if (json_array_size(s->warnings))
		check_add(checks, "documents readable", CHECK_WARN, "%zu problem%s in the sweep directory, see warnings", json_array_size(s->warnings),
			json_array_size(s->warnings) == 1 ? "" : "s");
}

static void power(const struct matrix *m, json_t *checks)
{
	const struct metric_fit *f = &m->fit[m->primary];
	unsigned need = rank_test_runs_needed(f->comparisons, 0.05);
	char mde[TEXT_MAX], noise[TEXT_MAX];

	if (isfinite(f->noise_ratio))
		check_add(checks, "noise", f->mde_ratio > 2 * m->min_effect_ratio ? CHECK_WARN : CHECK_OK,
			"%s from run to run (%s, %.0f df); effects from %s on are found 8 times in 10, %.2g%% is what matters",
			format_share(noise, f->noise_ratio), m->metric[m->primary].name, f->df, format_share(mde, f->mde_ratio),
			m->min_effect_ratio * 100);
	else
		check_add(checks, "noise", CHECK_WARN, "unknown: one complete block shows no run-to-run noise, so nothing can be decided");
	if (f->comparisons && f->blocks < need)
		check_add(checks, "rank test", CHECK_WARN, "with %u comparisons a rank test alone needs %u runs a cell and there are %zu: verdicts rest on the pooled block model",
			f->comparisons, need, f->blocks);
}

/* The control's values in the order of the night; log values; n of them. */
static size_t controls(const struct matrix *m, double *log_value, unsigned *block)
{
	const struct sweep *s = m->sweep;
	size_t n = 0;

	for (size_t r = 0; r < s->nruns; r++) {
		double v = matrix_value(m, r, m->primary);

		if (s->runs[r].cell != s->control || !(v > 0))
			continue;
		block[n] = s->runs[r].block_index;
		log_value[n++] = log(v);
	}
	return n;
}

/* Two-sided p of the slope of y over its index. */
static double trend_p(const double *y, size_t n, double *total)
{
	double mean_x = ((double)n - 1) / 2, mean_y = 0, sxx = 0, sxy = 0, syy = 0, error;

	for (size_t i = 0; i < n; i++)
		mean_y += y[i] / (double)n;
	for (size_t i = 0; i < n; i++) {
		sxx += ((double)i - mean_x) * ((double)i - mean_x);
		sxy += ((double)i - mean_x) * (y[i] - mean_y);
		syy += (y[i] - mean_y) * (y[i] - mean_y);
	}
	*total = expm1(sxy / sxx * ((double)n - 1));
	error = (syy - sxy * sxy / sxx) / ((double)n - 2);
	return error > 0 ? t_two_sided(sxy / sxx / sqrt(error / sxx), (double)n - 2) : 1;
}

/* Blocks whose control runs spread more than 3 residual standard deviations, and a trend over the night. */
static void drift(const struct matrix *m, json_t *checks)
{
	const struct sweep *s = m->sweep;
	_cleanup_free_ double *y = calloc(s->nruns + 1, sizeof(*y));
	_cleanup_free_ unsigned *block = calloc(s->nruns + 1, sizeof(*block));
	double noise = m->fit[m->primary].noise_ratio, low = INFINITY, high = -INFINITY, total;
	size_t n, marked = 0, repeated = 0;

	if (!y || !block)
		return;
	n = controls(m, y, block);
	for (size_t b = 0; b < s->nblocks; b++) {
		double least = INFINITY, most = -INFINITY;
		size_t here = 0;

		for (size_t i = 0; i < n; i++) {
			if (block[i] != b)
				continue;
			least = fmin(least, y[i]);
			most = fmax(most, y[i]);
			here++;
		}
		repeated += here > 1;
		marked += here > 1 && most - least > log1p(3 * noise);
		low = fmin(low, least);
		high = fmax(high, most);
	}
	if (n >= 2)
		check_add(checks, "drift of the control", 3 * marked > s->nblocks ? CHECK_FAIL : marked ? CHECK_WARN : CHECK_OK,
			"its %zu runs lie within %.1f%%; blocks take up what drifts between them%s", n, expm1(high - low) * 100,
			!repeated ? "" : marked ? "; within a block it moved more than 3 times the noise: trust less" : "; steady within each block");
	if (n >= 5) {
		double p = trend_p(y, n, &total);

		check_add(checks, "trend of the control", p <= 0.05 && fabs(total) > m->min_effect_ratio ? CHECK_WARN : CHECK_OK,
			"%+.1f%% over the night (p %.2g)", total * 100, p);
	}
}

/* A hidden second control under another name: it must come out equal. */
static void self_test(const struct matrix *m, json_t *checks)
{
	const struct sweep *s = m->sweep;

	for (size_t c = 0; c < s->ncells; c++) {
		const struct estimate *e = matrix_at(m, c, m->primary);

		if (c == s->control || !e->n || !s->cells[c].settings || !json_equal(s->cells[c].settings, s->cells[s->control].settings))
			continue;
		check_add(checks, "self-test", e->shown ? CHECK_FAIL : CHECK_OK, "the hidden twin of the control came out at ratio %.3f (p %.2g)%s", e->contrast.ratio,
			e->p_holm, e->shown ? ": this night finds differences where there are none" : "");
	}
}

/* A first-glance winner may only have moved its cost behind the clock, into the final sync. */
static void sync_backlog(const struct matrix *m, json_t *checks)
{
	int with_sync = metric_find(m->metric, m->nmetrics, "elapsed_plus_sync_s");
	const struct estimate *e;

	if (m->recommended < 0 || m->recommended == (int)m->sweep->control || with_sync < 0)
		return;
	e = matrix_at(m, (size_t)m->recommended, (size_t)with_sync);
	if (!e->n || !isfinite(e->contrast.ratio))
		return;
	check_add(checks, "cost moved into the final sync", e->verdict != VERDICT_BETTER ? CHECK_WARN : CHECK_OK,
		"with the final sync counted in, the recommended cell is at ratio %.3f (%s)", e->contrast.ratio, verdict_names[e->verdict]);
}

/* The best of many looks better than it is; sweeps/ names the sweep of fresh runs "...-confirm". */
static void confirmation(const struct matrix *m, json_t *checks)
{
	const char *name = json_text(m->sweep->input, "name", ""), *end = name + strlen(name) - strlen("-confirm");
	bool confirmed = strlen(name) > strlen("-confirm") && !strcmp(end, "-confirm");

	if (confirmed)
		check_add(checks, "confirmed", CHECK_OK, "these are the fresh runs of a confirmation: quote these numbers");
	else if (m->recommended >= 0 && m->recommended != (int)m->sweep->control)
		check_add(checks, "confirmed", CHECK_WARN, "not yet: the best of %u is flattered by having been picked; 'iorig sweep confirm' gives numbers to quote",
			m->fit[m->primary].comparisons + 1);
}

static void one_kernel(const struct matrix *m, json_t *checks)
{
	const char *first = NULL, *other = NULL;

	for (size_t r = 0; r < m->sweep->nruns; r++) {
		const char *kernel = json_text(json_at(m->sweep->runs[r].doc, "system"), "kernel", NULL);

		if (kernel && !first)
			first = kernel;
		if (kernel && strcmp(kernel, first))
			other = kernel;
	}
	if (first)
		check_add(checks, "one kernel", other ? CHECK_FAIL : CHECK_OK, other ? "%s and %s in one sweep" : "%s%s", first, other ? other : "");
}

void checks_of_design(const struct matrix *m, json_t *checks)
{
	completeness(m, checks);
	one_kernel(m, checks);
	power(m, checks);
	drift(m, checks);
	self_test(m, checks);
	sync_backlog(m, checks);
	confirmation(m, checks);
}
