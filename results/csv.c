/* CSV as RFC 4180 has it: CRLF is not used (every reader takes LF, and diff likes it), one unit a column, in its name. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "results/report.h"

/* Quoted when it must be; a leading = + - @ gets an apostrophe, or a spreadsheet would run it. */
static void field(FILE *out, const char *text, bool last)
{
	_cleanup_free_ char *safe = text_safe(text ? text : "");
	const char *p = safe ? safe : "";
	bool formula = *p && strchr("=+-@", *p), quote = formula || strpbrk(p, ",\" ");

	fputs(quote ? "\"" : "", out);
	fputs(formula ? "'" : "", out);
	for (; *p; p++) {
		if (*p == '"')
			fputc('"', out);
		fputc(*p, out);
	}
	fputs(quote ? "\"" : "", out);
	fputc(last ? '\n' : ',', out);
}

static void number(FILE *out, double value, bool last)
{
	char text[TEXT_MAX];

	fprintf(out, "%s%c", format_plain(text, value), last ? '\n' : ',');
}

static void cell_fields(const struct report *r, FILE *out, const struct cell *c)
{
	const struct sweep *s = r->matrix->sweep;
	char badge[TEXT_MAX];

	field(out, c->id, false);
	field(out, c->label, false);
	field(out, cell_badge(c, badge), false);
	fprintf(out, "%d,", c == &s->cells[s->control]);
}

void report_csv_runs(const struct report *r, FILE *out)
{
	const struct matrix *m = r->matrix;
	const struct sweep *s = m->sweep;

	fputs("seq,cell,label,durability,is_control,block,position,attempts,outcome,reason", out);
	for (size_t k = 0; k < m->nmetrics; k++)
		fprintf(out, ",%s", m->metric[k].name);
	fputc('\n', out);
	for (size_t i = 0; i < s->nruns; i++) {
		const struct run *run = &s->runs[i];

		if (!report_shows(r, &s->cells[run->cell]))
			continue;
		fprintf(out, "%d,", run->seq);
		cell_fields(r, out, &s->cells[run->cell]);
		fprintf(out, "%d,%d,%d,%s,", run->block, run->position, run->attempts, outcome_names[run->outcome]);
		field(out, run->reason, !m->nmetrics);
		for (size_t k = 0; k < m->nmetrics; k++)
			number(out, matrix_value(m, i, k), k + 1 == m->nmetrics);
	}
	/* Cells that were never to run are rows too, without a run. */
	for (size_t c = 0; c < s->ncells; c++) {
		if (s->cells[c].planned || !report_shows(r, &s->cells[c]))
			continue;
		fputc(',', out);
		cell_fields(r, out, &s->cells[c]);
		fprintf(out, ",,,%s,", outcome_names[s->cells[c].outcome]);
		field(out, s->cells[c].reason, !m->nmetrics);
		for (size_t k = 0; k < m->nmetrics; k++)
			fputc(k + 1 == m->nmetrics ? '\n' : ',', out);
	}
}

void report_csv_summary(const struct report *r, FILE *out)
{
	const struct matrix *m = r->matrix;
	const struct sweep *s = m->sweep;

	fputs("cell,label,durability,is_control,recommended,outcome,reason,metric,unit,n,median,lo,hi,is_interval,ratio,ratio_lo,ratio_hi,p,p_holm,"
	      "p_mann_whitney_holm,merged,verdict\n", out);
	for (size_t c = 0; c < s->ncells; c++) {
		const struct cell *cell = &s->cells[c];

		for (size_t k = 0; report_shows(r, cell) && k < m->nmetrics; k++) {
			const struct estimate *e = matrix_at(m, c, k);

			/* A cell without any number is one row, under the primary metric. */
			if (!e->n && (cell->ok || k != m->primary))
				continue;
			cell_fields(r, out, cell);
			fprintf(out, "%d,%s,", (int)c == m->recommended, outcome_names[cell->outcome]);
			field(out, cell->reason, false);
			fprintf(out, "%s,%s,%zu,", m->metric[k].name, unit_names[m->metric[k].unit], e->n);
			number(out, e->median.median, false);
			number(out, e->median.low, false);
			number(out, e->median.high, false);
			fprintf(out, "%d,", e->median.is_interval);
			number(out, c == s->control && e->n ? 1 : e->contrast.ratio, false);
			number(out, e->contrast.low, false);
			number(out, e->contrast.high, false);
			number(out, e->contrast.p, false);
			number(out, e->p_holm, false);
			number(out, e->p_rank_holm, false);
			number(out, e->merged, false);
			field(out, verdict_names[e->verdict], true);
		}
	}
}
