#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>
#include <xxhash.h>

#include "capture/opened.h"
#include "lib/cleanup.h"

#define BUFFER_BYTES 65536 /* more than the kernel gives in one read */

static void tell(struct drain *d, const struct rec_open *open, uint64_t key)
{
	struct trace_fd fd = {.pid = open->pid,
			      .fd = open->fd,
			      .flags = open->flags | (open->cloexec ? O_CLOEXEC : 0),
			      .position = open->position};

	fd.file = drain_file(d, &open->file, open->bytes - (uint32_t)offsetof(struct rec_open, file));
	/* Only equality matters, and a kernel address is nobody's business. */
	fd.description = XXH3_64bits_withSeed(&open->description, sizeof(open->description), key);
	if (fd.file)
		trace_writer_fd(d->writer, &fd);
}

int opened_tell(struct drain *d, uint64_t *n)
{
	_cleanup_free_ char *buffer = malloc(BUFFER_BYTES);
	_cleanup_close_ int fd = recorder_open_files(d->recorder);
	size_t have = 0;
	uint64_t key = 0;

	*n = 0;
	if (fd < 0)
		return fd; /* cppcheck-suppress memleak ; the cleanup attribute frees it */
	if (!buffer)
		return -ENOMEM;
	if (getrandom(&key, sizeof(key), 0) != sizeof(key))
		key = (uint64_t)getpid() << 32;
	for (;;) {
		ssize_t got = read(fd, buffer + have, BUFFER_BYTES - have);
		size_t at = 0;

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : 0;
		have += (size_t)got;
		while (have - at >= sizeof(struct rec_open)) {
			const struct rec_open *open = (const struct rec_open *)(buffer + at);

			if (open->bytes < sizeof(*open) || open->bytes > BUFFER_BYTES)
				return -EIO;
			if (have - at < open->bytes)
				break;
			tell(d, open, key);
			at += open->bytes;
			++*n;
		}
		memmove(buffer, buffer + at, have - at);
		have -= at;
	}
}
