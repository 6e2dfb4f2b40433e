#include "replay/order.h"

#include <stdbool.h>
#include <string.h>

enum {
	RING = 1024, /* ends of the newest operations of a lane */
	AFTERS = 16, /* wake-ups of a lane that does nothing to files */
};

struct access {
	uint32_t lane, sequence;
	uint64_t end_ns;
};

/* The newest access of each lane, by lane. Nearly always there is one: it needs no memory of its own. */
struct accesses {
	struct access one;
	struct access *many; /* NULL: n is 0 or 1 and `one` is it */
	uint32_t n, room : 31;
	uint32_t dense : 1; /* of the lanes 0 to n - 1 */
};

struct resource {
	struct accesses writes, reads;
};
_Static_assert(sizeof(struct resource) == 64, "a resource is laid out for the cache");

static inline struct access *items(struct accesses *list)
{
	return list->many ? list->many : &list->one;
}

struct after {
	uint64_t from_ns;
	uint32_t lane, sequence;
	uint32_t since; /* the operation that the pause is measured from; no later than sequence */
};

struct lane {
	uint64_t *end_ns; /* ring, by sequence */
	uint32_t newest;
	struct map waited; /* other lane -> sequence already waited for */
	struct after *after; /* what its next operations come after */
	size_t afters, afters_room;
	bool concurrent;
};

struct touch {
	uint32_t resource;
	bool write, wait, force, strict;
};

struct order {
	enum order_mode mode;
	struct resource *resource;
	size_t resources, resources_room;
	struct lane *lane;
	size_t lanes;
	struct touch *touch;
	size_t touches, touches_room;
	struct plan_edge *edge;
	size_t edges, edges_room;
	uint32_t current;
	uint64_t begin_ns;
	struct access last; /* of any lane, for ORDER_TEMPORAL */
};

struct order *order_new(enum order_mode mode)
{
	struct order *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->mode = mode;
	o->resource = grow(NULL, &o->resources_room, 1, sizeof(*o->resource));
	o->resources = 1;
	o->last.lane = PLAN_NONE;
	return o;
}

void order_free(struct order *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->resources && o->resource; i++) {
		free(o->resource[i].writes.many);
		free(o->resource[i].reads.many);
	}
	for (size_t i = 0; i < o->lanes; i++) {
		free(o->lane[i].end_ns);
		free(o->lane[i].after);
		map_release(&o->lane[i].waited);
	}
	free(o->resource);
	free(o->lane);
	free(o->touch);
	free(o->edge);
	free(o);
}

static struct lane *lane_of(struct order *o, uint32_t lane)
{
	if (lane >= o->lanes) {
		size_t room = o->lanes;

		o->lane = grow(o->lane, &room, (size_t)lane + 1, sizeof(*o->lane));
		o->lanes = room;
	}
	return &o->lane[lane];
}

/* By program order. */
static bool covered(const struct order *o, uint32_t lane)
{
	return lane == o->current && !o->lane[lane].concurrent;
}

static void add_edge(struct order *o, uint32_t lane, uint32_t sequence)
{
	if (covered(o, lane) || !sequence)
		return;
	for (size_t i = 0; i < o->edges; i++)
		if (o->edge[i].lane == lane) {
			if (o->edge[i].sequence < sequence)
				o->edge[i].sequence = sequence;
			return;
		}
	o->edge = grow(o->edge, &o->edges_room, o->edges + 1, sizeof(*o->edge));
	o->edge[o->edges++] = (struct plan_edge){.lane = lane, .sequence = sequence};
}

/* The newest operation of a lane that had ended at that time; 0 when the ring does not reach back so far. */
static uint32_t newest_before(const struct lane *l, uint64_t time_ns)
{
	uint32_t low = l->newest > RING ? l->newest - RING : 0, high = l->newest;

	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;

		if (l->end_ns[middle % RING] <= time_ns)
			low = middle;
		else
			high = middle - 1;
	}
	return low && l->end_ns[low % RING] <= time_ns ? low : 0;
}

/*
 * After an access of another lane. When the newest one overlapped with this operation, an older one may not have: the operation
 * of that lane that had just ended stands for it. Strictly: after this access, overlapped or not.
 */
static bool after_access(struct order *o, const struct access *a, bool strict)
{
	if (covered(o, a->lane))
		return true;
	/*
	 * A request of a ring that waited for one it overlapped with could hold up, as requests are handed in in the order of their begins,
	 * the one that it waits for.
	 */
	if ((strict && !o->lane[o->current].concurrent) || a->end_ns <= o->begin_ns) {
		add_edge(o, a->lane, a->sequence);
		return true;
	}
	add_edge(o, a->lane, newest_before(&o->lane[a->lane], o->begin_ns));
	return false;
}

