#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * An append-only array in an unlinked file, for parts of a plan that may be larger than memory: appended through a small buffer,
 * then mapped. Lies in $TMPDIR, else /var/tmp, else /tmp. Errors stick until spool_map.
 */
struct spool {
	int fd, error;
	size_t item_bytes, used;
	uint64_t n; /* items */
	char *buffer;
	void *map;
	size_t map_bytes;
};

/* 0 or -errno. */
int spool_open(struct spool *s, size_t item_bytes);
void spool_append(struct spool *s, const void *items, size_t n);
/* Ends the writing. The items, or NULL: then s->error says why, or 0 when there are none. */
const void *spool_map(struct spool *s);
void spool_release(struct spool *s);
