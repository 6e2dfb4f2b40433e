/* The verb `export`: a sweep in the formats of other tools. Final values of the runs that count; nothing is recomputed. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "results/matrix.h"

static struct {
	const char *to, *out;
	uint64_t run;
} opt;

static const struct option_row rows[] = {
	{"to", 't', "FORMAT", OPT_STRING, &opt.to, "fio, influx, graphite or openmetrics"},
	{"run", 0, "SEQ", OPT_U64, &opt.run, "fio: this run only (default: all that count, one fio job each)"},
	{"output", 'o', "FILE", OPT_STRING, &opt.out, "write to FILE instead of the standard output"},
	{0}};

/* Seconds since 1970 of "2026-11-21T08:36:01Z"; 0 when it is no such time. */
static time_t epoch(const char *iso)
{
	struct tm tm = {0};

	return iso && strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm) ? timegm(&tm) : 0;
}

static const char *sweep_name(const struct sweep *s)
{
	return json_text(s->input, "name", "sweep");
}

/* A label value with the given bytes escaped by a backslash. Control bytes are already text. */
static void escaped(FILE *out, const char *text, const char *special)
{
	_cleanup_free_ char *safe = text_safe(text);

	for (const char *p = safe ? safe : ""; *p; p++) {
		if (strchr(special, *p))
			fputc('\\', out);
		fputc(*p, out);
	}
}

/* ---- InfluxDB line protocol: measurement,tags fields nanoseconds ---------------------------------------------------------------- */

/* A tag value. A backslash at its end would escape the separator behind it, so there are none. */
static void tag(FILE *out, const char *name, const char *text)
{
	_cleanup_free_ char *safe = text_safe(text);

	fprintf(out, ",%s=", name);
	for (const char *p = safe ? safe : ""; *p; p++) {
		if (strchr(",= ", *p))
			fputc('\\', out);
		fputc(*p == '\\' ? '/' : *p, out);
	}
}

static int to_influx(const struct matrix *m, FILE *out)
{
	const struct sweep *s = m->sweep;

	for (size_t r = 0; r < s->nruns; r++) {
		const struct run *run = &s->runs[r];
		if (run->outcome != OUTCOME_OK)
			continue;
		fputs("iorig", out);
		tag(out, "cell", s->cells[run->cell].id);
		tag(out, "durability", s->cells[run->cell].durability);
		tag(out, "sweep", sweep_name(s));
		fprintf(out, " run=%di,block=%di", run->seq, run->block);
		for (size_t k = 0; k < m->nmetrics; k++) {
			char text[TEXT_MAX];

			if (isfinite(matrix_value(m, r, k)))
				fprintf(out, ",%s=%s", m->metric[k].name, format_plain(text, matrix_value(m, r, k)));
		}
		fprintf(out, " %lld000000000\n", (long long)epoch(run->started));
	}
	return 0;
}

/* ---- Graphite plaintext: path value seconds ------------------------------------------------------------------------------------- */

static void path_part(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc(isalnum((unsigned char)*text) || *text == '-' ? *text : '_', out);
}

static int to_graphite(const struct matrix *m, FILE *out)
{
	const struct sweep *s = m->sweep;

	for (size_t r = 0; r < s->nruns; r++) {
		for (size_t k = 0; s->runs[r].outcome == OUTCOME_OK && k < m->nmetrics; k++) {
			char text[TEXT_MAX];

			if (!isfinite(matrix_value(m, r, k)))
				continue;
			fputs("iorig.", out);
			path_part(out, sweep_name(s));
			fputc('.', out);
			path_part(out, s->cells[s->runs[r].cell].id);
			fprintf(out, ".run%d.%s %s %lld\n", s->runs[r].seq, m->metric[k].name, format_plain(text, matrix_value(m, r, k)),
				(long long)epoch(s->runs[r].started));
		}
	}
	return 0;
}

/* ---- OpenMetrics: one gauge family a metric, a sample a cell and statistic; final values carry no time ---------------------------- */

static void om_sample(FILE *out, const struct matrix *m, size_t cell, size_t metric, const char *statistic, double value)
{
	char text[TEXT_MAX];

	if (!isfinite(value))
		return;
	fprintf(out, "iorig_%s{sweep=\"", m->metric[metric].name);
	escaped(out, sweep_name(m->sweep), "\\\"");
	fputs("\",cell=\"", out);
	escaped(out, m->sweep->cells[cell].id, "\\\"");
	fputs("\",label=\"", out);
	escaped(out, m->sweep->cells[cell].label, "\\\"");
	fputs("\",durability=\"", out);
	escaped(out, m->sweep->cells[cell].durability, "\\\"");
	fprintf(out, "\",statistic=\"%s\"} %s\n", statistic, format_plain(text, value));
}

