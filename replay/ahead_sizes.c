/* Calls on one file that overlapped with a change of its size: which took effect first, as their offsets and results tell. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "replay/ahead.h"

void ahead_size(const struct trace_event *ev, struct ahead_record *r)
{
	uint8_t class = trace_ops[ev->op].class;

	r->size_kind = SIZE_NONE;
	if (!ev->file || ev->result < 0)
		return;
	if ((class == TRACE_CLASS_READ || class == TRACE_CLASS_WRITE) && ev->offset >= 0) {
		r->size_kind = class == TRACE_CLASS_READ ? SIZE_READ : SIZE_WRITE;
		r->size_from = (uint64_t)ev->offset;
		r->size_to = r->size_from + (uint64_t)ev->result;
	} else if (ev->op == TRACE_OP_LSEEK && ev->arg == SEEK_END && ev->result >= ev->offset) {
		r->size_kind = SIZE_END;
		r->size_from = r->size_to = (uint64_t)(ev->result - ev->offset);
	} else if (class == TRACE_CLASS_TRUNCATE || (class == TRACE_CLASS_OPEN && ev->flags & O_TRUNC && !(ev->bits & TRACE_EV_CREATED))) {
		r->size_kind = SIZE_CUT;
		r->size_to = class == TRACE_CLASS_TRUNCATE ? ev->length : 0;
	}
}

static bool appends(const struct compiler *c, const struct ahead_record *r)
{
	const struct trace_event *ev = &r->record.event;
	uint32_t slot = ev->thread < c->threads_room ? handles_find(&c->handles, c->thread[ev->thread].pid, ev->fd) : HANDLES_NONE;

	return r->size_kind == SIZE_WRITE && slot != HANDLES_NONE &&
	       c->handles.description[c->handles.slot[slot].description].flags & O_APPEND;
}

/* size: of the file before the first event. */
static bool precedes(const struct compiler *c, const struct ahead_record *other, const struct ahead_record *first, uint64_t size)
{
	switch (first->size_kind) {
	case SIZE_CUT:
		if (other->size_kind == SIZE_READ)
			return other->size_to > first->size_to && other->size_to <= size;
		return appends(c, other) && other->size_from == size && size != first->size_to;
	case SIZE_READ:
		if (first->size_to > size)
			return other->size_kind > SIZE_READ && other->size_to >= first->size_to;
		return other->size_kind == SIZE_CUT && (other->size_to == first->size_to ||
							(first->size_to == first->size_from && other->size_to < first->size_to));
	default: return other->size_kind > SIZE_READ && other->size_to == first->size_from;
	}
}

/* Whether the first event found another size than the file has now, or changes it so that others may have found another one. */
static bool is_doubtful(const struct compiler *c, const struct ahead_record *first, uint64_t size)
{
	switch (first->size_kind) {
	case SIZE_CUT: return true;
	case SIZE_END: return first->size_to != size;
	case SIZE_READ: {
		bool whole = first->size_to - first->size_from == first->record.event.length;

		return first->size_to > size || (!whole && first->size_from < size && first->size_to < size);
	}
	case SIZE_WRITE: return first->size_from != size && appends(c, first);
	}
	return false;
}

uint32_t ahead_find_size(struct ahead *a, struct compiler *c)
{
	const struct ahead_record *first = ahead_at(a, 0);
	const struct trace_event *ev = &first->record.event;
	uint32_t object = ev->file < c->model.files_room ? c->model.file[ev->file].object : 0;
	uint64_t size = c->model.object[object].size, after_ns; /* what begins after that came after a cut */

	if (!object || !is_doubtful(c, first, size))
		return 0;
	after_ns = UINT64_MAX;
	/* What is in the file at the start is only known from what was seen of it. */
	if (first->size_kind <= SIZE_READ && c->model.object[object].bits & OBJECT_AT_START && !(c->model.object[object].bits & OBJECT_SIZE_SET))
		return 0;
	for (uint32_t i = 1; i < a->n; i++) {
		const struct ahead_record *r = ahead_at(a, i);

		if (r->record.type == TRACE_EVENT && ahead_end(r) > ahead_end(first) + a->slowest_size_ns)
			return 0;
		if (!r->size_kind || r->record.event.file != ev->file)
			continue;
		if (r->record.event.begin_ns < ahead_end(first) && r->record.event.begin_ns < after_ns && r->record.event.thread != ev->thread &&
		    precedes(c, r, first, size))
			return i;
		if (first->size_kind > SIZE_READ && appends(c, r)) {
			/* Where it began, an append may still need one that stands behind it; one that began in the cut file saw the cut. */
			if (first->size_kind == SIZE_CUT && r->size_from < size && ahead_end(r) < after_ns)
				after_ns = ahead_end(r);
			continue;
		}
		if (r->size_kind > SIZE_READ && r->size_to > size)
			return 0; /* from here on others explain what is seen */
	}
	return 0;
}

bool ahead_size_changes(struct ahead *a)
{
	const struct ahead_record *first = ahead_at(a, 0);

	/* Only those that met the end of the file. */
	if (first->size_kind != SIZE_READ || first->size_to - first->size_from == first->record.event.length)
		return false;
	for (uint32_t i = 1; i < a->n; i++) {
		const struct ahead_record *r = ahead_at(a, i);

		if (r->record.type == TRACE_EVENT && ahead_end(r) > ahead_end(first) + a->slowest_size_ns)
			return false;
		if (r->size_kind > SIZE_READ && r->record.event.file == first->record.event.file &&
		    r->record.event.thread != first->record.event.thread && r->record.event.begin_ns < ahead_end(first) &&
		    (r->size_kind == SIZE_CUT || r->size_to > first->size_to))
			return true;
	}
	return false;
}
