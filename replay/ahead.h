#pragma once
#include "replay/compiler.h"

/*
 * Reads the records some places before they are compiled, and asks for the memory that they will need: tables of a large trace are far
 * larger than the caches, and an event follows a chain file - object - resource - accesses through them.
 */
enum { AHEAD = 16 };

struct ahead {
	struct trace_record record[AHEAD];
	uint32_t first, n;
	bool over;
};

/* The next record in order, valid until the next call; NULL: there are no more. */
const struct trace_record *ahead_next(struct ahead *a, struct compiler *c);
