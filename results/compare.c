/* The verb `compare`: two sweeps (or two runs) of the same trace, cell by cell; a gate for CI. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "results/difference.h"

static struct {
	const char *metric;
	struct option_list fail_on;
	bool json, force;
} opt;

static const struct option_row rows[] = {
	{"metric", 'm', "METRIC", OPT_STRING, &opt.metric, "compare METRIC (default: the primary one of A)"},
	{"fail-on", 0, "RULE", OPT_LIST, &opt.fail_on, "exit 4 when a cell of B crosses RULE against A: 'p99>+5%', 'ops_per_s<-3%'; may be repeated"},
	{"force", 0, NULL, OPT_FLAG, &opt.force, "compare although the traces, engines or kernels differ"},
	{"json", 0, NULL, OPT_FLAG, &opt.json, "machine-readable output (iorig.compare/1)"},
	{0}};

struct side {
	struct sweep sweep;
	struct matrix matrix;
	const char *kernel, *trace, *engine;
};

struct rule {
	const char *text;
	char metric[64];
	bool above;
	double ratio;      /* the limit */
	size_t crossed;
};

/* "p99>+5%": metric, direction, signed percentage. */
static int parse_rule(const char *text, struct rule *rule)
{
	size_t name = strcspn(text, "<>");
	char *end;
	double percent;

	if (!name || name >= sizeof(rule->metric) || !text[name])
		return -1;
	memcpy(rule->metric, text, name);
	rule->metric[name] = 0;
	rule->above = text[name] == '>';
	percent = strtod(text + name + 1, &end);
	if (end == text + name + 1 || strcmp(end, "%") || !isfinite(percent) || percent <= -100)
		return -1;
	rule->text = text;
	rule->ratio = 1 + percent / 100;
	rule->crossed = 0;
	return 0;
}

static int open_side(struct side *side, const char *dir)
{
	_cleanup_free_ char *why = NULL, *single = NULL;
	int rc;

	if (asprintf(&single, "%s/run.json", dir) < 0)
		return fail(EXIT_FAILED, "out of memory");
	rc = access(single, F_OK) ? sweep_open(&side->sweep, dir, &why) : sweep_open_run(&side->sweep, dir, &why);
	if (rc)
		return fail(EXIT_FAILED, "%s", why ? why : "out of memory");
	if (matrix_build(&side->matrix, &side->sweep, NULL, NULL, &why)) {
		sweep_release(&side->sweep);
		return fail(EXIT_FAILED, "%s", why ? why : "out of memory");
	}
	side->trace = json_text(side->sweep.plan, "trace_sha256", "unknown");
	for (size_t r = 0; r < side->sweep.nruns && !side->kernel; r++)
		side->kernel = json_text(json_at(side->sweep.runs[r].doc, "system"), "kernel", NULL);
	for (size_t r = 0; r < side->sweep.nruns && !side->engine; r++)
		side->engine = side->sweep.runs[r].doc ? run_engine(&side->sweep.runs[r]) : NULL;
	return 0;
}

static void close_side(struct side *side)
{
	matrix_release(&side->matrix);
	sweep_release(&side->sweep);
}

static int comparable(const struct side *a, const struct side *b)
{
	if (opt.force)
		return 0;
	if (strcmp(a->trace, b->trace))
		return fail(EXIT_FAILED, "'%s' and '%s' replayed different traces (%.12s, %.12s): their times do not compare; --force does it anyway",
			a->sweep.dir, b->sweep.dir, a->trace, b->trace);
	if (a->engine && b->engine && strcmp(a->engine, b->engine))
		return fail(EXIT_FAILED, "'%s' was replayed with --engine %s and '%s' with %s: a what-if answers another question; --force compares anyway",
			a->sweep.dir, a->engine, b->sweep.dir, b->engine);
	if (a->kernel && b->kernel && strcmp(a->kernel, b->kernel))
		return fail(EXIT_FAILED, "'%s' ran on kernel %s and '%s' on %s; if the kernel is what you compare, say --force", a->sweep.dir, a->kernel,
			b->sweep.dir, b->kernel);
	return 0;
}

