/* The plan of a session: compiled from the trace. */
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/progress.h"
#include "lib/stop.h"
#include "replay/compile.h"
#include "replay/plan_cache.h"
#include "replay/session.h"

static bool next(void *self, struct trace_record *record)
{
	return !stop_requested() && trace_reader_next(self, record);
}

static const char *string(void *self, uint32_t id)
{
	return trace_reader_string(self, id);
}

/* Time is left for what is left of the file. */
struct compilation {
	struct progress progress;
	const struct trace_reader *reader;
};

static void compile_progress(void *context, uint64_t events)
{
	struct compilation *c = context;

	progress_update(&c->progress, trace_reader_offset(c->reader), "%llu events", (unsigned long long)events);
}

static uint64_t file_bytes(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint64_t)st.st_size;
}

static int compile(struct session *s, const struct plan_cache *cache)
{
	struct trace_error error = {0};
	struct trace_reader *reader = trace_reader_open(s->trace, &error);
	struct record_source source = {.next = next, .string = string, .self = reader};
	struct compilation progress = {.reader = reader};
	struct plan_options options = {.order = s->order, .folder = cache->folder, .progress = compile_progress, .context = &progress};
	uint64_t began = clock_now_ns();
	int rc;

	if (!reader)
		return fail(EXIT_FAILED, "%s: %s", s->trace, error.text);
	trace_reader_forget_definitions(reader);
	progress_start(&progress.progress, "compile", file_bytes(s->trace));
	rc = plan_compile(&s->plan, &source, &options);
	progress_finish(&progress.progress);
	error = *trace_reader_error(reader);
	gaps_read(s->plan.gap_ns, trace_reader_trailer(reader));
	trace_reader_close(reader);
	malloc_trim(0); /* the replay needs little of what the compiler did */
	s->report.compile_ns = clock_now_ns() - began;
	if (stop_requested())
		return session_interrupted();
	if (rc)
		return fail(EXIT_FAILED, "%s: cannot store the plan in $TMPDIR or /var/tmp: %s", s->trace, strerror(-rc));
	if (error.status == TRACE_TRUNCATED)
		warn("%s: %s; what is there is replayed", s->trace, error.text);
	else if (error.status != TRACE_OK)
		return fail(EXIT_FAILED, "%s: %s", s->trace, error.text);
	/* A plan of half a trace is not kept: whoever replays it shall be warned. */
	else if ((rc = plan_cache_store(cache, &s->plan, s->report.compile_ns)))
		warn("the plan could not be kept in %s: %s", cache->folder, strerror(-rc));
	return EXIT_DONE;
}

int session_plan(struct session *s)
{
	static const char *const orders[] = {"resource", "thread", "temporal"};
	struct plan_cache cache;
	uint64_t began = clock_now_ns();
	int rc = EXIT_DONE;

	plan_cache_open(&cache, s->opt.plan_cache, s->sha256, orders[s->order]);
	s->plan_was_cached = plan_cache_load(&cache, &s->plan);
	if (s->plan_was_cached)
		s->report.compile_ns = clock_now_ns() - began;
	else
		rc = compile(s, &cache);
	plan_cache_release(&cache);
	if (!rc && s->plan.lost)
		warn("%s: %llu events were lost while it was recorded; results may differ for that", s->trace,
		     (unsigned long long)s->plan.lost);
	return rc;
}

/* ---- --plan-only ------------------------------------------------------------------------------------------------------------- */

static uint64_t peak_rss_bytes(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)usage.ru_maxrss * 1024;
}

static json_t *plan_document(const struct session *s)
{
	const struct plan *p = &s->plan;
	struct state_need need = state_need(p);
	uint64_t seconds_ns = s->report.compile_ns ? s->report.compile_ns : 1;

	return json_pack("{s:s, s:{s:s, s:s, s:I, s:I}, s:I, s:I, s:I, s:f, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:I, s:f, s:I, s:b}}", "schema",
			 "iorig.plan/1", "trace", "file", s->trace, "sha256", s->sha256, "events", (json_int_t)p->events, "lost",
			 (json_int_t)p->lost, "lanes", (json_int_t)p->lanes, "operations", (json_int_t)p->ops, "edges",
			 (json_int_t)p->edges_n, "ops_ratio", plan_ops_ratio(p), "bytes_ratio", plan_bytes_ratio(p), "names",
			 (json_int_t)p->start_n, "must_not_exist", (json_int_t)p->absent_n, "need_bytes", (json_int_t)need.bytes,
			 "need_inodes", (json_int_t)need.inodes, "final_names", (json_int_t)p->final_n, "plan_bytes",
			 (json_int_t)plan_bytes(p), "compile", "elapsed_ns", (json_int_t)s->report.compile_ns, "events_per_s",
			 (double)p->events * 1e9 / (double)seconds_ns, "peak_rss_bytes", (json_int_t)peak_rss_bytes(), "cached",
			 s->plan_was_cached);
}

int session_show_plan(struct session *s)
{
	const struct plan *p = &s->plan;
	struct state_need need = state_need(p);

	if (s->opt.json) {
		_cleanup_json_ json_t *document = plan_document(s);

		json_dumpf(document, stdout, JSON_INDENT(2));
		putchar('\n');
		return EXIT_DONE;
	}
	printf("%" PRIu64 " events become %" PRIu64 " operations in %u lanes, which wait for each other at %" PRIu64 " points; the plan takes %.1f MiB\n",
	       p->events, p->ops, p->lanes, p->edges_n, (double)plan_bytes(p) / 1048576);
	printf("coverage %.2f %% of operations, %.2f %% of bytes\n", 100 * plan_ops_ratio(p), 100 * plan_bytes_ratio(p));
	printf("starting state: %u names in %.1f MiB, %u that must not exist; %u names in the end\n", p->start_n, (double)need.bytes / 1048576,
	       p->absent_n, p->final_n);
	return EXIT_DONE;
}
