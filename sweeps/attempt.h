#pragma once
#include "sweeps/session.h"

/*
 * One attempt at one run of the plan, every step journalled: armed - settings applied and read back - applied - starting state made -
 * prepared - settled, cold - running - replayed - settings still true - fio - everything undone - done.
 */
enum attempt_outcome {
	ATTEMPT_DONE,   /* it counts */
	ATTEMPT_OVER,   /* over without a number: failed, not-applied or unsupported; the journal has the reason */
	ATTEMPT_BROKEN, /* this machine or the directory cannot go on; the reason was printed */
	ATTEMPT_ABORTED /* a second request to stop: undone, nothing counted */
};

struct attempt_result {
	enum attempt_outcome outcome;
	double elapsed_s;    /* when done */
	const char *ev;      /* the terminal event */
	char reason[400];    /* when over */
};

/*
 * number: 1 for the first attempt at this run. timeout_s: for the replay. ATTEMPT_WARMUP: the same work without fio, journalled as one
 * `warmup` line, leaving no folder and no number.
 */
#define ATTEMPT_WARMUP 0
struct attempt_result attempt_run(struct session *s, const json_t *run, int64_t number, double timeout_s);