/* A rule is crossed by a cell when its estimate is beyond the limit and, where there are enough runs to say so, shown to differ. */
static int apply_rule(struct rule *rule, const struct side *a, const struct side *b, const struct pairing *pair, size_t n)
{
	int ka = metric_find(a->matrix.metric, a->matrix.nmetrics, rule->metric), kb;
	_cleanup_free_ struct difference *d = NULL;

	kb = ka < 0 ? -1 : metric_find(b->matrix.metric, b->matrix.nmetrics, a->matrix.metric[ka].name);
	if (kb < 0)
		return fail(EXIT_USAGE, "--fail-on '%s': there is no metric '%s' on both sides", rule->text, rule->metric);
	d = differences(&a->matrix, (size_t)ka, &b->matrix, (size_t)kb, pair, n);
	for (size_t i = 0; d && i < n; i++) {
		char ratio[TEXT_MAX];
		bool beyond = rule->above ? d[i].ratio > rule->ratio : d[i].ratio < rule->ratio;

		if (!beyond || d[i].p_holm > 0.05)
			continue;
		rule->crossed++;
		say("crossed: %s: %s is %s for %s%s", rule->text, a->matrix.metric[ka].name, format_percent(ratio, d[i].ratio), a->sweep.cells[pair[i].a].label,
			isnan(d[i].p) ? " (too few runs for a test)" : "");
	}
	return d ? 0 : fail(EXIT_FAILED, "out of memory");
}

static json_t *range(double low, double high)
{
	return json_pack("[oo]", json_rounded(low), json_rounded(high));
}

static json_t *cell_document(const struct side *a, const struct pairing *pair, const struct difference *d)
{
	const char *verdict = verdict_names[d->verdict];

	return json_pack("{so so si si so so so so so so ss? s{so so so so}}", "id", json_safe_text(a->sweep.cells[pair->a].id), "label",
		json_safe_text(a->sweep.cells[pair->a].label), "n_a", (int)d->n_a, "n_b", (int)d->n_b, "median_a", json_rounded(d->median_a), "median_b",
		json_rounded(d->median_b), "ratio", json_rounded(d->ratio), "ratio_ci95", range(d->low, d->high), "p", json_rounded(d->p), "p_holm",
		json_rounded(d->p_holm), "verdict", verdict, "through_control", "ratio", json_rounded(d->through), "ratio_ci95",
		range(d->through_low, d->through_high), "p", json_rounded(d->through_p), "p_holm", json_rounded(d->through_p_holm));
}

static json_t *side_document(const struct side *side)
{
	return json_pack("{so so ss? so}", "dir", json_safe_text(side->sweep.dir), "name", json_safe_text(json_text(side->sweep.input, "name", NULL)), "kernel",
		side->kernel, "trace_sha256", json_safe_text(side->trace));
}

static void print_json(const struct side *a, const struct side *b, const struct metric *metric, const struct pairing *pair, size_t n,
		       const struct difference *d, const struct rule *rule, size_t rules)
{
	json_t *cells = json_array(), *gates = json_array();
	_cleanup_json_ json_t *doc = NULL;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(cells, cell_document(a, &pair[i], &d[i]));
	for (size_t i = 0; i < rules; i++)
		json_array_append_new(gates, json_pack("{so si}", "rule", json_safe_text(rule[i].text), "crossed_by", (int)rule[i].crossed));
	doc = json_pack("{ss so so ss ss so so}", "schema", "iorig.compare/1", "a", side_document(a), "b", side_document(b), "metric", metric->name, "better",
		metric->higher_is_better ? "higher" : "lower", "cells", cells, "fail_on", gates);
	json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
	putchar('\n');
}

static void print_side(const char *name, const struct side *side)
{
	_cleanup_free_ char *dir = text_safe(side->sweep.dir), *title = text_safe(json_text(side->sweep.input, "name", "a single run"));
	_cleanup_free_ char *kernel = text_safe(side->kernel ? side->kernel : "unknown");

	printf("%s  %s: %s, kernel %s\n", name, dir, title, kernel);
}

static void print_row(const struct side *a, const struct metric *metric, const struct pairing *pair, const struct difference *d, int width)
{
	_cleanup_free_ char *label = text_safe(a->sweep.cells[pair->a].label);
	char x[TEXT_MAX], y[TEXT_MAX], ratio[TEXT_MAX], low[TEXT_MAX], high[TEXT_MAX], interval[3 * TEXT_MAX] = "", through[TEXT_MAX];
	size_t columns = label ? text_columns(label) : 0;

	if (isfinite(d->low))
		snprintf(interval, sizeof(interval), "%s [%s, %s]", format_percent(ratio, d->ratio), format_percent(low, d->low), format_percent(high, d->high));
	else if (isfinite(d->ratio))
		snprintf(interval, sizeof(interval), "(%s)", format_percent(ratio, d->ratio));
	if (isfinite(d->through_p_holm) && d->through_p_holm > 0.05)
		strcpy(through, "~");
	else
		format_percent(through, d->through);
	printf("%s%*s  %10s %10s  %-26s %-10s  %s\n", label ? label : "", columns < (size_t)width ? width - (int)columns : 0, "",
		format_value(x, d->median_a, metric->unit), format_value(y, d->median_b, metric->unit), interval,
		verdict_names[d->verdict] ? verdict_names[d->verdict] : "-", through);
}

