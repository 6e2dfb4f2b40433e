#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "replay/plan.h"

/*
 * The golden copy: the files that a replay changes, as they were at the start, in a directory beside the root whose blocks they share (FICLONE: xfs,
 * btrfs). With root DIR/NAME it is DIR/.NAME.iorig-golden. A reset clones them back in place of writing them anew. It is no name of the sandbox: lanes
 * have neither a path nor a descriptor to it.
 *
 *	golden_open(&g, root_fd, root, sha256, false)    there is one of this trace, or
 *	golden_open(&g, root_fd, root, sha256, true)     a new one is begun (an old one of ours is emptied)
 *	golden_keep(&g, plan)                            in the sandbox, when the starting state is there: it is complete
 *	golden_restore(&g, fd, plan, e)                  in the sandbox, from any thread
 *	golden_close(&g)                                 what is not complete is removed
 */
struct golden {
	int parent_fd, fd; /* -1: none */
	char name[256];
	bool complete;
};

/* A file of which the golden copy has one. */
bool golden_has(const struct plan_entry *e);
/* 0, or why there can be none: -EOPNOTSUPP: the file system cannot share blocks; -ENOENT (make is false); -EEXIST: not ours. */
int golden_open(struct golden *g, int root_fd, const char *root, const char *sha256, bool make);
int golden_keep(struct golden *g, const struct plan *plan, const char *sha256, const _Atomic _Bool *stop);
/* Makes the empty file what it was at the start. False: it has to be filled. */
bool golden_restore(const struct golden *g, int fd, const struct plan *plan, const struct plan_entry *e);
void golden_close(struct golden *g);
/* Removes it, also after golden_keep. */
void golden_remove(struct golden *g);
