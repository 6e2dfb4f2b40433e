#pragma once
#include "replay/compiler.h"

/*
 * Reads the records some places before they are compiled. That serves two ends:
 * - Memory that they will need is asked for early: tables of a large trace are far larger than the caches, and an event follows a chain
 *   file - object - resource - accesses through them.
 * - Events stand in the order in which they ended. Of calls on one name that overlapped, the results may tell another order: a look-up
 *   that failed with ENOENT took effect before the creation that ended a moment earlier, and one that met a file took effect after the
 *   rename that brought it there. Such an event is compiled first
 *   (ahead_names.c, ahead_search.c); so is a write that still found the length that a truncation took away (ahead_sizes.c).
 */
enum {
	AHEAD = 4096,
	BATCH = 64, /* records decoded at once: decoding and compiling together are more code than the processor keeps at hand */
	RING = AHEAD + BATCH,
	AHEAD_WINDOW = 2048, /* calls with names that are put into an order at once */
	AHEAD_NAMES = 8192,
};

enum name_need { NEED_NOTHING, NEED_THERE, NEED_NOT_THERE };
enum name_effect { EFFECT_NONE, EFFECT_MAKES, EFFECT_REMOVES };

struct ahead_name { /* what the result of an event says about a name */
	uint32_t path; /* string of the trace; 0: nothing */
	uint8_t need, effect;
	uint32_t or_path; /* it says so of path or of this one, and does not tell of which; 0: of path */
	uint32_t file;	  /* that the kernel found there; 0: not told */
	uint32_t from;	  /* afterwards there is what was at this path before; 0: not so */
};

enum ahead_size_kind { SIZE_NONE, SIZE_END /* lseek told it */, SIZE_READ, SIZE_WRITE, SIZE_CUT }; /* from SIZE_WRITE on: changes */

struct ahead_record {
	struct trace_record record;
	uint64_t number; /* of the event */
	struct ahead_name name[2];
	bool settled; /* it stands where its turn is */
	uint32_t instead; /* of link: the name of the model that it is replayed from; 0: its own */
	uint8_t size_kind; /* enum ahead_size_kind: what the event says about its file's size */
	uint64_t size_from, size_to; /* bytes read or written; or the new size, or the one that was told */
};

struct ahead {
	struct ahead_record ring[RING];
	uint32_t first, n, filled; /* n of those that are there are looked at, AHEAD at most */
	uint64_t events, dropped;
	uint64_t slowest_ns; /* no event with a name in the ring took longer */
	uint64_t slowest_size_ns; /* nor one that says something about a size */
	bool over;
	/* Calls with names in the order that their results tell, when there is doubt: the next is order[order_at]. */
	struct ahead_order {
		uint64_t number;
		uint32_t instead;
	} order[AHEAD_WINDOW];
	uint32_t ordered, order_at;
	struct search *search; /* memory for the next */
	uint32_t window;       /* calls that it takes at once: fewer where no order explains them */
	/* How many names in the ring have that text, and how many of them are changed: by the lower bits of its id. */
	uint16_t named[AHEAD_NAMES], changed[AHEAD_NAMES];
};

static inline struct ahead_record *ahead_at(struct ahead *a, uint32_t distance)
{
	uint32_t at = a->first + distance;

	return &a->ring[at < RING ? at : at - RING];
}

/* The next record to compile, valid until the next call; NULL: there are no more. */
const struct ahead_record *ahead_next(struct ahead *a, struct compiler *c);

static inline bool ahead_changes(const struct ahead_name *n)
{
	return n->effect != EFFECT_NONE || n->from;
}

static inline bool has_name(const struct ahead_record *r)
{
	return r->name[0].path || r->name[1].path;
}

static inline uint64_t ahead_end(const struct ahead_record *r)
{
	return r->record.event.begin_ns + r->record.event.duration_ns;
}

/* What the event says about names, and about the size of its file. */
void ahead_names(const struct trace_event *ev, struct ahead_name name[2]);
void ahead_size(const struct trace_event *ev, struct ahead_record *r);
/* Index of an event that must have taken effect before the first one because of its file's size; 0: none. */
uint32_t ahead_find_size(struct ahead *a, struct compiler *c);
/* Whether the first event is a read of a file whose size a later one changes that had begun by then. */
bool ahead_size_changes(struct ahead *a);
/* Puts the event that must have taken effect before the first one, if there is one, before it. */
void ahead_sort(struct ahead *a, struct compiler *c);
/* Finds the order of the calls with names that are there. */
void ahead_search(struct ahead *a, struct compiler *c);
