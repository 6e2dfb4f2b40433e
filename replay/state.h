#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "replay/plan.h"

/* The starting state: what the recorded host's file system held of the files that the recording touches. */

struct state_need {
	uint64_t bytes, inodes;
};

struct state_error {
	int code;          /* -errno */
	const char *path;  /* text of the plan */
	char what[128];    /* "cannot create", ... */
};

struct state_need state_need(const struct plan *plan);
/* Of it, what a golden copy of the files that the replay changes will take when the replay has overwritten them (replay/golden.h). */
struct state_need state_need_golden(const struct plan *plan);

/*
 * All of these run in the sandbox (replay/sandbox.h). pool: incompressible bytes to fill files with. done: bytes so far, for progress.
 * 0, or -errno and error filled in; -EINTR when *stop.
 */
struct state_work {
	const struct plan *plan;
	const char *pool;
	uint64_t pool_bytes;
	_Atomic uint64_t done;
	const _Atomic _Bool *stop;
	bool only_missing;     /* what is there is right */
	const struct golden *golden; /* files to clone in place of filling them, NULL */
	_Atomic uint64_t cloned; /* so many files were */
	_Atomic uint32_t next; /* entry, for the threads that share the work */
	_Atomic int failed;    /* the first failure, whose thread fills in error */
	struct state_error error;
};
int state_create(struct state_work *w);
/* Of a tree that a replay of the same plan has changed, makes the starting state again: touches only what it changed. */
int state_reset(struct state_work *w);
/* Every name, type, size, mode, link and attribute, and that what must not exist does not. */
int state_verify(struct state_work *w);

/* For the parts of the starting state: keeps the first failure. Returns code. */
int state_fail(struct state_work *w, const char *path, const char *what, int code);
/* Calls one for each entry of the starting state, from several threads; a thread takes neighbours of one directory together. */
int state_each(struct state_work *w, int (*one)(struct state_work *w, const struct plan_entry *e));
/* Writes what the entry's file holds: holes, zeros, data as compressible as recorded. 0 or -errno. */
int state_fill(struct state_work *w, int fd, const struct plan_entry *e);
/* Bytes of storage that the entry's file takes. */
uint64_t state_stored_bytes(const struct plan *plan, const struct plan_entry *e);

/* Compares what is there with the final tree of the plan. */
struct tree_difference {
	char *path;
	const char *what; /* "missing", "unexpected", "type", "size", "target" */
	uint64_t wanted, got; /* sizes */
};
struct tree_result {
	uint64_t differences;
	struct tree_difference first[20];
	uint32_t first_n;
};
int tree_compare(const struct plan *plan, struct tree_result *result);
void tree_result_release(struct tree_result *result);

/* Removes a name with everything below it, following nothing. 0 or the first error. */
int tree_remove_name(int directory_fd, const char *name);
/* In the sandbox: removes everything in it, following nothing. 0 or the first error. */
int tree_remove(void);
