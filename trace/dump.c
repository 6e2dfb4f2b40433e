#include "lib/log.h"
#include "trace/text.h"
#include "trace/verbs.h"

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	const char *path = trace_verb_file(self, argc, argv, &rc);
	struct trace_reader *r = path ? trace_verb_open(path, &rc) : NULL;
	struct trace_record record;

	if (!r)
		return rc;
	text_print_json(stdout, "header", trace_reader_header(r));
	while (!ferror(stdout) && trace_reader_next(r, &record))
		text_print(stdout, r, &record);
	if (trace_reader_trailer(r))
		text_print_json(stdout, "trailer", trace_reader_trailer(r));
	rc = trace_verb_end(path, trace_reader_error(r));
	trace_reader_close(r);
	return rc;
}

const struct command cmd_trace_dump = {
	.name = "trace dump",
	.synopsis = "FILE",
	.summary = "print a trace as text, one record a line",
	.group = "trace",
	.run = run,
};
