#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>

#include "lib/cleanup.h"
#include "results/blocks.h"
#include "results/special.h"
#include "results/stats.h"

static void near(double got, double want, double relative)
{
	if (!(fabs(got - want) <= relative * fabs(want)))
		fail_msg("got %.12g, want %.12g", got, want);
}

/* A generator of its own, so that the simulations are the same on every machine. */
static uint64_t seed;
static double uniform(void)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return ((double)(seed >> 11) + 0.5) / 9007199254740992.0;
}

static double gauss(void)
{
	return sqrt(-2 * log(uniform())) * cos(2 * M_PI * uniform());
}

static void quantiles_of_t(void **state)
{
	static const double want[][2] = {{2, 4.302653}, {4, 2.776445}, {6, 2.446912}, {10, 2.228139}, {20, 2.085963}, {30, 2.042272}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		near(t_quantile(0.975, want[i][0]), want[i][1], 1e-6);
		near(t_quantile(0.025, want[i][0]), -want[i][1], 1e-6);
		near(t_two_sided(want[i][1], want[i][0]), 0.05, 1e-6);
	}
	assert_true(isnan(t_quantile(0.975, 0)));
	near(t_two_sided(1, 1), 0.5, 1e-12);
}

/* I_x(a,b) against the trapezoidal integral of its density. */
static void incomplete_beta_is_the_integral(void **state)
{
	(void)state;
	for (double a = 1; a < 9; a += 1.5) {
		for (double b = 1; b < 9; b += 2.5) {
			double sum = 0, step = 1e-5, front = exp(lgamma(a + b) - lgamma(a) - lgamma(b));

			for (int i = 0; i < 70000; i++) {
				double x = (i + 0.5) * step;

				sum += front * pow(x, a - 1) * pow(1 - x, b - 1) * step;
			}
			near(beta_regularised(a, b, 0.7), sum, 1e-6);
		}
	}
}

static const double vector_runs[4][4] = {
	{100.0, 98.1, 103.4, 91.2}, {104.2, 101.5, 108.9, 95.7}, {98.7, 97.6, 101.1, 90.4}, {101.9, 100.2, 106.0, 93.3}};

static struct block_fit *fit_vector(unsigned skip)
{
	struct observation obs[16];
	size_t n = 0;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < 4; j++)
			if (i * 4 + j != skip)
				obs[n++] = (struct observation){i, j, log(vector_runs[i][j])};
	return block_fit(obs, n, 4, 4, 0, 0);
}

static void block_model_gives_the_published_vectors(void **state)
{
	static const struct { double ratio, low, high, t, p, holm; } want[4] = {{0, 0, 0, 0, 0, 0},
		{0.9818, 0.9722, 0.9915, -4.223, 0.0022294, 0.0022294}, {1.0359, 1.0257, 1.0461, 8.106, 1.9914e-5, 3.9828e-5},
		{0.9155, 0.9065, 0.9245, -20.304, 7.9484e-9, 2.3845e-8}};
	struct block_fit *fit = fit_vector(99);
	double p[4] = {NAN}, adjusted[4];

	(void)state;
	near(fit->ss_block, 0.00736138, 2e-6);
	near(fit->ss_cell, 0.03241251, 2e-6);
	near(fit->ss_error, 0.00034048, 2e-5);
	near(fit->df, 9, 0);
	near(fit->residual_sd, 0.006151, 1e-4);
	near(fit->f, 285.592, 1e-5);
	near(fit->p, 3.07e-9, 2e-3);
	for (unsigned j = 1; j < 4; j++) {
		struct contrast c = block_contrast(fit, j);

		near(c.ratio, want[j].ratio, 6e-5);
		near(c.low, want[j].low, 6e-5);
		near(c.high, want[j].high, 6e-5);
		near(c.t, want[j].t, 2e-4);
		near(c.p, want[j].p, 3e-5);
		near(c.p_flip, 2.0 / 16, 1e-12);
		near(c.mde_ratio, 0.0138, 2e-3);
		assert_false(c.paired);
		p[j] = c.p;
	}
	holm(p, adjusted, 4);
	assert_true(isnan(adjusted[0]));
	for (unsigned j = 1; j < 4; j++)
		near(adjusted[j], want[j].holm, 3e-5);
	block_fit_free(fit);
}

