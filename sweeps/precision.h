#pragma once
#include <jansson.h>

#include "sweeps/journal.h"

/*
 * The widest 95 % interval among the cells, as half its width relative to the control: ratios to the control's mean of the same block, on
 * the log scale, Student's t over blocks (research: sweep.md 4.2). Stopping looks at the width only, never at who wins, so that it does
 * not favour anybody. HUGE_VAL while a cell with numbers has fewer than two blocks.
 */
double precision_halfwidth(const json_t *plan, const struct journal *j);

/* Student's t, two-sided 95 %, for df >= 1. */
double precision_t975(int64_t df);

/*
 * The smallest difference, as a ratio minus 1, that a design finds 8 times in 10 when a run scatters by noise (0.02: 2 %): pooled block model
 * of `cells` cells in `blocks` blocks, each against the control, Bonferroni's bound for `comparisons` (research: sweep.md 4.2). HUGE_VAL for
 * a design without degrees of freedom.
 */
double precision_detectable(int64_t blocks, int64_t cells, int64_t comparisons, double noise);
