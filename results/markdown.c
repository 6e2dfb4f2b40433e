/* The report as GitHub-flavoured markdown: one table, badges as words, details folded; pastes into a ticket as it is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "results/report.h"

/* Text that stays text: what markdown or HTML would take as markup is escaped. */
static void put(FILE *out, const char *text)
{
	_cleanup_free_ char *safe = text_safe(text ? text : "");

	for (const char *p = safe ? safe : ""; *p; p++) {
		if (*p == '<')
			fputs("&lt;", out);
		else if (*p == '&')
			fputs("&amp;", out);
		else if (strchr("|*_`\\[]~", *p))
			fprintf(out, "\\%c", *p);
		else
			fputc(*p, out);
	}
}

static void change(const struct report *r, FILE *out, size_t cell, size_t metric)
{
	const struct estimate *e = matrix_at(r->matrix, cell, metric);
	char text[TEXT_MAX];

	if (cell == r->matrix->sweep->control || !e->n)
		return;
	fprintf(out, " %s", e->shown ? format_percent(text, e->contrast.ratio) : "\\~");
}

static void number_cells(const struct report *r, FILE *out, size_t cell, const int *metric, size_t columns)
{
	const struct matrix *m = r->matrix;
	const struct estimate *e = matrix_at(m, cell, m->primary);
	char value[TEXT_MAX], low[TEXT_MAX], high[TEXT_MAX], ratio[TEXT_MAX];

	fprintf(out, " %s %s | ", format_value(value, e->median.median, m->metric[m->primary].unit), report_spread(r, e, low));
	if (cell == m->sweep->control)
		fputs("| control |", out);
	else if (isfinite(e->contrast.low))
		fprintf(out, "%s [%s, %s] | %s%s%s |", format_percent(ratio, e->contrast.ratio), format_percent(low, e->contrast.low),
			format_percent(high, e->contrast.high), verdict_names[e->verdict], e->outliers ? " ?" : "", e->contrast.paired ? " ^" : "");
	else
		fprintf(out, "(%s) | %s |", format_percent(ratio, e->contrast.ratio), verdict_names[e->verdict] ? verdict_names[e->verdict] : "-");
	for (size_t i = 0; i < columns; i++) {
		fprintf(out, " %s", format_value(value, matrix_at(m, cell, (size_t)metric[i])->median.median, m->metric[metric[i]].unit));
		change(r, out, cell, (size_t)metric[i]);
		fputs(" |", out);
	}
}

static void row(const struct report *r, FILE *out, size_t cell, const int *metric, size_t columns)
{
	const struct matrix *m = r->matrix;
	const struct cell *c = &m->sweep->cells[cell];
	char badge[TEXT_MAX];
	bool chosen = (int)cell == m->recommended;

	fprintf(out, "| %s", chosen ? "**" : "");
	put(out, c->label);
	fprintf(out, "%s | %s |", chosen ? "** (recommended)" : m->best[cell] ? " (equal)" : "", cell_badge(c, badge));
	if (matrix_at(m, cell, m->primary)->n) {
		number_cells(r, out, cell, metric, columns);
	} else {
		fprintf(out, " %s | ", outcome_names[c->outcome]);
		put(out, c->reason);
		fputs(" | |", out);
		for (size_t i = 0; i < columns; i++)
			fputs(" |", out);
	}
	fprintf(out, " %u/%u |\n", c->ok, c->planned);
}

static void table(const struct report *r, FILE *out)
{
	const struct matrix *m = r->matrix;
	_cleanup_free_ size_t *order = matrix_order(m, r->sort);
	int metric[4];
	size_t columns = report_columns(r, metric, 4);

	fprintf(out, "| cell | risk | %s | against the control [95%%] | verdict |", m->metric[m->primary].title);
	for (size_t i = 0; i < columns; i++)
		fprintf(out, " %s |", m->metric[metric[i]].title);
	fputs(" runs |\n|---|---|--:|---|---|", out);
	for (size_t i = 0; i < columns; i++)
		fputs("--:|", out);
	fputs("--:|\n", out);
	for (size_t i = 0; order && i < m->sweep->ncells; i++)
		if (report_shows(r, &m->sweep->cells[order[i]]))
			row(r, out, order[i], metric, columns);
}

static void reasons(const struct report *r, FILE *out)
{
	const struct sweep *s = r->matrix->sweep;

	for (size_t c = 0; c < s->ncells; c++) {
		if (!s->cells[c].reason || !s->cells[c].ok || !report_shows(r, &s->cells[c]))
			continue;
		fputs("- ", out);
		put(out, s->cells[c].label);
		fputs(": ", out);
		put(out, s->cells[c].reason);
		fputc('\n', out);
	}
}

void report_markdown(const struct report *r, FILE *out)
{
	const struct matrix *m = r->matrix;
	const struct metric_fit *f = &m->fit[m->primary];
	_cleanup_free_ char *verdict = report_verdict(r), *unsafe = report_unsafe(r);
	const json_t *item;
	size_t n, i;
	_cleanup_free_ const char **note = report_footnotes(r, &n);

	fputs("## ", out);
	put(out, json_text(json_object_get(r->document, "sweep"), "name", m->sweep->dir));
	fputs("\n\n", out);
	put(out, json_text(r->document, "question", ""));
	fputs("\n\n**", out);
	put(out, verdict);
	fputs("**\n\n", out);
	if (unsafe) {
		put(out, unsafe);
		fputs("\n\n", out);
	}
	table(r, out);
	fputc('\n', out);
	reasons(r, out);
	fprintf(out, "\n<details><summary>%zu cells, %zu blocks%s; notes and checks</summary>\n\n", m->sweep->ncells, f->blocks,
		m->sweep->complete ? "" : ", not finished");
	for (i = 0; note && i < n; i++) {
		fputs("- ", out);
		put(out, note[i]);
		fputc('\n', out);
	}
	fputs("\n| check | | |\n|---|---|---|\n", out);
	json_array_foreach(r->checks, i, item) {
		fputs("| ", out);
		put(out, json_text(item, "name", ""));
		fprintf(out, " | %s | ", json_text(item, "status", ""));
		put(out, json_text(item, "text", ""));
		fputs(" |\n", out);
	}
	json_array_foreach(m->sweep->warnings, i, item) {
		fputs("| note | | ", out);
		put(out, json_string_value(item));
		fputs(" |\n", out);
	}
	fputs("\n</details>\n", out);
}
