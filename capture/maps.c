#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/maps.h"

int maps_init(struct maps *maps)
{
	maps->used = 0;
	maps->room = 256;
	maps->space = calloc(maps->room, sizeof(*maps->space));
	return maps->space ? 0 : -ENOMEM;
}

void maps_release(struct maps *maps)
{
	for (size_t i = 0; maps->space && i < maps->room; i++)
		free(maps->space[i].range);
	free(maps->space);
	memset(maps, 0, sizeof(*maps));
}

static struct map_space *lookup(const struct maps *maps, uint32_t pid)
{
	size_t at = (pid * 0x9e3779b1u) & (maps->room - 1);

	while (maps->space[at].pid && maps->space[at].pid != pid)
		at = (at + 1) & (maps->room - 1);
	return &maps->space[at];
}

/* The process's own space; spaces of processes that are gone stay (emptied) until the table is rebuilt. */
static struct map_space *get(struct maps *maps, uint32_t pid)
{
	struct map_space *space = lookup(maps, pid);

	if (space->pid)
		return space;
	if (maps->used * 10 >= maps->room * 7) {
		struct maps bigger = {.room = maps->room * 2};

		bigger.space = calloc(bigger.room, sizeof(*bigger.space));
		if (!bigger.space)
			return NULL;
		for (size_t i = 0; i < maps->room; i++) {
			if (maps->space[i].pid && maps->space[i].n) {
				*lookup(&bigger, maps->space[i].pid) = maps->space[i];
				bigger.used++;
			} else {
				free(maps->space[i].range);
			}
		}
		free(maps->space);
		*maps = bigger;
		space = lookup(maps, pid);
	}
	space->pid = pid;
	maps->used++;
	return space;
}

static void insert(struct map_space *space, uint64_t start, uint64_t end, uint32_t file, uint64_t since_ns)
{
	if (space->n == space->room) {
		uint32_t room = space->room ? 2 * space->room : 16;
		struct map_range *more = realloc(space->range, room * sizeof(*more));

		if (!more)
			return;
		space->range = more;
		space->room = room;
	}
	space->range[space->n++] = (struct map_range){start, end, since_ns, file};
}

static void cut(struct map_space *space, uint64_t start, uint64_t end, uint64_t begin_ns)
{
	for (uint32_t i = 0; i < space->n; i++) {
		const struct map_range *range = &space->range[i];
		struct map_range old;

		if (range->end <= start || range->start >= end || range->since_ns > begin_ns)
			continue;
		old = *range;
		space->range[i--] = space->range[--space->n];
		if (old.start < start)
			insert(space, old.start, start, old.file, old.since_ns);
		if (old.end > end)
			insert(space, end, old.end, old.file, old.since_ns);
	}
}

void maps_add(struct maps *maps, uint32_t pid, uint64_t start, uint64_t length, uint32_t file, uint64_t since_ns, bool fixed)
{
	struct map_space *space = get(maps, pid);

	if (!space)
		return;
	length = (length + 4095) & ~4095ULL;
	if (fixed)
		cut(space, start, start + length, since_ns);
	insert(space, start, start + length, file, since_ns);
}

uint32_t maps_find(const struct maps *maps, uint32_t pid, uint64_t start, uint64_t length, uint64_t begin_ns)
{
	const struct map_space *space = lookup(maps, pid);
	const struct map_range *newest = NULL;
	uint64_t end = start + (length ? length : 1);
	uint32_t n = space->pid ? space->n : 0;

	for (uint32_t i = 0; i < n; i++) {
		const struct map_range *range = &space->range[i];

		if (range->start < end && range->end > start && range->since_ns <= begin_ns &&
		    (!newest || range->since_ns > newest->since_ns))
			newest = range;
	}
	return newest ? newest->file : 0;
}

void maps_remove(struct maps *maps, uint32_t pid, uint64_t start, uint64_t length, uint64_t begin_ns)
{
	struct map_space *space = lookup(maps, pid);

	if (space->pid)
		cut(space, start, start + ((length + 4095) & ~4095ULL), begin_ns);
}

void maps_copy(struct maps *maps, uint32_t from_pid, uint32_t to_pid)
{
	struct map_space *from, *to;

	if (!lookup(maps, from_pid)->n)
		return;
	to = get(maps, to_pid);
	from = lookup(maps, from_pid); /* get may have moved it */
	if (!to)
		return;
	to->n = 0;
	for (uint32_t i = 0; i < from->n; i++)
		insert(to, from->range[i].start, from->range[i].end, from->range[i].file, from->range[i].since_ns);
}

void maps_drop(struct maps *maps, uint32_t pid)
{
	struct map_space *space = lookup(maps, pid);

	space->n = 0;
}
