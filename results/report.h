#pragma once
#include <jansson.h>
#include <stdio.h>

#include "results/matrix.h"

/* What all renderers get. They only read it and only write to `out`. */
struct report {
	const struct matrix *matrix;
	const json_t *document;  /* matrix_document() */
	const json_t *checks, *fio;
	size_t sort;             /* metric to order the rows by */
	const char *max_risk;    /* hide cells above it; NULL shows all */
	unsigned width;          /* columns; 0: as wide as it gets */
	bool colour, utf8;
};

void report_term(const struct report *r, FILE *out);
void report_markdown(const struct report *r, FILE *out);
void report_csv_runs(const struct report *r, FILE *out);     /* one row a run and cell without a run: the long form */
void report_csv_summary(const struct report *r, FILE *out);  /* one row a cell and metric */
void report_json(const struct report *r, FILE *out);
int report_html(const struct report *r, FILE *out);          /* 0 or -1 when out of memory */

/* Whether the row is listed, or only named as hidden by --max-risk. */
bool report_shows(const struct report *r, const struct cell *c);

/* The one-line verdict of the sweep, without colour, and the line on the faster unsafe cell or NULL. The caller frees. */
char *report_verdict(const struct report *r);
char *report_unsafe(const struct report *r);
/* How far the median may be off, in percent of it: "±2.1%" of an interval, "(2.1%)" of a mere range, "" of a single run. Into `to`. */
char *report_spread(const struct report *r, const struct estimate *e, char *to);
/* Sentences under the table: what "~" is, ranges in place of intervals, and so on. n is set. Caller frees the array, not the texts. */
const char **report_footnotes(const struct report *r, size_t *n);

/* The metrics that the tables show beside the primary, best first, ends with -1. */
size_t report_columns(const struct report *r, int *metric, size_t most);
