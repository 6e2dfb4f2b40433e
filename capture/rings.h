#pragma once
#include <stdint.h>

#include "capture/recorder.h"

/*
 * The per-CPU rings as one stream in the order in which the calls ended. A record is taken when it is older than the hold time: by then every
 * CPU has written what it had to write about that moment.
 *
 *	struct rings rings;
 *	rings_init(&rings, &recorder);
 *	n = rings_drain(&rings, now_ns - hold_ns, take, data);   // take() sees each record once; returns how many
 *	rings_release(&rings);
 */
struct rings {
	struct recorder *recorder;
	struct rings_next {
		uint64_t end_ns;
		uint32_t cpu;
	} *heap; /* CPUs that have a record, the oldest on top */
	uint32_t heaped;
	struct rings_cursor {
		const struct rec_head *record; /* the next one: one of these two, or NULL */
		const struct rec_head *any;
		const struct rec_small *small;
		uint32_t any_head; /* its length and flags */
		unsigned long consumer, producer;
		uint64_t small_read, small_written;
	} *cursor; /* one a CPU */
};

int rings_init(struct rings *rings, struct recorder *recorder);
/*
 * Everything that ended before until_ns. A record that its CPU has reserved and not yet finished stops the merge (there is none
 * for longer than an interrupt takes); the next call goes on.
 */
uint64_t rings_drain(struct rings *rings, uint64_t until_ns, void (*take)(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data),
		     void *data);
/* The end of a request of io_uring: its number is of the second row of counters, see struct counters. */
bool rings_numbered_apart(const struct rec_head *record);
/* How full the memory of the fullest CPU is, 0 to 1. */
double rings_fill(const struct rings *rings);
void rings_release(struct rings *rings);
