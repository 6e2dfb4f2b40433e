#pragma once
#include <jansson.h>
#include <stdint.h>

/*
 * Several replays of one run, on one file system that is reset in between. Each leaves pass-1.json and pass-1.hist, ... in the run's folder; what counts
 * is the run.json and run.hist of the middle one.
 */

/* Puts the run document that is there aside as the n-th pass's. 0 or -errno. */
int passes_keep(const char *folder, int64_t n);
/*
 * Makes the middle one of n passes by elapsed time (with_sync: and the sync after it) the run's; of an even number the quicker of the two. *facts: what the
 * journal says of it. 0, or -errno with *why.
 */
int passes_choose(const char *folder, int64_t n, int with_sync, json_t **facts, char **why);
