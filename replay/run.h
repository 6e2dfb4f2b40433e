#pragma once
#include "replay/runtime.h"

/* A replay from open handles to the last lane. */

struct run_options {
	enum replay_timing timing;
	enum replay_engine engine;
	bool direct;
	bool temporal; /* one operation after the other */
	bool fills;    /* files of the starting state are made */
	double speed;
};

struct run_result {
	uint64_t elapsed_ns, operations;
	const char *why; /* on failure: what could not be done */
	uint32_t threads;
};

/* Allocates everything that lanes need. 0 or -errno; release in every case. */
int run_init(struct runtime *run, const struct plan *plan, const struct run_options *options, struct totals *totals, int root_fd);
void run_release(struct runtime *run);

/* What an operation costs in the replayer itself: the plan (a slice of a large one) without its system calls, best of some rounds. */
double run_rehearse(struct runtime *run);

/*
 * In the sandbox: opens what was open at the start, in a descriptor table of the lanes; then runs all lanes and closes what the recording
 * left open. 0, -errno, or -EINTR when it was stopped.
 */
int run_open_start(struct runtime *run, struct run_result *result);
int run_lanes(struct runtime *run, struct run_result *result);
