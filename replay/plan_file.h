#pragma once
#include "replay/plan.h"

/*
 * A plan on disk: a folder with the four big parts as they are (op, event, args, edge) and `meta`, which holds everything else, the
 * parts' checksums, and the key. Only the very program that wrote a plan reads it (the key has the program's own checksum), so structures
 * are stored as they lie in memory. Every byte is checked against its checksum before it is used.
 */

/* Writes meta and links the parts, whose spools must be named files (spool_open), into the folder. 0 or -errno. */
int plan_file_store(const struct plan *plan, const char *key, int folder_fd);
/* 0; -ENOENT: there is none; -EBADMSG: it is not what it should be. The plan must be released in every case. */
int plan_file_load(struct plan *plan, const char *key, int folder_fd);
