#include "replay/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/cleanup.h"

enum { SAMPLE_FILES = 256, PAGE_BYTES = 4096, PART_BYTES = 1 << 20, PIECE_PAGES = 16 };
#define SAMPLE_BYTES (1ULL << 30) /* looked at per file */

int cache_drop(int root_fd)
{
	_cleanup_close_ int fd = -1;

	/* Only clean pages can be dropped; what others have written is their own affair. */
	if (syncfs(root_fd))
		return -errno;
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "3", 1) != 1)
		return -errno;
	return 0;
}

static int open_entry(const struct plan *p, const struct plan_entry *e)
{
	if (!S_ISREG(e->mode) || e->same_as != PLAN_NONE || !e->size || e->bits & PLAN_ENTRY_SPARSE)
		return -1;
	return open(plan_text(p, e->path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);
}

void cache_forget(const struct plan *p)
{
	for (uint32_t i = 0; i < p->start_n; i++) {
		_cleanup_close_ int fd = open_entry(p, &p->start[i]);

		if (fd >= 0)
			posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	}
}

/* False: the file ends before. */
static bool read_range(int fd, char *buffer, uint64_t from, uint64_t to)
{
	while (from < to) {
		ssize_t n = pread(fd, buffer, to - from < PART_BYTES ? to - from : PART_BYTES, (off_t)from);

		if (n <= 0)
			return false;
		from += (uint64_t)n;
	}
	return true;
}

/* Pages that were resident; when some were not and nobody knows which, pieces at equal distances. */
static void read_resident(int fd, char *buffer, const struct plan_resident *r)
{
	uint64_t there = r->pages - r->absent_pages, pieces = (there + PIECE_PAGES - 1) / PIECE_PAGES, stride;

	if (!r->absent_pages) {
		read_range(fd, buffer, r->first_page * PAGE_BYTES, (r->first_page + r->pages) * PAGE_BYTES);
		return;
	}
	stride = pieces ? r->pages / pieces : 0;
	for (uint64_t i = 0; i < pieces; i++) {
		uint64_t from = r->first_page + i * stride, n = there < PIECE_PAGES ? there : PIECE_PAGES;

		if (!read_range(fd, buffer, from * PAGE_BYTES, (from + n) * PAGE_BYTES))
			return;
		there -= n;
	}
}

struct cachestat_range {
	uint64_t offset, bytes;
};

struct cachestat {
	uint64_t cached, dirty, writeback, evicted, recently_evicted;
};

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + PAGE_BYTES - 1) / PAGE_BYTES;
}

/* How many of the file's first pages are resident. */
static uint64_t resident_pages(int fd, uint64_t bytes)
{
	uint64_t n = pages_of(bytes), resident = 0;
	struct cachestat_range range = {0, bytes};
	struct cachestat there;
	unsigned char in[4096]; /* a part at a time */
	void *map;

	/* Linux 6.5; it counts where mincore tells of every page. */
	if (!syscall(SYS_cachestat, fd, &range, &there, 0))
		return there.cached;
	map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return 0;
	for (uint64_t at = 0; at < n; at += sizeof(in)) {
		uint64_t part = n - at < sizeof(in) ? n - at : sizeof(in);

		if (mincore((char *)map + at * PAGE_BYTES, part * PAGE_BYTES, in))
			break;
		for (uint64_t i = 0; i < part; i++)
			resident += in[i] & 1;
	}
	munmap(map, bytes);
	return resident;
}

bool cache_has(int fd, uint64_t bytes)
{
	return resident_pages(fd, bytes) >= pages_of(bytes);
}

void cache_fill(const struct plan *p, bool all)
{
	_cleanup_free_ char *buffer = malloc(PART_BYTES);

	if (!buffer)
		return;
	for (uint32_t i = 0; all && i < p->start_n; i++) {
		_cleanup_close_ int fd = open_entry(p, &p->start[i]);

		if (fd >= 0 && !cache_has(fd, p->start[i].size))
			read_range(fd, buffer, 0, p->start[i].size);
	}
	for (uint32_t i = 0; !all && i < p->resident_n; i++) {
		const struct plan_resident *r = &p->resident[i];
		_cleanup_close_ int fd = open(plan_text(p, r->path), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME);

		if (fd < 0 || r->first_page > INT64_MAX / PAGE_BYTES || r->pages > INT64_MAX / PAGE_BYTES)
			continue;
		/* Exactly these pages: no reading ahead. */
		posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
		read_resident(fd, buffer, r);
	}
}

static void look_at(const struct plan *p, const struct plan_entry *e, uint64_t *pages, uint64_t *resident)
{
	_cleanup_close_ int fd = open_entry(p, e);
	uint64_t bytes = e->size < SAMPLE_BYTES ? e->size : SAMPLE_BYTES;

	if (fd < 0)
		return;
	*pages += pages_of(bytes);
	*resident += resident_pages(fd, bytes);
}

double cache_resident_ratio(const struct plan *p)
{
	uint64_t pages = 0, resident = 0;
	uint32_t step = p->start_n > SAMPLE_FILES ? p->start_n / SAMPLE_FILES : 1;

	for (uint32_t i = 0; i < p->start_n; i++)
		if (i % step == 0 || p->start[i].size > PART_BYTES)
			look_at(p, &p->start[i], &pages, &resident);
	return pages ? (double)resident / (double)pages : -1;
}
