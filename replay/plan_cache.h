#pragma once
#include "replay/plan.h"

/*
 * Plans that were compiled before, so that a sweep compiles once: a folder for each, named after the key: the SHA-256 of the trace, the
 * options that a plan depends on, and the program's own checksum. A new one appears by rename, whole or not at all; one that is
 * damaged, or that somebody else could have written, is removed and compiled again. Bounded: the ones used longest ago go first.
 */
struct plan_cache {
	char *folder; /* NULL: nothing is kept */
	char key[128];
	bool always;  /* keep also what was compiled quickly */
};

/* folder: given by the user; NULL: $XDG_CACHE_HOME/iorig/plans or ~/.cache/iorig/plans; "none": no cache. Never fails: without a folder
 * there is no cache. */
void plan_cache_open(struct plan_cache *cache, const char *folder, const char *trace_sha256, const char *options);
void plan_cache_release(struct plan_cache *cache);
/* True: the plan is there, checked and mapped. */
bool plan_cache_load(const struct plan_cache *cache, struct plan *plan);
/* Keeps a plan that was compiled with the cache's folder. Failing costs nothing but the next compilation. 0 or -errno. */
int plan_cache_store(const struct plan_cache *cache, const struct plan *plan, uint64_t compile_ns);
