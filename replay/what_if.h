#pragma once
#include "replay/runtime.h"

/*
 * --engine uring and mmap, --direct: reads, writes and syncs of threads by another access method than the recorded one, where that gives the
 * same results; everything else as recorded, and counted.
 */

struct companion { /* what a handle slot has besides its descriptor */
	_Atomic int state;   /* enum companion_state */
	int direct_fd;       /* the same file with O_DIRECT */
	char *address;       /* all of the file */
	uint64_t bytes;      /* of the mapping; the file may be smaller */
	_Atomic uint64_t size;      /* of the file, as last seen */
	_Atomic uint32_t size_when; /* run->truncations then */
	uint32_t align;      /* for O_DIRECT */
};

/* As execute(). Adds to l->methods. */
int64_t what_if_execute(struct lane *l, const struct plan_op *op);

/* In the lane's thread, before it begins and after it has ended. */
void what_if_open(struct lane *l);
void what_if_close(struct lane *l);

/* The slot's descriptor is about to be closed. */
void what_if_forget(struct lane *l, uint32_t slot);

/* A descriptor with O_DIRECT for that request of a ring; the slot's own when the request is not aligned. */
int what_if_direct(struct lane *l, const struct plan_op *op, const struct plan_args *a);

/* SIGBUS of a mapping whose file became too short, or whose disk is full, fails the operation instead of the replayer. */
void what_if_catch_faults(void);

static inline int64_t execute_by_engine(struct lane *l, const struct plan_op *op)
{
	return __builtin_expect(l->run->what_if, 0) ? what_if_execute(l, op) : execute(l, op);
}
