#include "replay/plan.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "replay/cache.h"

uint64_t plan_event(const struct plan *p, const struct plan_lane *lane, const struct plan_op *op)
{
	uint64_t at = (uint64_t)(op - p->op);
	uint32_t low = 0, high = lane->chunks;

	/* Chunks of a lane lie in order. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (lane->chunk[middle].first <= at)
			low = middle;
		else
			high = middle;
	}
	return lane->chunk[low].first_event + p->event[at];
}

void plan_release(struct plan *p)
{
	for (uint32_t i = 0; i < p->lanes; i++)
		free(p->lane[i].chunk);
	free(p->lane);
	free((char *)p->strings);
	free(p->start);
	free(p->final);
	free(p->absent);
	free(p->open);
	free(p->xattr);
	free(p->resident);
	free(p->hole);
	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		free(p->recorded[i]);
	spool_release(&p->spool_op);
	spool_release(&p->spool_event);
	spool_release(&p->spool_args);
	spool_release(&p->spool_edge);
	*p = (struct plan){0};
}

/* ---- in memory ------------------------------------------------------------------------------------------------------------- */

enum { PARTS = 3, READ_BYTES = 1 << 20, FETCH_BYTES = 1 << 19 };

/* What lanes read while they run. */
static void parts_of(const struct plan *p, const struct spool *part[PARTS])
{
	part[0] = &p->spool_op;
	part[1] = &p->spool_args;
	part[2] = &p->spool_edge;
}

static uint64_t running_bytes(const struct plan *p)
{
	return p->spool_op.map_bytes + p->spool_args.map_bytes + p->spool_edge.map_bytes;
}

bool plan_is_small(const struct plan *p)
{
	return running_bytes(p) <= PLAN_SMALL_BYTES;
}

/* Into the page cache without being mapped. */
static void read_all(const struct spool *part)
{
	/* Nearly always it was just written. */
	char *buffer = cache_has(part->fd, part->map_bytes) ? NULL : malloc(READ_BYTES);

	for (off_t at = 0; buffer && at < (off_t)part->map_bytes; at += READ_BYTES)
		if (pread(part->fd, buffer, READ_BYTES, at) <= 0)
			break;
	free(buffer);
}

void plan_keep(const struct plan *p)
{
	const struct spool *part[PARTS];
	struct sysinfo box;
	bool fits = !sysinfo(&box) && running_bytes(p) < (uint64_t)box.totalram * box.mem_unit / 8;

	parts_of(p, part);
	for (int i = 0; i < PARTS; i++) {
		if (!part[i]->map)
			continue;
		if (plan_is_small(p))
			madvise(part[i]->map, part[i]->map_bytes, MADV_POPULATE_READ);
		else if (fits)
			read_all(part[i]);
		else
			madvise(part[i]->map, part[i]->map_bytes, MADV_WILLNEED);
	}
}

void plan_forget(const struct plan *p)
{
	const struct spool *part[PARTS];

	parts_of(p, part);
	for (int i = 0; i < PARTS; i++)
		if (part[i]->map)
			madvise(part[i]->map, part[i]->map_bytes, MADV_DONTNEED);
}

uint32_t plan_fetch(const struct plan *p, const struct plan_lane *lane, uint32_t chunk)
{
	const struct plan_chunk *first = &lane->chunk[chunk], *c = first, *end = lane->chunk + lane->chunks;
	const uint64_t page = 4096;
	uintptr_t from = (uintptr_t)(p->op + first->first) & ~(page - 1), to;

	if (plan_is_small(p))
		return lane->chunks - chunk;
	do
		to = (uintptr_t)(p->op + c->first + c->count);
	while (++c < end && c->first == c[-1].first + c[-1].count && to - from < FETCH_BYTES);
	madvise((void *)from, to - from, MADV_POPULATE_READ);
	return (uint32_t)(c - first);
}
