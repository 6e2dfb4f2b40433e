#include "trace/anonymous.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "lib/log.h"
#include "trace/verbs.h"

enum { KEY_MAX = 4096, RANDOM_KEY_BYTES = 32 };

static int read_key(const char *key_file, char key[KEY_MAX], size_t *n)
{
	FILE *f;

	if (!key_file) {
		*n = RANDOM_KEY_BYTES;
		if (getrandom(key, *n, 0) == (ssize_t)*n)
			return EXIT_DONE;
		return fail(EXIT_FAILED, "the system gives no random key (%s); give one with --key-file", strerror(errno));
	}
	f = fopen(key_file, "re");
	*n = f ? fread(key, 1, KEY_MAX, f) : 0;
	if (f)
		fclose(f);
	if (!*n)
		return fail(EXIT_FAILED, "cannot read the key in '%s': %s", key_file, f ? "it is empty" : strerror(errno));
	return EXIT_DONE;
}

struct anonymizer *anonymous_open(const struct anonymous_options *options, int *exit_code)
{
	char key[KEY_MAX];
	struct anonymizer_options how = {.key = key, .keep_extensions = options->keep_extensions, .keep_directories = options->keep_directories};
	struct anonymizer *a;

	*exit_code = read_key(options->key_file, key, &how.key_bytes);
	a = *exit_code ? NULL : anonymizer_open(&how);
	if (!a && !*exit_code)
		*exit_code = fail(EXIT_FAILED, "no memory");
	explicit_bzero(key, sizeof(key));
	return a;
}

const char *anonymous_rename(void *context, enum rewrite_role role, const char *text)
{
	struct anonymizer *a = context;

	switch (role) {
	case REWRITE_PATH: return anonymizer_path(a, text);
	case REWRITE_NAME: return anonymizer_name(a, text);
	default: return anonymizer_xattr(a, text);
	}
}

json_t *anonymous_header(struct anonymizer *a, const json_t *header)
{
	json_t *changed = anonymizer_json(a, header);

	if (changed && json_object_set_new(changed, "anonymized", json_true())) {
		json_decref(changed);
		return NULL;
	}
	return changed;
}

int anonymous_check(struct anonymizer *a, const char *path)
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
		rc = fail(EXIT_FAILED, "%s: the self-check found the original name '%s' in it; it is %s", path, leak,
			  unlink(path) ? "still there" : "removed");
	else
		rc = EXIT_DONE;
	trace_reader_close(r);
	return rc;
}
