#pragma once
#include <jansson.h>
#include <stdint.h>

#include "sweeps/expand.h"
#include "sweeps/file.h"

/*
 * The plan: which cell runs when, frozen before the first run (plan.json, iorig-sweepdir.5). Randomised complete blocks: every block runs
 * every planned cell once in an order of its own, and the control again after every control_every runs, so that drift of the
 * machine falls on all cells alike. The order depends on the seed and the cells only: it is the same on every machine.
 */
json_t *plan_make(const struct sweep *sweep, const struct cells *cells, const char *sweep_sha256);

/* The text that plan.json holds; its sha256 is what the journal's first line promises. The caller frees it. */
char *plan_text(const json_t *plan);

/* Is it a plan whose runs all name a cell of it, numbered 1, 2, 3, ...? 0 or -EINVAL with *why. */
int plan_check(const json_t *plan, char **why);

/* Cell and run by id and number; borrowed, NULL when there is none. */
const json_t *plan_cell(const json_t *plan, const char *id);
const json_t *plan_run(const json_t *plan, int64_t seq);
int64_t plan_runs(const json_t *plan);
/* "scheduler=bfq", the label of a cell. Borrowed. */
const char *plan_label(const json_t *plan, const char *id);

/* ---- what the plan can achieve and costs ------------------------------------------------------------------------------------------ */

/* The smallest two-sided p of an exact rank test of n runs against n: 2 / C(2n, n). */
double plan_smallest_p(int64_t n);
/* The fewest blocks with which one of m comparisons can be significant at 0.05 after Holm's correction. */
int64_t plan_blocks_needed(int64_t m);

struct plan_estimate {
	double trace_s;  /* what the recording took; < 0: unknown */
	double events;   /* < 0: unknown */
	double lost;     /* events that the recording lost */
	double run_s, total_s;
	double disk_bytes; /* of loop files, when they are full */
};
/* Asks `iorig trace info` about the recording. 0, or -errno with *why when the trace is not readable. */
int plan_estimate(const struct sweep *sweep, const json_t *plan, struct plan_estimate *e, char **why);

/* For people, on stdout; and the same as "estimate" and "conclusion" of a document. */
void plan_print(const struct sweep *sweep, const struct cells *cells, const json_t *plan, const struct plan_estimate *e);
void plan_add_estimate(json_t *plan, const struct plan_estimate *e);
