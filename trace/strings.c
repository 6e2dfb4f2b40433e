#include "trace/strings.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

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

static uint32_t hash_of(const char *text, size_t n)
{
	return (uint32_t)XXH3_64bits(text, n);
}

static uint32_t append(struct strings *s, const char *text, size_t n, uint32_t hash)
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
	s->entry[++s->n] = (struct string_entry){kept, (uint32_t)n, hash};
	return s->n;
}

uint32_t strings_append(struct strings *s, const char *text, size_t n)
{
	return append(s, text, n, 0);
}

static int rehash(struct strings *s)
{
	uint32_t slots = s->slots ? s->slots * 2 : 4096, *bigger = calloc(slots, sizeof(*bigger));

	if (!bigger)
		return -1;
	for (uint32_t id = 1; id <= s->n; id++) {
		uint32_t at = s->entry[id].hash;

		while (bigger[at % slots])
			at++;
		bigger[at % slots] = id;
	}
	free(s->slot);
	s->slot = bigger;
	s->slots = slots;
	return 0;
}

/* The slot of that text: with its id, or free. */
static uint32_t *find_slot(const struct strings *s, const char *text, size_t n, uint32_t hash)
{
	uint32_t at = hash, id;

	for (; (id = s->slot[at % s->slots]) != 0; at++)
		if (s->entry[id].hash == hash && s->entry[id].bytes == n && !memcmp(s->entry[id].text, text, n))
			break;
	return &s->slot[at % s->slots];
}

uint32_t strings_find(const struct strings *s, const char *text, size_t n)
{
	return s->slots ? *find_slot(s, text, n, hash_of(text, n)) : 0;
}

uint32_t strings_intern(struct strings *s, const char *text, size_t n, int *added)
{
	uint32_t hash = hash_of(text, n), *slot;

	*added = 0;
	if (s->n >= s->slots / 2 && rehash(s))
		return 0;
	slot = find_slot(s, text, n, hash);
	if (!*slot) {
		*slot = append(s, text, n, hash);
		*added = *slot != 0;
	}
	return *slot;
}
