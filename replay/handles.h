#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "replay/map.h"

/*
 * Descriptor tables of the recorded processes. A descriptor leads to a slot of the plan (one real descriptor in the replay), a slot to an
 * open file description (position and flags), which several slots share after dup. fork copies the table: both processes' descriptors
 * lead to the same slot, which is closed when the last one is.
 */
struct description {
	uint32_t object; /* of the model */
	uint32_t file;   /* id in the trace, 0 unknown */
	uint32_t flags;
	int64_t position; /* -1: unknown */
	uint32_t references; /* slots */
	uint32_t r_position; /* resource of replay/order.h */
};

struct slot {
	uint32_t description;
	uint32_t references; /* descriptors */
	uint32_t r_slot;
};

struct handles {
	struct description *description;
	size_t descriptions, descriptions_room;
	struct slot *slot;
	size_t slots, slots_room;
	struct table {
		struct descriptor {
			uint32_t slot; /* + 1, 0: closed */
			bool cloexec;
		} *descriptor;
		size_t n;
		uint32_t users; /* processes */
	} *table;
	size_t tables, tables_room;
	struct parked {
		uint64_t until_ns;
		uint32_t table, slot;
		int fd;
	} *parked;
	size_t parked_n, parked_room;
	struct map by_pid; /* -> table + 1 */
	struct free_list { /* of each lane one */
		struct map head; /* lane -> item + 1 */
		uint32_t *next;
		size_t room;
	} free_slots, free_descriptions;
};

enum { HANDLES_FD_MAX = 1 << 20 };
#define HANDLES_NONE UINT32_MAX

void handles_release(struct handles *h);

/* A process appears: with a copy of the parent's table, or the same one. parent 0: an empty one. Does nothing when it is known. */
void handles_process(struct handles *h, uint32_t pid, uint32_t parent, bool share);

/*
 * close(2) frees the number before it returns: another thread's open or dup may get it and end first. One whose descriptor is still taken
 * parks what is there, until the close comes that had begun before it ended (now_ns). Returns a slot that has to be closed because it
 * was parked for the same descriptor before, and its close is not part of the recording; else HANDLES_NONE.
 */
uint32_t handles_park(struct handles *h, uint32_t pid, int fd, uint64_t now_ns);
/* Is this the close that something was parked for? Then *slot is what has to be closed, HANDLES_NONE while others still use it. */
bool handles_close_parked(struct handles *h, uint32_t pid, int fd, uint64_t begin_ns, uint32_t *slot);

/* The slot of a descriptor, or HANDLES_NONE. */
uint32_t handles_find(const struct handles *h, uint32_t pid, int fd);

/*
 * A new description with one slot, bound to nothing yet. Slots are reused only within a lane, where program order protects them.
 * lane HANDLES_NONE: opened before the clock starts.
 */
uint32_t handles_open(struct handles *h, uint32_t lane, uint32_t object, uint32_t file, uint32_t flags);
/* A further slot of the same description: dup. */
uint32_t handles_dup(struct handles *h, uint32_t lane, uint32_t slot);
/* Binds a descriptor to a slot. Returns a slot that has to be closed because nothing leads to it any more, or HANDLES_NONE. */
uint32_t handles_bind(struct handles *h, uint32_t pid, int fd, uint32_t slot, bool cloexec);
void handles_set_cloexec(struct handles *h, uint32_t pid, int fd, bool cloexec);
/* Closes a descriptor. Returns the slot when it was the last reference, else HANDLES_NONE. *known: there was one. */
uint32_t handles_close(struct handles *h, uint32_t pid, int fd, bool *known);
/* The slot can be used again by that lane. */
void handles_recycle(struct handles *h, uint32_t lane, uint32_t slot);

/* exec: an own table without the CLOEXEC descriptors. exit: none. Calls closed() for every slot that nothing leads to any more. */
typedef void handles_closed(void *context, uint32_t slot);
void handles_exec(struct handles *h, uint32_t pid, handles_closed *closed, void *context);
void handles_exit(struct handles *h, uint32_t pid, handles_closed *closed, void *context);

static inline struct description *handles_description(struct handles *h, uint32_t slot)
{
	return &h->description[h->slot[slot].description];
}
