#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * The block model: ln(metric) = block + cell + error, by least squares over whatever runs exist (a killed sweep leaves gaps), with
 * one residual variance pooled over the cells. Pooling is what makes three blocks useful; the block term is what keeps a box that
 * drifts over the night from crowning whoever ran at the right hour.
 *
 *	struct block_fit *fit = block_fit(obs, n, blocks, cells, control, floor_sd);
 *	struct contrast c = block_contrast(fit, cell);
 *	block_fit_free(fit);
 */
struct observation {
	unsigned block, cell; /* indices */
	double log_value;     /* several of one cell in one block (the control) are averaged: one observation of the model */
};

struct block_fit {
	size_t blocks, cells; /* as given */
	unsigned control;
	size_t used_blocks, used_cells, used;  /* in the connected part that contains the control */
	double ss_block, ss_cell, ss_error;    /* ss_cell and f are what the cells add over the blocks alone */
	double df, mse, residual_sd;           /* df may be 0: then mse is NAN and nothing is decided */
	double f, p;                           /* do the cells differ at all? */
	double floor_sd;                       /* the metric's own resolution (histogram buckets); mse is never below its square */
	struct cell_fit *cell;
	double *mean;                          /* blocks x cells, NAN where nothing ran */
	double *block_of_cell, *reduced;       /* the solved system, for the variances of contrasts */
};

struct cell_fit {
	unsigned n;          /* blocks in which it ran */
	double effect;       /* ln, up to a common constant; NAN when not connected with the control */
	double spread;       /* mean absolute residual */
	bool noisy;          /* its spread is over 4 times that of the median cell: kept out of the pool, judged by its own pairs */
};

/* A cell against the control. All NAN when it cannot be estimated. Ratios: below 1 is a smaller metric. */
struct contrast {
	double ratio, low, high;   /* exp of the difference, 95 % interval */
	double t, df, p;
	double mde_ratio;          /* smallest relative difference found with 80 % power: 0.03 is 3 % */
	double p_flip;             /* exact sign flip over the paired differences; NAN without pairs */
	unsigned pairs;            /* blocks with both */
	bool paired;               /* by its own pairs instead of the pool */
};

/* NULL when out of memory. Takes nothing over. */
struct block_fit *block_fit(const struct observation *obs, size_t n, size_t blocks, size_t cells, unsigned control, double floor_sd);
struct contrast block_contrast(const struct block_fit *fit, unsigned cell);
void block_fit_free(struct block_fit *fit);
