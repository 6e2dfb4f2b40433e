#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "results/blocks.h"
#include "results/metrics.h"
#include "results/stats.h"
#include "results/store.h"

/*
 * The analysis of a sweep: for every cell and metric the median over runs with its interval, the block-paired ratio to the control
 * with its interval and Holm-adjusted p, and a verdict in words. Then the recommendation, which never leaves the allowed durability
 * class. Pure: reads the sweep, prints nothing.
 */
enum verdict { VERDICT_NONE, VERDICT_BETTER, VERDICT_WORSE, VERDICT_SAME, VERDICT_UNDECIDED };
extern const char *const verdict_names[]; /* VERDICT_NONE (the control, or no number at all) is NULL */

struct estimate {
	size_t n;
	struct median_interval median; /* over runs */
	struct contrast contrast;
	double p_holm;                 /* of the block model, over the cells compared in this metric */
	double p_rank, p_rank_holm;    /* exact Mann-Whitney against the control's runs */
	double merged;                 /* latencies: the percentile of all runs' histograms merged; else NAN */
	bool shown;                    /* a difference is shown (p_holm <= 0.05): reports print the percentage, else "~" */
	bool outliers;                 /* the sign-flip test could have agreed and does not: "depends on outliers" */
	enum verdict verdict;
	unsigned blocks_to_decide;     /* undecided: blocks after which it probably would be; 0 unknown */
};

struct metric_fit {
	unsigned comparisons;
	size_t blocks;
	double df, noise_ratio;        /* residual sd of ln: 0.01 is 1 % */
	double mde_ratio;              /* smallest detectable effect of a typical cell, 80 % power, before Holm */
	double f, p;
	double friedman;               /* chi square over complete blocks, NAN when there are none */
};

struct matrix {
	const struct sweep *sweep;
	struct metric *metric;
	size_t nmetrics, primary;
	double *value;                 /* nruns x nmetrics; NAN for runs that do not count */
	struct estimate *estimate;     /* ncells x nmetrics */
	struct metric_fit *fit;        /* nmetrics */
	double min_effect_ratio;       /* below it a difference does not matter: 0.02 */
	const char *max_durability;    /* the allowed class */
	bool max_from_sweep;           /* said by the sweep or the command line, not assumed */
	bool *best;                    /* per cell: allowed, and not to be told from the fastest allowed one (primary, after Holm) */
	int recommended;               /* cell index; the control's when nothing is shown to be better; -1 without a control */
	int fastest_unsafe;            /* better than the recommended one, outside the allowed class; -1 none */
};

/* metric: the primary one by name, NULL as the plan says; max_durability NULL as the sweep says. 0 or -1 with *why. */
int matrix_build(struct matrix *m, const struct sweep *s, const char *metric, const char *max_durability, char **why);
void matrix_release(struct matrix *m);

static inline const struct estimate *matrix_at(const struct matrix *m, size_t cell, size_t metric)
{
	return &m->estimate[cell * m->nmetrics + metric];
}
static inline double matrix_value(const struct matrix *m, size_t run, size_t metric)
{
	return m->value[run * m->nmetrics + metric];
}
/*
 * Whether the cell's durability is within the allowed class: its rank is not above it, and one failing device loses data (D4) only
 * where that is so for the control too or the allowed class says "D4" ("D1:30s+D4").
 */
bool cell_allowed(const struct matrix *m, const struct cell *c);

/* Whether two cells are shown to differ in the primary metric; adjusted by Bonferroni, as the two were picked after the fact. */
bool matrix_differ(const struct matrix *m, size_t a, size_t b);

/* Cell indices, best first by the metric; cells without a number last, in the order of the plan. Caller frees. */
size_t *matrix_order(const struct matrix *m, size_t metric);

/* Fills best, recommended and fastest_unsafe (recommend.c; matrix_build calls it). */
int matrix_recommend(struct matrix *m);

/* What the cell puts at risk, in words; and as a badge: "D0", "D1:30s", "D0+D4" (TEXT_MAX bytes, safe to print). */
const char *cell_risk(const struct matrix *m, const struct cell *c);
char *cell_badge(const struct cell *c, char *to);
