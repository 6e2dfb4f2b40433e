#pragma once
#include "lib/sha256.h"
#include "replay/cache.h"
#include "replay/document.h"
#include "replay/golden.h"
#include "replay/run.h"
#include "replay/sandbox.h"
#include "replay/state.h"

/* What the phases of `iorig replay` share (replay.c, planning.c, prepare.c). */

struct replay_options {
	const char *root, *timing, *order, *engine, *cache, *out, *plan_cache;
	double speed, max_mismatch;
	bool plan_only, prepare_only, prepared, reset, golden, clean, json, direct;
};

struct session {
	struct replay_options opt;
	const char *trace;
	char sha256[SHA256_HEX];
	int root_fd;
	struct plan plan;
	struct totals totals;
	struct runtime run;
	struct run_result result;
	struct state_work state;
	struct golden golden;
	struct tree_result tree;
	struct run_report report;
	struct system_disks disks;
	uint64_t peak_dirty_bytes;
	struct system_memory memory;
	bool plan_was_cached;
	double resident_ratio;
	enum replay_cache cache;
	enum replay_timing timing;
	enum order_mode order;
	enum replay_engine engine;
};

/* Runs a phase in the sandbox and shows how far it is. done: bytes so far, may be NULL. */
int session_in_sandbox(struct session *s, int (*function)(void *), const char *what, uint64_t total, const _Atomic uint64_t *done);
/* Says that a signal ended it. An exit code. */
int session_interrupted(void);

/* The plan of the trace. An exit code; the one line was printed. */
int session_plan(struct session *s);
/* Prints what a replay of it will do and need. */
int session_show_plan(struct session *s);

/* Makes (unless it is there) and verifies the starting state, writes it back. An exit code; the one line was printed. */
int session_prepare(struct session *s);
/* Brings the page cache into the wanted state and measures it. */
int session_set_cache(struct session *s);
