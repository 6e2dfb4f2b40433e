#pragma once
#include "trace/anonymize.h"
#include "trace/trace.h"

/*
 * What `iorig trace anonymize` and `iorig capture --anonymize` share: the key, the documents, the self-check. These functions say in one
 * line what is wrong.
 */
struct anonymous_options {
	const char *key_file; /* NULL: a random key that is forgotten */
	bool keep_extensions, keep_directories;
};

/* NULL with *exit_code when the key cannot be read or there is no memory. */
struct anonymizer *anonymous_open(const struct anonymous_options *options, int *exit_code);
/* For trace_writer_options and rewrite_copy; a is the context. */
const char *anonymous_rename(void *a, enum rewrite_role role, const char *text);
/* The header of an anonymous trace. The caller's reference; NULL: no memory. */
json_t *anonymous_header(struct anonymizer *a, const json_t *header);
/* Reads what was written and looks for any original name in it, which would be the end of the file. EXIT_DONE, or the exit code after the line. */
int anonymous_check(struct anonymizer *a, const char *path);
