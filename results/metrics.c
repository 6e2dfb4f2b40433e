#include "results/metrics.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "trace/ops.h"

/* A bucket of HIST_BITS 6 is at most 1/64 of its value wide; the error of its middle is uniform: width / sqrt(12). */
#define BUCKET_SD (1.0 / 64 / 3.4641016)

static const char *const classes[] = {"all",
#define X(symbol, name) name,
	TRACE_CLASSES(X)
#undef X
};

static const struct { const char *key; double quantile; } quantiles[] = {{"p50", 0.5}, {"p99", 0.99}, {"p999", 0.999}, {"max", 1}};

static const struct metric whole_run[] = {
	{"elapsed_s", "elapsed", UNIT_SECONDS, false, 0, NULL, 0},
	{"elapsed_plus_sync_s", "elapsed+sync", UNIT_SECONDS, false, 0, NULL, 0},
	{"ops_per_s", "ops/s", UNIT_PER_S, true, 0, NULL, 0},
	{"device_read_bytes", "dev read", UNIT_BYTES, false, 0, NULL, 0},
	{"device_write_bytes", "dev write", UNIT_BYTES, false, 0, NULL, 0},
	{"device_flushes", "flushes", UNIT_COUNT, false, 0, NULL, 0},
	{"peak_dirty_bytes", "peak dirty", UNIT_BYTES, false, 0, NULL, 0},
	{"cpu_s", "cpu", UNIT_SECONDS, false, 0, NULL, 0},
};

static json_t *latencies(const struct run *run, const char *class_name)
{
	return json_object_get(json_object_get(json_at(run->doc, "op"), class_name), "lat_ns");
}

static bool occurs(const struct sweep *s, const char *class_name)
{
	for (size_t i = 0; i < s->nruns; i++)
		if (s->runs[i].outcome == OUTCOME_OK && latencies(&s->runs[i], class_name))
			return true;
	return false;
}

static void latency_metric(struct metric *m, const char *class_name, const char *key, double quantile)
{
	bool all = !strcmp(class_name, "all");

	*m = (struct metric){.unit = UNIT_NS, .floor_sd = quantile < 1 ? BUCKET_SD : 0, .class_name = class_name, .quantile = quantile};
	snprintf(m->name, sizeof(m->name), "%s%s%s_ns", all ? "" : class_name, all ? "" : "_", key);
	snprintf(m->title, sizeof(m->title), "%s%s%s", all ? "" : class_name, all ? "" : " ", strcmp(key, "p999") ? key : "p99.9");
}

struct metric *metrics_of(const struct sweep *s, size_t *n)
{
	struct metric *m = calloc(ARRAY_SIZE(whole_run) + ARRAY_SIZE(classes) * ARRAY_SIZE(quantiles) + 1, sizeof(*m));

	*n = 0;
	if (!m)
		return NULL;
	memcpy(m, whole_run, sizeof(whole_run));
	*n = ARRAY_SIZE(whole_run);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (i && !occurs(s, classes[i]))
			continue;
		for (size_t q = 0; q < ARRAY_SIZE(quantiles); q++)
			latency_metric(&m[(*n)++], classes[i], quantiles[q].key, quantiles[q].quantile);
	}
	return m;
}

bool disk_is_leaf(const struct run *run, const char *name)
{
	const char *top = json_text(run->apply, "top", "");

	if (!strncmp(top, "/dev/", 5) && !strcmp(top + 5, name) && json_object_size(json_at(run->doc, "system.disk")) > 1)
		return false;
	return strncmp(name, "md", 2) && strncmp(name, "dm-", 3) && strncmp(name, "bcache", 6);
}

double disk_sum(const struct run *run, const char *counter)
{
	const char *name;
	json_t *disk;
	double sum = NAN;

	json_object_foreach(json_at(run->doc, "system.disk"), name, disk)
		if (disk_is_leaf(run, name))
			sum = (isnan(sum) ? 0 : sum) + json_number(disk, counter, NAN);
	return sum;
}

static double cpu_seconds(const struct run *run)
{
	const json_t *cpu = json_at(run->doc, "system.cpu_s");

	return json_number(cpu, "user", NAN) + json_number(cpu, "system", NAN);
}

double metric_value(const struct metric *m, const struct run *run)
{
	const json_t *doc = run->doc;

	if (m->class_name) {
		for (size_t q = 0; q < ARRAY_SIZE(quantiles); q++)
			if (quantiles[q].quantile == m->quantile)
				return json_number(latencies(run, m->class_name), quantiles[q].key, NAN);
		return NAN;
	}
	if (!strcmp(m->name, "elapsed_s"))
		return json_number(doc, "elapsed_ns", NAN) / 1e9;
	if (!strcmp(m->name, "elapsed_plus_sync_s"))
		return (json_number(doc, "elapsed_ns", NAN) + json_number(doc, "sync_ns", NAN)) / 1e9;
	if (!strcmp(m->name, "ops_per_s"))
		return json_number(doc, "ops_per_s", NAN);
	if (!strcmp(m->name, "peak_dirty_bytes"))
		return json_number(json_object_get(doc, "system"), "peak_dirty_bytes", NAN);
	if (!strcmp(m->name, "cpu_s"))
		return cpu_seconds(run);
	return disk_sum(run, m->name + strlen("device_"));
}

int metric_find(const struct metric *m, size_t n, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < n; i++)
		if (!strcmp(m[i].name, name))
			return (int)i;
	for (size_t i = 0; i < n; i++)
		if (!strncmp(m[i].name, name, length) && m[i].name[length] == '_' && !strchr(m[i].name + length + 1, '_'))
			return (int)i;
	return -1;
}