void order_begin(struct order *o, uint32_t lane, uint64_t begin_ns)
{
	lane_of(o, lane);
	o->current = lane;
	o->begin_ns = begin_ns;
	o->touches = o->edges = 0;
}

static void touch(struct order *o, uint32_t *resource, struct touch how)
{
	if (o->mode != ORDER_RESOURCE && !how.force)
		return;
	if (!*resource) {
		o->resource = grow(o->resource, &o->resources_room, o->resources + 1, sizeof(*o->resource));
		*resource = (uint32_t)o->resources++;
	}
	o->touch = grow(o->touch, &o->touches_room, o->touches + 1, sizeof(*o->touch));
	how.resource = *resource;
	o->touch[o->touches++] = how;
}

void order_read(struct order *o, uint32_t *resource)
{
	touch(o, resource, (struct touch){.wait = true});
}

void order_read_strictly(struct order *o, uint32_t *resource)
{
	touch(o, resource, (struct touch){.wait = true, .strict = true});
}

void order_write_strictly(struct order *o, uint32_t *resource)
{
	touch(o, resource, (struct touch){.wait = true, .write = true, .strict = true});
}

void order_force(struct order *o, uint32_t *resource)
{
	touch(o, resource, (struct touch){.write = true, .force = true});
}

void order_note(struct order *o, uint32_t *resource)
{
	touch(o, resource, (struct touch){0});
}

void order_write(struct order *o, uint32_t *resource)
{
	touch(o, resource, (struct touch){.wait = true, .write = true});
}

static void peek(struct order *o, struct accesses *list)
{
	for (uint32_t i = 0; i < list->n; i++)
		after_access(o, &items(list)[i], true);
}

void order_peek(struct order *o, uint32_t resource)
{
	if (resource)
		peek(o, &o->resource[resource].writes);
}

void order_peek_readers(struct order *o, uint32_t resource)
{
	if (resource)
		peek(o, &o->resource[resource].reads);
}

void order_all(struct order *o)
{
	if (o->mode != ORDER_RESOURCE)
		return;
	for (uint32_t i = 0; i < o->lanes; i++)
		if (!covered(o, i) && o->lane[i].end_ns)
			add_edge(o, i, newest_before(&o->lane[i], o->begin_ns));
}

void order_newest(struct order *o, uint32_t lane)
{
	if (lane != o->current && lane < o->lanes && o->lane[lane].end_ns)
		add_edge(o, lane, newest_before(&o->lane[lane], o->begin_ns));
}

void order_edge(struct order *o, uint32_t lane, uint32_t sequence)
{
	add_edge(o, lane, sequence);
}

void order_concurrent(struct order *o, uint32_t lane)
{
	lane_of(o, lane)->concurrent = true;
}

static void add_after(struct order *o, uint32_t lane, struct after after)
{
	struct lane *l;

	lane_of(o, after.lane);
	l = lane_of(o, lane);
	if (l->afters == AFTERS)
		memmove(l->after, l->after + 1, --l->afters * sizeof(*l->after));
	l->after = grow(l->after, &l->afters_room, l->afters + 1, sizeof(*l->after));
	l->after[l->afters++] = after;
}

void order_after(struct order *o, uint32_t lane, uint32_t other, uint32_t sequence, uint64_t from_ns)
{
	add_after(o, lane, (struct after){.from_ns = from_ns, .lane = other, .sequence = sequence, .since = sequence});
}

bool order_woken(struct order *o, uint32_t lane, uint32_t other, uint64_t from_ns, uint64_t since_ns)
{
	uint32_t sequence, since;

	if (o->mode != ORDER_RESOURCE || other >= o->lanes || !o->lane[other].end_ns)
		return false;
	sequence = newest_before(&o->lane[other], from_ns);
	since = newest_before(&o->lane[other], since_ns < from_ns ? since_ns : from_ns);
	if (sequence)
		add_after(o, lane, (struct after){.from_ns = from_ns, .lane = other, .sequence = sequence, .since = since ? since : sequence});
	return sequence;
}

/* An edge of its own, before the others, even to a lane of which more is waited for: the lane measures its pause from it. */
static void put_first(struct order *o, const struct after *a)
{
	if (covered(o, a->lane))
		return;
	o->edge = grow(o->edge, &o->edges_room, o->edges + 1, sizeof(*o->edge));
	memmove(&o->edge[1], o->edge, o->edges++ * sizeof(*o->edge));
	o->edge[0] = (struct plan_edge){.lane = a->lane, .sequence = a->since};
}

