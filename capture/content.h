#pragma once
#include <stdint.h>

#include "trace/trace.h"

#define CONTENT_PIECE_BYTES (128 << 10)
#define CONTENT_PIECES 8 /* of a file, at most */

/*
 * Looks at samples of an open file's data: how much of it is zeros, and how far the rest can be compressed. *left_bytes is what may be read in all, and
 * is reduced. What was not in the page cache is taken out of it again. Returns 0, or -errno of reading.
 */
int content_sample(int fd, uint64_t size_bytes, uint64_t *left_bytes, struct trace_content *content);
