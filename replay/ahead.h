#pragma once
#include "replay/compiler.h"

/*
 * Reads the records some places before they are compiled. That serves two ends:
 * - Memory that they will need is asked for early: tables of a large trace are far larger than the caches, and an event follows a chain
 *   file - object - resource - accesses through them.
 * - Events stand in the order in which they ended. Of calls on one name that overlapped, the results may tell another order: a look-up
 *   that failed with ENOENT took effect before the creation that ended a moment earlier. Such an event is compiled first (ahead_names.c).
 */
enum { AHEAD = 128 };

enum name_need { NEED_NOTHING, NEED_THERE, NEED_NOT_THERE };
enum name_effect { EFFECT_NONE, EFFECT_MAKES, EFFECT_REMOVES };

struct ahead_name { /* what the result of an event says about a name */
	uint32_t path; /* string of the trace; 0: nothing */
	uint8_t need, effect;
};

struct ahead_record {
	struct trace_record record;
	uint64_t number; /* of the event */
	struct ahead_name name[2];
};

struct ahead {
	struct ahead_record ring[AHEAD];
	uint32_t first, n;
	uint64_t events, dropped;
	uint64_t slowest_ns; /* no event with a name in the ring took longer */
	bool over;
};

static inline struct ahead_record *ahead_at(struct ahead *a, uint32_t distance)
{
	return &a->ring[(a->first + distance) % AHEAD];
}

/* The next record to compile, valid until the next call; NULL: there are no more. */
const struct ahead_record *ahead_next(struct ahead *a, struct compiler *c);

/* What the event says about names. */
void ahead_names(const struct trace_event *ev, struct ahead_name name[2]);
/* Puts the event that must have taken effect before the first one, if there is one, before it. */
void ahead_sort(struct ahead *a, struct compiler *c);
