#pragma once
#include <jansson.h>

#include "capture/drain.h"

/* Facts of the recording for the trace's header (docs/iorig-trace.5). The caller's reference. */
json_t *header_make(const struct config *config, const char *const command[], uint64_t start_ns);

/* Sums over all processors. */
struct totals {
	uint64_t seen[CLASS_MAX], emitted[CLASS_MAX], filtered[CLASS_MAX], dropped[CLASS_MAX];
	uint64_t all_seen, all_emitted, all_filtered, all_dropped;
	uint64_t unpaired, string_faults, truncated, definitions_dropped, tasks_dropped, compat, requests_unknown, requests_early;
};
void totals_read(const struct recorder *r, struct totals *t);

/* All that is counted, by the kernel side and here, since the recording began. */
struct counted {
	struct totals kernel;
	uint64_t filtered_by_path, lost, skipped, requests_early, requests_late, requests_unfinished;
};
void counted_read(struct counted *c, const struct drain *d);
/*
 * While the hooks go on: kernel was read first, then everything was drained that had ended by then. A call that is seen and has gone
 * none of the three ways yet belongs to what comes next.
 */
void counted_between(struct counted *c, const struct totals *kernel, const struct drain *d);

/*
 * Counters for the trailer: from before (of a rotated recording's file, the end of the one before; else zeros) to now. why: what ended
 * it ("command", "duration", "signal", "size", "space", "rotation").
 */
json_t *trailer_make(const struct drain *d, const struct counted *before, const struct counted *now, const char *why, uint64_t now_ns);