static void friedman_gives_the_published_vectors(void **state)
{
	double sum[4];

	(void)state;
	near(friedman(&vector_runs[0][0], 4, 4, sum), 12, 1e-12);
	near(sum[0], 12, 0);
	near(sum[1], 8, 0);
	near(sum[2], 16, 0);
	near(sum[3], 4, 0);
}

/* Solves the full normal equations by brute force: parameters are 4 blocks and the 3 cells that are not the control. */
static void gaps_are_least_squares(void **state)
{
	double a[7][8] = {{0}};
	struct block_fit *fit = fit_vector(6);

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		for (unsigned j = 0; j < 4; j++) {
			unsigned row[2] = {i, 3 + j}, n = j ? 2 : 1;

			if (i * 4 + j == 6)
				continue;
			for (unsigned r = 0; r < n; r++) {
				for (unsigned c = 0; c < n; c++)
					a[row[r]][row[c]]++;
				a[row[r]][7] += log(vector_runs[i][j]);
			}
		}
	}
	for (int k = 0; k < 7; k++)
		for (int r = 0; r < 7; r++)
			for (int c = 7; r != k && c >= k; c--)
				a[r][c] -= a[k][c] * a[r][k] / a[k][k];
	for (unsigned j = 1; j < 4; j++)
		near(block_contrast(fit, j).ratio, exp(a[3 + j - 0][7] / a[3 + j][3 + j]), 1e-9);
	near(fit->df, 8, 0);
	assert_true(block_contrast(fit, 2).high / block_contrast(fit, 2).low > block_contrast(fit, 1).high / block_contrast(fit, 1).low);
	block_fit_free(fit);
}

static void what_shares_no_block_has_no_ratio(void **state)
{
	struct observation obs[] = {{0, 0, 1}, {1, 0, 1.01}, {0, 1, 1.1}, {1, 1, 1.12}, {2, 2, 3}, {3, 2, 3}};
	struct block_fit *fit = block_fit(obs, ARRAY_SIZE(obs), 4, 3, 0, 0);

	(void)state;
	assert_true(isnan(block_contrast(fit, 2).ratio));
	near(block_contrast(fit, 1).ratio, exp(0.105), 1e-9);
	near(fit->df, 1, 0);
	block_fit_free(fit);
	fit = block_fit(obs, 1, 4, 3, 0, 0);
	assert_true(isnan(block_contrast(fit, 1).p));
	block_fit_free(fit);
	fit = block_fit(obs, 0, 0, 3, 0, 0);
	assert_true(isnan(block_contrast(fit, 1).ratio));
	block_fit_free(fit);
}

static void one_wild_cell_does_not_blur_the_others(void **state)
{
	struct observation obs[64];
	struct block_fit *fit;
	size_t n = 0;

	(void)state;
	seed = 5;
	for (unsigned i = 0; i < 6; i++)
		for (unsigned j = 0; j < 6; j++)
			obs[n++] = (struct observation){i, j, (j == 5 ? 0.4 : 0.01) * gauss() + (j == 1 ? -0.05 : 0)};
	fit = block_fit(obs, n, 6, 6, 0, 0);
	assert_true(fit->cell[5].noisy);
	assert_true(block_contrast(fit, 5).paired);
	assert_true(block_contrast(fit, 1).high < 1);
	block_fit_free(fit);
}

