#include "sweeps/precision.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sweeps/plan.h"

/* The normal quantile with `upper` above it, by bisection: called a few times, so that speed does not matter. */
static double normal_quantile(double upper)
{
	double low = 0, high = 40;

	for (int i = 0; i < 100; i++) {
		double middle = (low + high) / 2;

		if (erfc(middle / M_SQRT2) / 2 > upper)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* Cornish-Fisher expansion of t around the normal quantile; good to 3 digits from df 6 on at the levels used here. */
static double t_quantile(double upper, int64_t df)
{
	double z = normal_quantile(upper), d = (double)df;

	return z + (z * z * z + z) / (4 * d) + (5 * pow(z, 5) + 16 * pow(z, 3) + 3 * z) / (96 * d * d);
}

double precision_t975(int64_t df)
{
	static const double small[] = {12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281};

	if (df <= (int64_t)ARRAY_SIZE(small))
		return small[df < 1 ? 0 : df - 1];
	return t_quantile(0.025, df);
}

double precision_detectable(int64_t blocks, int64_t cells, int64_t comparisons, double noise)
{
	int64_t df = (blocks - 1) * (cells - 1);

	if (df < 1 || comparisons < 1)
		return HUGE_VAL;
	return exp((t_quantile(0.025 / (double)comparisons, df) + t_quantile(0.2, df)) * noise * sqrt(2 / (double)blocks)) - 1;
}

/* Mean of ln(elapsed) of a cell's done runs in a block; NAN when there is none. */
static double mean_ln(const json_t *plan, const struct journal *j, const char *cell, int64_t block)
{
	double sum = 0;
	int64_t n = 0;

	for (int64_t seq = 1; seq <= plan_runs(plan); seq++) {
		const json_t *run = plan_run(plan, seq);
		struct run_state state;

		if (json_int(run, "block", 0) != block || strcmp(json_text(run, "cell", ""), cell))
			continue;
		state = journal_run(j, seq);
		if (!state.over || strcmp(state.over, "done") || state.elapsed_s <= 0)
			continue;
		sum += log(state.elapsed_s);
		n++;
	}
	return n ? sum / (double)n : NAN;
}

/* < 0: this cell has no numbers at all. */
static double halfwidth_of(const json_t *plan, const struct journal *j, const char *cell)
{
	double sum = 0, squares = 0, sd;
	int64_t n = 0;

	for (int64_t block = 1; block <= json_int(plan, "blocks_max", 0); block++) {
		double d = mean_ln(plan, j, cell, block) - mean_ln(plan, j, json_text(plan, "control", ""), block);

		if (isnan(d))
			continue;
		sum += d;
		squares += d * d;
		n++;
	}
	if (n < 2)
		return n ? HUGE_VAL : -1;
	sd = sqrt(fmax(0, (squares - sum * sum / (double)n) / (double)(n - 1)));
	return exp(precision_t975(n - 1) * sd / sqrt((double)n)) - 1;
}

double precision_halfwidth(const json_t *plan, const struct journal *j)
{
	const char *control = json_text(plan, "control", "");
	double widest = 0;
	bool any = false;
	json_t *cell;
	size_t i;

	json_array_foreach(json_object_get(plan, "cells"), i, cell) {
		double half;

		if (!strcmp(json_text(cell, "id", ""), control))
			continue;
		half = halfwidth_of(plan, j, json_text(cell, "id", ""));
		any |= half >= 0;
		widest = fmax(widest, half);
	}
	return any ? widest : HUGE_VAL;
}
