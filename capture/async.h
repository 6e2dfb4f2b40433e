#pragma once
#include <stddef.h>
#include <stdint.h>

#include "capture/record.h"

struct drain;

/*
 * Asynchronous requests become events of the calls that they stand for. libaio's begin and end are joined here; io_uring's come joined, their texts
 * ahead of them. Rings get small numbers.
 */
struct async {
	struct async_pending { /* open addressing, pid 0: free */
		struct rec_async begin;
	} *pending;
	size_t used, room;
	struct async_ring {
		uint64_t name;
		uint32_t pid; /* of libaio: a context is good in its process only */
	} *ring;
	uint32_t rings;
	struct async_texts { /* a list: few are between their begin and their end */
		struct async_texts *next;
		uint32_t bytes;
		struct rec_path path; /* and the texts */
	} *texts;
	uint64_t early;	  /* completions of requests that began before the recording */
	uint64_t late;	  /* requests whose end nobody saw */
	uint64_t unknown; /* that are none of the table, or lost their texts */
};

int async_init(struct async *async);
/* The number of a ring, from 1; of libaio pid is its process, else 0. 0: no memory. */
uint32_t async_ring(struct async *async, uint32_t pid, uint64_t name);
void async_record(struct drain *d, const struct rec_async *record);
/* Requests under way go to another trace; contexts are numbered anew there. */
void async_move(struct async *to, struct async *from);
void async_texts(struct drain *d, const struct rec_path *texts, uint32_t bytes);
/* The process ends: its requests of libaio have ended, whoever looked. */
void async_exit(struct drain *d, uint32_t pid, uint64_t now_ns);
/* What has begun and not ended is written with that mark. */
void async_finish(struct drain *d, uint64_t now_ns);
void async_release(struct async *async);
