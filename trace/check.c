#include <stdio.h>

#include "trace/verbs.h"

static void say_result(const char *path, uint64_t events, uint64_t lost)
{
	printf("%s: good, %llu events", path, (unsigned long long)events);
	if (lost)
		printf("; incomplete: %llu more events were lost while it was recorded", (unsigned long long)lost);
	putchar('\n');
}

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	const char *path = trace_verb_file(self, argc, argv, &rc);
	struct trace_reader *r = path ? trace_verb_open(path, &rc) : NULL;
	struct trace_record record;
	uint64_t lost = 0;

	if (!r)
		return rc;
	while (trace_reader_next(r, &record))
		lost += record.type == TRACE_LOSS ? record.loss.count : 0;
	rc = trace_verb_end(path, trace_reader_error(r));
	if (!rc)
		say_result(path, trace_reader_error(r)->events, lost);
	trace_reader_close(r);
	return rc;
}

const struct command cmd_trace_check = {
	.name = "trace check",
	.synopsis = "FILE",
	.summary = "read all of a trace and verify it",
	.group = "trace",
	.run = run,
};
