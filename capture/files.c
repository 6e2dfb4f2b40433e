#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "capture/by_id.h"
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
	free(files->life);
	memset(files, 0, sizeof(*files));
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
			*files_entry(&bigger, files->table[i].dev, files->table[i].ino) = files->table[i];
	free(files->table);
	*files = bigger;
	return 0;
}

/* ---- lives ------------------------------------------------------------------------------------------------------------------ */

static struct files_life *life_of(const struct files *files, uint32_t id)
{
	return id && id < files->lives_room ? &files->life[id] : NULL;
}

/* Without memory for it a file lives for ever. */
static void begin_life(struct files *files, uint32_t id, const struct file_sight *sight)
{
	struct files_life *all = by_id_cover(files->life, &files->lives_room, id, sizeof(*all));

	if (!all)
		return;
	files->life = all;
	all[id] = (struct files_life){.seen_ns = sight->seen_ns, .links = S_ISDIR(sight->mode) ? 1 : sight->nlink, .type = sight->mode & S_IFMT};
}

void files_linked(struct files *files, uint32_t id)
{
	struct files_life *life = life_of(files, id);

	if (!life)
		return;
	life->links++;
	life->gone_ns = 0;
}

void files_unlinked(struct files *files, uint32_t id, const void *name, uint64_t now_ns)
{
	struct files_life *life = life_of(files, id);

	if (!life)
		return;
	life->last = name;
	if (life->links <= 1)
		life->gone_ns = now_ns;
	if (life->links)
		life->links--;
}

bool files_gone(const struct files *files, uint32_t id)
{
	const struct files_life *life = life_of(files, id);

	return life && life->gone_ns;
}

static uint64_t began_ns(const struct file_sight *sight)
{
	return sight->since_ns ? sight->since_ns : sight->seen_ns;
}

/* Of two sights of one number, at least one without a generation: were they of two files? */
static bool other_life(const struct files *files, const struct files_entry *entry, const struct file_sight *sight)
{
	const struct files_life *life = life_of(files, entry->id);

	if (!life)
		return false;
	if (life->type && sight->mode & S_IFMT && life->type != (sight->mode & S_IFMT))
		return true;
	if (sight->made)
		return life->seen_ns < began_ns(sight);
	if (!life->gone_ns)
		return false;
	return life->gone_ns <= began_ns(sight) || life->last != sight->name;
}

/* ---- sights ----------------------------------------------------------------------------------------------------------------- */

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

	uint32_t id = trace_writer_file(files->writer, &file);

	files->count++;
	begin_life(files, id, sight);
	return id;
}

static bool is_of(const struct files *files, const struct files_entry *entry, const struct file_sight *sight)
{
	if (!entry->id)
		return false;
	if (entry->generation && sight->generation)
		return entry->generation == sight->generation;
	/* The call that made it is told twice where a file system gives no generations. */
	if (sight->made && entry->made_ns == sight->seen_ns)
		return true;
	return !other_life(files, entry, sight);
}

uint32_t files_see(struct files *files, const struct file_sight *sight)
{
	struct files_entry *entry;
	bool was_free;

	if (!sight->ino)
		return tell(files, sight);
	entry = files_entry(files, sight->dev, sight->ino);
	if (is_of(files, entry, sight)) {
		if (!entry->generation)
			entry->generation = sight->generation;
		if (sight->made)
			entry->made_ns = sight->seen_ns;
		return entry->id;
	}
	if (!entry->id && files->used * 10 >= files->room * 7) {
		if (grow(files))
			return 0;
		entry = files_entry(files, sight->dev, sight->ino);
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
