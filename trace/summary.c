#include "trace/summary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint64_t add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	/* The numbers may come from a hostile file: better the largest than a small wrong one. */
	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static int room_for(void *array, uint32_t *room, uint32_t id, size_t bytes)
{
	uint32_t wanted = *room ? *room : 256;
	char *bigger;

	if (id < *room)
		return 0;
	while (wanted <= id)
		wanted *= 2;
	bigger = realloc(*(void **)array, wanted * bytes);
	if (!bigger)
		return -ENOMEM;
	memset(bigger + *room * bytes, 0, (wanted - *room) * bytes);
	*(void **)array = bigger;
	*room = wanted;
	return 0;
}

uint64_t summary_event_bytes(const struct trace_event *e)
{
	enum trace_class class = trace_ops[e->op].class;

	if (e->result <= 0 || (class != TRACE_CLASS_READ && class != TRACE_CLASS_WRITE && class != TRACE_CLASS_COPY))
		return 0;
	return (uint64_t)e->result;
}

static int count_latency(struct summary_op *op, uint64_t ns)
{
	if (!op->latency) {
		op->latency = malloc(sizeof(*op->latency));
		if (!op->latency)
			return -ENOMEM;
		hist_init(op->latency);
	}
	hist_record(op->latency, ns);
	return 0;
}

static int count_event(struct summary *s, const struct trace_event *e)
{
	struct summary_op *op = &s->op[e->op];
	struct summary_file *f = &s->file[e->file];
	uint64_t bytes = summary_event_bytes(e), end_ns = add(e->begin_ns, e->duration_ns);
	enum trace_class class = trace_ops[e->op].class;
	uint64_t read = class == TRACE_CLASS_WRITE ? 0 : bytes, written = class == TRACE_CLASS_READ ? 0 : bytes;

	s->events++;
	if (e->begin_ns < s->first_ns)
		s->first_ns = e->begin_ns;
	if (end_ns > s->last_ns)
		s->last_ns = end_ns;
	s->lanes += !s->lane[e->thread];
	s->lane[e->thread] = 1;
	s->bytes_read = add(s->bytes_read, read);
	s->bytes_written = add(s->bytes_written, written);
	f->events++;
	f->nanoseconds = add(f->nanoseconds, e->duration_ns);
	f->bytes_read = add(f->bytes_read, read);
	/* A copy reads one file and writes the other. */
	if (trace_ops[e->op].fields & TRACE_F_FILE2)
		f = &s->file[e->file2];
	f->bytes_written = add(f->bytes_written, written);
	op->count++;
	op->errors += e->result < 0;
	op->bytes = add(op->bytes, bytes);
	return e->bits & TRACE_EV_NO_DURATION ? 0 : count_latency(op, e->duration_ns);
}

static int count_record(struct summary *s, const struct trace_record *r)
{
	switch (r->type) {
	case TRACE_EVENT: return count_event(s, &r->event);
	case TRACE_FILE: s->files++; return room_for(&s->file, &s->file_room, r->file.id, sizeof(*s->file));
	case TRACE_THREAD:
		s->threads++;
		s->processes += r->thread.tid == r->thread.pid;
		return room_for(&s->lane, &s->lane_room, r->thread.id, sizeof(*s->lane));
	case TRACE_FD: s->descriptors++; return 0;
	case TRACE_WAKE: s->wakes++; return 0;
	case TRACE_RESIDENCY: s->residencies++; return 0;
	case TRACE_LOSS:
		s->lost = add(s->lost, r->loss.count);
		s->lost_by_cause[r->loss.cause] = add(s->lost_by_cause[r->loss.cause], r->loss.count);
		return 0;
	case TRACE_CONTENT: s->contents++; return 0;
	case TRACE_HOLE: s->holes++; return 0;
	case TRACE_END: return 0;
	}
	return 0;
}

int summary_read(struct summary *s, struct trace_reader *r)
{
	struct trace_record record;
	int rc;

	memset(s, 0, sizeof(*s));
	s->first_ns = UINT64_MAX;
	rc = room_for(&s->file, &s->file_room, 0, sizeof(*s->file));
	while (!rc && trace_reader_next(r, &record))
		rc = count_record(s, &record);
	if (!s->events)
		s->first_ns = 0;
	return rc;
}

void summary_release(struct summary *s)
{
	for (int op = 0; op < TRACE_OP_MAX; op++)
		free(s->op[op].latency);
	free(s->file);
	free(s->lane);
}

uint64_t summary_duration_ns(const struct summary *s)
{
	return s->last_ns - s->first_ns;
}

int summary_merge_op(struct summary_op *a, const struct summary_op *b)
{
	a->count += b->count;
	a->errors += b->errors;
	a->bytes = add(a->bytes, b->bytes);
	if (!b->latency)
		return 0;
	if (!a->latency) {
		a->latency = malloc(sizeof(*a->latency));
		if (!a->latency)
			return -ENOMEM;
		hist_init(a->latency);
	}
	hist_merge(a->latency, b->latency);
	return 0;
}
