#include "replay/ahead.h"

static const struct trace_event *event_at(const struct ahead *a, uint32_t distance)
{
	const struct trace_record *r = &a->record[(a->first + distance) % AHEAD];

	return distance < a->n && r->type == TRACE_EVENT ? &r->event : NULL;
}

static uint32_t object_of(const struct compiler *c, const struct trace_event *ev)
{
	uint32_t object = ev->file && ev->file < c->model.files_room ? c->model.file[ev->file].object : 0;

	return object;
}

static uint32_t name_of(const struct compiler *c, const struct trace_event *ev)
{
	return ev->path && ev->path < c->model.ways_room ? c->model.way[ev->path].name : 0;
}

/* Each link of a chain is asked for when the one before it has arrived. */
static void ask(const struct ahead *a, const struct compiler *c)
{
	const struct model *m = &c->model;
	const struct trace_event *ev = event_at(a, AHEAD - 1);

	if (ev) {
		__builtin_prefetch(&m->file[ev->file < m->files_room ? ev->file : 0]);
		if (ev->path) {
			__builtin_prefetch(&m->way[ev->path < m->ways_room ? ev->path : 0]);
			__builtin_prefetch(c->source->string(c->source->self, ev->path));
		}
	}
	ev = event_at(a, AHEAD * 3 / 4);
	if (ev) {
		__builtin_prefetch(&m->object[object_of(c, ev)]);
		__builtin_prefetch(&m->name[name_of(c, ev)]);
	}
	ev = event_at(a, AHEAD / 2);
	if (ev) {
		order_prefetch(c->order, m->object[object_of(c, ev)].r_size);
		order_prefetch(c->order, m->name[name_of(c, ev)].resource);
	}
	ev = event_at(a, AHEAD / 4);
	if (ev) {
		order_prefetch_accesses(c->order, m->object[object_of(c, ev)].r_size);
		order_prefetch_accesses(c->order, m->name[name_of(c, ev)].resource);
	}
}

const struct trace_record *ahead_next(struct ahead *a, struct compiler *c)
{
	if (a->n) {
		a->first = (a->first + 1) % AHEAD;
		a->n--;
	}
	while (!a->over && a->n < AHEAD) {
		a->over = !c->source->next(c->source->self, &a->record[(a->first + a->n) % AHEAD]);
		a->n += !a->over;
	}
	ask(a, c);
	return a->n ? &a->record[a->first] : NULL;
}