static void print_table(const struct side *a, const struct side *b, const struct metric *metric, const struct pairing *pair, size_t n,
			const struct difference *d)
{
	int width = 4;

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *label = text_safe(a->sweep.cells[pair[i].a].label);

		width = label && (int)text_columns(label) > width ? (int)text_columns(label) : width;
	}
	print_side("A", a);
	print_side("B", b);
	printf("\n%-*s  %10s %10s  %-26s %-10s  %s\n", width, metric->title, "A", "B", "B against A", "verdict", "through the control");
	for (size_t i = 0; i < n; i++)
		print_row(a, metric, &pair[i], &d[i], width);
	if (n < a->sweep.ncells || n < b->sweep.ncells)
		printf("not compared: %zu cells only in A, %zu only in B\n", a->sweep.ncells - n, b->sweep.ncells - n);
	printf("\nB against A takes in all that differs between the two (night, kernel, box); through the control that is taken out; ~ no difference is shown\n");
}

static int compare(const struct side *a, const struct side *b, struct rule *rule, size_t rules)
{
	const char *name = opt.metric ? opt.metric : a->matrix.metric[a->matrix.primary].name;
	int ka = metric_find(a->matrix.metric, a->matrix.nmetrics, name), kb, rc = comparable(a, b);
	_cleanup_free_ struct pairing *pair = NULL;
	_cleanup_free_ struct difference *d = NULL;
	size_t n;

	if (rc)
		return rc;
	kb = ka < 0 ? -1 : metric_find(b->matrix.metric, b->matrix.nmetrics, a->matrix.metric[ka].name);
	if (kb < 0)
		return fail(EXIT_USAGE, "--metric '%s': there is no such metric on both sides", name);
	pair = pair_cells(&a->sweep, &b->sweep, &n);
	if (!pair)
		return fail(EXIT_FAILED, "out of memory");
	if (!n)
		return fail(EXIT_FAILED, "'%s' and '%s' have no cell with the same settings; there is nothing to compare", a->sweep.dir, b->sweep.dir);
	d = differences(&a->matrix, (size_t)ka, &b->matrix, (size_t)kb, pair, n);
	if (!d)
		return fail(EXIT_FAILED, "out of memory");
	for (size_t i = 0; i < rules; i++) {
		rc = apply_rule(&rule[i], a, b, pair, n);
		if (rc)
			return rc;
	}
	if (opt.json)
		print_json(a, b, &a->matrix.metric[ka], pair, n, d, rule, rules);
	else
		print_table(a, b, &a->matrix.metric[ka], pair, n, d);
	for (size_t i = 0; i < rules; i++)
		if (rule[i].crossed)
			return EXIT_THRESHOLD;
	return EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	int rest = options_parse(self, argc, argv), rc;
	struct rule rule[ARRAY_SIZE(opt.fail_on.item)];
	struct side a = {0}, b = {0};

	if (rest < 0)
		return -rest - 1;
	if (rest + 2 != argc)
		return fail(EXIT_USAGE, "compare takes two directories, of sweeps or of runs; see 'iorig compare -h'");
	for (size_t i = 0; i < opt.fail_on.n; i++)
		if (parse_rule(opt.fail_on.item[i], &rule[i]))
			return fail(EXIT_USAGE, "--fail-on '%s' is no rule; write METRIC, < or >, and a percentage: 'p99>+5%%'", opt.fail_on.item[i]);
	rc = open_side(&a, argv[rest]);
	if (!rc) {
		rc = open_side(&b, argv[rest + 1]);
		if (!rc) {
			rc = compare(&a, &b, rule, opt.fail_on.n);
			close_side(&b);
		}
		close_side(&a);
	}
	return rc;
}

const struct command cmd_compare = {
	.name = "compare",
	.synopsis = "A B [--metric METRIC] [--fail-on RULE]... [--force] [--json]",
	.summary = "compare two sweeps or two runs of the same trace",
	.group = "results",
	.options = rows,
	.run = run,
};
