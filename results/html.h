#pragma once
#include <jansson.h>
#include <stddef.h>

#include "results/report.h"

/*
 * What the page draws beside the matrix document: every run's whole-run histogram, the time x latency maps of the profiles that
 * matter (control, recommended, the fastest unsafe, then the best), merged histograms, settings as they were read back. NULL when out
 * of memory; the caller's reference.
 */
json_t *html_data(const struct report *r);

/* n bytes as base64; the caller frees. */
char *base64(const void *data, size_t n);
