/* Checks on the replay itself: did it do the same work everywhere, and was the replayer ever the bottleneck? */
#include "results/checks.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

void check_add(json_t *checks, const char *name, enum check_status status, const char *fmt, ...)
{
	static const char *const words[] = {"ok", "WARN", "FAIL"};
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(checks, json_pack("{ss ss so}", "name", name, "status", words[status], "text", json_safe_text(text)));
}

bool spread_over_runs(const struct matrix *m, double (*f)(const struct run *), struct spread *spread)
{
	const struct sweep *s = m->sweep;
	_cleanup_free_ double *x = calloc(s->nruns + 1, sizeof(*x));

	*spread = (struct spread){.low = INFINITY, .high = -INFINITY};
	for (size_t r = 0; x && r < s->nruns; r++) {
		double v = s->runs[r].outcome == OUTCOME_OK ? f(&s->runs[r]) : NAN;

		if (!isfinite(v))
			continue;
		x[spread->n++] = v;
		if (v < spread->low) {
			spread->low = v;
			spread->low_seq = s->runs[r].seq;
		}
		if (v > spread->high) {
			spread->high = v;
			spread->high_seq = s->runs[r].seq;
		}
	}
	if (x && spread->n)
		spread->middle = median(x, spread->n);
	return spread->n > 0;
}

