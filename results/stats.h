#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * Statistics over runs. The unit of replication is the run, never the single I/O. Everything is exact or distribution-free except
 * the pooled block model (blocks.h). No function prints or keeps state; all are safe from several threads.
 */

/* The median; x is left as it was. NAN when n is 0. */
double median(const double *x, size_t n);

/*
 * An interval for the median from order statistics, free of any distribution: the x of rank r and n+1-r, with the largest r whose
 * coverage is at least 95 %. That needs n >= 6. Below, low and high are merely the smallest and largest value seen, and is_interval
 * is false. Percentile bootstrap is avoided on purpose: at n = 3..10 it covers 50 to 89 % for "95 %".
 */
struct median_interval {
	double median, low, high;
	double coverage;  /* of an interval; 0 of a range */
	bool is_interval;
};
struct median_interval median_interval(const double *x, size_t n);
/* The rank r above (1-based), 0 when n < 6. */
unsigned median_interval_rank(unsigned n);

/*
 * Two-sided Mann-Whitney test of a against b, from the exact permutation distribution of the rank sum, also with ties (mid-ranks).
 * p = P(|rank sum - its mean| >= the observed). 1 when a side is empty; the normal
 * approximation where the exact table would take over 3e7 steps (about 70 values on each side).
 */
double mann_whitney(const double *a, size_t na, const double *b, size_t nb);

/* Two-sided exact sign-flip test that the differences centre on 0; beyond n = 20 the t-like normal approximation of it. */
double sign_flip(const double *difference, size_t n);

/* Holm's step-down: adjusted[i] >= p[i], NAN stays NAN and does not count as a comparison. In place allowed. */
void holm(const double *p, double *adjusted, size_t n);

/* The runs per cell from which on a rank test can reach `alpha` with m comparisons: the smallest n with 2/C(2n,n) <= alpha/m. */
unsigned rank_test_runs_needed(unsigned comparisons, double alpha);

/* Kendall's tau-b (ties count for neither side). NAN when one side is constant or n < 2. */
double kendall_tau(const double *x, const double *y, size_t n);

/* Friedman's chi square over blocks x cells (row-major, no gaps); rank_sum has `cells` entries and may be NULL. */
double friedman(const double *value, size_t blocks, size_t cells, double *rank_sum);

/* Mid-ranks 1..n of x. */
void ranks(const double *x, size_t n, double *rank);
