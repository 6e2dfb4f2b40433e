#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/files.h"

int files_init(struct files *files, struct trace_writer *writer)
{
	memset(files, 0, sizeof(*files));
	files->writer = writer;
	files->room = 4096;
	files->table = calloc(files->room, sizeof(*files->table));
	return files->table ? 0 : -ENOMEM;
}

void files_release(struct files *files)
{
	free(files->table);
	memset(files, 0, sizeof(*files));
}

static size_t place_of(uint64_t dev, uint64_t ino, size_t room)
{
	uint64_t h = (ino ^ dev << 40) * 0x9e3779b97f4a7c15ULL;

	return (size_t)(h >> 32) & (room - 1);
}

/* The entry of that inode number, or the free one where it belongs. One number has one entry: that of its newest file. */
static struct files_entry *lookup(const struct files *files, uint64_t dev, uint64_t ino)
{
	size_t at = place_of(dev, ino, files->room);

	while (files->table[at].id && (files->table[at].ino != ino || files->table[at].dev != dev))
		at = (at + 1) & (files->room - 1);
	return &files->table[at];
}

static bool same_generation(uint32_t a, uint32_t b)
{
	return a == b || !a || !b;
}

uint32_t files_find(const struct files *files, uint64_t dev, uint64_t ino, uint32_t generation)
{
	const struct files_entry *entry = lookup(files, dev, ino);

	return entry->id && same_generation(entry->generation, generation) ? entry->id : 0;
}

static int grow(struct files *files)
{
	struct files bigger = *files;

	bigger.room *= 2;
	bigger.table = calloc(bigger.room, sizeof(*bigger.table));
	if (!bigger.table)
		return -ENOMEM;
	for (size_t i = 0; i < files->room; i++)
		if (files->table[i].id)
			*lookup(&bigger, files->table[i].dev, files->table[i].ino) = files->table[i];
	free(files->table);
	*files = bigger;
	return 0;
}

static uint32_t tell(struct files *files, const struct file_sight *sight)
{
	struct trace_file file = {.path = sight->path,
				  .dev = sight->dev,
				  .ino = sight->ino,
				  .generation = sight->generation,
				  .mode = sight->mode,
				  .nlink = sight->nlink,
				  .bits = sight->bits,
				  .size = sight->size,
				  .target = sight->target,
				  .seen_ns = sight->seen_ns,
				  .user_dev = sight->user_dev,
				  .allocated_bytes = sight->allocated_bytes};

	files->count++;
	return trace_writer_file(files->writer, &file);
}

/* Where a file system gives no generations, only the call that makes a file tells that a number is used again. */
static bool made_anew(const struct files_entry *entry, const struct file_sight *sight)
{
	return sight->made && !sight->generation && !entry->generation && entry->made_ns != sight->seen_ns;
}

uint32_t files_see(struct files *files, const struct file_sight *sight)
{
	struct files_entry *entry;
	bool was_free;

	if (!sight->ino)
		return tell(files, sight);
	entry = lookup(files, sight->dev, sight->ino);
	if (entry->id && same_generation(entry->generation, sight->generation) && !made_anew(entry, sight) &&
	    !(sight->bits & TRACE_FILE_CREATED && sight->generation != entry->generation)) {
		if (!entry->generation)
			entry->generation = sight->generation;
		return entry->id;
	}
	if (!entry->id && files->used * 10 >= files->room * 7) {
		if (grow(files))
			return 0;
		entry = lookup(files, sight->dev, sight->ino);
	}
	was_free = !entry->id;
	entry->dev = sight->dev;
	entry->ino = sight->ino;
	entry->generation = sight->generation;
	entry->made_ns = sight->made ? sight->seen_ns : 0;
	entry->id = tell(files, sight);
	files->used += was_free && entry->id;
	return entry->id;
}
