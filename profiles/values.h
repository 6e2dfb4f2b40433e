#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Values of knobs as text, and the little maps of the catalogue. Inside of profiles/. */

/* "bfq", "128", "true"; room is enough with 128. Returns text. */
char *value_text(const json_t *value, char *text, size_t room);

/* Does value stand in `list`: an array of values, or {"not": [...]}? A missing value (NULL) stands in no array. */
bool value_listed(const json_t *value, const json_t *list);

/*
 * A template that may depend on the value: a plain string or list is itself; an object is looked up by "<fs>:<value>", "<fs>:*", "<value>",
 * "*". NULL when nothing matches or the entry is null (nothing has to be done for that value). Borrowed.
 */
const json_t *value_map(const json_t *template, const char *fs, const char *value);

/* `node` itself, or the member for this file system (else "*") of its "by_fs". Borrowed, may be NULL. */
const json_t *value_by_fs(const json_t *node, const char *fs);

/* Replaces each {name} by its value from vars (an object of strings). Unknown names stay. Allocated; NULL when out of memory. */
char *value_expand(const char *template, const json_t *vars);
