#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "capture/drain.h"
#include "capture/rates.h"
#include "lib/exitcode.h"
#include "lib/json.h"

struct rates {
	const struct drain *drain;
	double seconds, bytes_per_event, bytes_per_hour, cpu_ratio;
	int op[TRACE_OP_MAX], ops; /* that happened, the most frequent first */
};

static const struct drain *sorted; /* qsort has no context */

static int more_often_first(const void *a, const void *b)
{
	uint64_t x = sorted->written[*(const int *)a], y = sorted->written[*(const int *)b];

	return x < y ? 1 : x > y ? -1 : 0;
}

static void print_text(const struct rates *r)
{
	printf("%.1f s: %llu events, %.0f/s, %llu lost\n", r->seconds, (unsigned long long)r->drain->events,
	       (double)r->drain->events / r->seconds, (unsigned long long)r->drain->lost);
	printf("a trace: %.2f bytes an event, %.1f MiB an hour\n", r->bytes_per_event, r->bytes_per_hour / (1 << 20));
	printf("the recorder: %.2f %% of one processor\n\n", 100 * r->cpu_ratio);
	printf("%-20s %12s %12s\n", "operation", "count", "per second");
	for (int i = 0; i < r->ops; i++)
		printf("%-20s %12llu %12.1f\n", trace_ops[r->op[i]].name, (unsigned long long)r->drain->written[r->op[i]],
		       (double)r->drain->written[r->op[i]] / r->seconds);
}

static int print_json(const struct rates *r)
{
	json_t *doc = json_object(), *ops = json_object();

	for (int i = 0; i < r->ops; i++) {
		json_int_t n = (json_int_t)r->drain->written[r->op[i]];

		json_object_set_new(ops, trace_ops[r->op[i]].name, json_pack("{s:I, s:f}", "count", n, "per_s", (double)n / r->seconds));
	}
	json_object_set_new(doc, "schema", json_string("iorig.capture-rates/1"));
	json_object_set_new(doc, "duration_ns", json_integer((json_int_t)(r->seconds * 1e9)));
	json_object_set_new(doc, "events", json_integer((json_int_t)r->drain->events));
	json_object_set_new(doc, "events_per_s", json_real((double)r->drain->events / r->seconds));
	json_object_set_new(doc, "lost", json_integer((json_int_t)r->drain->lost));
	json_object_set_new(doc, "bytes_per_event", json_real(r->bytes_per_event));
	json_object_set_new(doc, "bytes_per_hour", json_real(r->bytes_per_hour));
	json_object_set_new(doc, "cpu_ratio", json_real(r->cpu_ratio));
	json_object_set_new(doc, "op", ops);
	json_dumpf(doc, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(doc);
	return EXIT_DONE;
}

int rates_print(const struct drain *drain, uint64_t duration_ns, uint64_t bytes, uint64_t cpu_ns, bool json)
{
	struct rates r = {.drain = drain, .seconds = (double)duration_ns / 1e9};

	r.bytes_per_event = drain->events ? (double)bytes / (double)drain->events : 0;
	r.bytes_per_hour = (double)bytes / r.seconds * 3600;
	r.cpu_ratio = (double)cpu_ns / (double)duration_ns;
	for (int op = 0; op < TRACE_OP_MAX; op++)
		if (drain->written[op])
			r.op[r.ops++] = op;
	sorted = drain;
	qsort(r.op, (size_t)r.ops, sizeof(*r.op), more_often_first);
	if (json)
		return print_json(&r);
	print_text(&r);
	return EXIT_DONE;
}
