#include "results/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "results/special.h"

static int ascending(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double *sorted(const double *x, size_t n)
{
	double *copy = malloc((n ? n : 1) * sizeof(*copy));

	if (copy && n) {
		memcpy(copy, x, n * sizeof(*copy));
		qsort(copy, n, sizeof(*copy), ascending);
	}
	return copy;
}

double median(const double *x, size_t n)
{
	_cleanup_free_ double *s = sorted(x, n);

	if (!n || !s)
		return NAN;
	return n % 2 ? s[n / 2] : (s[n / 2 - 1] + s[n / 2]) / 2;
}

/* P(the median lies between the values of rank r and n+1-r) = 1 - 2 P(Binomial(n, 1/2) < r). */
static double rank_coverage(unsigned n, unsigned r)
{
	double below = 0;

	for (unsigned i = 0; i < r; i++)
		below += exp(log_factorial(n) - log_factorial(i) - log_factorial(n - i) - n * M_LN2);
	return 1 - 2 * below;
}

unsigned median_interval_rank(unsigned n)
{
	unsigned r = 0;

	while (r + 1 <= n / 2 && rank_coverage(n, r + 1) >= 0.95)
		r++;
	return r;
}

struct median_interval median_interval(const double *x, size_t n)
{
	_cleanup_free_ double *s = sorted(x, n);
	struct median_interval m = {NAN, NAN, NAN, 0, false};
	unsigned r;

	if (!n || !s)
		return m;
	m.median = median(x, n);
	r = median_interval_rank((unsigned)n);
	m.is_interval = r > 0;
	m.low = s[r ? r - 1 : 0];
	m.high = s[r ? n - r : n - 1];
	m.coverage = r ? rank_coverage((unsigned)n, r) : 0;
	return m;
}

void ranks(const double *x, size_t n, double *rank)
{
	for (size_t i = 0; i < n; i++) {
		size_t below = 0, equal = 0;

		for (size_t j = 0; j < n; j++) {
			below += x[j] < x[i];
			equal += x[j] == x[i];
		}
		rank[i] = (double)below + ((double)equal + 1) / 2;
	}
}

/*
 * How the rank sum of `k` of the n doubled mid-ranks is distributed when every choice is equally likely: way[j][s] is the share of
 * all choices of j items with sum s, built item by item. Doubled mid-ranks are integers, so ties stay exact.
 */
static double rank_sum_tail(const unsigned *doubled, size_t n, size_t k, double observed, double mean)
{
	size_t total = n * (n + 1), width = total + 1;
	double all = 0, tail = 0, distance = fabs(observed - mean) - 1e-9;
	_cleanup_free_ double *way = calloc((k + 1) * width, sizeof(*way));

	if (!way)
		return 1;
	way[0] = 1;
	for (size_t i = 0; i < n; i++)
		for (size_t j = k < i + 1 ? k : i + 1; j >= 1; j--)
			for (size_t s = total; s >= doubled[i]; s--)
				way[j * width + s] += way[(j - 1) * width + s - doubled[i]];
	for (size_t s = 0; s <= total; s++) {
		all += way[k * width + s];
		if (fabs((double)s - mean) >= distance)
			tail += way[k * width + s];
	}
	return tail / all;
}

static double rank_sum_normal(const double *rank, size_t n, size_t k, double observed)
{
	double mean = (double)k * (double)(n + 1) / 2, square = 0, variance;

	for (size_t i = 0; i < n; i++)
		square += (rank[i] - (double)(n + 1) / 2) * (rank[i] - (double)(n + 1) / 2);
	variance = (double)k * (double)(n - k) * square / ((double)n * (double)(n - 1));
	if (variance <= 0)
		return 1;
	return fmin(1, 2 * normal_upper((fabs(observed - mean) - 0.5) / sqrt(variance)));
}

double mann_whitney(const double *a, size_t na, const double *b, size_t nb)
{
	size_t n = na + nb, k = na < nb ? na : nb; /* the smaller side makes the smaller table */
	_cleanup_free_ double *x = calloc(n + 1, sizeof(*x)), *rank = calloc(n + 1, sizeof(*rank));
	_cleanup_free_ unsigned *doubled = calloc(n + 1, sizeof(*doubled));
	double observed = 0;

	if (!na || !nb || !x || !rank || !doubled)
		return 1;
	memcpy(x, k == na ? a : b, k * sizeof(*x));
	memcpy(x + k, k == na ? b : a, (n - k) * sizeof(*x));
	ranks(x, n, rank);
	for (size_t i = 0; i < n; i++) {
		doubled[i] = (unsigned)lround(2 * rank[i]);
		if (i < k)
			observed += rank[i];
	}
	if ((double)k * (double)n * (double)n * (double)n > 3e7)
		return rank_sum_normal(rank, n, k, observed);
	return rank_sum_tail(doubled, n, k, 2 * observed, (double)k * (double)(n + 1));
}

double sign_flip(const double *difference, size_t n)
{
	double observed = 0, square = 0;
	unsigned long extreme = 0;

	for (size_t i = 0; i < n; i++) {
		observed += difference[i];
		square += difference[i] * difference[i];
	}
	if (!n || square <= 0)
		return 1;
	if (n > 20)
		return fmin(1, 2 * normal_upper(fabs(observed) / sqrt(square)));
	for (unsigned long mask = 0; mask < 1UL << n; mask++) {
		double sum = 0;

		for (size_t i = 0; i < n; i++)
			sum += mask >> i & 1 ? -difference[i] : difference[i];
		extreme += fabs(sum) >= fabs(observed) * (1 - 1e-12);
	}
	return (double)extreme / (double)(1UL << n);
}

void holm(const double *p, double *adjusted, size_t n)
{
	_cleanup_free_ size_t *order = calloc(n + 1, sizeof(*order));
	size_t m = 0;
	double running = 0;

	if (!order)
		return;
	for (size_t i = 0; i < n; i++) {
		size_t at = m;

		if (isnan(p[i])) {
			adjusted[i] = NAN;
			continue;
		}
		for (; at && p[order[at - 1]] > p[i]; at--)
			order[at] = order[at - 1];
		order[at] = i;
		m++;
	}
	for (size_t k = 0; k < m; k++) {
		/* p[order[k]] is read before it may be overwritten: every index occurs once. */
		running = fmax(running, fmin(1, p[order[k]] * (double)(m - k)));
		adjusted[order[k]] = running;
	}
}

unsigned rank_test_runs_needed(unsigned comparisons, double alpha)
{
	for (unsigned n = 1; n < 100; n++) {
		double choices = exp(log_factorial(2 * n) - 2 * log_factorial(n));

		if (2 / choices <= alpha / (comparisons ? comparisons : 1) * (1 + 1e-9))
			return n;
	}
	return 100;
}

double kendall_tau(const double *x, const double *y, size_t n)
{
	double sum = 0, in_x = 0, in_y = 0;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = i + 1; j < n; j++) {
			int a = (x[i] > x[j]) - (x[i] < x[j]), b = (y[i] > y[j]) - (y[i] < y[j]);

			sum += a * b;
			in_x += a * a;
			in_y += b * b;
		}
	}
	return in_x > 0 && in_y > 0 ? sum / sqrt(in_x * in_y) : NAN;
}

double friedman(const double *value, size_t blocks, size_t cells, double *rank_sum)
{
	_cleanup_free_ double *rank = calloc(cells + 1, sizeof(*rank)), *sum = calloc(cells + 1, sizeof(*sum));
	double square = 0, ties = 0, mean = (double)(cells + 1) / 2, b = (double)blocks;

	if (!rank || !sum || cells < 2 || !blocks)
		return NAN;
	for (size_t i = 0; i < blocks; i++) {
		ranks(value + i * cells, cells, rank);
		for (size_t j = 0; j < cells; j++) {
			sum[j] += rank[j];
			ties += (rank[j] - mean) * (rank[j] - mean);
		}
	}
	for (size_t j = 0; j < cells; j++) {
		square += (sum[j] - b * mean) * (sum[j] - b * mean);
		if (rank_sum)
			rank_sum[j] = sum[j];
	}
	/* With ties the variance of a block's ranks replaces (k+1)k/12; without ties both are the same. */
	return ties > 0 ? square * (double)(cells - 1) / ties : NAN;
}
