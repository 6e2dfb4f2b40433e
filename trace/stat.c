#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "trace/summary.h"
#include "trace/text.h"
#include "trace/verbs.h"

static struct {
	bool json;
	uint64_t top;
} opt = {.top = 10};

static const struct option_row rows[] = {
	{"json", 0, NULL, OPT_FLAG, &opt.json, "machine-readable output"},
	{"top", 't', "N", OPT_U64, &opt.top, "how many of the busiest files to show (default 10)"},
	{0},
};

struct table {
	struct summary summary;
	struct summary_op class[TRACE_CLASS_COUNT], all;
	uint32_t *busiest; /* ids of files, most events first */
	uint32_t shown;
};

static json_int_t number(uint64_t v)
{
	return (json_int_t)(v < 1ULL << 53 ? v : 1ULL << 53); /* beyond it jq 1.6 rounds */
}

/* ---- files ---- */

static int by_events(const void *a, const void *b, void *summary)
{
	const struct summary *s = summary;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (s->file[x].events != s->file[y].events)
		return s->file[x].events < s->file[y].events ? 1 : -1;
	return x < y ? -1 : x > y;
}

static int rank_files(struct table *t)
{
	uint32_t files = (uint32_t)t->summary.files;

	t->busiest = malloc((files + 1) * sizeof(*t->busiest));
	if (!t->busiest)
		return -1;
	for (uint32_t i = 0; i < files; i++)
		t->busiest[i] = i + 1;
	qsort_r(t->busiest, files, sizeof(*t->busiest), by_events, &t->summary);
	while (t->shown < files && t->shown < opt.top && t->summary.file[t->busiest[t->shown]].events)
		t->shown++;
	return 0;
}

/* ---- JSON ---- */

