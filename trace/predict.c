#include "trace/predict.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "trace/varint.h"

/* Makes room for index n in an array of that element size; new elements are zero. */
static int grow(void *array, uint32_t *room, uint32_t n, size_t element)
{
	uint32_t wanted = *room ? *room : 64;
	char *bigger;

	if (n < *room)
		return 0;
	while (wanted <= n)
		wanted *= 2;
	bigger = realloc(*(void **)array, wanted * element);
	if (!bigger)
		return -ENOMEM;
	memset(bigger + *room * element, 0, (wanted - *room) * element);
	*(void **)array = bigger;
	*room = wanted;
	return 0;
}

int predict_init(struct predict *p)
{
	memset(p, 0, sizeof(*p));
	/* Number 0 stands for "no file" and has a state like the others. */
	return grow(&p->file, &p->file_room, 0, sizeof(*p->file));
}

void predict_release(struct predict *p)
{
	free(p->pid);
	free(p->thread);
	free(p->file);
	free(p->shape);
	free(p->named);
	memset(p, 0, sizeof(*p));
}

void predict_begin(struct predict *p, uint32_t strings)
{
	p->block++;
	p->previous_thread = 0;
	p->previous_end_ns = 0;
	p->previous_offset2 = 0;
	p->newest_string = strings;
	p->shapes = 0;
	memset(p->member, 0, sizeof(p->member));
}

static uint32_t link_slot(uint32_t key, int32_t fd)
{
	return (key * 2654435761u ^ (uint32_t)fd * 2246822519u) >> 20;
}
_Static_assert(PREDICT_LINKS == 1 << 12, "link_slot keeps the top 12 bits");

static void learn_link(struct predict *p, struct predict_link *links, uint32_t key, int32_t fd, uint32_t file)
{
	links[link_slot(key, fd)] = (struct predict_link){p->block, key, file, fd};
}

static const struct predict_link *look_up(const struct predict *p, const struct predict_link *links, uint32_t key, int32_t fd)
{
	const struct predict_link *l = &links[link_slot(key, fd)];

	return l->block == p->block && l->key == key && l->fd == fd ? l : NULL;
}

int predict_add_thread(struct predict *p, const struct trace_thread *thread)
{
	uint32_t id = p->threads + 1, room = p->thread_room;

	if (id == UINT32_MAX || grow(&p->pid, &room, id, sizeof(*p->pid)) ||
	    grow(&p->thread, &p->thread_room, id, sizeof(*p->thread)))
		return -ENOMEM;
	p->pid[id] = thread->pid;
	p->threads = id;
	return 0;
}

int predict_add_file(struct predict *p, const struct trace_file *file)
{
	uint32_t id = p->files + 1;

	if (id == UINT32_MAX || grow(&p->file, &p->file_room, id, sizeof(*p->file)))
		return -ENOMEM;
	if (file->path) {
		if (grow(&p->named, &p->named_room, file->path, sizeof(*p->named)))
			return -ENOMEM;
		p->named[file->path] = id;
		learn_link(p, p->paths, file->path, 0, id);
	}
	p->files = id;
	return 0;
}

int predict_add_shape(struct predict *p, const struct predict_shape *shape)
{
	if (grow(&p->shape, &p->shape_room, p->shapes, sizeof(*p->shape)))
		return -ENOMEM;
	p->shape[p->shapes] = *shape;
	p->shape[p->shapes].full = false;
	p->shape[p->shapes++].result = 0;
	return 0;
}

struct predict_thread *predict_thread(struct predict *p, uint32_t id)
{
	struct predict_thread *t = &p->thread[id];

	if (t->block != p->block)
		*t = (struct predict_thread){.block = p->block, .fd = -1};
	return t;
}

struct predict_file *predict_file(struct predict *p, uint32_t id)
{
	struct predict_file *f = &p->file[id];

	if (f->block != p->block)
		*f = (struct predict_file){.block = p->block};
	return f;
}

uint32_t predict_file_id(const struct predict *p, const struct predict_thread *thread, const struct trace_event *e, unsigned fields)
{
	const struct predict_link *l;

	if ((fields & TRACE_F_PATH) && e->path) {
		l = look_up(p, p->paths, e->path, 0);
		return l ? l->file : e->path < p->named_room ? p->named[e->path] : 0;
	}
	if ((fields & TRACE_F_FD) && e->fd >= 0) {
		l = look_up(p, p->fds, p->pid[e->thread], e->fd);
		return l ? l->file : 0;
	}
	return thread->file;
}

int64_t predict_result(const struct predict_shape *shape, uint64_t length)
{
	return shape->full ? (int64_t)length : shape->result;
}

/* Operations whose result is a descriptor of the file: open to creat, dup to pidfd_getfd. By code, not by class: part of the format. */
static bool returns_descriptor(unsigned op)
{
	return op <= TRACE_OP_CREAT || (op >= TRACE_OP_DUP && op <= TRACE_OP_DUP3) || op == TRACE_OP_RECV_FD ||
	       op == TRACE_OP_PIDFD_GETFD;
}

static int64_t position_after(const struct trace_event *e)
{
	if (e->op == TRACE_OP_LSEEK && e->result >= 0)
		return e->result;
	if (e->offset < 0 || e->result <= 0 || (uint64_t)e->result > e->length)
		return e->offset;
	return (int64_t)((uint64_t)e->offset + (uint64_t)e->result);
}

void predict_learn(struct predict *p, struct predict_thread *thread, struct predict_file *file, struct predict_shape *shape,
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
			learn_link(p, p->paths, e->path, 0, e->file);
		else if ((fields & TRACE_F_FD) && e->fd >= 0)
			learn_link(p, p->fds, pid, e->fd, e->file);
		if (e->result >= 0 && e->result <= INT32_MAX && returns_descriptor(e->op))
			learn_link(p, p->fds, pid, (int32_t)e->result, e->file);
	}
	if (fields & TRACE_F_OFFSET)
		file->next_offset = position_after(e);
	if (fields & TRACE_F_LENGTH) {
		file->length = e->length;
		shape->full = e->result > 0 && (uint64_t)e->result == e->length;
	}
	shape->result = e->result;
	p->previous_thread = e->thread;
	p->previous_end_ns = e->begin_ns + e->duration_ns;
	p->previous_offset2 = (uint64_t)e->offset2;
}

uint64_t predict_string_code(struct predict *p, uint32_t id)
{
	uint64_t code;

	if (!id)
		return 0;
	code = 1 + zigzag((int64_t)p->newest_string + 1 - (int64_t)id);
	if (id > p->newest_string)
		p->newest_string = id;
	return code;
}

uint64_t predict_string_id(struct predict *p, uint64_t code)
{
	uint64_t id;

	if (!code)
		return 0;
	id = (uint64_t)p->newest_string + 1 - (uint64_t)unzigzag(code - 1);
	if (!id || id > UINT32_MAX)
		return UINT64_MAX;
	if (id > p->newest_string)
		p->newest_string = (uint32_t)id;
	return id;
}

uint64_t predict_path_code(struct predict *p, const struct predict_thread *thread, uint32_t id)
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

uint64_t predict_path_id(struct predict *p, const struct predict_thread *thread, uint64_t code)
{
	uint64_t id = 0;

	if (code == 1)
		id = thread->path;
	else if (code == 2)
		id = (uint64_t)p->newest_string + 1;
	else if (code)
		id = (uint64_t)thread->path + 1 + (uint64_t)unzigzag(code - 3);
	if (id > UINT32_MAX)
		return UINT64_MAX;
	if (id > p->newest_string)
		p->newest_string = (uint32_t)id;
	return id;
}
