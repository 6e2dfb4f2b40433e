/* The report for a terminal: as wide as the terminal, plain without one. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "results/report.h"

#define COLUMNS_MAX 12
#define LABEL_MIN 18
#define VALUE_WIDTH 10
#define SPREAD_WIDTH 8
#define VERDICT_WIDTH 10
#define METRIC_WIDTH 18
#define INTERVAL_WIDTH 22

static const char *colour(const struct report *r, const char *code)
{
	return r->colour ? code : "";
}
#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define PLAIN "\033[0m"

/* Pads to `width` columns; right-aligned when width is negative. Too long text is cut with a mark. */
static void put(const struct report *r, FILE *out, int width, const char *text)
{
	size_t room = (size_t)abs(width), columns = room ? text_columns(text) : 0;
	const char *mark = r->utf8 ? "…" : "..";
	size_t keep = columns > room ? room - text_columns(mark) : columns;
	const char *end = text;

	for (size_t n = 0; *end && (n < keep || (*end & 0xc0) == 0x80); end++)
		n += (end[1] & 0xc0) != 0x80;
	if (width < 0 && columns < room)
		fprintf(out, "%*s", (int)(room - columns), "");
	fprintf(out, "%.*s%s", (int)(end - text), text, columns > room ? mark : "");
	if (width > 0 && columns < room)
		fprintf(out, "%*s", (int)(room - columns), "");
}

