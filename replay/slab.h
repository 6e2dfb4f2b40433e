#pragma once
#include <stddef.h>

/*
 * Blocks of powers of two from 64 bytes on, cut from huge pages: there are too many of them for the processor to know where each 4 KiB of
 * them lies. All are released together.
 */
enum { SLAB_CLASSES = 32 };

struct slab {
	void **pieces; /* of memory, to be released; the first word of each leads to the next one */
	char *at, *end;
	void *unused[SLAB_CLASSES]; /* by size; the first word of each leads to the next one */
};

/* A block of n items or more, *room says of how many, with what was in the old one (NULL: there was none). Out of memory ends the program. */
void *slab_grow(struct slab *s, void *old, size_t *room, size_t n, size_t item_bytes);
void slab_release(struct slab *s);
