#define _FILE_OFFSET_BITS 64
#include "capture/content.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>
#include <zstd.h>

#include "capture/residency.h"

#define PAGE_BYTES 4096

static char piece[CONTENT_PIECE_BYTES], packed[ZSTD_COMPRESSBOUND(CONTENT_PIECE_BYTES)];

static bool is_zero(const char *page, size_t n)
{
	return !page[0] && !memcmp(page, page + 1, n - 1);
}

/* Takes the pages of zeros out; returns what is left. */
static size_t without_zeros(size_t n, uint64_t *zero_bytes)
{
	size_t kept = 0;

	for (size_t at = 0; at < n; at += PAGE_BYTES) {
		size_t bytes = n - at < PAGE_BYTES ? n - at : PAGE_BYTES;

		if (is_zero(piece + at, bytes)) {
			*zero_bytes += bytes;
			continue;
		}
		memmove(piece + kept, piece + at, bytes);
		kept += bytes;
	}
	return kept;
}

/* Where the next piece of data begins at or behind offset; size_bytes: nowhere. File systems that do not know of holes have data everywhere. */
static uint64_t next_data(int fd, uint64_t offset, uint64_t size_bytes)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);

	if (data < 0)
		return errno == ENXIO ? size_bytes : offset;
	return (uint64_t)data / PAGE_BYTES * PAGE_BYTES;
}

/* Bytes of data from there, up to a piece: a hole ends it. */
static size_t data_bytes(int fd, uint64_t offset)
{
	off_t hole = lseek(fd, (off_t)offset, SEEK_HOLE);

	return hole > (off_t)offset && hole - (off_t)offset < CONTENT_PIECE_BYTES ? (size_t)(hole - (off_t)offset) : CONTENT_PIECE_BYTES;
}

static int sample_piece(int fd, uint64_t offset, struct trace_content *content)
{
	size_t bytes = data_bytes(fd, offset), kept, stored;
	bool was_absent = !residency_count(fd, offset, bytes);
	ssize_t n = pread(fd, piece, bytes, (off_t)offset);

	if (n < 0)
		return -errno;
	if (was_absent)
		posix_fadvise(fd, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);
	content->sampled_bytes += (uint64_t)n;
	kept = without_zeros((size_t)n, &content->zero_bytes);
	stored = kept ? ZSTD_compress(packed, sizeof(packed), piece, kept, 1) : 0;
	content->stored_bytes += ZSTD_isError(stored) || stored > kept ? kept : stored;
	return 0;
}

int content_sample(int fd, uint64_t size_bytes, uint64_t *left_bytes, struct trace_content *content)
{
	uint64_t pieces = (size_bytes + CONTENT_PIECE_BYTES - 1) / CONTENT_PIECE_BYTES, next = 0;
	int rc;

	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM); /* no more than the pieces is to be read */
	if (pieces > CONTENT_PIECES)
		pieces = CONTENT_PIECES;
	for (uint64_t i = 0; i < pieces && *left_bytes >= CONTENT_PIECE_BYTES; i++) {
		uint64_t offset = size_bytes / pieces * i / PAGE_BYTES * PAGE_BYTES;

		offset = next_data(fd, offset > next ? offset : next, size_bytes);
		if (offset >= size_bytes)
			break;
		rc = sample_piece(fd, offset, content);
		if (rc)
			return rc;
		*left_bytes -= CONTENT_PIECE_BYTES;
		next = offset + CONTENT_PIECE_BYTES;
	}
	return 0;
}
