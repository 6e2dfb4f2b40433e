/* The sentences that terminal, markdown and HTML reports share. */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "results/report.h"

bool report_shows(const struct report *r, const struct cell *c)
{
	return !r->max_risk || cell_allowed(r->matrix, c) || c == &r->matrix->sweep->cells[r->matrix->sweep->control];
}

static char *text(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *fmt, ...)
{
	va_list args;
	char *to;

	va_start(args, fmt);
	if (vasprintf(&to, fmt, args) < 0)
		to = NULL;
	va_end(args);
	return to;
}

static size_t equals(const struct matrix *m)
{
	size_t n = 0;

	for (size_t c = 0; c < m->sweep->ncells; c++)
		n += m->best[c] && (int)c != m->recommended && c != m->sweep->control;
	return n;
}

static char *why_keep(const struct matrix *m)
{
	const struct metric_fit *f = &m->fit[m->primary];
	size_t undecided = 0;
	char mde[TEXT_MAX];

	for (size_t c = 0; c < m->sweep->ncells; c++)
		undecided += matrix_at(m, c, m->primary)->verdict == VERDICT_UNDECIDED;
	if (!f->comparisons)
		return text("Keep the control: no other cell can be compared with it yet.");
	if (isfinite(f->mde_ratio))
		return text("Keep the control: nothing within %s is shown to be better (%zu undecided; this sweep sees effects from %s on).",
			m->max_durability, undecided, format_share(mde, f->mde_ratio));
	return text("Keep the control: nothing within %s is shown to be better.", m->max_durability);
}

char *report_verdict(const struct report *r)
{
	const struct matrix *m = r->matrix;
	const struct estimate *e;
	char ratio[TEXT_MAX], low[TEXT_MAX], high[TEXT_MAX], badge[TEXT_MAX], p[TEXT_MAX];
	_cleanup_free_ char *label = NULL;
	const struct cell *c;
	size_t same = equals(m);

	if (m->recommended < 0)
		return text("No verdict: the control has no run that counts, so there is nothing to compare with.");
	if (m->recommended == (int)m->sweep->control)
		return why_keep(m);
	c = &m->sweep->cells[m->recommended];
	e = matrix_at(m, (size_t)m->recommended, m->primary);
	label = text_safe(c->label);
	if (!same)
		return text("Take %s (%s): %s %s [%s, %s] against the control, %s after Holm over %u.", label, cell_badge(c, badge),
			m->metric[m->primary].title, format_percent(ratio, e->contrast.ratio), format_percent(low, e->contrast.low),
			format_percent(high, e->contrast.high), format_p(p, e->p_holm), m->fit[m->primary].comparisons);
	return text("Take %s (%s): %s %s [%s, %s] against the control, %s after Holm over %u; %zu other cell%s cannot be told from it.", label,
		cell_badge(c, badge), m->metric[m->primary].title, format_percent(ratio, e->contrast.ratio), format_percent(low, e->contrast.low),
		format_percent(high, e->contrast.high), format_p(p, e->p_holm), m->fit[m->primary].comparisons, same, same == 1 ? "" : "s");
}

char *report_unsafe(const struct report *r)
{
	const struct matrix *m = r->matrix;
	char ratio[TEXT_MAX], badge[TEXT_MAX];
	_cleanup_free_ char *label = NULL;
	const struct cell *c;

	if (m->fastest_unsafe < 0)
		return NULL;
	c = &m->sweep->cells[m->fastest_unsafe];
	label = text_safe(c->label);
	return text("Faster but not recommended: %s (%s, %s): %s.", label, cell_badge(c, badge),
		format_percent(ratio, matrix_at(m, (size_t)m->fastest_unsafe, m->primary)->contrast.ratio), cell_risk(m, c));
}

char *report_spread(const struct report *r, const struct estimate *e, char *to)
{
	char share[TEXT_MAX];
	double half = (e->median.high - e->median.low) / 2 / e->median.median;

	to[0] = 0;
	if (e->n >= 2 && isfinite(half))
		snprintf(to, TEXT_MAX, e->median.is_interval ? r->utf8 ? "\u00b1%.12s" : "+-%.12s" : "(%.12s)", format_share(share, half));
	return to;
}

const char **report_footnotes(const struct report *r, size_t *n)
{
	const struct matrix *m = r->matrix;
	const char **note = calloc(8, sizeof(*note));
	bool range = false, outliers = false, pairs = false;
	size_t least = 0;

	*n = 0;
	if (!note)
		return NULL;
	for (size_t c = 0; c < m->sweep->ncells; c++) {
		const struct estimate *e = matrix_at(m, c, m->primary);

		range |= e->n && !e->median.is_interval;
		outliers |= e->outliers;
		pairs |= e->contrast.paired && e->n;
		least = e->n && (!least || e->n < least) ? e->n : least;
	}
	note[(*n)++] = "~ no difference is shown (p > 0.05 after Holm); a percentage stands only where one is";
	note[(*n)++] = "better, worse: the whole 95% interval lies beyond what matters; same: it lies within; undecided: neither";
	if (range)
		note[(*n)++] = "(%) behind a median is half the range that was seen; an interval of the median needs 6 runs";
	if (least == 1)
		note[(*n)++] = "some cell has a single run: one run says nothing about the next";
	if (outliers)
		note[(*n)++] = "? depends on outliers: the exact sign-flip test does not agree, so it stays undecided";
	if (pairs)
		note[(*n)++] = "^ much noisier than the others: judged by its own pairs, not by the pooled noise";
	return note;
}

size_t report_columns(const struct report *r, int *metric, size_t most)
{
	static const char *const wanted[] = {"elapsed_s", "ops_per_s", "p99_ns", "fsync_p99_ns", "read_p99_ns", "elapsed_plus_sync_s",
					     "write_p99_ns", "max_ns", "device_write_bytes", "device_flushes", "peak_dirty_bytes"};
	const struct matrix *m = r->matrix;
	size_t n = 0;

	if (r->sort != m->primary && most)
		metric[n++] = (int)r->sort;
	for (size_t i = 0; i < ARRAY_SIZE(wanted) && n < most; i++) {
		int k = metric_find(m->metric, m->nmetrics, wanted[i]);

		if (k >= 0 && k != (int)m->primary && k != (int)r->sort && matrix_at(m, m->sweep->control, (size_t)k)->n)
			metric[n++] = k;
	}
	return n;
}
