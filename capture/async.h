#pragma once
#include <stddef.h>
#include <stdint.h>

#include "capture/record.h"

struct drain;

/* Asynchronous requests: libaio's begin and end are joined here; io_uring's come joined. Contexts get small numbers. */
struct async {
	struct rec_async *pending; /* open addressing, pid 0: free */
	size_t used, room;
	uint64_t *context; /* ring number - 1 -> kernel's or program's name for it */
	uint32_t contexts;
	uint64_t unmatched; /* completions of requests that nobody saw begin */
};

int async_init(struct async *async);
void async_record(struct drain *d, const struct rec_async *record);
/* Requests under way go to another trace; contexts are numbered anew there. */
void async_move(struct async *to, struct async *from);
void async_release(struct async *async);
