#include "replay/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "replay/engine.h"
#include "replay/ops.h"

/* A schedule that most operations missed by a millisecond, or that ended 10 ms behind, is not the recorded load any more. */
enum { EXEMPLARS_MOST = 2000, KEPT_UP_NS = 1000000, KEPT_UP_END_NS = 10000000 };

static json_t *integer(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *quantiles(const struct hist *h)
{
	return json_pack("{s:f, s:I, s:I, s:I, s:I, s:I}", "mean", h->count ? (double)h->sum_ns / (double)h->count : 0., "p50",
			 (json_int_t)hist_quantile(h, 0.5), "p90", (json_int_t)hist_quantile(h, 0.9), "p99", (json_int_t)hist_quantile(h, 0.99),
			 "p999", (json_int_t)hist_quantile(h, 0.999), "max", (json_int_t)h->max_ns);
}

static json_t *class_document(const struct hist *latency, const struct hist *recorded, uint64_t bytes, uint64_t errors)
{
	json_t *o = json_pack("{s:I, s:I, s:I}", "count", (json_int_t)latency->count, "bytes", (json_int_t)bytes, "errors", (json_int_t)errors);

	json_object_set_new(o, "lat_ns", quantiles(latency));
	json_object_set_new(o, "recorded_lat_ns", recorded && recorded->count ? quantiles(recorded) : json_null());
	return o;
}

static json_t *classes(const struct run_report *r)
{
	const struct totals *t = r->totals;
	struct hist *all = calloc(2, sizeof(*all));
	uint64_t bytes = 0, errors = 0;
	json_t *op = json_object();

	if (!all)
		return op;
	hist_init(&all[0]);
	hist_init(&all[1]);
	for (int i = 0; i < TRACE_CLASS_COUNT; i++) {
		if (r->plan->recorded[i])
			hist_merge(&all[1], r->plan->recorded[i]);
		if (!t->latency[i])
			continue;
		hist_merge(&all[0], t->latency[i]);
		bytes += t->bytes[i];
		errors += t->errors[i];
		json_object_set_new(op, trace_class_names[i], class_document(t->latency[i], r->plan->recorded[i], t->bytes[i], t->errors[i]));
	}
	json_object_set_new(op, "all", class_document(&all[0], &all[1], bytes, errors));
	free(all);
	return op;
}

uint64_t run_compared(const struct run_report *r)
{
	uint64_t n = 0;

	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		if (r->totals->latency[i])
			n += r->totals->latency[i]->count;
	return n;
}

static json_t *result_text(int64_t result)
{
	if (result < 0 && result > -4096 && strerrorname_np((int)-result))
		return json_string(strerrorname_np((int)-result));
	return json_integer(result);
}

static json_t *difference_document(const struct run_report *r, const struct difference *d)
{
	json_t *o = json_pack("{s:I, s:i, s:s, s:s%}", "event", (json_int_t)d->event, "thread", (int)d->thread, "op", trace_ops[d->op].name,
			      "path", plan_text(r->plan, d->path), strlen(plan_text(r->plan, d->path)));

	if (!o) /* a path that is not UTF-8 */
		o = json_pack("{s:I, s:i, s:s, s:s}", "event", (json_int_t)d->event, "thread", (int)d->thread, "op", trace_ops[d->op].name, "path",
			      "(not UTF-8)");
	json_object_set_new(o, "wanted", d->expect >= PLAN_EXPECT_SUCCESS ? json_string("success") : result_text(d->wanted));
	json_object_set_new(o, "got", result_text(d->got));
	return o;
}

static json_t *mismatch(const struct run_report *r)
{
	uint64_t n = r->totals->mismatched, compared = run_compared(r);
	json_t *by_class = json_object(), *first = json_array();

	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		if (r->totals->mismatches[i])
			json_object_set_new(by_class, trace_class_names[i], integer(r->totals->mismatches[i]));
	for (uint32_t i = 0; i < r->totals->differences; i++)
		json_array_append_new(first, difference_document(r, &r->totals->difference[i]));
	return json_pack("{s:I, s:f, s:f, s:o, s:o}", "count", (json_int_t)n, "ratio", compared ? (double)n / (double)compared : 0.,
			 "limit_ratio", r->max_mismatch_percent / 100, "by_class", by_class, "first", first);
}

static json_t *coverage(const struct run_report *r)
{
	const struct plan *p = r->plan;
	json_t *skipped = json_object(), *refused = json_object();

	for (int i = 0; i < TRACE_OP_MAX; i++)
		if (p->skipped[i])
			json_object_set_new(skipped, trace_ops[i].name ? trace_ops[i].name : "unknown", integer(p->skipped[i]));
	for (int i = 1; i < PLAN_ERRORS; i++)
		if (p->refused[i] && strerrorname_np(i))
			json_object_set_new(refused, strerrorname_np(i), integer(p->refused[i]));
	return json_pack("{s:f, s:f, s:o, s:o, s:I, s:I, s:I}", "ops_ratio", plan_ops_ratio(p), "bytes_ratio", plan_bytes_ratio(p), "skipped", skipped,
			 "refused", refused, "compiled_in", (json_int_t)p->kept_books, "opened_anew", (json_int_t)p->fallbacks, "contradictions", (json_int_t)p->conflicts);
}

static json_t *tree(const struct run_report *r)
{
	json_t *first = json_array();

	for (uint32_t i = 0; i < r->tree->first_n; i++) {
		const struct tree_difference *d = &r->tree->first[i];
		json_t *o = json_pack("{s:s, s:s}", "path", d->path, "what", d->what);

		if (!o)
			o = json_pack("{s:s, s:s}", "path", "(not UTF-8)", "what", d->what);
		if (!strcmp(d->what, "size")) {
			json_object_set_new(o, "wanted_bytes", integer(d->wanted));
			json_object_set_new(o, "got_bytes", integer(d->got));
		}
		json_array_append_new(first, o);
	}
	return json_pack("{s:I, s:i, s:o}", "differences", (json_int_t)r->tree->differences, "entries", (int)r->plan->final_n, "first", first);
}

bool run_kept_up(const struct totals *t)
{
	return hist_quantile(t->lateness, 0.5) < KEPT_UP_NS && t->last_late_ns < KEPT_UP_END_NS;
}

static json_t *lateness(const struct totals *t)
{
	const struct hist *h = t->lateness;

	if (!h)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:s}", "p50", (json_int_t)hist_quantile(h, 0.5), "p90", (json_int_t)hist_quantile(h, 0.9),
			 "p99", (json_int_t)hist_quantile(h, 0.99), "max", (json_int_t)h->max_ns, "end", (json_int_t)t->last_late_ns,
			 "verdict", run_kept_up(t) ? "kept up" : "saturated");
}

