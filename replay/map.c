#include "replay/map.h"

#include <string.h>
#include <sys/mman.h>

#include "lib/log.h"

static void out_of_memory(void)
{
	exit(fail(EXIT_FAILED, "out of memory while compiling the trace"));
}

void huge_pages(void *items, size_t bytes)
{
	uintptr_t from = ((uintptr_t)items + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1);
	uintptr_t to = ((uintptr_t)items + bytes) & ~(uintptr_t)(HUGE_BYTES - 1);

	if (from < to)
		madvise((void *)from, to - from, MADV_HUGEPAGE);
}

void *huge_alloc(size_t bytes)
{
	void *p = aligned_alloc(HUGE_BYTES, bytes);

	if (!p)
		out_of_memory();
	huge_pages(p, bytes);
	return p;
}

static void rehash(struct map *m)
{
	struct map old = *m;

	m->room = old.room ? old.room * 2 : 64;
	m->slot = malloc((size_t)m->room * sizeof(*m->slot));
	if (!m->slot)
		out_of_memory();
	huge_pages(m->slot, (size_t)m->room * sizeof(*m->slot));
	memset(m->slot, 0xff, (size_t)m->room * sizeof(*m->slot));
	for (uint32_t i = 0; i < old.room; i++) {
		uint32_t at = (uint32_t)map_hash(old.slot[i].key) & (m->room - 1);

		if (old.slot[i].key == UINT64_MAX)
			continue;
		while (m->slot[at].key != UINT64_MAX)
			at = (at + 1) & (m->room - 1);
		m->slot[at] = old.slot[i];
	}
	free(old.slot);
}

uint32_t *map_put(struct map *m, uint64_t key)
{
	uint32_t *there = map_get(m, key), at;

	if (there)
		return there;
	if (m->n + m->n / 2 >= m->room)
		rehash(m);
	at = (uint32_t)map_hash(key) & (m->room - 1);
	while (m->slot[at].key != UINT64_MAX)
		at = (at + 1) & (m->room - 1);
	m->slot[at] = (struct map_slot){.key = key};
	m->n++;
	return &m->slot[at].value;
}

void map_release(struct map *m)
{
	free(m->slot);
	*m = (struct map){0};
}

void *grow_now(void *items, size_t *room, size_t need, size_t item_bytes)
{
	size_t old = *room, want = old ? old : 16;

	while (want < need)
		want *= 2;
	items = reallocarray(items, want, item_bytes);
	if (!items)
		out_of_memory();
	huge_pages(items, want * item_bytes);
	memset((char *)items + old * item_bytes, 0, (want - old) * item_bytes);
	*room = want;
	return items;
}