static int to_openmetrics(const struct matrix *m, FILE *out)
{
	for (size_t k = 0; k < m->nmetrics; k++) {
		fprintf(out, "# TYPE iorig_%s gauge\n# HELP iorig_%s %s of the replay, over the runs of a cell\n", m->metric[k].name, m->metric[k].name,
			m->metric[k].title);
		for (size_t c = 0; c < m->sweep->ncells; c++) {
			const struct estimate *e = matrix_at(m, c, k);

			om_sample(out, m, c, k, "median", e->median.median);
			om_sample(out, m, c, k, "low", e->median.low);
			om_sample(out, m, c, k, "high", e->median.high);
			om_sample(out, m, c, k, "ratio", c == m->sweep->control && e->n ? 1 : e->contrast.ratio);
		}
	}
	fputs("# EOF\n", out);
	return 0;
}

/* ---- fio json+: the same buckets, so that fio's own tools read them --------------------------------------------------------------- */

/* fio's last bucket; with anything beyond it fio_jsonplus_clat2csv never ends. */
#define FIO_LAST_NS 17112760320ULL

static json_t *fio_latency(const json_t *class_doc, const json_t *pairs)
{
	static const double wanted[] = {1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99, 99.5, 99.9, 99.95, 99.99};
	_cleanup_free_ struct hist *h = calloc(1, sizeof(*h));
	const json_t *lat = json_object_get(class_doc, "lat_ns");
	json_t *bins = json_object(), *percentile = json_object();
	double mean = json_number(lat, "mean", 0), square = 0;
	char key[32];

	if (!h)
		return json_null();
	hist_init(h);
	hist_add_sparse(h, pairs);
	for (uint32_t b = 0; b < HIST_BUCKETS; b++) {
		uint64_t middle = hist_low(b, HIST_BITS), next;

		if (!h->bucket[b])
			continue;
		next = b + 1 < HIST_BUCKETS ? hist_low(b + 1, HIST_BITS) : UINT64_MAX;
		middle += (next - middle) / 2;
		square += (double)h->bucket[b] * ((double)middle - mean) * ((double)middle - mean);
		snprintf(key, sizeof(key), "%llu", (unsigned long long)(middle > FIO_LAST_NS ? FIO_LAST_NS : middle));
		json_object_set_new(bins, key, json_integer((json_int_t)h->bucket[b] + json_int(bins, key, 0)));
	}
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		snprintf(key, sizeof(key), "%.6f", wanted[i]);
		json_object_set_new(percentile, key, json_integer((json_int_t)hist_quantile(h, wanted[i] / 100)));
	}
	/* fio leaves the buckets of what never happened out, and its scripts rely on that. */
	if (!h->count) {
		json_decref(bins);
		json_decref(percentile);
		return json_pack("{si si si si si}", "min", 0, "max", 0, "mean", 0, "stddev", 0, "N", 0);
	}
	return json_pack("{sI sI sf sf sI so so}", "min", (json_int_t)h->min_ns, "max", (json_int_t)json_int(lat, "max", 0), "mean",
		mean, "stddev", sqrt(square / (double)h->count), "N", (json_int_t)h->count, "percentile", percentile, "bins", bins);
}

static json_t *fio_direction(const json_t *run, const json_t *hist, const char *class_name)
{
	const json_t *doc = json_object_get(json_object_get(run, "op"), class_name);
	double seconds = json_number(run, "elapsed_ns", NAN) / 1e9, count = json_number(doc, "count", 0), bytes = json_number(doc, "bytes", 0);
	json_t *latency = fio_latency(doc, json_object_get(json_object_get(json_object_get(hist, "op"), class_name), "lat_ns"));

	return json_pack("{sI sI sI sf sf sI so}", "io_bytes", (json_int_t)bytes, "bw_bytes", (json_int_t)(seconds > 0 ? bytes / seconds : 0), "bw",
		(json_int_t)(seconds > 0 ? bytes / seconds / 1024 : 0), "iops", seconds > 0 ? count / seconds : 0.0, "runtime", seconds * 1000, "total_ios",
		(json_int_t)count, "clat_ns", latency);
}

