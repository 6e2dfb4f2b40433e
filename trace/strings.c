#include "trace/strings.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "trace/trace.h"

enum { CHUNK_BYTES = 1 << 20 };

void strings_release(struct strings *s)
{
	for (size_t i = 0; i < s->chunks; i++)
		free(s->chunk[i]);
	free(s->chunk);
	free(s->entry);
	free(s->slot);
	*s = (struct strings){0};
}

static char *keep(struct strings *s, const char *text, size_t n)
{
	char *to;

	if (s->chunk_used + n + 1 > s->chunk_room) {
		size_t room = n + 1 > CHUNK_BYTES ? n + 1 : CHUNK_BYTES;
		char **more = realloc(s->chunk, (s->chunks + 1) * sizeof(*more));

		if (!more)
			return NULL;
		s->chunk = more;
		s->chunk[s->chunks] = malloc(room);
		if (!s->chunk[s->chunks])
			return NULL;
		s->chunks++;
		s->chunk_room = room;
		s->chunk_used = 0;
	}
	to = s->chunk[s->chunks - 1] + s->chunk_used;
	memcpy(to, text, n);
	to[n] = 0;
	s->chunk_used += n + 1;
	return to;
}

uint32_t strings_append(struct strings *s, const char *text, size_t n)
{
	const char *kept;

	if (s->n + 1 >= s->room) {
		uint32_t room = s->room ? s->room * 2 : 1024;
		struct string_entry *bigger = s->n < UINT32_MAX / 2 ? realloc(s->entry, room * sizeof(*bigger)) : NULL;

		if (!bigger)
			return 0;
		s->entry = bigger;
		s->room = room;
	}
	kept = keep(s, text, n);
	if (!kept)
		return 0;
	s->entry[++s->n] = (struct string_entry){kept, (uint32_t)n};
	return s->n;
}

uint32_t trace_text_hash(const char *text, size_t n)
{
	return (uint32_t)XXH3_64bits(text, n);
}

static int rehash(struct strings *s)
{
	uint32_t slots = s->slots ? s->slots * 2 : 4096;
	struct string_slot *bigger = calloc(slots, sizeof(*bigger));

	if (!bigger)
		return -1;
	for (uint32_t i = 0; i < s->slots; i++) {
		uint32_t at = s->slot[i].hash;

		if (!s->slot[i].id)
			continue;
		while (bigger[at & (slots - 1)].id)
			at++;
		bigger[at & (slots - 1)] = s->slot[i];
	}
	free(s->slot);
	s->slot = bigger;
	s->slots = slots;
	return 0;
}

/* The slot of that text: with its id, or free. */
static inline struct string_slot *find_slot(const struct strings *s, const char *text, size_t n, uint32_t hash)
{
	for (uint32_t at = hash;; at++) {
		struct string_slot *slot = &s->slot[at & (s->slots - 1)];
		const struct string_entry *entry;

		if (!slot->id)
			return slot;
		entry = &s->entry[slot->id];
		if (slot->hash == hash && entry->bytes == n && !memcmp(entry->text, text, n))
			return slot;
	}
}

uint32_t strings_find(const struct strings *s, const char *text, size_t n)
{
	return s->slots ? find_slot(s, text, n, trace_text_hash(text, n))->id : 0;
}

uint32_t strings_intern(struct strings *s, const char *text, size_t n, int *added)
{
	return strings_intern_hashed(s, text, n, trace_text_hash(text, n), added);
}

uint32_t strings_intern_hashed(struct strings *s, const char *text, size_t n, uint32_t hash, int *added)
{
	struct string_slot *slot;

	*added = 0;
	if (s->n >= s->slots / 2 && rehash(s))
		return 0;
	slot = find_slot(s, text, n, hash);
	if (!slot->id) {
		*slot = (struct string_slot){strings_append(s, text, n), hash};
		*added = slot->id != 0;
	}
	return slot->id;
}
