#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * All distinct texts of a trace by id, from 1; id 0 is the empty text. Texts never move, so a borrowed pointer is good until release.
 */
struct string_entry {
	const char *text; /* NUL-terminated */
	uint32_t bytes;
};

struct strings {
	struct string_entry *entry; /* [1..n] */
	uint32_t n, room;
	struct string_slot { /* NULL when only strings_append was used */
		uint32_t id, hash;
	} *slot;
	uint32_t slots; /* a power of two */
	char **chunk;
	size_t chunks, chunk_used, chunk_room;
};

void strings_release(struct strings *s);
/* The next id without looking for an equal one; 0: no memory. */
uint32_t strings_append(struct strings *s, const char *text, size_t n);
/* The id of that text; *added tells whether it is new. 0: no memory. hash: its trace_text_hash. */
uint32_t strings_intern_hashed(struct strings *s, const char *text, size_t n, uint32_t hash, int *added);
uint32_t strings_intern(struct strings *s, const char *text, size_t n, int *added);
/* The id of that text, 0 when there is none. For tables that strings_intern filled. */
uint32_t strings_find(const struct strings *s, const char *text, size_t n);
