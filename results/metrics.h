#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "results/store.h"
#include "results/text.h"

/* What is measured: one number a run, taken from its run document. The name carries the unit: "elapsed_s", "fsync_p99_ns". */
struct metric {
	char name[48], title[32];  /* title: as a column says it, "fsync p99" */
	enum unit unit;
	bool higher_is_better;
	double floor_sd;           /* resolution, as a standard deviation of ln: a histogram bucket is up to 1/64 wide */
	const char *class_name;    /* latency metrics: "all", "fsync", ...; else NULL */
	double quantile;           /* latency metrics: 0.99; 1 is the maximum */
};

/*
 * The metrics that occur in the sweep's counted runs: the whole-run ones always, the latencies per operation class where any run has
 * that class. The caller frees. Order is fixed: the reports follow it.
 */
struct metric *metrics_of(const struct sweep *s, size_t *n);

/* The metric of a run; NAN when its document does not have it. */
double metric_value(const struct metric *m, const struct run *run);

/* Finds by name; also without the unit ("p99", "fsync_p99"). -1 when there is none. */
int metric_find(const struct metric *m, size_t n, const char *name);

/* A counter of /proc/diskstats ("write_bytes") summed over the disks at the bottom: md, dm and bcache on top would count twice. */
double disk_sum(const struct run *run, const char *counter);
bool disk_is_leaf(const struct run *run, const char *name);
