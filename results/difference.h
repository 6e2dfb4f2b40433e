#pragma once
#include "results/matrix.h"

/*
 * Two sweeps of the same trace, cell by cell. Direct: the logarithms of the runs of both, unpaired (Welch), which takes in everything
 * that differs between the two: night, kernel, box. Through the control: the ratio of the two ratios to the own control, which takes
 * that out again. One run on each side has a ratio and no test.
 */
struct difference {
	size_t n_a, n_b;
	double median_a, median_b;
	double ratio, low, high, p, p_holm;   /* B / A, direct */
	double through, through_low, through_high, through_p, through_p_holm; /* NAN for the control */
	enum verdict verdict;                 /* of the direct ratio, from A's point of view: better means that B is */
};

struct pairing {
	size_t a, b; /* cell indices: the same settings */
};

/* Cells with the same settings (or, where a plan has none, the same id). n is set. Caller frees. */
struct pairing *pair_cells(const struct sweep *a, const struct sweep *b, size_t *n);

/* One metric over all pairs; metric_a and metric_b are its indices. Caller frees. NULL when out of memory. */
struct difference *differences(const struct matrix *a, size_t metric_a, const struct matrix *b, size_t metric_b, const struct pairing *pair, size_t n);
