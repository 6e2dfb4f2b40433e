#pragma once
#include "lib/hist.h"
#include "trace/trace.h"

/* One pass over a trace, for `info` and `stat`. */
struct summary_op {
	uint64_t count, bytes, errors;
	struct hist *latency; /* of events that have a duration; NULL as long as there is none */
};

struct summary_file {
	uint64_t events, bytes_read, bytes_written, nanoseconds;
};

struct summary {
	uint64_t events, wakes, residencies, contents, holes, descriptors, files, threads, lanes, processes;
	uint64_t lost, lost_by_cause[TRACE_LOSS_OTHER + 1];
	uint64_t first_ns, last_ns; /* begin of the first event, end of the last */
	uint64_t bytes_read, bytes_written;
	struct summary_op op[TRACE_OP_MAX];
	struct summary_file *file; /* by id */
	uint32_t file_room;
	uint8_t *lane; /* by thread id: has events */
	uint32_t lane_room;
};

/* Reads r to its end. 0 or -ENOMEM; how reading ended is the reader's error. Release in both cases. */
int summary_read(struct summary *s, struct trace_reader *r);
void summary_release(struct summary *s);
uint64_t summary_duration_ns(const struct summary *s);
/* Data that an event moved: its result when it reads, writes or copies, else 0. */
uint64_t summary_event_bytes(const struct trace_event *e);
/* Adds b to a; both may have no histogram. 0 or -ENOMEM. */
int summary_merge_op(struct summary_op *a, const struct summary_op *b);