static json_t *fio_job(const struct sweep *s, const struct run *run)
{
	_cleanup_json_ json_t *hist = sweep_run_file(s, run, "run.hist");
	_cleanup_free_ char *name = NULL, *label = text_safe(s->cells[run->cell].label);
	const json_t *sync = json_object_get(json_object_get(run->doc, "op"), "fsync");
	json_t *sync_ns = fio_latency(sync, json_object_get(json_object_get(json_object_get(hist, "op"), "fsync"), "lat_ns"));

	if (asprintf(&name, "%s run %d", label ? label : "?", run->seq) < 0)
		name = NULL;
	/* fio's scripts want all three directions and their latencies, also of what did not happen. */
	return json_pack("{ss si si s{ss ss} so so so s{sI so}}", "jobname", name ? name : "run", "groupid", 0, "error", 0, "job options", "name",
		"iorig replay", "ioengine", "iorig", "read", fio_direction(run->doc, hist, "read"), "write", fio_direction(run->doc, hist, "write"), "trim",
		fio_direction(run->doc, hist, "trim"), "sync", "total_ios", (json_int_t)json_int(sync, "count", 0), "lat_ns", sync_ns);
}

static int to_fio(const struct matrix *m, FILE *out)
{
	const struct sweep *s = m->sweep;
	json_t *jobs = json_array();
	_cleanup_json_ json_t *doc = NULL;

	for (size_t r = 0; r < s->nruns; r++)
		if (s->runs[r].outcome == OUTCOME_OK && (!opt.run || opt.run == (uint64_t)s->runs[r].seq))
			json_array_append_new(jobs, fio_job(s, &s->runs[r]));
	doc = json_pack("{ss s{ss} so}", "fio version", "iorig-" IORIG_VERSION, "global options", "group_reporting", "0", "jobs", jobs);
	json_dumpf(doc, out, JSON_INDENT(2) | JSON_REAL_PRECISION(9));
	fputc('\n', out);
	return json_array_size(jobs) ? 0 : -1;
}

static const struct {
	const char *name;
	int (*write)(const struct matrix *m, FILE *out);
} formats[] = {{"fio", to_fio}, {"influx", to_influx}, {"graphite", to_graphite}, {"openmetrics", to_openmetrics}};

static int export(const struct matrix *m, int (*write)(const struct matrix *, FILE *))
{
	struct outfile file;
	int rc;

	if (!opt.out)
		return write(m, stdout) ? fail(EXIT_FAILED, "no run that counts was asked for; nothing to export") : EXIT_DONE;
	rc = outfile_open(&file, opt.out);
	if (!rc && write(m, file.stream)) {
		outfile_abandon(&file);
		return fail(EXIT_FAILED, "no run that counts was asked for; nothing to export");
	}
	if (!rc)
		rc = outfile_commit(&file);
	return rc ? fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(-rc)) : EXIT_DONE;
}

static int run_export(const struct command *self, int argc, char **argv)
{
	int rest = options_parse(self, argc, argv), rc;
	_cleanup_free_ char *why = NULL;
	struct sweep sweep;
	struct matrix m;
	size_t f = 0;

	if (rest < 0)
		return -rest - 1;
	if (rest + 1 != argc)
		return fail(EXIT_USAGE, "export takes one sweep directory; see 'iorig export -h'");
	while (f < ARRAY_SIZE(formats) && (!opt.to || strcmp(opt.to, formats[f].name)))
		f++;
	if (f == ARRAY_SIZE(formats))
		return fail(EXIT_USAGE, "--to '%s': possible: fio, influx, graphite, openmetrics", opt.to ? opt.to : "");
	if (sweep_open(&sweep, argv[rest], &why))
		return fail(EXIT_FAILED, "%s", why ? why : "out of memory");
	if (matrix_build(&m, &sweep, NULL, NULL, &why)) {
		rc = fail(EXIT_FAILED, "%s", why ? why : "out of memory");
	} else {
		rc = export(&m, formats[f].write);
		matrix_release(&m);
	}
	sweep_release(&sweep);
	return rc;
}

const struct command cmd_export = {
	.name = "export",
	.synopsis = "DIR --to fio|influx|graphite|openmetrics [--run SEQ] [-o FILE]",
	.summary = "a sweep in the formats of other tools",
	.group = "results",
	.options = rows,
	.run = run_export,
};