/* 300 nights of 16 identical cells, 2 % noise, 6 % drift over the night, outliers in every third night. */
static void identical_profiles_win_in_at_most_one_night_in_twenty(void **state)
{
	int false_nights = 0, nights = 300;

	(void)state;
	seed = 11;
	for (int night = 0; night < nights; night++) {
		struct observation obs[16 * 3];
		double p[16] = {NAN};
		struct block_fit *fit;
		size_t n = 0;
		bool crowned = false;

		for (unsigned i = 0; i < 3; i++)
			for (unsigned j = 0; j < 16; j++)
				obs[n++] = (struct observation){i, j, 0.03 * i + 0.02 * gauss() + (night % 3 == 0 && uniform() < 0.03 ? 0.15 : 0)};
		fit = block_fit(obs, n, 3, 16, 0, 0);
		for (unsigned j = 1; j < 16; j++)
			p[j] = block_contrast(fit, j).p;
		holm(p, p, 16);
		for (unsigned j = 1; j < 16; j++)
			crowned |= p[j] <= 0.05;
		false_nights += crowned;
		block_fit_free(fit);
	}
	if (false_nights > nights / 20)
		fail_msg("a false winner in %d of %d nights", false_nights, nights);
}

static void a_real_effect_is_found(void **state)
{
	int found = 0, nights = 200;

	(void)state;
	seed = 12;
	for (int night = 0; night < nights; night++) {
		struct observation obs[8 * 5];
		double p[8] = {NAN};
		struct block_fit *fit;
		size_t n = 0;

		for (unsigned i = 0; i < 5; i++)
			for (unsigned j = 0; j < 8; j++)
				obs[n++] = (struct observation){i, j, 0.03 * i + 0.02 * gauss() - (j == 3 ? 0.08 : 0)};
		fit = block_fit(obs, n, 5, 8, 0, 0);
		for (unsigned j = 1; j < 8; j++)
			p[j] = block_contrast(fit, j).p;
		holm(p, p, 8);
		found += p[3] <= 0.05 && block_contrast(fit, 3).ratio < 1;
		block_fit_free(fit);
	}
	if (found < nights * 95 / 100)
		fail_msg("8 %% at 2 %% noise, 5 blocks: found in only %d of %d nights", found, nights);
}

static void order_statistics_ranks(void **state)
{
	static const unsigned want[][3] = {{6, 1, 6}, {7, 1, 7}, {8, 1, 8}, {9, 2, 8}, {10, 2, 9}, {12, 3, 10}, {15, 4, 12}, {20, 6, 15},
					   {25, 8, 18}, {30, 10, 21}};
	double x[30];

	(void)state;
	for (unsigned i = 0; i < 30; i++)
		x[i] = (i * 7) % 30 + 1;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		unsigned n = want[i][0];

		assert_int_equal(median_interval_rank(n), want[i][1]);
		assert_int_equal(n + 1 - median_interval_rank(n), want[i][2]);
	}
	for (unsigned n = 0; n < 6; n++) {
		assert_int_equal(median_interval_rank(n), 0);
		assert_false(median_interval(x, n).is_interval);
	}
	near(median_interval(x, 30).median, 15.5, 0);
	near(median_interval(x, 30).low, 10, 0);
	near(median_interval(x, 30).high, 21, 0);
	assert_true(median_interval(x, 30).coverage >= 0.95);
	near(median_interval(x, 1).low, x[0], 0);
	assert_true(isnan(median_interval(x, 0).median));
}

/* All ways to choose which values are group a, by bit mask. */
static double mann_whitney_by_force(const double *x, size_t n, size_t na)
{
	double rank[16], observed = 0, mean = (double)na * (double)(n + 1) / 2;
	long all = 0, tail = 0;

	ranks(x, n, rank);
	for (size_t i = 0; i < na; i++)
		observed += rank[i];
	for (unsigned mask = 0; mask < 1u << n; mask++) {
		double sum = 0;

		if ((size_t)__builtin_popcount(mask) != na)
			continue;
		for (size_t i = 0; i < n; i++)
			sum += mask >> i & 1 ? rank[i] : 0;
		all++;
		tail += fabs(sum - mean) >= fabs(observed - mean) - 1e-9;
	}
	return (double)tail / (double)all;
}

