#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Names to pseudonyms, so that a trace may leave the company. Each component of a path becomes 16 hexadecimal digits of a keyed
 * SHA-256: the same name gives the same pseudonym under the same key, nothing leads back without it, and equal names stay equal,
 * so that the trace replays as before. Two names with one pseudonym are refused, not merged.
 */
struct anonymizer;

struct anonymizer_options {
	const void *key;
	size_t key_bytes;
	bool keep_extensions;  /* ".jpg" stays behind the pseudonym: up to 8 letters and digits */
	bool keep_directories; /* usr, lib, etc, var... stay: the names that every system has */
};

struct anonymizer *anonymizer_open(const struct anonymizer_options *options); /* NULL: no memory */
void anonymizer_close(struct anonymizer *a);

/* The results are borrowed until the next call; NULL: no memory, or a collision of two names (anonymizer_collided). */
const char *anonymizer_path(struct anonymizer *a, const char *path);
/* The name of a thread, a host: one component, at most 15 bytes. */
const char *anonymizer_name(struct anonymizer *a, const char *name);
/* The namespace of an extended attribute ("user.") stays. */
const char *anonymizer_xattr(struct anonymizer *a, const char *name);
/* A copy of a header or trailer: facts about kernel and devices stay, every other text becomes a pseudonym. */
json_t *anonymizer_json(struct anonymizer *a, const json_t *doc);
bool anonymizer_collided(const struct anonymizer *a);

/* The self-check: a component of text that is an original name longer than 3 characters and was not meant to stay, or NULL. Borrowed. */
const char *anonymizer_leak(struct anonymizer *a, const char *text);
/* The same for all texts of a document. */
const char *anonymizer_leak_json(struct anonymizer *a, const json_t *doc);
