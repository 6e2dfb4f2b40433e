/*
 * `iorig trace VERB ...`: the dispatcher, and what its verbs share.
 */
#include "trace/verbs.h"

#include <stdio.h>
#include <string.h>

#include "lib/log.h"

const char *trace_verb_file(const struct command *self, int argc, char **argv, int *exit_code)
{
	int rest = options_parse(self, argc, argv);

	if (rest < 0) {
		*exit_code = -rest - 1;
		return NULL;
	}
	if (argc - rest == 1)
		return argv[rest];
	*exit_code = fail(EXIT_USAGE, "%s: exactly one file is needed; see 'iorig %s -h'", self->name, self->name);
	return NULL;
}

struct trace_reader *trace_verb_open(const char *path, int *exit_code)
{
	struct trace_error error;
	struct trace_reader *r = trace_reader_open(path, &error);

	if (!r)
		*exit_code = trace_verb_end(path, &error);
	return r;
}

int trace_verb_end(const char *path, const struct trace_error *error)
{
	if (error->status == TRACE_OK)
		return EXIT_DONE;
	return fail(error->status == TRACE_TRUNCATED ? EXIT_INCOMPLETE : EXIT_FAILED, "'%s': %s", path, error->text);
}

static const struct command *const verbs[] = {
	&cmd_trace_info, &cmd_trace_stat, &cmd_trace_dump, &cmd_trace_build, &cmd_trace_check, &cmd_trace_cut, &cmd_trace_anonymize, NULL,
};

static int usage(const struct command *self, FILE *to)
{
	fprintf(to, "usage: iorig %s %s\n\n%s\n\n", self->name, self->synopsis, self->summary);
	for (size_t i = 0; verbs[i]; i++)
		fprintf(to, "  %-10s %s\n", verbs[i]->name + strlen("trace "), verbs[i]->summary);
	fprintf(to, "\n'iorig trace VERB -h' is short help, 'iorig help trace' the manual page.\n");
	return to == stdout ? EXIT_DONE : EXIT_USAGE;
}

static int run(const struct command *self, int argc, char **argv)
{
	if (argc < 2)
		return usage(self, stderr);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return usage(self, stdout);
	for (size_t i = 0; verbs[i]; i++)
		if (!strcmp(verbs[i]->name + strlen("trace "), argv[1]))
			return verbs[i]->run(verbs[i], argc - 1, argv + 1);
	return fail(EXIT_USAGE, "trace: there is no verb '%s'; see 'iorig trace -h'", argv[1]);
}

const struct command cmd_trace = {
	.name = "trace",
	.synopsis = "VERB [OPTIONS] FILE",
	.summary = "look at a trace, check it, turn it into text and back",
	.group = "trace",
	.run = run,
};
