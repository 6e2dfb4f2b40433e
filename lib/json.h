#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What jansson lacks. Ownership follows jansson: a returned json_t is the caller's reference unless "borrowed" is said. */

/*
 * Reads a whole JSON document and checks its "schema" (NULL: any). On failure returns NULL and *why is one line that names the
 * file, the position and the reason; the caller frees it.
 */
json_t *json_read(const char *path, const char *schema, char **why);

/* Writes atomically (lib/outfile.h), indented, keys in insertion order. 0 or -errno. */
int json_write(const char *path, const json_t *doc);

/* The value at a dotted path ("op.fsync.p99_ns"), borrowed; NULL when any part is missing. Keys with dots in them are not reached. */
json_t *json_at(const json_t *doc, const char *dotted);

/* Typed reads with a default. The text is borrowed. */
const char *json_text(const json_t *object, const char *key, const char *otherwise);
double json_number(const json_t *object, const char *key, double otherwise);
int64_t json_int(const json_t *object, const char *key, int64_t otherwise);
bool json_flag(const json_t *object, const char *key, bool otherwise);

/*
 * The text as a JSON string, which has to be UTF-8: of a text that is none (a file's name may be any bytes) the bytes from 0x80 up become
 * \xNN. NULL only when out of memory.
 */
json_t *json_any_text(const char *text);

/* Compact text with sorted keys, for hashing and for journal lines. The caller frees it. */
char *json_canonical(const json_t *value);

/* Appends the document as one synced line (a journal; see append_line_synced). */
int json_append_line(const char *path, const json_t *doc);

static inline void cleanup_json(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ __attribute__((cleanup(cleanup_json)))
