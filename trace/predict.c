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
		predict_learn_link(p, p->paths, file->path, 0, id);
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
