#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * An append-only array in an unlinked file, for parts of a plan that may be larger than memory: appended through a small buffer,
 * then mapped. Lies in the given folder, where it can be given a name (linkat), else in $TMPDIR, /var/tmp or /tmp. Errors stick until
 * spool_map.
 */
struct spool {
	int fd, error;
	size_t item_bytes, used;
	uint64_t n; /* items */
	char *buffer;
	void *map;
	size_t map_bytes;
	void *hashing; /* XXH3 of what was written, when it is to be kept */
	uint64_t hash; /* valid after spool_map */
};

/* folder: NULL when it will not be kept. 0 or -errno. */
int spool_open(struct spool *s, size_t item_bytes, const char *folder);
void spool_append(struct spool *s, const void *items, size_t n);
/* Ends the writing. The items, or NULL: then s->error says why, or 0 when there are none. */
const void *spool_map(struct spool *s);
/* The checksum of a spool that was opened from its file; not of one that is being written. */
uint64_t spool_hash(const struct spool *s);
void spool_release(struct spool *s);
