#pragma once
#include <jansson.h>

#include "replay/cache.h"
#include "replay/order.h"
#include "replay/run.h"
#include "replay/state.h"
#include "replay/stats.h"
#include "replay/system.h"

/* run.json and run.hist: docs/iorig-run.5. */
struct run_report {
	const struct plan *plan;
	const struct totals *totals;
	const struct run_result *run;
	const struct runtime *runtime;
	const struct tree_result *tree;
	const char *trace_file, *trace_sha256, *reason;
	char started[32];
	const char *timing, *order, *engine, *cache;
	const char *start; /* how the starting state was made */
	bool golden;       /* there is a golden copy, whose blocks the files share */
	double speed, max_mismatch_percent, resident_ratio, ns_per_op, cpu_s;
	uint64_t sync_ns, prepare_ns, compile_ns;
	struct system_memory memory;
	json_t *system; /* borrowed */
};

json_t *run_document(const struct run_report *r);
json_t *run_histograms(const struct run_report *r);
/* Against pauses or a schedule; there must have been one. */
bool run_kept_up(const struct totals *t);
uint64_t run_compared(const struct run_report *r);
