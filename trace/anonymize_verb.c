#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "trace/anonymous.h"
#include "trace/rewrite.h"
#include "trace/verbs.h"

static struct {
	const char *out;
	struct anonymous_options how;
} opt;

static const struct option_row rows[] = {
	{"output", 'o', "FILE", OPT_STRING, &opt.out, "where the anonymous trace goes"},
	{"key-file", 'k', "FILE", OPT_STRING, &opt.how.key_file, "the key; the same key gives the same pseudonyms (default: random, forgotten)"},
	{"keep-extensions", 0, NULL, OPT_FLAG, &opt.how.keep_extensions, "keep .jpg and the like"},
	{"keep-directories", 0, NULL, OPT_FLAG, &opt.how.keep_directories, "keep usr, var, tmp and other names that every system has"},
	{0},
};

static int write_copy(struct anonymizer *a, struct trace_reader *r, const char *from, const char *to)
{
	_cleanup_json_ json_t *header = anonymous_header(a, trace_reader_header(r));
	_cleanup_json_ json_t *trailer = NULL;
	struct trace_writer *w;
	int rc, end;

	if (!header)
		return fail(EXIT_FAILED, "no memory for the header of '%s'", from);
	w = trace_writer_open(to, header, NULL);
	if (!w)
		return fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(errno));
	rc = rewrite_copy(r, w, anonymous_rename, a);
	if (trace_reader_trailer(r))
		trailer = anonymizer_json(a, trace_reader_trailer(r));
	end = trace_writer_close(w, trailer);
	if (anonymizer_collided(a))
		return fail(EXIT_FAILED, "two names have the same pseudonym under this key; take another");
	if (rc || end)
		return fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(rc ? -rc : -end));
	/* A trace that was cut short gives an anonymous one that says so, not a whole one: it is not written at all. */
	return trace_verb_end(from, trace_reader_error(r));
}

static int anonymize(struct trace_reader *r, const char *from, struct anonymizer *a)
{
	struct outfile out;
	int rc = outfile_open(&out, opt.out);

	if (rc)
		return fail(EXIT_FAILED, "cannot create '%s': %s", opt.out, strerror(-rc));
	rc = write_copy(a, r, from, out.temporary);
	if (!rc)
		rc = anonymous_check(a, out.temporary);
	if (!rc && (rc = outfile_commit(&out)) != 0)
		rc = fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(-rc));
	outfile_abandon(&out);
	return rc;
}

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	const char *path = trace_verb_file(self, argc, argv, &rc);
	struct trace_reader *r;
	struct anonymizer *a;

	if (!path)
		return rc;
	if (!opt.out)
		return fail(EXIT_USAGE, "trace anonymize: -o FILE is needed");
	a = anonymous_open(&opt.how, &rc);
	r = a ? trace_verb_open(path, &rc) : NULL;
	if (r)
		rc = anonymize(r, path, a);
	anonymizer_close(a);
	trace_reader_close(r);
	return rc;
}

const struct command cmd_trace_anonymize = {
	.name = "trace anonymize",
	.synopsis = "[-k KEYFILE] [--keep-extensions] [--keep-directories] -o FILE TRACE",
	.summary = "replace every name by a keyed pseudonym",
	.group = "trace",
	.options = rows,
	.run = run,
};
