#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/files.h"
#include "capture/names.h"

/*
 * What a trace tells of the data of files besides their size: where sparse ones have holes, what of them is in the page cache, what kind of data it is.
 * A first look when a program has opened, executed or mapped a file, or had it open when the recording began; a second one when all is over.
 *
 *	state_init(&s, writer, cache, content);
 *	state_complete(&s, &sight, path);          // before the file is told: what statx knows of it
 *	state_first(&s, id, &sight, path, pages);  // it has been told
 *	state_end(&s, &names, now_ns);     // hooks are off
 */
struct state {
	struct trace_writer *writer;
	bool cache, content; /* wanted */
	uint64_t *ino;	     /* by file id, 0: not used; the second look is for these */
	size_t room;
	uint64_t left_bytes; /* of data that may be read yet */
};

void state_init(struct state *state, struct trace_writer *writer, bool cache, bool content);
/* Adds what only statx tells: allocation, if the size is the same still, and the device as programs see it. */
void state_complete(struct file_sight *sight, const char *path);
/* sight: as it was told. cached_pages: of the file, in the page cache when it was announced. */
void state_first(struct state *state, uint32_t file, const struct file_sight *sight, const char *path, uint32_t cached_pages);
/* Looks at the files that were used, under the names that they have now. */
void state_end(struct state *state, const struct names *names, uint64_t now_ns);
void state_release(struct state *state);
