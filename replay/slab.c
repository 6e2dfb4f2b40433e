#include "replay/slab.h"

#include <stdlib.h>
#include <string.h>

#include "replay/map.h"

enum { LEAST = 64, PIECE_BYTES = HUGE_BYTES };

static void *cut(struct slab *s, size_t bytes)
{
	void *block;

	if (!s->at || (size_t)(s->end - s->at) < bytes) {
		size_t piece = bytes + LEAST > PIECE_BYTES ? (bytes + LEAST + PIECE_BYTES - 1) / PIECE_BYTES * PIECE_BYTES : PIECE_BYTES;
		void **first = huge_alloc(piece);

		*first = s->pieces;
		s->pieces = first;
		s->at = (char *)first + LEAST;
		s->end = (char *)first + piece;
	}
	block = s->at;
	s->at += bytes;
	return block;
}

static void *take(struct slab *s, unsigned class)
{
	void *block = s->unused[class];

	if (!block)
		return cut(s, (size_t)LEAST << class);
	memcpy(&s->unused[class], block, sizeof(void *));
	return block;
}

static unsigned class_of(size_t bytes)
{
	return bytes <= LEAST ? 0 : 64 - (unsigned)__builtin_clzll((bytes - 1) / LEAST);
}

void *slab_grow(struct slab *s, void *old, size_t *room, size_t n, size_t item_bytes)
{
	unsigned class = class_of(n * item_bytes), old_class = class_of(*room * item_bytes);
	void *block = take(s, class);

	if (old) {
		memcpy(block, old, *room * item_bytes);
		memcpy(old, &s->unused[old_class], sizeof(void *));
		s->unused[old_class] = old;
	}
	*room = ((size_t)LEAST << class) / item_bytes;
	return block;
}

void slab_release(struct slab *s)
{
	while (s->pieces) {
		void **next = *s->pieces;

		free(s->pieces);
		s->pieces = next;
	}
	*s = (struct slab){0};
}
