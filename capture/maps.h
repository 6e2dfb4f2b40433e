#pragma once
#include <stddef.h>
#include <stdint.h>

/* Which files a process has mapped where, from its own mmap calls: msync and its like name an address only. */
struct maps {
	struct map_space {
		uint32_t pid; /* 0: free */
		uint32_t n, room;
		struct map_range {
			uint64_t start, end;
			uint32_t file;
		} *range;
	} *space;
	size_t used, room;
};

int maps_init(struct maps *maps);
void maps_add(struct maps *maps, uint32_t pid, uint64_t start, uint64_t length, uint32_t file);
/* The file mapped somewhere in that range, 0: none. */
uint32_t maps_find(const struct maps *maps, uint32_t pid, uint64_t start, uint64_t length);
void maps_remove(struct maps *maps, uint32_t pid, uint64_t start, uint64_t length);
void maps_copy(struct maps *maps, uint32_t from_pid, uint32_t to_pid);
void maps_drop(struct maps *maps, uint32_t pid);
void maps_release(struct maps *maps);