static json_t *op_json(const struct summary_op *op)
{
	static const struct {
		const char *name;
		double q;
	} points[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p999", 0.999}};
	json_t *latency = json_object();
	const struct hist *h = op->latency;

	if (h && h->count) {
		json_object_set_new(latency, "mean", json_integer(number(h->sum_ns / h->count)));
		for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
			json_object_set_new(latency, points[i].name, json_integer(number(hist_quantile(h, points[i].q))));
		json_object_set_new(latency, "max", json_integer(number(h->max_ns)));
	}
	return json_pack("{s:I,s:I,s:I,s:o}", "count", number(op->count), "bytes", number(op->bytes), "errors", number(op->errors), "lat_ns",
			 latency);
}

static json_t *file_json(const struct table *t, const struct trace_reader *r, uint32_t id)
{
	const struct summary_file *f = &t->summary.file[id];
	const char *path = trace_reader_string(r, trace_reader_file(r, id)->path);
	json_t *name = json_string(path); /* NULL when it is no UTF-8 */

	return json_pack("{s:I,s:o,s:I,s:I,s:I,s:I}", "file", (json_int_t)id, "path", name ? name : json_null(), "events", number(f->events),
			 "bytes_read", number(f->bytes_read), "bytes_written", number(f->bytes_written), "busy_ns",
			 number(f->nanoseconds));
}

static int print_json(const struct table *t, const struct trace_reader *r)
{
	json_t *ops = json_object(), *classes = json_object(), *files = json_array();
	json_t *doc = json_pack("{s:s,s:I,s:I,s:I,s:o,s:o,s:o}", "schema", "iorig.trace-stat/1", "events", number(t->summary.events), "lost",
				number(t->summary.lost), "duration_ns", number(summary_duration_ns(&t->summary)), "op", ops, "class",
				classes, "files", files);
	int rc;

	for (int op = 0; op < TRACE_OP_MAX; op++)
		if (t->summary.op[op].count)
			json_object_set_new(ops, trace_ops[op].name, op_json(&t->summary.op[op]));
	for (int c = 0; c < TRACE_CLASS_COUNT; c++)
		if (t->class[c].count)
			json_object_set_new(classes, trace_class_names[c], op_json(&t->class[c]));
	json_object_set_new(classes, "all", op_json(&t->all));
	for (uint32_t i = 0; i < t->shown; i++)
		json_array_append_new(files, file_json(t, r, t->busiest[i]));
	rc = json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(doc);
	return rc;
}

/* ---- text ---- */

static void print_row(const char *name, const struct summary_op *op)
{
	char p50[16], p99[16], max[16];
	const struct hist *h = op->latency;

	printf("%-18s %12" PRIu64 " %10" PRIu64 " %16" PRIu64, name, op->count, op->errors, op->bytes);
	if (h && h->count)
		printf(" %11s %11s %11s", clock_text(p50, hist_quantile(h, 0.5)), clock_text(p99, hist_quantile(h, 0.99)),
		       clock_text(max, h->max_ns));
	putchar('\n');
}

static void print_text(const struct table *t, const struct trace_reader *r)
{
	printf("%-18s %12s %10s %16s %11s %11s %11s\n", "operation", "count", "errors", "bytes", "p50", "p99", "max");
	for (int c = 0; c < TRACE_CLASS_COUNT; c++) {
		char name[32];

		if (!t->class[c].count)
			continue;
		print_row(trace_class_names[c], &t->class[c]);
		for (int op = 0; op < TRACE_OP_MAX; op++)
			if (trace_ops[op].name && trace_ops[op].class == c && t->summary.op[op].count) {
				snprintf(name, sizeof(name), "  %s", trace_ops[op].name);
				print_row(name, &t->summary.op[op]);
			}
	}
	print_row("all", &t->all);
	if (t->summary.lost)
		printf("%-18s %12" PRIu64 " more events happened but are not in the trace\n", "lost", t->summary.lost);
	if (t->shown)
		printf("\n%12s %16s %16s  busiest files\n", "events", "bytes read", "bytes written");
	for (uint32_t i = 0; i < t->shown; i++) {
		const struct summary_file *f = &t->summary.file[t->busiest[i]];
		const char *path = trace_reader_string(r, trace_reader_file(r, t->busiest[i])->path);

		printf("%12" PRIu64 " %16" PRIu64 " %16" PRIu64 "  ", f->events, f->bytes_read, f->bytes_written);
		quote_print(stdout, path, strlen(path));
		putchar('\n');
	}
}

static int fill(struct table *t, struct trace_reader *r)
{
	int rc = summary_read(&t->summary, r);

	for (int op = 0; op < TRACE_OP_MAX && !rc; op++) {
		if (!t->summary.op[op].count)
			continue;
		rc = summary_merge_op(&t->class[trace_ops[op].class], &t->summary.op[op]);
		if (!rc)
			rc = summary_merge_op(&t->all, &t->summary.op[op]);
	}
	return rc ? rc : rank_files(t);
}

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	const char *path = trace_verb_file(self, argc, argv, &rc);
	struct trace_reader *r = path ? trace_verb_open(path, &rc) : NULL;
	struct table t = {.shown = 0};

	if (!r)
		return rc;
	if (fill(&t, r))
		rc = fail(EXIT_FAILED, "'%s': no memory for its statistics", path);
	else if (!opt.json)
		print_text(&t, r);
	else if (print_json(&t, r))
		rc = fail(EXIT_FAILED, "'%s': its statistics cannot be shown as JSON", path);
	if (!rc)
		rc = trace_verb_end(path, trace_reader_error(r));
	for (int c = 0; c < TRACE_CLASS_COUNT; c++)
		free(t.class[c].latency);
	free(t.all.latency);
	free(t.busiest);
	summary_release(&t.summary);
	trace_reader_close(r);
	return rc;
}

const struct command cmd_trace_stat = {
	.name = "trace stat",
	.synopsis = "[--json] [--top N] FILE",
	.summary = "count, bytes, errors and latency by operation, and the busiest files",
	.group = "trace",
	.options = rows,
	.run = run,
};
