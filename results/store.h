#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/hist.h"

/*
 * A sweep directory, read (docs/architecture.md). Works on unfinished and killed sweeps: every planned cell is there with its outcome
 * and reason, and a run counts only when its journal says `done`, its run.json is readable and is the file the journal vouched for,
 * and its apply.json does not say otherwise. Nothing is written.
 *
 *	struct sweep sweep;
 *	char *why = NULL;
 *	if (sweep_open(&sweep, dir, &why)) { say("%s", why); free(why); }
 *	...
 *	sweep_release(&sweep);
 */
enum outcome { OUTCOME_OK, OUTCOME_FAILED, OUTCOME_NOT_APPLIED, OUTCOME_UNSUPPORTED, OUTCOME_REFUSED, OUTCOME_CRASHED, OUTCOME_PENDING };
extern const char *const outcome_names[];

struct run {
	int seq, block, position, attempts;
	unsigned cell;       /* index into sweep.cells */
	unsigned block_index; /* 0.. in order of first appearance in the plan */
	enum outcome outcome; /* OK: it counts */
	char *reason;        /* why not OK, NULL when OK */
	const char *started; /* ISO time of the terminal journal line or NULL; borrowed */
	json_t *doc;         /* run.json, NULL unless readable */
	json_t *apply;       /* apply.json or NULL */
};

struct cell {
	const char *id, *label, *durability; /* borrowed from the plan */
	json_t *set, *settings;              /* borrowed; may be NULL */
	bool single_device;                  /* flag D4 */
	enum outcome outcome;
	char *reason;                        /* also beside OK, when some of its runs failed */
	unsigned planned, ok, over;          /* runs: planned, counted, with a terminal event */
};

struct sweep {
	char *dir;
	json_t *plan, *input, *box; /* plan.json; sweep.json and box.json or NULL */
	json_t *journal;            /* array of the readable lines */
	struct cell *cells;
	size_t ncells;
	struct run *runs;           /* in the order of the plan */
	size_t nruns;
	unsigned control;           /* index of the control cell */
	size_t nblocks;
	bool complete;              /* the journal says so */
	json_t *warnings;           /* array of strings: what was wrong in the directory */
};

/* 0 or -1 with *why, one line, the caller's to free. Only plan.json has to be there. */
int sweep_open(struct sweep *s, const char *dir, char **why);
/* The same for the directory of a single run (run.json), as a sweep of one cell and one run. */
int sweep_open_run(struct sweep *s, const char *dir, char **why);
void sweep_release(struct sweep *s);

/* How a run did its reads and writes: "traced", or the what-if that it was ("uring", "traced --direct"). Static text. */
const char *run_engine(const struct run *run);

/* A file of a run, parsed; NULL when there is none or it is broken. name: "run.hist", "fio-x.json". The caller's reference. */
json_t *sweep_run_file(const struct sweep *s, const struct run *run, const char *name);

/* Adds a sparse [[bucket,count],...] array to h. False when a bucket or count is out of range: then h is incomplete. */
bool hist_add_sparse(struct hist *h, const json_t *pairs);

/*
 * How much may be lost, as a number to compare by: D0 = 0, D1:Ns = 1 + N/(N+1e6), D1 and D1:unbounded just below D2 = 2, D3 = 3; -1 when
 * it is no class. A flag behind it ("+D4") does not count here.
 */
double durability_rank(const char *durability);
