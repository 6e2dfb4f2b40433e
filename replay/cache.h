#pragma once
#include <stdbool.h>

#include "replay/plan.h"

/* The page cache before the clock starts. */
enum replay_cache { CACHE_COLD, CACHE_TRACED, CACHE_HOT };

/* Writes dirty pages back and empties the box's page, dentry and inode caches. Not in the sandbox; needs root. 0 or -errno. */
int cache_drop(int root_fd);
/* In the sandbox: drops the files' own pages as far as that works without root. */
void cache_forget(const struct plan *plan);
/* In the sandbox: reads every file of the starting state, or what was resident in the recording. */
void cache_fill(const struct plan *plan, bool all);
/* So many of a file's first bytes are resident, by cachestat or mincore. */
bool cache_has(int fd, uint64_t bytes);
/* In the sandbox: which share of the starting state's pages is resident, by cachestat or mincore over a sample of files; -1: there are none. */
double cache_resident_ratio(const struct plan *plan);
