#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/hist.h"
#include "replay/plan.h"

/* What lanes measure: each for itself without locks, added to the totals at the end of a lane and of each time bin. */

enum {
	CELL_BITS = 3,
	CELL_BUCKETS = (65 - CELL_BITS) << CELL_BITS,
	CELL_BINS = 512,            /* when they are full, two become one */
	CELL_FLUSH_NS = 500000000,  /* lanes tell at least so often what they measured */
	SLOWEST = 16,               /* exemplars kept per lane */
	TYPICAL = 256,              /* and one per class, octave and window, at most so many per lane */
	DIFFERENCES = 20,
};
#define CELL_BIN_NS 10000000ULL
#define EXEMPLAR_WINDOW_NS 30000000000ULL

struct exemplar {
	uint64_t t_ns, latency_ns, op_index, length, offset;
	uint32_t lane, path;
	uint8_t op;
};

struct pauses { /* between operations, with think */
	uint64_t n, recorded_ns;
	uint64_t recorder_ns; /* of it the recorder's, which was left out */
	uint64_t repaid_ns;   /* left out for what the replayer itself took, and for timers that woke late */
};

struct lane_stats {
	size_t block_bytes; /* of the mapping that all of it lies in */
	struct hist *latency[TRACE_CLASS_COUNT]; /* allocated for the classes of the lane */
	uint32_t (*cell)[CELL_BUCKETS];          /* of the current time bin, by class */
	uint64_t bytes[TRACE_CLASS_COUNT], errors[TRACE_CLASS_COUNT], mismatches[TRACE_CLASS_COUNT];
	uint64_t bin_end_ns;                     /* since the start */
	struct hist *lateness, *service;         /* schedule and think only */
	struct pauses pauses;
	uint64_t worst_late_ns;                  /* since the last time bin */
	uint64_t last_due_ns, last_late_ns;      /* the last operation: when it should have begun, since the start; how late it was */
	struct exemplar slowest[SLOWEST], *typical;
	uint32_t slowest_n, typical_n;
	uint64_t slowest_floor_ns;
	uint32_t window;                             /* of the current time bin, + 1 */
	uint32_t seen_window[TRACE_CLASS_COUNT][64]; /* the window in which an exemplar of that octave was taken */
};

struct difference {
	uint64_t event;
	uint32_t thread, path;
	int64_t got, wanted;
	uint16_t expect;
	uint8_t op;
};

struct totals {
	pthread_mutex_t lock;
	struct hist *latency[TRACE_CLASS_COUNT];
	struct hist *lateness, *service;
	struct pauses pauses;
	uint64_t bytes[TRACE_CLASS_COUNT], errors[TRACE_CLASS_COUNT], mismatches[TRACE_CLASS_COUNT];
	uint64_t *cell[TRACE_CLASS_COUNT]; /* [CELL_BINS][CELL_BUCKETS] */
	uint64_t bin_ns;
	uint32_t bins;
	uint64_t recent[CELL_BUCKETS], recent_late_ns; /* since totals_recent */
	uint64_t last_due_ns, last_late_ns;            /* of the operation that was due last */
	struct exemplar *exemplar;
	size_t exemplars, exemplars_room;
	struct difference difference[DIFFERENCES];
	uint32_t differences;
	_Atomic uint64_t mismatched; /* differences found so far */
};

int totals_init(struct totals *t);
void totals_release(struct totals *t);
/* NULL when memory is short. */
struct lane_stats *lane_stats_new(uint32_t classes, bool paced);
/* Before the first operation; until then it takes no memory. */
void lane_stats_begin(struct lane_stats *s);
void lane_stats_free(struct lane_stats *s);
/* The time bin is over: adds its cells. now_ns: since the start. */
void totals_add_cells(struct totals *t, struct lane_stats *s, uint32_t classes, uint64_t now_ns);
void totals_add_lane(struct totals *t, struct lane_stats *s, uint32_t classes);
/* 99th percentile of the latencies and the worst lateness since the last call. Any thread. */
void totals_recent(struct totals *t, uint64_t *p99_ns, uint64_t *late_ns);
void totals_add_difference(struct totals *t, const struct difference *d);
/* An operation that is slower than all or the first of its kind lately. */
void lane_stats_exemplar(struct lane_stats *s, const struct exemplar *e, uint8_t class);

static inline void lane_stats_record(struct lane_stats *s, uint8_t class, uint64_t latency_ns)
{
	hist_record(s->latency[class], latency_ns);
	s->cell[class][hist_index(latency_ns, CELL_BITS)]++;
}

/* Worth a look by lane_stats_exemplar? */
static inline bool lane_stats_remarkable(const struct lane_stats *s, uint8_t class, uint64_t latency_ns)
{
	return latency_ns > s->slowest_floor_ns || s->seen_window[class][63 - __builtin_clzll(latency_ns | 1)] != s->window;
}
