#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "trace/format.h"
#include "trace/varint.h"

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
	uint8_t op, via;
	uint16_t bits, fields;
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

/* The other way round; anything outside 32 bits comes back as UINT64_MAX. */
uint64_t predict_string_id(struct predict *p, uint64_t code);
uint64_t predict_path_id(struct predict *p, const struct predict_thread *thread, uint64_t code);

/* ---- once an event: inline --------------------------------------------------------------------------------------------------- */

static inline uint32_t predict_link_slot(uint32_t key, int32_t fd)
{
	return (key * 2654435761u ^ (uint32_t)fd * 2246822519u) >> 20;
}
_Static_assert(PREDICT_LINKS == 1 << 12, "predict_link_slot keeps the top 12 bits");

static inline void predict_learn_link(struct predict *p, struct predict_link *links, uint32_t key, int32_t fd, uint32_t file)
{
	links[predict_link_slot(key, fd)] = (struct predict_link){p->block, key, file, fd};
}

static inline const struct predict_link *predict_look_up(const struct predict *p, const struct predict_link *links, uint32_t key, int32_t fd)
{
	const struct predict_link *l = &links[predict_link_slot(key, fd)];

	return l->block == p->block && l->key == key && l->fd == fd ? l : NULL;
}

static inline struct predict_thread *predict_thread(struct predict *p, uint32_t id)
{
	struct predict_thread *t = &p->thread[id];

	if (t->block != p->block)
		*t = (struct predict_thread){.block = p->block, .fd = -1};
	return t;
}

static inline struct predict_file *predict_file(struct predict *p, uint32_t id)
{
	struct predict_file *f = &p->file[id];
	uint64_t known = -(uint64_t)(f->block == p->block); /* no branch: nobody could foretell it */

	f->next_offset &= (int64_t)known;
	f->length &= known;
	f->block = p->block;
	return f;
}

/* The file that descriptor or path of the event lead to as far as is known. Looks at fd, path and thread only. */
static inline uint32_t predict_file_id(const struct predict *p, const struct predict_thread *thread, const struct trace_event *e, unsigned fields)
{
	const struct predict_link *l;

	if ((fields & TRACE_F_PATH) && e->path) {
		l = predict_look_up(p, p->paths, e->path, 0);
		return l ? l->file : e->path < p->named_room ? p->named[e->path] : 0;
	}
	if ((fields & TRACE_F_FD) && e->fd >= 0) {
		l = predict_look_up(p, p->fds, p->pid[e->thread], e->fd);
		return l ? l->file : 0;
	}
	return thread->file;
}

static inline int64_t predict_result(const struct predict_shape *shape, uint64_t length)
{
	return shape->full ? (int64_t)length : shape->result;
}

/* Operations whose result is a descriptor of the file: open to creat, dup to pidfd_getfd. By code, not by class: part of the format. */
static inline bool predict_returns_descriptor(unsigned op)
{
	return op <= TRACE_OP_CREAT || (op >= TRACE_OP_DUP && op <= TRACE_OP_DUP3) || op == TRACE_OP_RECV_FD ||
	       op == TRACE_OP_PIDFD_GETFD;
}

static inline int64_t predict_position_after(const struct trace_event *e)
{
	if (e->op == TRACE_OP_LSEEK && e->result >= 0)
		return e->result;
	if (e->offset < 0 || e->result <= 0 || (uint64_t)e->result > e->length)
		return e->offset;
	return (int64_t)((uint64_t)e->offset + (uint64_t)e->result);
}

/* After an event was stored or loaded. */
static inline void predict_learn(struct predict *p, struct predict_thread *thread, struct predict_file *file, struct predict_shape *shape,
				 const struct trace_event *e)
{
	unsigned fields = shape->fields;
	uint32_t pid = p->pid[e->thread];

	if (fields & TRACE_F_FD)
		thread->fd = e->fd;
	if (fields & TRACE_F_PATH)
		thread->path = e->path;
	if (fields & TRACE_F_FILE) {
		thread->file = e->file;
		if ((fields & TRACE_F_PATH) && e->path)
			predict_learn_link(p, p->paths, e->path, 0, e->file);
		else if ((fields & TRACE_F_FD) && e->fd >= 0)
			predict_learn_link(p, p->fds, pid, e->fd, e->file);
		if (e->result >= 0 && e->result <= INT32_MAX && predict_returns_descriptor(e->op))
			predict_learn_link(p, p->fds, pid, (int32_t)e->result, e->file);
	}
	if (fields & TRACE_F_OFFSET)
		file->next_offset = predict_position_after(e);
	if (fields & TRACE_F_LENGTH) {
		file->length = e->length;
		shape->full = e->result > 0 && (uint64_t)e->result == e->length;
	}
	shape->result = e->result;
	p->previous_thread = e->thread;
	p->previous_end_ns = e->begin_ns + e->duration_ns;
	p->previous_offset2 = fields & TRACE_F_OFFSET2 ? (uint64_t)e->offset2 : (uint64_t)-1;
}

/* A string id relative to the newest in use, which it may become: 0 none, else 1 + zigzag(newest + 1 - id). */
static inline uint64_t predict_string_code(struct predict *p, uint32_t id)
{
	uint64_t code;

	if (!id)
		return 0;
	code = 1 + zigzag((int64_t)p->newest_string + 1 - (int64_t)id);
	if (id > p->newest_string)
		p->newest_string = id;
	return code;
}

/*
 * The path of an event: 0 none, 1 the one of this thread's event before, 2 the first that was not used yet, else relative to the one
 * after this thread's last, because directories are walked again and again in the same order.
 */
static inline uint64_t predict_path_code(struct predict *p, const struct predict_thread *thread, uint32_t id)
{
	bool is_new = id == p->newest_string + 1;

	if (id > p->newest_string)
		p->newest_string = id;
	if (!id)
		return 0;
	if (id == thread->path)
		return 1;
	return is_new ? 2 : 3 + zigzag((int64_t)id - (int64_t)thread->path - 1);
}