/* With think: what the pauses were in the recording, and what was left out of them. */
static json_t *pauses(const struct run_report *r)
{
	const struct pauses *p = &r->totals->pauses;

	if (strcmp(r->timing, "think") != 0)
		return json_null();
	return json_pack("{s:I, s:I, s:I, s:f, s:I}", "count", (json_int_t)p->n, "recorded_ns", (json_int_t)p->recorded_ns, "recorder_ns",
			 (json_int_t)p->recorder_ns, "recorder_ns_per_op", p->n ? (double)p->recorder_ns / (double)p->n : 0., "repaid_ns",
			 (json_int_t)p->repaid_ns);
}

static json_t *options(const struct run_report *r)
{
	return json_pack("{s:s, s:f, s:s, s:s, s:s, s:f}", "timing", r->timing, "speed", r->speed, "order", r->order, "engine", r->engine, "cache",
			 r->cache, "max_mismatch_percent", r->max_mismatch_percent);
}

json_t *run_document(const struct run_report *r)
{
	uint64_t ops = run_compared(r), elapsed = r->run->elapsed_ns;
	json_t *d = json_object();

	json_object_set_new(d, "schema", json_string("iorig.run/1"));
	json_object_set_new(d, "outcome", json_string(r->reason ? "failed" : "ok"));
	json_object_set_new(d, "reason", r->reason ? json_string(r->reason) : json_null());
	json_object_set_new(d, "trace", json_pack("{s:s, s:s, s:I, s:I}", "file", r->trace_file, "sha256", r->trace_sha256, "events",
						  (json_int_t)r->plan->events, "lost", (json_int_t)r->plan->lost));
	json_object_set_new(d, "options", options(r));
	json_object_set_new(d, "engine", engine_document(r->runtime, r->engine));
	json_object_set_new(d, "what_if", json_boolean(engine_is_what_if(r->runtime)));
	json_object_set_new(d, "started", json_string(r->started));
	json_object_set_new(d, "elapsed_ns", integer(elapsed));
	json_object_set_new(d, "recorded_elapsed_ns", integer(r->plan->recorded_elapsed_ns));
	json_object_set_new(d, "sync_ns", integer(r->sync_ns));
	json_object_set_new(d, "compile_ns", integer(r->compile_ns));
	json_object_set_new(d, "prepare_ns", integer(r->prepare_ns));
	json_object_set_new(d, "start", json_pack("{s:s, s:b}", "made", r->start, "golden", r->golden));
	json_object_set_new(d, "ops", integer(ops));
	json_object_set_new(d, "bytes_read", integer(r->totals->bytes[TRACE_CLASS_READ] + r->totals->bytes[TRACE_CLASS_COPY]));
	json_object_set_new(d, "bytes_written", integer(r->totals->bytes[TRACE_CLASS_WRITE]));
	json_object_set_new(d, "ops_per_s", json_real(elapsed ? (double)ops * 1e9 / (double)elapsed : 0));
	json_object_set_new(d, "op", classes(r));
	json_object_set_new(d, "mismatch", mismatch(r));
	json_object_set_new(d, "coverage", coverage(r));
	json_object_set_new(d, "tree", tree(r));
	json_object_set_new(d, "lateness_ns", lateness(r->totals));
	json_object_set_new(d, "service_lat_ns", strcmp(r->timing, "schedule") || !r->totals->service ? json_null() : quantiles(r->totals->service));
	json_object_set_new(d, "pauses", pauses(r));
	json_object_set_new(d, "self", json_pack("{s:f, s:f, s:I, s:I, s:I, s:i}", "ns_per_op", r->ns_per_op, "cpu_s", r->cpu_s, "rss_bytes",
						 (json_int_t)r->memory.peak_bytes, "rss_anonymous_bytes", (json_int_t)r->memory.anonymous_bytes,
						 "rss_mapped_bytes", (json_int_t)r->memory.mapped_bytes, "threads", (int)r->run->threads));
	json_object_set_new(d, "cache", json_pack("{s:s, s:o}", "requested", r->cache, "achieved_resident_ratio",
						  r->resident_ratio < 0 ? json_null() : json_real(r->resident_ratio)));
	json_object_set(d, "system", r->system);
	return d;
}

