#include "replay/ahead.h"

enum {
	FAR = 16,           /* events between the first request for memory and its use */
	FILES_CACHED = 4096, /* tables of so many files stay in the processor's caches anyway */
};

static const struct trace_event *event_at(struct ahead *a, uint32_t distance)
{
	const struct trace_record *r = &ahead_at(a, distance)->record;

	return distance < a->n && r->type == TRACE_EVENT ? &r->event : NULL;
}

static uint32_t object_of(const struct compiler *c, const struct trace_event *ev)
{
	return ev->file && ev->file < c->model.files_room ? c->model.file[ev->file].object : 0;
}

static uint32_t name_of(const struct compiler *c, const struct trace_event *ev)
{
	return ev->path && ev->path < c->model.ways_room ? c->model.way[ev->path].name : 0;
}

/* Each link of a chain is asked for when the one before it has arrived. */
static void ask(struct ahead *a, const struct compiler *c)
{
	const struct model *m = &c->model;
	const struct trace_event *ev = event_at(a, FAR);

	if (ev) {
		__builtin_prefetch(&m->file[ev->file < m->files_room ? ev->file : 0]);
		if (ev->path)
			__builtin_prefetch(&m->way[ev->path < m->ways_room ? ev->path : 0]);
	}
	ev = event_at(a, FAR * 3 / 4);
	if (ev) {
		__builtin_prefetch(&m->object[object_of(c, ev)]);
		if (ev->path)
			__builtin_prefetch(&m->name[name_of(c, ev)]);
	}
	ev = event_at(a, FAR / 2);
	if (ev) {
		order_prefetch(c->order, m->object[object_of(c, ev)].r_size);
		if (ev->path)
			order_prefetch(c->order, m->name[name_of(c, ev)].resource);
	}
	ev = event_at(a, FAR / 4);
	if (ev && ev->thread < c->threads_room) {
		uint32_t lane = c->thread[ev->thread].lane;

		order_prefetch_access(c->order, m->object[object_of(c, ev)].r_size, lane);
		if (ev->path)
			order_prefetch_access(c->order, m->name[name_of(c, ev)].resource, lane);
	}
}

static void note_duration(struct ahead *a, const struct ahead_record *r)
{
	if (has_name(r) && r->record.event.duration_ns > a->slowest_ns)
		a->slowest_ns = r->record.event.duration_ns;
	if (r->size_kind && r->record.event.duration_ns > a->slowest_size_ns)
		a->slowest_size_ns = r->record.event.duration_ns;
}

static void count_names(struct ahead *a, const struct ahead_record *r, int sign)
{
	for (int i = 0; i < 2; i++)
		if (r->name[i].path) {
			a->named[r->name[i].path % AHEAD_NAMES] += (uint16_t)sign;
			a->changed[r->name[i].path % AHEAD_NAMES] += (uint16_t)(ahead_changes(&r->name[i]) ? sign : 0);
		}
}

static void drop_first(struct ahead *a)
{
	count_names(a, ahead_at(a, 0), -1);
	a->first = a->first + 1 < RING ? a->first + 1 : 0;
	a->filled--;
	/* An upper bound will do in between. */
	if (++a->dropped % AHEAD)
		return;
	a->slowest_ns = a->slowest_size_ns = 0;
	for (uint32_t i = 0; i < a->filled; i++)
		note_duration(a, ahead_at(a, i));
}

static void fill(struct ahead *a, struct compiler *c)
{
	while (!a->over && a->filled < RING) {
		struct ahead_record *r = ahead_at(a, a->filled);

		a->over = !c->source->next(c->source->self, &r->record);
		a->filled += !a->over;
		r->name[0].path = r->name[1].path = 0;
		r->size_kind = SIZE_NONE;
		r->instead = 0;
		r->settled = false;
		if (!a->over && r->record.type == TRACE_FILE)
			model_tell_inode(&c->model, &r->record.file);
		if (a->over || r->record.type != TRACE_EVENT)
			continue;
		r->number = a->events++;
		ahead_names(&r->record.event, r->name);
		ahead_size(&r->record.event, r);
		note_duration(a, r);
		count_names(a, r, 1);
	}
}

const struct ahead_record *ahead_next(struct ahead *a, struct compiler *c)
{
	if (a->n)
		drop_first(a);
	if (a->filled < AHEAD)
		fill(a, c);
	a->n = a->filled < AHEAD ? a->filled : AHEAD;
	if (!a->n)
		return NULL;
	if (c->model.files_room > FILES_CACHED)
		ask(a, c);
	if (has_name(ahead_at(a, 0)) || ahead_at(a, 0)->size_kind)
		ahead_sort(a, c);
	c->size_changes = ahead_size_changes(a);
	return ahead_at(a, 0);
}
