#pragma once
#include <stdint.h>
#include <stdlib.h>

/*
 * A hash map from 64-bit keys to 32-bit values, open addressing, never shrinks. Key UINT64_MAX is reserved.
 * Running out of memory ends the program: nothing outside has been touched while a plan is compiled.
 */
struct map {
	struct map_slot {
		uint64_t key;
		uint32_t value;
	} *slot;
	uint32_t n, room;
};

static inline uint64_t map_hash(uint64_t k)
{
	k ^= k >> 33;
	k *= 0xff51afd7ed558ccdULL;
	k ^= k >> 33;
	k *= 0xc4ceb9fe1a85ec53ULL;
	return k ^ k >> 33;
}

/* The place of the value, NULL when the key is not there. Valid until the next map_put. */
static inline uint32_t *map_get(const struct map *m, uint64_t key)
{
	if (!m->room)
		return NULL;
	for (uint32_t i = (uint32_t)map_hash(key) & (m->room - 1);; i = (i + 1) & (m->room - 1)) {
		if (m->slot[i].key == key)
			return &m->slot[i].value;
		if (m->slot[i].key == UINT64_MAX)
			return NULL;
	}
}

/* The place of the value, made with 0 when it was not there. */
uint32_t *map_put(struct map *m, uint64_t key);
void map_release(struct map *m);

/*
 * Tables of a large trace are walked from everywhere: with small pages each look into one would be two, the first of them for where it
 * lies. huge_pages asks for large ones where the items, not written yet, fill such pages; huge_alloc's bytes are a multiple of one.
 */
enum { HUGE_BYTES = 2 << 20 };
void huge_pages(void *items, size_t bytes);
void *huge_alloc(size_t bytes);

void *grow_now(void *items, size_t *room, size_t need, size_t item_bytes);

/* realloc for arrays that must grow: doubles *room until it holds `need` items, fills new ones with zero. */
static inline void *grow(void *items, size_t *room, size_t need, size_t item_bytes)
{
	return __builtin_expect(need <= *room, 1) ? items : grow_now(items, room, need, item_bytes);
}
