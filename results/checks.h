#pragma once
#include <jansson.h>

#include "results/matrix.h"

/*
 * The sanity checks that are printed beside every result (research/sweep.md section 5): was this a measurement of the storage at all?
 * Each is {"name", "status": "ok"|"WARN"|"FAIL", "text"} with its numbers in the text. A check whose data is not in the documents is
 * left out rather than passed. fio is fio_compare's; borrowed. The caller's reference.
 */
json_t *checks_run(const struct matrix *m, const json_t *fio);

/* For the files that hold groups of checks. */
enum check_status { CHECK_OK, CHECK_WARN, CHECK_FAIL };
void check_add(json_t *checks, const char *name, enum check_status status, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void checks_of_design(const struct matrix *m, json_t *checks);   /* checks_design.c: noise, drift, power, completeness */
void checks_of_storage(const struct matrix *m, json_t *checks);  /* checks_storage.c: device, cache, flushes, members */

/* The smallest, median and largest of f over the runs that count; false when no run has it. */
struct spread { double low, middle, high; int low_seq, high_seq; size_t n; };
bool spread_over_runs(const struct matrix *m, double (*f)(const struct run *), struct spread *spread);