/* ---- run.hist -------------------------------------------------------------------------------------------------------------- */

static json_t *buckets(const struct hist *h)
{
	json_t *a = json_array();

	for (uint32_t i = 0; h && i < HIST_BUCKETS; i++)
		if (h->bucket[i])
			json_array_append_new(a, json_pack("[i, I]", (int)i, (json_int_t)h->bucket[i]));
	return a;
}

static json_t *cells(const struct totals *t)
{
	json_t *op = json_object();

	for (int i = 0; i < TRACE_CLASS_COUNT; i++) {
		json_t *a;

		if (!t->cell[i])
			continue;
		a = json_array();
		for (uint32_t b = 0; b < t->bins; b++)
			for (uint32_t k = 0; k < CELL_BUCKETS; k++)
				if (t->cell[i][b * CELL_BUCKETS + k])
					json_array_append_new(
						a, json_pack("[i, i, I]", (int)b, (int)k, (json_int_t)t->cell[i][b * CELL_BUCKETS + k]));
		json_object_set_new(op, trace_class_names[i], a);
	}
	return json_pack("{s:I, s:i, s:o}", "dt_ns", (json_int_t)t->bin_ns, "bits", CELL_BITS, "op", op);
}

static int slower_first(const void *a, const void *b)
{
	const struct exemplar *x = a, *y = b;

	return x->latency_ns < y->latency_ns ? 1 : x->latency_ns > y->latency_ns ? -1 : 0;
}

static json_t *exemplars(const struct run_report *r)
{
	const struct totals *t = r->totals;
	json_t *a = json_array();

	if (t->exemplars)
		qsort(t->exemplar, t->exemplars, sizeof(*t->exemplar), slower_first);
	for (size_t i = 0; i < t->exemplars && i < EXEMPLARS_MOST; i++) {
		const struct exemplar *e = &t->exemplar[i];
		json_t *path = json_string(plan_text(r->plan, e->path));

		json_array_append_new(a, json_pack("{s:I, s:s, s:o, s:I, s:I, s:I, s:i}", "t_ns", (json_int_t)e->t_ns, "op", trace_ops[e->op].name,
						   "path", path ? path : json_string("(not UTF-8)"), "offset", (json_int_t)e->offset, "length",
						   (json_int_t)e->length, "lat_ns", (json_int_t)e->latency_ns, "thread",
						   (int)r->plan->lane[e->lane].thread));
	}
	return a;
}

json_t *run_histograms(const struct run_report *r)
{
	json_t *op = json_object();

	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		if (r->totals->latency[i])
			json_object_set_new(op, trace_class_names[i], json_pack("{s:o, s:o}", "lat_ns", buckets(r->totals->latency[i]),
									      "recorded_lat_ns", buckets(r->plan->recorded[i])));
	return json_pack("{s:s, s:i, s:o, s:o, s:o, s:o}", "schema", "iorig.hist/1", "bits", HIST_BITS, "op", op, "lateness_ns",
			 r->totals->lateness ? buckets(r->totals->lateness) : json_null(), "cells", cells(r->totals), "exemplars",
			 exemplars(r));
}
