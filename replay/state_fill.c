/* What a file of the starting state holds: nothing where the recording had holes, elsewhere data of the recorded kind. */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "replay/state.h"

/*
 * As cp writes: a file's parts become folios of the page cache, and each small write into a large folio looks at all of its blocks (1 MiB
 * folios made a database's 4 KiB writes 1.7 times as slow as they were on the recorded host).
 */
enum { PART_BYTES = 128 * 1024, PAGE_BYTES = 4096, PIECE_BYTES = 64 * 1024 };

struct filler {
	struct state_work *w;
	const struct plan_entry *e;
	int fd;
	uint64_t shift; /* another part of the pool for every file */
	char *buffer;   /* NULL: data straight from the pool */
};

static uint64_t mix(uint64_t x)
{
	x = (x ^ x >> 31) * 0x9e3779b97f4a7c15ULL;
	return x ^ x >> 29;
}

/* A page of the wanted kind: zeros, or random bytes and then one byte over and over. */
static void make_page(const struct filler *f, char *page, const char *random, uint64_t number)
{
	double zero = f->e->zero_ratio, stored = f->e->stored_ratio;
	size_t n = (size_t)(stored * PAGE_BYTES);

	if ((double)(mix(f->shift + number) >> 11) < zero * (double)(1ULL << 53)) {
		memset(page, 0, PAGE_BYTES);
		return;
	}
	memcpy(page, random, n);
	memset(page + n, 0x5a, PAGE_BYTES - n);
}

static const char *bytes_at(const struct filler *f, uint64_t at)
{
	const char *from = f->w->pool + ((f->shift + at) % (f->w->pool_bytes - PART_BYTES - PAGE_BYTES) & ~511ULL);

	if (!f->buffer)
		return from;
	/* Pages of the file: the first may begin before `at`. */
	for (uint64_t i = 0; i < PART_BYTES / PAGE_BYTES; i++)
		make_page(f, f->buffer + i * PAGE_BYTES, from + i * PAGE_BYTES, at / PAGE_BYTES + i);
	return f->buffer;
}

static int write_data(struct filler *f, uint64_t at, uint64_t end)
{
	while (at < end) {
		uint64_t n = end - at < PART_BYTES ? end - at : PART_BYTES;
		ssize_t done = pwrite(f->fd, bytes_at(f, at), n, (off_t)at);

		if (done < 0)
			return -errno;
		at += (uint64_t)done;
		atomic_fetch_add_explicit(&f->w->done, (uint64_t)done, memory_order_relaxed);
		if (*f->w->stop || f->w->failed)
			return -EINTR;
	}
	return 0;
}

/* So many bytes of a long hole are data, in places that nobody recorded: pieces at equal distances. */
static int write_scattered(struct filler *f, const struct plan_hole *h, uint64_t end)
{
	uint64_t pieces = (h->data_bytes + PIECE_BYTES - 1) / PIECE_BYTES, stride;
	int rc = 0;

	if (!pieces)
		return 0;
	stride = h->bytes / pieces & ~(uint64_t)(PAGE_BYTES - 1);
	for (uint64_t i = 0; i < pieces && stride && !rc; i++) {
		uint64_t at = h->offset + i * stride;

		if (at >= end)
			break;
		rc = write_data(f, at, end - at < PIECE_BYTES ? end : at + PIECE_BYTES);
	}
	return rc;
}

static int write_between_holes(struct filler *f)
{
	const struct plan_entry *e = f->e;
	uint64_t at = 0;
	int rc = ftruncate(f->fd, (off_t)e->size) ? -errno : 0;

	for (uint32_t i = 0; i < e->holes && !rc; i++) {
		const struct plan_hole *h = &f->w->plan->hole[e->first_hole + i];
		uint64_t end = e->size - h->offset < h->bytes ? e->size : h->offset + h->bytes;

		if (h->offset > at)
			rc = write_data(f, at, h->offset);
		if (!rc)
			rc = write_scattered(f, h, end);
		if (end > at)
			at = end;
	}
	return rc ? rc : write_data(f, at, e->size);
}

int state_fill(struct state_work *w, int fd, const struct plan_entry *e)
{
	struct filler f = {.w = w, .e = e, .fd = fd, .shift = (uint64_t)(e - w->plan->start) * 0x9e3779b97f4a7c15ULL};
	_cleanup_free_ char *buffer = NULL;

	if (e->bits & PLAN_ENTRY_SPARSE)
		return ftruncate(fd, (off_t)e->size) ? -errno : 0;
	if (e->zero_ratio > 0 || e->stored_ratio < 1) {
		f.buffer = buffer = malloc(PART_BYTES);
		if (!buffer)
			return -ENOMEM;
	}
	return write_between_holes(&f);
}

uint64_t state_stored_bytes(const struct plan *p, const struct plan_entry *e)
{
	uint64_t bytes = e->size;

	if (e->bits & PLAN_ENTRY_SPARSE || !S_ISREG(e->mode))
		return 0;
	for (uint32_t i = 0; i < e->holes; i++) {
		const struct plan_hole *h = &p->hole[e->first_hole + i];
		uint64_t in_file = e->size - h->offset < h->bytes ? e->size - h->offset : h->bytes, data = h->data_bytes;
		uint64_t none = in_file > data ? in_file - data : 0;

		bytes -= none < bytes ? none : bytes;
	}
	return bytes > UINT64_MAX - PAGE_BYTES ? UINT64_MAX : (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}