static void mann_whitney_equals_brute_force(void **state)
{
	(void)state;
	seed = 3;
	for (int round = 0; round < 150; round++) {
		size_t n = 2 + (size_t)(uniform() * 9), na = 1 + (size_t)(uniform() * (double)(n - 1));
		double x[16];

		for (size_t i = 0; i < n; i++)
			x[i] = round % 2 ? floor(uniform() * 4) : uniform();
		near(mann_whitney(x, na, x + na, n - na), mann_whitney_by_force(x, n, na), 1e-9);
	}
	near(mann_whitney((double[]){1, 2, 3, 4, 5, 6}, 6, (double[]){7, 8, 9, 10, 11, 12}, 6), 2.0 / 924, 1e-12);
	near(mann_whitney((double[]){1}, 1, (double[]){1}, 0), 1, 0);
}

/* Where the exact table is still affordable, the approximation that takes over beyond must agree with it. */
static void mann_whitney_large_is_near_exact(void **state)
{
	double a[120], b[120], small, large;

	(void)state;
	seed = 9;
	for (int i = 0; i < 120; i++) {
		a[i] = gauss();
		b[i] = gauss() + 0.35;
	}
	small = mann_whitney(a, 40, b, 40);
	assert_true(small > 1e-6 && small < 0.9);
	large = mann_whitney(a, 120, b, 120);
	assert_true(large < small);
}

static void rank_tests_need_runs(void **state)
{
	(void)state;
	assert_int_equal(rank_test_runs_needed(1, 0.05), 4);
	assert_int_equal(rank_test_runs_needed(15, 0.05), 6);
	assert_int_equal(rank_test_runs_needed(63, 0.05), 7);
	assert_int_equal(rank_test_runs_needed(255, 0.05), 8);
}

static void holm_steps_down(void **state)
{
	double p[] = {0.01, NAN, 0.04, 0.03, 0.005}, want[] = {0.03, NAN, 0.06, 0.06, 0.02};

	(void)state;
	holm(p, p, 5);
	for (int i = 0; i < 5; i++)
		if (i != 1)
			near(p[i], want[i], 1e-12);
	assert_true(isnan(p[1]));
}

static void tau_counts_pairs(void **state)
{
	double x[] = {1, 2, 3, 4}, down[] = {4, 3, 2, 1}, swap[] = {1, 2, 4, 3}, tied[] = {1, 1, 2, 2}, flat[] = {1, 1, 1, 1};

	(void)state;
	near(kendall_tau(x, x, 4), 1, 0);
	near(kendall_tau(x, down, 4), -1, 0);
	near(kendall_tau(x, swap, 4), 4.0 / 6, 1e-12);
	near(kendall_tau(x, tied, 4), 4 / sqrt(24), 1e-12);
	assert_true(isnan(kendall_tau(x, flat, 4)));
	assert_true(isnan(kendall_tau(x, x, 1)));
}

static void sign_flip_counts_all_flips(void **state)
{
	double d[] = {1, 2, 3}, mixed[] = {1, -1}, zero[] = {0, 0};

	(void)state;
	near(sign_flip(d, 3), 2.0 / 8, 0);
	near(sign_flip(mixed, 2), 1, 0);
	near(sign_flip(zero, 2), 1, 0);
	near(sign_flip(d, 0), 1, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quantiles_of_t),
		cmocka_unit_test(incomplete_beta_is_the_integral),
		cmocka_unit_test(block_model_gives_the_published_vectors),
		cmocka_unit_test(friedman_gives_the_published_vectors),
		cmocka_unit_test(gaps_are_least_squares),
		cmocka_unit_test(what_shares_no_block_has_no_ratio),
		cmocka_unit_test(one_wild_cell_does_not_blur_the_others),
		cmocka_unit_test(identical_profiles_win_in_at_most_one_night_in_twenty),
		cmocka_unit_test(a_real_effect_is_found),
		cmocka_unit_test(order_statistics_ranks),
		cmocka_unit_test(mann_whitney_equals_brute_force),
		cmocka_unit_test(mann_whitney_large_is_near_exact),
		cmocka_unit_test(rank_tests_need_runs),
		cmocka_unit_test(holm_steps_down),
		cmocka_unit_test(tau_counts_pairs),
		cmocka_unit_test(sign_flip_counts_all_flips),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