static double at(const struct run *r, const char *path)
{
	const json_t *v = json_at(r->doc, path);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static double ops(const struct run *r) { return at(r, "ops"); }
static double bytes(const struct run *r) { return at(r, "bytes_read") + at(r, "bytes_written"); }
static double mismatches(const struct run *r) { return at(r, "mismatch.count"); }
static double coverage(const struct run *r) { return at(r, "coverage.ops_ratio"); }
static double tree(const struct run *r) { return at(r, "tree.differences"); }
static double lost(const struct run *r) { return at(r, "trace.lost"); }
static double late(const struct run *r) { return strcmp(json_text(json_object_get(r->doc, "options"), "timing", ""), "asap") ? at(r, "lateness_ns.p99") : NAN; }

/* The share of a lane's time that the replayer itself took. */
static double own_share(const struct run *r)
{
	return at(r, "self.ns_per_op") * at(r, "ops") / at(r, "elapsed_ns") / fmax(1, at(r, "self.threads"));
}

/* Little's law: operations in flight = rate x latency. */
static double in_flight(const struct run *r) { return at(r, "op.all.lat_ns.mean") * at(r, "ops") / at(r, "elapsed_ns"); }
static double recorded_in_flight(const struct run *r)
{
	return at(r, "op.all.recorded_lat_ns.mean") * at(r, "ops") / at(r, "recorded_elapsed_ns");
}

static void same_work(const struct matrix *m, json_t *checks)
{
	struct spread o, b, x, c;

	if (spread_over_runs(m, ops, &o) && spread_over_runs(m, bytes, &b)) {
		bool equal = o.low == o.high && b.low == b.high;

		check_add(checks, "same work in every run", equal ? CHECK_OK : CHECK_FAIL,
			equal ? "%.0f operations and %.0f bytes in each of %zu runs"
			      : "between %.0f and %.0f operations; runs differ in what they did, so their times do not compare (%zu runs)",
			o.low, equal ? b.low : o.high, o.n);
	}
	if (spread_over_runs(m, mismatches, &x))
		check_add(checks, "results equal the recording", x.high > 0 ? CHECK_WARN : CHECK_OK,
			"at most %.0f operations of a run ended otherwise than recorded%s", x.high, x.high > 0 ? "; see mismatch in its run.json" : "");
	if (spread_over_runs(m, coverage, &c))
		check_add(checks, "coverage", c.low < 0.95 ? CHECK_FAIL : c.low < 0.999 ? CHECK_WARN : CHECK_OK,
			"%.2f%% of the recorded operations were replayed", c.low * 100);
	if (spread_over_runs(m, tree, &x))
		check_add(checks, "final tree", x.high > 0 ? CHECK_WARN : CHECK_OK, "at most %.0f names, types or sizes differ from what the trace implies",
			x.high);
	if (spread_over_runs(m, lost, &x))
		check_add(checks, "recording complete", x.high > 0 ? CHECK_WARN : CHECK_OK, "%.0f events were lost while recording", x.high);
}

static void same_trace(const struct matrix *m, json_t *checks)
{
	const char *want = json_text(m->sweep->plan, "trace_sha256", NULL);
	int other = 0, n = 0;

	for (size_t r = 0; want && r < m->sweep->nruns; r++) {
		const char *have = m->sweep->runs[r].outcome == OUTCOME_OK ? json_text(json_object_get(m->sweep->runs[r].doc, "trace"), "sha256", NULL) : NULL;

		n += have != NULL;
		other += have && strcmp(have, want);
	}
	if (n)
		check_add(checks, "same trace", other ? CHECK_FAIL : CHECK_OK, "%d of %d runs replayed the trace of the plan (%.12s)", n - other, n, want);
}

/* Only where there is something to say: a what-if, or runs of different kinds. */
static void same_engine(const struct matrix *m, json_t *checks)
{
	const char *first = NULL;
	int other = 0, n = 0;

	for (size_t r = 0; r < m->sweep->nruns; r++) {
		const struct run *run = &m->sweep->runs[r];

		if (run->outcome != OUTCOME_OK || !run->doc)
			continue;
		first = first ? first : run_engine(run);
		other += strcmp(first, run_engine(run)) != 0;
		n++;
	}
	if (other)
		check_add(checks, "same engine", CHECK_FAIL, "%d of %d runs used another engine than the first (%s): their times do not compare", other, n,
			first);
	else if (first && strcmp(first, "traced"))
		check_add(checks, "as recorded", CHECK_WARN, "a what-if: reads and writes were done with --engine %s, not as recorded", first);
}

static void replayer_bound(const struct matrix *m, json_t *checks)
{
	struct spread x, y;

	if (spread_over_runs(m, own_share, &x))
		check_add(checks, "not replayer-bound", x.high > 0.1 ? CHECK_FAIL : CHECK_OK, "the replayer itself took at most %.2g%% of a lane's time%s",
			x.high * 100, x.high > 0.1 ? ": this measured the replayer" : "");
	if (spread_over_runs(m, late, &x))
		check_add(checks, "on time", x.high > 1e6 ? CHECK_WARN : CHECK_OK, "99%% of the operations were issued within %.3g ms of their time (worst run %04d)",
			x.high / 1e6, x.high_seq);
	if (spread_over_runs(m, in_flight, &x) && spread_over_runs(m, recorded_in_flight, &y))
		check_add(checks, "enough load", x.middle < y.middle / 2 ? CHECK_WARN : CHECK_OK,
			"%.2g operations in flight on average (Little's law), %.2g when recorded", x.middle, y.middle);
}

static void one_great_stall(const struct matrix *m, json_t *checks)
{
	double worst = 0, elapsed = 0, p999 = 0;
	int seq = 0;

	for (size_t r = 0; r < m->sweep->nruns; r++) {
		const struct run *run = &m->sweep->runs[r];
		double v = run->outcome == OUTCOME_OK ? at(run, "op.all.lat_ns.max") : NAN;

		if (v > worst) {
			worst = v;
			elapsed = at(run, "elapsed_ns");
			p999 = at(run, "op.all.lat_ns.p999");
			seq = run->seq;
		}
	}
	if (seq)
		check_add(checks, "outliers", worst > elapsed / 10 ? CHECK_WARN : CHECK_OK,
			"the slowest single operation took %.3g ms, %.1f%% of its run %04d; 99.9%% stayed below %.3g ms", worst / 1e6, worst / elapsed * 100, seq,
			p999 / 1e6);
}

static void fio_agreement(const json_t *fio, json_t *checks)
{
	double tau = json_number(fio, "kendall_tau", NAN), cost = json_number(fio, "would_cost_ratio", NAN);
	bool shown = json_flag(fio, "would_cost_shown", false);
	char text[TEXT_MAX];

	if (!isfinite(tau))
		return;
	check_add(checks, "fio agrees", tau < 0.5 || shown ? CHECK_WARN : CHECK_OK, "Kendall tau %.2f over %d cells; fio's favourite within the allowed class %s%s", tau,
		(int)json_int(fio, "cells", 0), cost <= 1 ? "is the replay's too" : shown ? "would cost " : "is not shown to be slower than the best",
		cost > 1 && shown ? format_percent(text, cost) : "");
}

json_t *checks_run(const struct matrix *m, const json_t *fio)
{
	json_t *checks = json_array();

	checks_of_design(m, checks);
	same_trace(m, checks);
	same_engine(m, checks);
	same_work(m, checks);
	replayer_bound(m, checks);
	one_great_stall(m, checks);
	checks_of_storage(m, checks);
	fio_agreement(fio, checks);
	return checks;
}
