#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/sha256.h"
#include "profiles/knobs.h"

/*
 * The sweep file (docs/iorig-sweep.5): what is asked, on which trace, which disks, and how often. Reading it checks every key, every
 * value and every knob, and resolves the base profile; what it holds afterwards can be trusted.
 */
struct sweep {
	json_t *doc;  /* the document; freeze it with sweepfile_frozen */
	json_t *base; /* resolved settings of the base profile with the sweep's own "set" on top */
	json_t *needs; /* of the base profile, for profile_needs; may be NULL */
	char *trace;  /* absolute name of the trace */
	char trace_sha256[SHA256_HEX];
	const char *name, *question, *primary; /* borrowed from doc; question may be NULL */
	struct durability durability_max;
	struct sweep_plan {
		int64_t blocks_min, blocks_max, control_every, seed, retries;
		double budget_s;     /* 0: none */
		double ci_halfwidth; /* stop when every cell's interval is that narrow; 0: no such rule */
		int64_t confirm_top, confirm_blocks;
		bool warmup;         /* a throwaway run of the control when a runner begins */
	} plan;
	struct sweep_replay {
		const char *timing, *order, *cache, *engine; /* borrowed; never NULL */
		bool direct;
		bool golden;                        /* what is reset is cloned where blocks can be shared */
		int64_t passes;                     /* replays of a run, with a reset in between */
		double max_mismatch_percent;        /* < 0: the replayer's own limit */
		double timeout_s;                   /* 0: from the runs so far */
	} replay;
	struct sweep_fio {
		json_t *jobs; /* array of names, borrowed; may be NULL */
		bool cells, raw;
		int64_t blocks;     /* in the first that many blocks */
		double runtime_s;
		int64_t size_mib;
	} fio;
};

/*
 * Reads path. trace (may be NULL) replaces the file's own trace; with it, and in a sweep file that says no sha256, the trace is named
 * by what it holds now. 0, or -errno with one line in *why that names the file and the key; the caller frees it.
 */
int sweepfile_read(const char *path, const char *trace, const struct knobs *knobs, struct sweep *sweep, char **why);
void sweepfile_release(struct sweep *sweep);

/* A new document: as given, with the trace's absolute name and sha256 and the resolved base in it, so that it needs nothing else. */
json_t *sweepfile_frozen(const struct sweep *sweep);
