#include "replay/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

enum { BUFFER_BYTES = 256 * 1024 };

static int unlinked_file(const char *folder)
{
	const char *places[] = {folder, getenv("TMPDIR"), "/var/tmp", "/tmp", "/dev/shm"};
	int fd = -1;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && fd < 0; i++)
		if (places[i] && *places[i])
			fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("iorig-plan", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int spool_open(struct spool *s, size_t item_bytes, const char *folder)
{
	*s = (struct spool){.fd = unlinked_file(folder), .item_bytes = item_bytes, .buffer = malloc(BUFFER_BYTES)};
	if (folder && (s->hashing = XXH3_createState()))
		XXH3_64bits_reset(s->hashing);
	if (s->fd < 0)
		s->error = s->fd;
	else if (!s->buffer)
		s->error = -ENOMEM;
	return s->error;
}

static void write_out(struct spool *s)
{
	if (s->hashing)
		XXH3_64bits_update(s->hashing, s->buffer, s->used);
	for (size_t done = 0; done < s->used && !s->error;) {
		ssize_t n = write(s->fd, s->buffer + done, s->used - done);

		if (n < 0 && errno != EINTR)
			s->error = -errno;
		else if (n > 0)
			done += (size_t)n;
	}
	s->used = 0;
}

void spool_append(struct spool *s, const void *items, size_t n)
{
	const char *from = items;
	size_t left = n * s->item_bytes;

	while (left && !s->error) {
		size_t part = BUFFER_BYTES - s->used < left ? BUFFER_BYTES - s->used : left;

		memcpy(s->buffer + s->used, from, part);
		s->used += part;
		from += part;
		left -= part;
		if (s->used == BUFFER_BYTES)
			write_out(s);
	}
	s->n += n;
}

const void *spool_map(struct spool *s)
{
	if (!s->error)
		write_out(s);
	free(s->buffer);
	s->buffer = NULL;
	if (s->hashing)
		s->hash = XXH3_64bits_digest(s->hashing);
	s->map_bytes = (size_t)s->n * s->item_bytes;
	if (s->error || !s->map_bytes)
		return NULL;
	s->map = mmap(NULL, s->map_bytes, PROT_READ, MAP_SHARED, s->fd, 0);
	if (s->map == MAP_FAILED) {
		s->error = -errno;
		s->map = NULL;
	}
	return s->map;
}

uint64_t spool_hash(const struct spool *s)
{
	char *buffer = malloc(BUFFER_BYTES);
	XXH3_state_t *state = XXH3_createState();
	uint64_t hash = 0;
	ssize_t n = 0;

	if (buffer && state) {
		XXH3_64bits_reset(state);
		for (off_t at = 0; (n = pread(s->fd, buffer, BUFFER_BYTES, at)) > 0; at += n)
			XXH3_64bits_update(state, buffer, (size_t)n);
		hash = XXH3_64bits_digest(state);
	}
	XXH3_freeState(state);
	free(buffer);
	return hash;
}

void spool_release(struct spool *s)
{
	if (s->map)
		munmap(s->map, s->map_bytes);
	free(s->buffer);
	XXH3_freeState(s->hashing);
	if (s->item_bytes && s->fd >= 0)
		close(s->fd);
	*s = (struct spool){.fd = -1};
}
