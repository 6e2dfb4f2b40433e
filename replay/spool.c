#include "replay/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024 };

static int unlinked_file(void)
{
	const char *places[] = {getenv("TMPDIR"), "/var/tmp", "/tmp", "/dev/shm"};
	int fd = -1;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && fd < 0; i++)
		if (places[i] && *places[i])
			fd = open(places[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		fd = memfd_create("iorig-plan", MFD_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int spool_open(struct spool *s, size_t item_bytes)
{
	*s = (struct spool){.fd = unlinked_file(), .item_bytes = item_bytes, .buffer = malloc(BUFFER_BYTES)};
	if (s->fd < 0)
		s->error = s->fd;
	else if (!s->buffer)
		s->error = -ENOMEM;
	return s->error;
}

static void write_out(struct spool *s)
{
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

void spool_release(struct spool *s)
{
	if (s->map)
		munmap(s->map, s->map_bytes);
	free(s->buffer);
	if (s->item_bytes && s->fd >= 0)
		close(s->fd);
	*s = (struct spool){.fd = -1};
}
