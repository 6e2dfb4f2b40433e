#pragma once
#include <stdint.h>

struct rec_small;

/*
 * One processor's memory for records, mapped: the kernel side writes, capture/rings.h reads. Half of it is a ring for records of any length
 * (BPF_MAP_TYPE_RINGBUF), the other half one for small ones, whose ends are in struct counters. All zero: there is none.
 */
struct recorder_ring {
	volatile unsigned long *consumer;
	const volatile unsigned long *producer;
	const char *data; /* NULL: no ring yet */
	uint64_t bytes;
	const struct rec_small *small;
	uint64_t small_count;
	int fd, small_fd;
};

/* How many small records go into a ring of so many bytes. */
uint32_t ring_small_count(uint64_t bytes);
/* bytes: of both together, a power of two and at least two pages, all of it taken at once. -errno. */
int ring_open(struct recorder_ring *ring, uint64_t bytes);
void ring_release(struct recorder_ring *ring);

/* Which of the possible processors work at this moment: fills on[count]; how many. Where that cannot be read: all of them. */
int ring_processors(unsigned char *on, int count);
