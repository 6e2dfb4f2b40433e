#pragma once
#include <jansson.h>

#include "capture/drain.h"

/* Facts of the recording for the trace's header (docs/iorig-trace.5). The caller's reference. */
json_t *header_make(const struct config *config, const char *const command[], uint64_t start_ns);

/* Counters of the recording for its trailer; why: what ended it ("command", "duration", "signal", "size", "space"). */
json_t *trailer_make(const struct drain *d, const char *why, uint64_t now_ns);

/* Sums over all processors. */
struct totals {
	uint64_t seen[CLASS_MAX], emitted[CLASS_MAX], filtered[CLASS_MAX], dropped[CLASS_MAX];
	uint64_t all_seen, all_emitted, all_filtered, all_dropped;
	uint64_t unpaired, string_faults, truncated, definitions_dropped, tasks_dropped, compat, requests_unknown, requests_early;
};
void totals_read(const struct recorder *r, struct totals *t);
