#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "trace/anonymize.h"
#include "trace/rewrite.h"
#include "trace/verbs.h"

enum { KEY_MAX = 4096, RANDOM_KEY_BYTES = 32 };

static struct {
	const char *out, *key_file;
	bool keep_extensions, keep_directories;
} opt;

static const struct option_row rows[] = {
	{"output", 'o', "FILE", OPT_STRING, &opt.out, "where the anonymous trace goes"},
	{"key-file", 'k', "FILE", OPT_STRING, &opt.key_file, "the key; the same key gives the same pseudonyms (default: random, forgotten)"},
	{"keep-extensions", 0, NULL, OPT_FLAG, &opt.keep_extensions, "keep .jpg and the like"},
	{"keep-directories", 0, NULL, OPT_FLAG, &opt.keep_directories, "keep usr, var, tmp and other names that every system has"},
	{0},
};

static int read_key(char key[KEY_MAX], size_t *n)
{
	FILE *f;

	if (!opt.key_file) {
		*n = RANDOM_KEY_BYTES;
		if (getrandom(key, *n, 0) == (ssize_t)*n)
			return EXIT_DONE;
		return fail(EXIT_FAILED, "the system gives no random key (%s); give one with --key-file", strerror(errno));
	}
	f = fopen(opt.key_file, "re");
	*n = f ? fread(key, 1, KEY_MAX, f) : 0;
	if (f)
		fclose(f);
	if (!*n)
		return fail(EXIT_FAILED, "cannot read the key in '%s': %s", opt.key_file, f ? "it is empty" : strerror(errno));
	return EXIT_DONE;
}

static const char *rename_text(void *context, enum rewrite_role role, const char *text)
{
	struct anonymizer *a = context;

	switch (role) {
	case REWRITE_PATH: return anonymizer_path(a, text);
	case REWRITE_NAME: return anonymizer_name(a, text);
	default: return anonymizer_xattr(a, text);
	}
}

/* Reads what was written and looks for any original name in it. */
static int check_leaks(struct anonymizer *a, const char *path)
{
	struct trace_error error;
	struct trace_reader *r = trace_reader_open(path, &error);
	struct trace_record record;
	const char *leak = NULL, *text;
	int rc = EXIT_FAILED;

	if (!r)
		return trace_verb_end(path, &error);
	while (trace_reader_next(r, &record))
		continue;
	error = *trace_reader_error(r);
	leak = anonymizer_leak_json(a, trace_reader_header(r));
	if (!leak && trace_reader_trailer(r))
		leak = anonymizer_leak_json(a, trace_reader_trailer(r));
	for (uint32_t id = 1; !leak && *(text = trace_reader_string(r, id)); id++)
		leak = anonymizer_leak(a, text);
	if (error.status)
		rc = trace_verb_end(path, &error);
	else if (leak)
		rc = fail(EXIT_FAILED, "the self-check found the original name '%s' in the result; nothing was written", leak);
	else
		rc = EXIT_DONE;
	trace_reader_close(r);
	return rc;
}

static int write_copy(struct anonymizer *a, struct trace_reader *r, const char *from, const char *to)
{
	_cleanup_json_ json_t *header = anonymizer_json(a, trace_reader_header(r));
	_cleanup_json_ json_t *trailer = NULL;
	struct trace_writer *w;
	int rc, end;

	if (!header || json_object_set_new(header, "anonymized", json_true()))
		return fail(EXIT_FAILED, "no memory for the header of '%s'", from);
	w = trace_writer_open(to, header, NULL);
	if (!w)
		return fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(errno));
	rc = rewrite_copy(r, w, rename_text, a);
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
		rc = check_leaks(a, out.temporary);
	if (!rc && (rc = outfile_commit(&out)) != 0)
		rc = fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(-rc));
	outfile_abandon(&out);
	return rc;
}

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	const char *path = trace_verb_file(self, argc, argv, &rc);
	char key[KEY_MAX];
	struct anonymizer_options options = {.key = key, .keep_extensions = opt.keep_extensions, .keep_directories = opt.keep_directories};
	struct trace_reader *r;
	struct anonymizer *a;

	if (!path)
		return rc;
	if (!opt.out)
		return fail(EXIT_USAGE, "trace anonymize: -o FILE is needed");
	rc = read_key(key, &options.key_bytes);
	r = rc ? NULL : trace_verb_open(path, &rc);
	if (!r)
		return rc;
	a = anonymizer_open(&options);
	rc = a ? anonymize(r, path, a) : fail(EXIT_FAILED, "no memory");
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
