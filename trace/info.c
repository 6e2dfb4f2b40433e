#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/sha256.h"
#include "trace/format.h"
#include "trace/summary.h"
#include "trace/text.h"
#include "trace/verbs.h"

static struct {
	bool json;
} opt;

static const struct option_row rows[] = {
	{"json", 0, NULL, OPT_FLAG, &opt.json, "machine-readable output"},
	{0},
};

struct info {
	const char *path, *state;
	char sha256[SHA256_HEX];
	uint64_t bytes;
	struct summary summary;
	struct trace_reader *reader;
};

static const char *const cause_names[] = {"ring_full", "skipped", "unpaired", "other"};

static json_int_t number(uint64_t v)
{
	const uint64_t largest = 1ULL << 53; /* beyond it jq 1.6 rounds */

	return (json_int_t)(v < largest ? v : largest);
}

static double bytes_per_event(const struct info *i)
{
	return i->summary.events ? (double)i->bytes / (double)i->summary.events : 0;
}

/* Where the bytes of the file are, by column of the format. */
static json_t *columns_json(const struct trace_reader *r)
{
	json_t *columns = json_object();

	for (unsigned c = 0; c < TRACE_COLUMNS; c++) {
		uint64_t raw, stored = trace_reader_column_bytes(r, c, &raw);

		if (raw)
			json_object_set_new(columns, trace_column_name(c),
					    json_pack("{s:I,s:I}", "raw_bytes", number(raw), "stored_bytes", number(stored)));
	}
	return columns;
}

static int print_json(const struct info *i)
{
	const struct summary *s = &i->summary;
	const struct trace_error *error = trace_reader_error(i->reader);
	json_t *file = json_string(i->path); /* NULL when it is no UTF-8 */
	json_t *doc = json_pack("{s:s, s:o, s:i, s:I, s:s, s:s, s:b, s:o, s:I, s:I, s:I, s:f, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}",
				"schema", "iorig.trace-info/1", "file", file ? file : json_null(), "version", (int)TRACE_VERSION, "bytes", number(i->bytes),
				"sha256", i->sha256, "state", i->state, "complete", !error->status && !s->lost, "problem",
				error->status ? json_string(error->text) : json_null(), "events", number(s->events), "lost", number(s->lost),
				"duration_ns", number(summary_duration_ns(s)), "bytes_per_event", bytes_per_event(i), "files",
				number(s->files), "lanes", number(s->lanes), "threads", number(s->threads), "processes",
				number(s->processes), "descriptors", number(s->descriptors), "wakes", number(s->wakes), "residencies",
				number(s->residencies), "contents", number(s->contents), "holes", number(s->holes), "bytes_read", number(s->bytes_read), "bytes_written", number(s->bytes_written),
				"first_ns", number(s->first_ns));
	const json_t *trailer = trace_reader_trailer(i->reader);
	json_t *lost = json_object();
	int rc;

	for (size_t c = 0; c < sizeof(cause_names) / sizeof(cause_names[0]); c++)
		json_object_set_new(lost, cause_names[c], json_integer(number(s->lost_by_cause[c])));
	json_object_set_new(doc, "lost_by_cause", lost);
	json_object_set_new(doc, "columns", columns_json(i->reader));
	json_object_set(doc, "header", (json_t *)trace_reader_header(i->reader));
	json_object_set_new(doc, "trailer", trailer ? json_incref((json_t *)trailer) : json_null());
	rc = json_dumpf(doc, stdout, JSON_INDENT(1) | JSON_REAL_PRECISION(6) | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(doc);
	return rc ? EXIT_FAILED : EXIT_DONE;
}

static void print_facts(const json_t *facts)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)facts, key, value) {
		if (json_is_object(value) || json_is_array(value) || !strcmp(key, "schema") || !strcmp(key, "version"))
			continue;
		printf("  ");
		quote_print(stdout, key, strlen(key));
		printf(" ");
		json_dumpf(value, stdout, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15));
		putchar('\n');
	}
}

static void print_text(const struct info *i)
{
	const struct summary *s = &i->summary;

	quote_print(stdout, i->path, strlen(i->path));
	printf(" is %s%s\n", i->state, s->lost ? ", but events were lost while it was recorded" : "");
	printf("events    %" PRIu64 ", and %" PRIu64 " lost\n", s->events, s->lost);
	printf("duration  ");
	text_print_time(stdout, summary_duration_ns(s));
	printf(" s\nfiles     %" PRIu64 "\nlanes     %" PRIu64 " (threads with events), %" PRIu64 " threads of %" PRIu64 " processes known\n",
	       s->files, s->lanes, s->threads, s->processes);
	printf("moved     %" PRIu64 " bytes read, %" PRIu64 " bytes written\n", s->bytes_read, s->bytes_written);
	if (s->wakes || s->residencies || s->descriptors || s->contents || s->holes)
		printf("also      %" PRIu64 " open descriptors at the start, %" PRIu64 " wake-ups, %" PRIu64 " runs of cached pages, %" PRIu64
		       " holes, %" PRIu64 " files sampled\n",
		       s->descriptors, s->wakes, s->residencies, s->holes, s->contents);
	printf("size      %" PRIu64 " bytes, %.2f an event\nsha256    %s\n", i->bytes, bytes_per_event(i), i->sha256);
	printf("recorded\n");
	print_facts(trace_reader_header(i->reader));
	if (trace_reader_trailer(i->reader)) {
		printf("counted by the recorder\n");
		print_facts(trace_reader_trailer(i->reader));
	}
}

static const char *state_of(const struct trace_error *error)
{
	switch (error->status) {
	case TRACE_OK: return "whole";
	case TRACE_TRUNCATED: return "truncated";
	default: return "damaged";
	}
}

static int show(struct info *i)
{
	struct stat st;
	int rc = summary_read(&i->summary, i->reader);

	if (rc)
		return fail(EXIT_FAILED, "'%s': no memory for its summary", i->path);
	rc = stat(i->path, &st) ? -1 : sha256_file(i->path, i->sha256);
	if (rc)
		return fail(EXIT_FAILED, "'%s' cannot be read a second time, for its checksum; give a file, not a pipe", i->path);
	i->bytes = (uint64_t)st.st_size;
	i->state = state_of(trace_reader_error(i->reader));
	if (!opt.json)
		print_text(i);
	else if (print_json(i))
		return fail(EXIT_FAILED, "'%s': its header cannot be shown as JSON", i->path);
	return trace_verb_end(i->path, trace_reader_error(i->reader));
}

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	struct info i = {.path = trace_verb_file(self, argc, argv, &rc)};

	if (i.path)
		i.reader = trace_verb_open(i.path, &rc);
	if (!i.reader)
		return rc;
	rc = show(&i);
	summary_release(&i.summary);
	trace_reader_close(i.reader);
	return rc;
}

const struct command cmd_trace_info = {
	.name = "trace info",
	.synopsis = "[--json] FILE",
	.summary = "say what a trace holds, and whether it is whole",
	.group = "trace",
	.options = rows,
	.run = run,
};
