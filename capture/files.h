#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace.h"

/*
 * The files that the trace has told about: identity (dev, ino, generation) -> id. A file is defined in the trace when it is
 * seen first; a later sight only completes what this table knows.
 */
struct file_sight {
	uint64_t dev, ino;
	uint32_t generation; /* 0: not known (seen by stat only) */
	uint32_t mode, nlink, bits; /* as in struct trace_file */
	uint64_t size, seen_ns;
	uint64_t user_dev, allocated_bytes;
	bool made; /* by the call that ended at seen_ns: whatever had that number before is gone */
	uint32_t path, target; /* string ids */
};

struct files {
	struct trace_writer *writer;
	struct files_entry {
		uint64_t dev, ino;
		uint32_t generation, id;
		uint64_t made_ns;
	} *table;
	size_t used, room; /* room is a power of two */
	uint32_t count;
};

int files_init(struct files *files, struct trace_writer *writer);
/* The id of the file, 0: not seen yet. */
uint32_t files_find(const struct files *files, uint64_t dev, uint64_t ino, uint32_t generation);
/* The id of the file, which is told to the trace when it is new. 0: out of memory. ino 0: a file of which only the name is known; always new. */
uint32_t files_see(struct files *files, const struct file_sight *sight);
void files_release(struct files *files);
