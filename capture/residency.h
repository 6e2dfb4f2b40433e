#pragma once
#include <stdint.h>

#include "trace/trace.h"

/*
 * What of an open file is in the page cache, into the trace: runs of pages, of which those with gaps tell how many are missing. Asks cachestat(2), halving
 * the file as long as a part is neither there nor absent, at most 256 parts; before 6.5 mincore(2).
 */
void residency_tell(struct trace_writer *writer, int fd, uint64_t size_bytes, const struct trace_residency *about);
/* Pages of that range in the page cache; -1: the kernel does not tell. */
int64_t residency_count(int fd, uint64_t offset, uint64_t bytes);
