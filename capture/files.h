#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

/*
 * The files that the trace has told about: identity (dev, ino, generation) -> id. A file is defined in the trace when it is
 * seen first; a later sight only completes what this table knows.
 *
 * stat(2) tells no generation, and a number is used again as soon as its file has neither a name nor a descriptor. Which file a sight without a
 * generation was of follows from when it was made: a file whose last name went before the call began was not met, and one that was met
 * while the call was running that made it is the made one. Calls that overlapped are known by their name.
 */
struct file_sight {
	uint64_t dev, ino;
	uint32_t generation; /* 0: not known (seen by stat only) */
	uint32_t mode, nlink, bits; /* as in struct trace_file */
	uint64_t size, seen_ns;
	uint64_t since_ns; /* when the call began that met the file at seen_ns; 0: not known */
	uint64_t user_dev, allocated_bytes;
	bool made; /* by the call that ended at seen_ns: whatever had that number before is gone */
	uint32_t path, target; /* string ids */
	const void *name; /* under which it was met; NULL: none, or not known */
};

struct files {
	struct trace_writer *writer;
	struct files_entry {
		uint64_t dev, ino;
		uint32_t generation, id;
		uint64_t made_ns;
	} *table;
	size_t used, room; /* room is a power of two */
	struct files_life { /* by id */
		uint64_t seen_ns, gone_ns; /* first; when the last name went, 0: it has one */
		const void *last; /* the name that went last */
		uint32_t links, type;
	} *life;
	size_t lives_room;
	uint32_t count;
};

int files_init(struct files *files, struct trace_writer *writer);
/* The entry of that inode number, or the free one where it belongs. One number has one entry: that of its newest file. */
static inline struct files_entry *files_entry(const struct files *files, uint64_t dev, uint64_t ino)
{
	size_t at = (size_t)((ino ^ dev << 40) * 0x9e3779b97f4a7c15ULL >> 32) & (files->room - 1);

	while (files->table[at].id && (files->table[at].ino != ino || files->table[at].dev != dev))
		at = (at + 1) & (files->room - 1);
	return &files->table[at];
}

/* The id of the file, 0: not seen yet. */
static inline uint32_t files_find(const struct files *files, uint64_t dev, uint64_t ino, uint32_t generation)
{
	const struct files_entry *entry = files_entry(files, dev, ino);

	return entry->generation == generation || !entry->generation || !generation ? entry->id : 0;
}

/* The id of the file, which is told to the trace when it is new. 0: out of memory. ino 0: a file of which only the name is known; always new. */
uint32_t files_see(struct files *files, const struct file_sight *sight);
/* The file has got one more name, or the call that ended at now_ns has taken that one from it. */
void files_linked(struct files *files, uint32_t id);
void files_unlinked(struct files *files, uint32_t id, const void *name, uint64_t now_ns);
/* Its last name is gone. */
bool files_gone(const struct files *files, uint32_t id);
void files_release(struct files *files);
