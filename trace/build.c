#include <errno.h>
#include <string.h>

#include "lib/log.h"
#include "lib/outfile.h"
#include "trace/text.h"
#include "trace/verbs.h"

static struct {
	const char *out;
	uint64_t level;
} opt;

static const struct option_row rows[] = {
	{"output", 'o', "FILE", OPT_STRING, &opt.out, "where the trace goes"},
	{"level", 'l', "N", OPT_U64, &opt.level, "zstd level, 1 to 19 (default: 1, and 3 for blocks of few events a second)"},
	{0},
};

static int build(FILE *from, const char *name)
{
	struct text_error error;
	struct outfile out;
	int rc = outfile_open(&out, opt.out);

	if (rc)
		return fail(EXIT_FAILED, "cannot create '%s': %s", opt.out, strerror(-rc));
	rc = text_build(from, out.temporary, &(struct trace_writer_options){.level = (int)opt.level}, &error);
	if (!rc && !(rc = outfile_commit(&out)))
		return EXIT_DONE;
	outfile_abandon(&out);
	if (rc == -EINVAL)
		return fail(EXIT_FAILED, "%s:%llu: %s", name, (unsigned long long)error.line, error.text);
	return fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(-rc));
}

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	const char *path = trace_verb_file(self, argc, argv, &rc);
	FILE *from;

	if (!path)
		return rc;
	if (!opt.out || opt.level > 19)
		return fail(EXIT_USAGE, opt.out ? "trace build: --level goes from 1 to 19" : "trace build: -o FILE is needed");
	if (!strcmp(path, "-"))
		return build(stdin, "standard input");
	from = fopen(path, "re");
	if (!from)
		return fail(EXIT_FAILED, "cannot read '%s': %s", path, strerror(errno));
	rc = build(from, path);
	fclose(from);
	return rc;
}

const struct command cmd_trace_build = {
	.name = "trace build",
	.synopsis = "TEXT -o FILE",
	.summary = "make a trace from its text form ('-' is standard input)",
	.group = "trace",
	.options = rows,
	.run = run,
};
