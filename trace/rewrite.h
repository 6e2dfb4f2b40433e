#pragma once
#include "trace/trace.h"

/*
 * The records of a trace with other strings: ids of files and threads, and their order stay. rename gives the new text of a string in one
 * of its roles, borrowed until the next call; NULL ends the work with -ECANCELED.
 */
typedef const char *(*rewrite_rename)(void *context, enum rewrite_role role, const char *text);

/* All records of r to w. 0 (how reading ended is the reader's error), or the error of the writer. */
int rewrite_copy(struct trace_reader *r, struct trace_writer *w, rewrite_rename rename, void *context);

/*
 * One record after the other, in place: text gives the old text of an id (NULL: there is none), intern the id of a new one (0: it cannot).
 * Files must come in the order of their ids. 0 or the first error, which stays. One thread at a time.
 */
struct rewrite;
struct rewrite_ends {
	const char *(*text)(void *from, uint32_t id);
	uint32_t (*intern)(void *to, const char *text, size_t n);
	void *from, *to;
	rewrite_rename rename;
	void *context;
};

struct rewrite *rewrite_open(const struct rewrite_ends *ends); /* NULL: no memory */
void rewrite_close(struct rewrite *x);
int rewrite_file(struct rewrite *x, struct trace_file *file);
int rewrite_thread(struct rewrite *x, struct trace_thread *thread);
int rewrite_event(struct rewrite *x, struct trace_event *event);
