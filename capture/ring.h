#pragma once
#include <stdint.h>

/* One processor's ring (BPF_MAP_TYPE_RINGBUF), mapped: the kernel side writes, capture/rings.h reads. All zero: there is none. */
struct recorder_ring {
	volatile unsigned long *consumer;
	const volatile unsigned long *producer;
	const char *data; /* NULL: no ring yet */
	uint64_t bytes;
	int fd;
};

/* bytes: a power of two and whole pages, all of it taken at once. -errno. */
int ring_open(struct recorder_ring *ring, uint64_t bytes);
void ring_release(struct recorder_ring *ring);

/* Which of the possible processors work at this moment: fills on[count]; how many. Where that cannot be read: all of them. */
int ring_processors(unsigned char *on, int count);
