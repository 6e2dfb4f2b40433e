#include "replay/order.h"

#include <stdbool.h>
#include <string.h>

#include "replay/slab.h"

enum {
	RING = 1024, /* ends of the newest operations of a lane */
	AFTERS = 16, /* wake-ups of a lane that does nothing to files */
};

struct access {
	uint32_t lane, sequence;
	uint64_t end_ns;
};

/*
 * The newest access of each lane. Nearly always there is one: it needs no memory of its own. Files that all threads use have long lists, too
 * many of them for the caches: where the access of one of the first lanes stands is known without a look there.
 */
struct accesses {
	union {
		struct access one;
		uint64_t live; /* bit set of the lanes, when there is memory and it is not sorted */
	};
	struct access *many; /* by lane; NULL: n is 0 or 1 and `one` is it */
	uint32_t n;	     /* when it is sorted: items, by their lanes; the place is not the lane */
	uint32_t room : 31, sorted : 1;
};

enum { LANES_BY_PLACE = 64 };

struct resource {
	struct accesses writes, reads;
};
_Static_assert(sizeof(struct resource) == 64, "a resource is laid out for the cache");

/* The place of the first access at place `from` or later; UINT32_MAX: there is none. */
static inline uint32_t next_place(const struct accesses *list, uint32_t from)
{
	uint64_t left;

	if (!list->many || list->sorted)
		return from < list->n ? from : UINT32_MAX;
	left = from < LANES_BY_PLACE ? list->live >> from : 0;
	return left ? from + (uint32_t)__builtin_ctzll(left) : UINT32_MAX;
}

static inline struct access *items(struct accesses *list)
{
	return list->many ? list->many : &list->one;
}

static inline void remove_all(struct accesses *list)
{
	list->n = list->sorted = 0;
	if (list->many)
		list->live = 0;
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
	struct slab slab; /* of their lists */
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
	slab_release(&o->slab);
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
	for (uint32_t i = 0; (i = next_place(list, i)) != UINT32_MAX; i++)
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

bool order_by_resource(const struct order *o)
{
	return o->mode == ORDER_RESOURCE;
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
	uint64_t live = 0;
	uint32_t kept = 0;

	if (list->many && !list->sorted) {
		for (uint64_t left = list->live; left; left &= left - 1) {
			uint32_t lane = (uint32_t)__builtin_ctzll(left);

			if (!after_access(o, &item[lane], strict) || !remove)
				live |= left & -left;
		}
		list->live = live;
		return;
	}
	for (uint32_t i = 0; i < list->n; i++)
		if (!after_access(o, &item[i], strict) || !remove)
			item[kept++] = item[i];
	list->n = kept;
	list->sorted = list->many && kept;
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

static void make_room(struct order *o, struct accesses *list, size_t n)
{
	size_t room = list->room;

	if (n <= room)
		return;
	list->many = slab_grow(&o->slab, list->many, &room, n, sizeof(*list->many));
	list->room = (uint32_t)room & INT32_MAX;
}

/* Lanes of high numbers came: what is there stands together. */
static void sort(struct accesses *list)
{
	list->n = 0;
	for (uint64_t left = list->live; left; left &= left - 1)
		list->many[list->n++] = list->many[__builtin_ctzll(left)];
	list->live = 0;
	list->sorted = 1;
}

static void insert_sorted(struct order *o, struct accesses *list, struct access a)
{
	uint32_t at = position(list->many, list->n, a.lane);

	if (at < list->n && list->many[at].lane == a.lane) {
		list->many[at] = a;
		return;
	}
	make_room(o, list, (size_t)list->n + 1);
	memmove(&list->many[at + 1], &list->many[at], (list->n++ - at) * sizeof(a));
	list->many[at] = a;
}

static void insert_by_place(struct order *o, struct accesses *list, struct access a)
{
	make_room(o, list, (size_t)a.lane + 1);
	list->many[a.lane] = a;
	list->live |= 1ULL << a.lane;
}

/* The second lane's access, or the first one again. */
static void begin_many(struct order *o, struct accesses *list)
{
	struct access one = list->one;

	make_room(o, list, one.lane < LANES_BY_PLACE ? (size_t)one.lane + 1 : 1);
	list->live = 0;
	list->n = 0;
	list->sorted = one.lane >= LANES_BY_PLACE;
	if (list->sorted)
		insert_sorted(o, list, one);
	else
		insert_by_place(o, list, one);
}

static void remember(struct order *o, struct accesses *list, struct access a)
{
	if (!list->many) {
		if (!list->n || list->one.lane == a.lane) {
			list->one = a;
			list->n = 1;
			return;
		}
		begin_many(o, list);
	}
	if (a.lane >= LANES_BY_PLACE && !list->sorted)
		sort(list);
	if (list->sorted)
		insert_sorted(o, list, a);
	else
		insert_by_place(o, list, a);
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

		for (uint32_t k = 0; o->touch[i].force && (k = next_place(&r->writes, k)) != UINT32_MAX; k++)
			add_edge(o, items(&r->writes)[k].lane, items(&r->writes)[k].sequence);
		if (o->touch[i].wait)
			settle(o, &r->writes, o->touch[i].write, o->touch[i].strict);
		if (o->touch[i].wait && o->touch[i].write)
			settle(o, &r->reads, true, o->touch[i].strict);
		if (o->touch[i].force)
			remove_all(&r->writes);
		remember(o, o->touch[i].write ? &r->writes : &r->reads, self);
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

	if (reads->many && !reads->sorted && lane < reads->room)
		__builtin_prefetch(&reads->many[lane], 1);
}
