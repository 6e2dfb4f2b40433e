#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which files a process has mapped where, from its own mmap calls: msync and its like name an address only. */
struct maps {
	struct map_space {
		uint32_t pid; /* 0: free */
		uint32_t n, room;
		struct map_range {
			uint64_t start, end, since_ns;
			uint32_t file;
		} *range;
	} *space;
	size_t used, room;
};

int maps_init(struct maps *maps);
/*
 * A mapping whose call has ended at since_ns. Records come in the order in which calls end, and an address is free before munmap(2) has
 * returned: another thread's mmap may have got it, and ended earlier. So a mapping that is in the way is not taken away (but by
 * MAP_FIXED, which does that), and a call that began at begin_ns is not about mappings that came later.
 */
void maps_add(struct maps *maps, uint32_t pid, uint64_t start, uint64_t length, uint32_t file, uint64_t since_ns, bool fixed);
/* The file mapped somewhere in that range, the newest one; 0: none. */
uint32_t maps_find(const struct maps *maps, uint32_t pid, uint64_t start, uint64_t length, uint64_t begin_ns);
void maps_remove(struct maps *maps, uint32_t pid, uint64_t start, uint64_t length, uint64_t begin_ns);
void maps_copy(struct maps *maps, uint32_t from_pid, uint32_t to_pid);
void maps_drop(struct maps *maps, uint32_t pid);
void maps_release(struct maps *maps);