static void come_after(struct order *o, struct lane *l)
{
	size_t kept = 0;
	struct after newest = {0};

	for (size_t i = 0; i < l->afters; i++) {
		if (l->after[i].from_ns > o->begin_ns) {
			l->after[kept++] = l->after[i];
			continue;
		}
		newest = l->after[i];
		add_edge(o, newest.lane, newest.sequence);
	}
	l->afters = kept;
	if (newest.sequence)
		put_first(o, &newest);
}

void order_drop(struct order *o)
{
	o->touches = o->edges = 0;
}

/* Waits for all of them; those that ended before this operation are covered by it from now on. */
static void settle(struct order *o, struct accesses *list, bool remove, bool strict)
{
	struct access *item = items(list);
	uint32_t kept = 0;

	for (uint32_t i = 0; i < list->n; i++)
		if (!after_access(o, &item[i], strict) || !remove)
			item[kept++] = item[i];
	list->dense = list->dense && kept == list->n;
	list->n = kept;
}

/* The first one of that lane or of a later one. */
static uint32_t position(const struct access *item, uint32_t n, uint32_t lane)
{
	const struct access *low = item;

	while (n > 1) {
		uint32_t half = n / 2;

		low += low[half - 1].lane < lane ? half : 0;
		n -= half;
	}
	return (uint32_t)(low - item) + (n && low->lane < lane);
}

static void insert(struct accesses *list, struct access a)
{
	struct access *item = items(list);
	uint32_t at = position(item, list->n, a.lane);
	size_t room = list->room;

	if (at < list->n && item[at].lane == a.lane) {
		item[at] = a;
		return;
	}
	if (list->n >= 1 && list->n >= room) {
		list->many = item = grow(list->many, &room, list->n + 1, sizeof(a));
		list->room = (uint32_t)room & INT32_MAX;
		if (list->n == 1)
			item[0] = list->one;
	}
	memmove(&item[at + 1], &item[at], (list->n++ - at) * sizeof(a));
	item[at] = a;
	list->dense = item[list->n - 1].lane == list->n - 1;
}

/* Files that all threads read have long lists, too many of them for the caches: where an access belongs is known without a look there. */
static void remember(struct accesses *list, struct access a)
{
	if (list->dense && a.lane < list->n)
		items(list)[a.lane] = a;
	else
		insert(list, a);
}

/* Leaves out what the lane has waited for before. A ring's requests begin in another order than they stand in. */
static void reduce(struct order *o, struct lane *l)
{
	size_t kept = 0;

	if (l->concurrent)
		return;
	for (size_t i = 0; i < o->edges; i++) {
		uint32_t *waited = map_put(&l->waited, o->edge[i].lane);

		if (*waited >= o->edge[i].sequence)
			continue;
		*waited = o->edge[i].sequence;
		o->edge[kept++] = o->edge[i];
	}
	o->edges = kept;
}

uint32_t order_end(struct order *o, uint32_t sequence, uint64_t end_ns, const struct plan_edge **edges)
{
	struct lane *l = &o->lane[o->current];
	struct access self = {.lane = o->current, .sequence = sequence, .end_ns = end_ns};

	for (size_t i = 0; i < o->touches; i++) {
		struct resource *r = &o->resource[o->touch[i].resource];

		for (uint32_t k = 0; o->touch[i].force && k < r->writes.n; k++)
			add_edge(o, items(&r->writes)[k].lane, items(&r->writes)[k].sequence);
		if (o->touch[i].wait)
			settle(o, &r->writes, o->touch[i].write, o->touch[i].strict);
		if (o->touch[i].wait && o->touch[i].write)
			settle(o, &r->reads, true, o->touch[i].strict);
		if (o->touch[i].force)
			r->writes.n = r->writes.dense = 0;
		remember(o->touch[i].write ? &r->writes : &r->reads, self);
	}
	if (o->mode == ORDER_TEMPORAL && o->last.lane != PLAN_NONE)
		add_edge(o, o->last.lane, o->last.sequence);
	if (l->afters)
		come_after(o, l);
	reduce(o, l);
	if (!l->end_ns)
		l->end_ns = calloc(RING, sizeof(*l->end_ns));
	if (l->end_ns)
		l->end_ns[sequence % RING] = end_ns;
	l->newest = sequence;
	o->last = self;
	*edges = o->edge;
	return (uint32_t)o->edges;
}

void order_prefetch(const struct order *o, uint32_t resource)
{
	__builtin_prefetch(&o->resource[resource]);
}

void order_prefetch_access(const struct order *o, uint32_t resource, uint32_t lane)
{
	const struct accesses *reads = &o->resource[resource].reads;

	if (reads->dense && lane < reads->n && reads->many)
		__builtin_prefetch(&reads->many[lane], 1);
}