/* Breaks at blanks; every line after the first is indented. */
static void wrap(const struct report *r, FILE *out, int indent, int used, const char *text)
{
	int width = r->width ? (int)r->width : 10000, at = used;
	bool begun = false;

	while (*text) {
		size_t n = strcspn(text, " ");
		_cleanup_free_ char *word = strndup(text, n);
		int columns = word ? (int)text_columns(word) : 0;

		if (begun && at + columns + 1 > width) {
			fprintf(out, "\n%*s", indent, "");
			at = indent;
		} else if (begun) {
			fputc(' ', out);
			at++;
		}
		begun = true;
		fputs(word ? word : "", out);
		at += columns;
		text += n;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

/* One of the comma-separated facts of the second line; nothing when the document does not have it. */
static void fact(FILE *out, const char *before, const json_t *value, bool *first)
{
	_cleanup_free_ char *safe = json_is_string(value) ? text_safe(json_string_value(value)) : NULL;

	if (!safe || !*safe)
		return;
	fprintf(out, "%s%s%s", *first ? "" : ", ", before, safe);
	*first = false;
}

static void facts(const struct report *r, FILE *out)
{
	const json_t *box = json_object_get(r->document, "box"), *replay = json_object_get(r->document, "replay");
	bool first = true;

	fact(out, "trace ", json_at(r->document, "trace.file"), &first);
	fact(out, "box ", json_object_get(box, "host"), &first);
	fact(out, "kernel ", json_object_get(box, "kernel"), &first);
	fact(out, "timing ", json_object_get(replay, "timing"), &first);
	fact(out, "cache ", json_object_get(replay, "cache"), &first);
}

static void size_and_noise(const struct report *r, FILE *out)
{
	const struct matrix *m = r->matrix;
	const struct metric_fit *f = &m->fit[m->primary];
	const json_t *sweep = json_object_get(r->document, "sweep");
	char a[TEXT_MAX], b[TEXT_MAX];

	fprintf(out, "%zu cells, %zu block%s, %lld of %lld runs count", m->sweep->ncells, f->blocks, f->blocks == 1 ? "" : "s",
		(long long)json_int(sweep, "runs_ok", 0), (long long)json_int(sweep, "runs_planned", 0));
	if (isfinite(f->noise_ratio))
		fprintf(out, ", noise %s, effects from %s on are seen", format_share(b, f->noise_ratio), format_share(a, f->mde_ratio));
	if (f->comparisons)
		fprintf(out, ", p after Holm over %u", f->comparisons);
	fputs(m->sweep->complete ? "" : ", not finished", out);
}

static void question(const struct report *r, FILE *out)
{
	_cleanup_free_ char *name = text_safe(json_text(json_object_get(r->document, "sweep"), "name", r->matrix->sweep->dir));
	_cleanup_free_ char *asked = text_safe(json_text(r->document, "question", ""));

	fprintf(out, "%s%s%s", name, *asked ? ": " : "", asked);
}

static void heading(const struct report *r, FILE *out)
{
	static void (*const line[])(const struct report *, FILE *) = {question, facts, size_and_noise};

	for (size_t i = 0; i < ARRAY_SIZE(line); i++) {
		_cleanup_free_ char *text = NULL;
		size_t n;
		FILE *f = open_memstream(&text, &n);

		if (!f)
			return;
		line[i](r, f);
		fclose(f);
		fputs(i ? "" : colour(r, BOLD), out);
		if (*text)
			wrap(r, out, 2, 0, text);
		fputs(i ? "" : colour(r, PLAIN), out);
	}
	fputc('\n', out);
}

static void metric_column(const struct report *r, FILE *out, size_t cell, size_t metric)
{
	const struct matrix *m = r->matrix;
	const struct estimate *e = matrix_at(m, cell, metric);
	char value[TEXT_MAX], change[TEXT_MAX];

	put(r, out, -(METRIC_WIDTH - 9), format_value(value, e->median.median, m->metric[metric].unit));
	if (!e->n || cell == m->sweep->control)
		strcpy(change, "");
	else if (!e->shown)
		strcpy(change, "~");
	else
		format_percent(change, e->contrast.ratio);
	fputs(e->verdict == VERDICT_BETTER ? colour(r, GREEN) : e->verdict == VERDICT_WORSE ? colour(r, RED) : "", out);
	put(r, out, -8, change);
	fprintf(out, "%s ", e->verdict == VERDICT_BETTER || e->verdict == VERDICT_WORSE ? colour(r, PLAIN) : "");
}

/* "-13.0% [-14.1, -11.8]" */
static char *interval(char *to, const struct estimate *e)
{
	char ratio[TEXT_MAX], low[TEXT_MAX], high[TEXT_MAX];

	if (!isfinite(e->contrast.ratio))
		strcpy(to, "-");
	else if (!isfinite(e->contrast.low))
		snprintf(to, TEXT_MAX, "(%.7s)", format_percent(ratio, e->contrast.ratio));
	else
		snprintf(to, TEXT_MAX, "%.9s [%.*s, %.*s]", format_percent(ratio, e->contrast.ratio), (int)strcspn(format_percent(low, e->contrast.low), "%"),
			low, (int)strcspn(format_percent(high, e->contrast.high), "%"), high);
	return to;
}

struct layout {
	int label, risk, spread; /* widths; spread is 0 where there is no room for it */
	int metric[COLUMNS_MAX];
	size_t columns;
};

static void number_row(const struct report *r, FILE *out, size_t cell, const struct layout *l)
{
	const struct matrix *m = r->matrix;
	const struct cell *c = &m->sweep->cells[cell];
	const struct estimate *e = matrix_at(m, cell, m->primary);
	const char *verdict = cell == m->sweep->control ? "control" : verdict_names[e->verdict] ? verdict_names[e->verdict] : "-";
	char text[TEXT_MAX];

	put(r, out, -VALUE_WIDTH, format_value(text, e->median.median, m->metric[m->primary].unit));
	fputs(l->spread ? " " : "", out);
	put(r, out, l->spread, report_spread(r, e, text));
	fputs("  ", out);
	put(r, out, INTERVAL_WIDTH, cell == m->sweep->control ? "" : interval(text, e));
	fputc(' ', out);
	fputs(e->verdict == VERDICT_BETTER ? colour(r, GREEN) : e->verdict == VERDICT_WORSE ? colour(r, RED) : "", out);
	snprintf(text, sizeof(text), "%s%s%s", verdict, e->outliers ? "?" : "", e->contrast.paired && e->n ? "^" : "");
	put(r, out, VERDICT_WIDTH, text);
	fputs(e->verdict == VERDICT_BETTER || e->verdict == VERDICT_WORSE ? colour(r, PLAIN) : "", out);
	for (size_t i = 0; i < l->columns; i++)
		metric_column(r, out, cell, (size_t)l->metric[i]);
	fprintf(out, " %u/%u%s\n", c->ok, c->planned, c->reason ? "!" : "");
}

/* "block.scheduler=bfq" -> "scheduler=bfq": where there is no room the name space goes first. In place. */
static void drop_name_spaces(char *label)
{
	char *to = label;

	for (const char *p = label; *p;) {
		size_t word = strcspn(p, " "), name = strcspn(p, " =");

		for (size_t i = name; i > 0; i--) {
			if (p[i - 1] != '.')
				continue;
			p += i;
			word -= i;
			break;
		}
		memmove(to, p, word);
		to += word;
		p += word;
		if (*p)
			*to++ = *p++;
	}
	*to = 0;
}

static void row(const struct report *r, FILE *out, size_t cell, const struct layout *l)
{
	const struct matrix *m = r->matrix;
	const struct cell *c = &m->sweep->cells[cell];
	_cleanup_free_ char *label = text_safe(c->label), *reason = text_safe(c->reason ? c->reason : "");
	double rank = durability_rank(c->durability);
	const char *risk = rank >= 2 || rank < 0 ? RED : rank > 0 || c->single_device ? YELLOW : "";
	char badge[TEXT_MAX], outcome[32];
	bool chosen = (int)cell == m->recommended;

	if (label && (int)text_columns(label) > l->label)
		drop_name_spaces(label);
	fprintf(out, "%s%c ", chosen ? colour(r, BOLD) : "", chosen ? '*' : m->best[cell] ? '=' : ' ');
	put(r, out, l->label, label);
	fprintf(out, "%s  %s", chosen ? colour(r, PLAIN) : "", *risk ? colour(r, risk) : "");
	put(r, out, l->risk, cell_badge(c, badge));
	fputs(*risk ? colour(r, PLAIN) : "", out);
	if (matrix_at(m, cell, m->primary)->n) {
		number_row(r, out, cell, l);
		return;
	}
	for (size_t i = 0; i <= strlen(outcome_names[c->outcome]) && i < sizeof(outcome); i++)
		outcome[i] = (char)toupper(outcome_names[c->outcome][i]);
	fprintf(out, "%s%s%s%s", c->outcome == OUTCOME_PENDING ? colour(r, DIM) : colour(r, RED), outcome, colour(r, PLAIN), *reason ? ": " : "");
	wrap(r, out, l->label + l->risk + 4, l->label + l->risk + 4 + (int)strlen(outcome) + 2, reason);
}

/* What does not fit is left to the other formats: the table keeps to the width. */
static struct layout layout(const struct report *r)
{
	const struct matrix *m = r->matrix;
	struct layout l = {.label = LABEL_MIN, .risk = 5, .spread = SPREAD_WIDTH};
	int left;

	for (size_t c = 0; c < m->sweep->ncells; c++) {
		_cleanup_free_ char *safe = text_safe(m->sweep->cells[c].label);
		char badge[TEXT_MAX];

		if (!safe || !report_shows(r, &m->sweep->cells[c]))
			continue;
		l.label = (int)text_columns(safe) > l.label ? (int)text_columns(safe) : l.label;
		cell_badge(&m->sweep->cells[c], badge);
		l.risk = (int)text_columns(badge) >= l.risk ? (int)text_columns(badge) + 1 : l.risk;
	}
	l.columns = report_columns(r, l.metric, r->width ? COLUMNS_MAX : 4);
	if (!r->width)
		return l;
	if (r->width < 100)
		l.spread = 0;
	left = (int)r->width - (2 + 2 + (l.spread ? l.spread + 1 : 0) + l.risk + VALUE_WIDTH + 2 + INTERVAL_WIDTH + 1 + VERDICT_WIDTH + 6);
	if (l.label > 44 && left - l.label < METRIC_WIDTH)
		l.label = left - METRIC_WIDTH > 44 ? left - METRIC_WIDTH : 44;
	if (l.label > left)
		l.label = left > LABEL_MIN ? left : LABEL_MIN;
	left -= l.label;
	if (left / METRIC_WIDTH < (int)l.columns)
		l.columns = left < METRIC_WIDTH ? 0 : (size_t)(left / METRIC_WIDTH);
	return l;
}

static void table(const struct report *r, FILE *out)
{
	const struct matrix *m = r->matrix;
	_cleanup_free_ size_t *order = matrix_order(m, r->sort);
	struct layout l = layout(r);

	fputs("  ", out);
	put(r, out, l.label, "cell");
	fprintf(out, "  %-*s", l.risk, "risk");
	put(r, out, -VALUE_WIDTH, m->metric[m->primary].title);
	fprintf(out, "%*s", l.spread ? l.spread + 1 : 0, "");
	fprintf(out, "  %-*s %-*s", INTERVAL_WIDTH, "against the control", VERDICT_WIDTH, "verdict");
	for (size_t i = 0; i < l.columns; i++) {
		put(r, out, -(METRIC_WIDTH - 1), m->metric[l.metric[i]].title);
		fputc(' ', out);
	}
	fputs(" runs\n", out);
	for (size_t i = 0; order && i < m->sweep->ncells; i++)
		if (report_shows(r, &m->sweep->cells[order[i]]))
			row(r, out, order[i], &l);
}

static void hidden(const struct report *r, FILE *out)
{
	const struct matrix *m = r->matrix;
	bool any = false;

	for (size_t c = 0; c < m->sweep->ncells; c++) {
		const struct estimate *e = matrix_at(m, c, m->primary);
		_cleanup_free_ char *label = text_safe(m->sweep->cells[c].label);
		char badge[TEXT_MAX], ratio[TEXT_MAX];

		if (report_shows(r, &m->sweep->cells[c]))
			continue;
		fprintf(out, "%s%s (%s%s%s)", any ? ", " : "hidden, over --max-risk: ", label, cell_badge(&m->sweep->cells[c], badge),
			e->shown ? ", " : "", e->shown ? format_percent(ratio, e->contrast.ratio) : "");
		any = true;
	}
	fputs(any ? "\n" : "", out);
}

/* Cells that have a number although some of their runs have none. */
static void stopped_runs(const struct report *r, FILE *out)
{
	const struct sweep *s = r->matrix->sweep;

	for (size_t c = 0; c < s->ncells; c++) {
		_cleanup_free_ char *label = text_safe(s->cells[c].label), *reason = text_safe(s->cells[c].reason ? s->cells[c].reason : "");
		_cleanup_free_ char *line = NULL;

		if (!s->cells[c].ok || !s->cells[c].reason || !report_shows(r, &s->cells[c]) || asprintf(&line, "! %s: %s", label, reason) < 0)
			continue;
		wrap(r, out, 2, 0, line);
	}
}

static void notes(const struct report *r, FILE *out)
{
	size_t n;
	_cleanup_free_ const char **note = report_footnotes(r, &n);

	hidden(r, out);
	stopped_runs(r, out);
	fprintf(out, "\n%s", colour(r, DIM));
	wrap(r, out, 2, 0, "* recommended, = within the allowed class and not to be told from the fastest there");
	fputs(colour(r, PLAIN), out);
	for (size_t i = 0; note && i < n; i++) {
		fputs(colour(r, DIM), out);
		wrap(r, out, 2, 0, note[i]);
		fputs(colour(r, PLAIN), out);
	}
}

static void checks(const struct report *r, FILE *out)
{
	const json_t *item;
	size_t i;

	fprintf(out, "\n%schecks%s\n", colour(r, BOLD), colour(r, PLAIN));
	json_array_foreach(r->checks, i, item) {
		const char *status = json_text(item, "status", "");

		fprintf(out, "  %s%-4s%s  ", !strcmp(status, "ok") ? colour(r, GREEN) : !strcmp(status, "WARN") ? colour(r, YELLOW) : colour(r, RED), status,
			colour(r, PLAIN));
		put(r, out, 32, json_text(item, "name", ""));
		wrap(r, out, 40, 40, json_text(item, "text", ""));
	}
	json_array_foreach(r->matrix->sweep->warnings, i, item) {
		fputs("  note  ", out);
		wrap(r, out, 8, 8, json_string_value(item) ? json_string_value(item) : "");
	}
}

void report_term(const struct report *r, FILE *out)
{
	_cleanup_free_ char *verdict = report_verdict(r), *unsafe = report_unsafe(r);

	heading(r, out);
	fputs(colour(r, BOLD), out);
	wrap(r, out, 2, 0, verdict ? verdict : "");
	fputs(colour(r, PLAIN), out);
	if (unsafe) {
		fputs(colour(r, YELLOW), out);
		wrap(r, out, 2, 0, unsafe);
		fputs(colour(r, PLAIN), out);
	}
	fputc('\n', out);
	table(r, out);
	notes(r, out);
	checks(r, out);
}
