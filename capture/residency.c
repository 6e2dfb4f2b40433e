#include "capture/residency.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

#define PAGE_BYTES 4096
#define HALVINGS 8

struct look {
	struct trace_writer *writer;
	const struct trace_residency *about;
	struct trace_residency run; /* the one that may grow yet; of no pages: none */
	bool told;
	int fd;
	unsigned char *pages; /* from mincore; NULL: ask cachestat */
};

int64_t residency_count(int fd, uint64_t offset, uint64_t bytes)
{
	struct {
		uint64_t offset, bytes;
	} range = {offset, bytes};
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} stat;

	return syscall(SYS_cachestat, fd, &range, &stat, 0) ? -1 : (int64_t)stat.cached;
}

static uint64_t count(const struct look *l, uint64_t first, uint64_t end)
{
	int64_t there;
	uint64_t n = 0;

	if (!l->pages) {
		there = residency_count(l->fd, first * PAGE_BYTES, (end - first) * PAGE_BYTES);
		return there < 0 ? 0 : (uint64_t)there;
	}
	for (uint64_t i = first; i < end; i++)
		n += l->pages[i] & 1;
	return n;
}

static void put_run(struct look *l)
{
	if (l->run.pages) {
		trace_writer_residency(l->writer, &l->run);
		l->told = true;
	}
	l->run = *l->about;
}

static void add_run(struct look *l, uint64_t first, uint64_t end, uint64_t there)
{
	uint64_t absent = end - first - there;

	if (!l->run.pages || l->run.first_page + l->run.pages != first || l->run.absent_pages || absent) {
		put_run(l);
		l->run.first_page = first;
		l->run.absent_pages = absent;
	}
	l->run.pages += end - first;
}

static void look_at(struct look *l, uint64_t first, uint64_t end, int halvings)
{
	uint64_t there = count(l, first, end), middle = first + (end - first) / 2;

	if (!there)
		return;
	if (there >= end - first)
		add_run(l, first, end, end - first);
	else if (!halvings)
		add_run(l, first, end, there);
	else {
		look_at(l, first, middle, halvings - 1);
		look_at(l, middle, end, halvings - 1);
	}
}

static unsigned char *ask_mincore(int fd, uint64_t bytes)
{
	void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	unsigned char *pages = calloc(bytes / PAGE_BYTES + 1, 1);

	if (map == MAP_FAILED || !pages || mincore(map, bytes, pages)) {
		free(pages);
		pages = NULL;
	}
	if (map != MAP_FAILED)
		munmap(map, bytes);
	return pages;
}

void residency_tell(struct trace_writer *writer, int fd, uint64_t size_bytes, const struct trace_residency *about)
{
	struct look l = {.writer = writer, .about = about, .run = *about, .fd = fd};
	uint64_t pages = (size_bytes + PAGE_BYTES - 1) / PAGE_BYTES;

	if (size_bytes && residency_count(fd, 0, size_bytes) < 0) {
		l.pages = ask_mincore(fd, size_bytes);
		if (!l.pages)
			return; /* nobody can tell */
	}
	if (pages)
		look_at(&l, 0, pages, HALVINGS);
	put_run(&l);
	if (!l.told)
		trace_writer_residency(writer, about);
	free(l.pages);
}
