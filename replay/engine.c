#include "replay/engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/json.h"
#include "lib/log.h"
#include "replay/ops.h"

static json_t *integer(uint64_t n)
{
	return json_integer((json_int_t)n);
}

bool engine_is_what_if(const struct runtime *run)
{
	return run->engine != ENGINE_TRACED || run->direct;
}

static const char *via(uint32_t v)
{
	return v == TRACE_VIA_URING ? "io_uring" : "libaio";
}

static json_t *ring_document(const struct ring_facts *f)
{
	json_t *r = json_pack("{s:i, s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:I, s:I, s:I, s:b, s:b}", "ring", (int)f->number, "recorded",
			      via(f->via), "replayed", f->driver, "requests", (json_int_t)f->requests, "calls", (json_int_t)f->calls, "batches",
			      (json_int_t)f->batches, "recorded_depth", (int)f->recorded_depth, "depth", (int)f->depth, "links",
			      (json_int_t)f->links, "drains", (json_int_t)f->drains, "registered", (json_int_t)f->fixed, "sqpoll_recorded",
			      f->sqpoll, "sqpoll", f->polled);

	if (f->refused)
		json_object_set_new(r, "refused", json_string(strerrorname_np(f->refused)));
	return r;
}

static json_t *rings(const struct runtime *run, uint64_t *by_uring, uint64_t *by_aio, uint64_t *by_threads)
{
	json_t *all = json_array();

	for (uint32_t i = 0; i < run->plan->lanes; i++) {
		const struct ring_facts *f = &run->ring[i];

		if (!f->driver)
			continue;
		*(!strcmp(f->driver, "io_uring") ? by_uring : !strcmp(f->driver, "libaio") ? by_aio : by_threads) += f->requests - f->names;
		json_array_append_new(all, ring_document(f));
	}
	return all;
}

static json_t *as_traced(const struct runtime *run)
{
	json_t *o = json_object();

	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		if (run->methods.as_traced[i])
			json_object_set_new(o, trace_class_names[i], integer(run->methods.as_traced[i]));
	return o;
}

/* Requests of rings that were system calls of the ring's thread, by operation. */
static json_t *as_calls(const struct runtime *run)
{
	json_t *o = json_object();

	for (int i = 0; i < TRACE_OP_MAX; i++)
		if (run->as_calls[i])
			json_object_set_new(o, trace_ops[i].name, integer(run->as_calls[i]));
	return o;
}

/* Data and syncs by the method that did them; what a thread did as recorded is the rest. */
static json_t *methods(const struct runtime *run, uint64_t by_uring, uint64_t by_aio, uint64_t by_threads)
{
	static const int data[] = {TRACE_CLASS_READ, TRACE_CLASS_WRITE, TRACE_CLASS_FSYNC};
	const struct methods *m = &run->methods;
	uint64_t all = 0;

	for (size_t i = 0; i < sizeof(data) / sizeof(data[0]); i++)
		if (run->totals->latency[data[i]])
			all += run->totals->latency[data[i]]->count;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "all", (json_int_t)all, "io_uring", (json_int_t)(by_uring + m->uring), "libaio",
			 (json_int_t)by_aio, "threads", (json_int_t)by_threads, "mapped", (json_int_t)m->mapped, "direct", (json_int_t)m->direct,
			 "direct_rounded", (json_int_t)m->rounded);
}

json_t *engine_document(const struct runtime *run, const char *name)
{
	uint64_t by_uring = 0, by_aio = 0, by_threads = 0;
	json_t *all = rings(run, &by_uring, &by_aio, &by_threads);

	return json_pack("{s:s, s:b, s:b, s:o, s:o, s:o, s:o}", "name", name, "direct", run->direct, "what_if", engine_is_what_if(run),
			 "methods", methods(run, by_uring, by_aio, by_threads), "as_traced", as_traced(run), "as_calls", as_calls(run), "rings", all);
}

static void print_as_calls(const json_t *engine)
{
	const json_t *count;
	const char *name, *between = "requests of rings as calls: ";

	json_object_foreach(json_object_get(engine, "as_calls"), name, count) {
		printf("%s%lld %s", between, json_integer_value(count), name);
		between = ", ";
	}
	if (*between == ',')
		printf("\n");
}

void engine_summary(const struct runtime *run, const json_t *document)
{
	const json_t *engine = json_object_get(document, "engine"), *m = json_object_get(engine, "methods"), *method;
	const char *name;

	if (engine_is_what_if(run)) {
		printf("what if: engine %s%s", json_text(engine, "name", ""), run->direct ? " --direct" : "");
		json_object_foreach((json_t *)m, name, method)
			if (json_integer_value(method))
				printf("%s %lld %s", strcmp(name, "all") ? "," : "; of", (long long)json_integer_value(method),
				       strcmp(name, "all") ? name : "reads, writes and syncs");
		printf("; not comparable with traced runs\n");
	}
	for (uint32_t i = 0; i < run->plan->lanes; i++) {
		const struct ring_facts *f = &run->ring[i];

		if (f->driver && f->requests)
			printf("ring %u (%s): %llu requests by %s, at most %u under way (recorded: %u)%s\n", f->number, via(f->via),
			       (unsigned long long)f->requests, f->driver, f->depth, f->recorded_depth,
			       f->sqpoll && !f->polled ? "; recorded with SQPOLL, replayed without" : "");
	}
	print_as_calls(engine);
}

void engine_warn(const struct runtime *run)
{
	uint32_t refused = 0;
	int why = run->methods.refused;

	for (uint32_t i = 0; i < run->plan->lanes; i++) {
		refused += run->ring[i].refused != 0;
		why = run->ring[i].refused ? run->ring[i].refused : why;
	}
	if (refused)
		warn("%u rings of the recording were replayed by other means: the kernel refuses to make one (%s)%s", refused, strerror(why),
		     why == EPERM ? "; see sysctl kernel.io_uring_disabled and seccomp" : "");
	else if (why)
		warn("--engine uring: some threads had no ring, the kernel refuses to make one (%s)", strerror(why));
}
