#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "trace/format.h"

/*
 * What an event will probably be, given those before it in its block. Writer and reader run the same code over the same events, so
 * that whatever was guessed rightly takes one bit of the mask instead of bytes. All of it starts empty in every block.
 */
struct predict_thread {
	uint32_t block; /* valid when equal to predict.block; so for all of these */
	int32_t fd;
	uint32_t file, path;
};

struct predict_file {
	uint32_t block;
	int64_t next_offset;
	uint64_t length;
};

struct predict_link { /* descriptor or path -> file */
	uint32_t block, key, file;
	int32_t fd;
};

/*
 * All about a call that is neither who, when, what, where, how much nor how it ended. A block has few of them, so an event
 * only stores the number of its shape.
 */
struct predict_shape {
	uint64_t flags, arg;
	uint32_t mode, ring;
	uint16_t bits, fields;
	uint8_t op, via;
	/* learned: did the last one of that shape do all that was asked for, and what did it return? */
	bool full;
	int64_t result;
};

enum { PREDICT_LINKS = 4096 }; /* the later of two that collide stays */

struct predict {
	uint32_t block;
	uint32_t previous_thread;
	uint64_t previous_end_ns;
	uint64_t previous_offset2;
	uint32_t newest_string;
	uint64_t member[TRACE_COLUMNS]; /* for TRACE_DELTA */
	uint32_t threads, files; /* defined so far, over all blocks */
	uint32_t thread_room, file_room;
	uint32_t *pid;               /* of each thread */
	struct predict_thread *thread;
	struct predict_file *file;
	struct predict_link fds[PREDICT_LINKS], paths[PREDICT_LINKS];
	uint32_t *named;  /* by string id: the newest file that was defined under that path, over all blocks */
	uint32_t named_room;
	struct predict_shape *shape;
	uint32_t shapes, shape_room;
};

/* 0 or -ENOMEM. */
int predict_init(struct predict *p);
void predict_release(struct predict *p);
/* Forgets everything but the tables of threads and files; strings is the number of those defined before this block. */
void predict_begin(struct predict *p, uint32_t strings);
/* 0 or -ENOMEM. They give the next id. */
int predict_add_thread(struct predict *p, const struct trace_thread *thread);
int predict_add_file(struct predict *p, const struct trace_file *file);
int predict_add_shape(struct predict *p, const struct predict_shape *shape);

struct predict_thread *predict_thread(struct predict *p, uint32_t id);
struct predict_file *predict_file(struct predict *p, uint32_t id);
/* The file that descriptor or path of the event lead to as far as is known. Looks at fd and path only. */
uint32_t predict_file_id(const struct predict *p, const struct predict_thread *thread, const struct trace_event *e, unsigned fields);
int64_t predict_result(const struct predict_shape *shape, uint64_t length);
/* After an event was stored or loaded. */
void predict_learn(struct predict *p, struct predict_thread *thread, struct predict_file *file, struct predict_shape *shape,
		   const struct trace_event *e);

/*
 * The path of an event: 0 none, 1 the one of this thread's event before, 2 the first that was not used yet, else relative to the one
 * after this thread's last, because directories are walked again and again in the same order.
 */
uint64_t predict_path_code(struct predict *p, const struct predict_thread *thread, uint32_t id);
uint64_t predict_path_id(struct predict *p, const struct predict_thread *thread, uint64_t code);

/* A string id relative to the newest in use, which it may become: 0 none, else 1 + zigzag(newest + 1 - id). */
uint64_t predict_string_code(struct predict *p, uint32_t id);
/* The other way round; anything outside 32 bits comes back as UINT64_MAX. */
uint64_t predict_string_id(struct predict *p, uint64_t code);
