#pragma once
#include "trace/trace.h"

/*
 * Copies a trace with other strings: records, ids of files and threads, and their order stay. rename gives the new text of a string in
 * one of its roles, borrowed until the next call; NULL ends the copy with -ECANCELED.
 */
enum rewrite_role { REWRITE_PATH, REWRITE_NAME, REWRITE_XATTR, REWRITE_ROLES };

typedef const char *(*rewrite_rename)(void *context, enum rewrite_role role, const char *text);

/* All records of r to w. 0 (how reading ended is the reader's error), or the error of the writer. */
int rewrite_copy(struct trace_reader *r, struct trace_writer *w, rewrite_rename rename, void *context);
