#include "replay/handles.h"

#include <string.h>

void handles_release(struct handles *h)
{
	for (size_t i = 0; i < h->tables; i++)
		free(h->table[i].descriptor);
	free(h->table);
	free(h->parked);
	free(h->description);
	free(h->slot);
	free(h->free_slots.next);
	free(h->free_descriptions.next);
	map_release(&h->by_pid);
	map_release(&h->free_slots.head);
	map_release(&h->free_descriptions.head);
	memset(h, 0, sizeof(*h));
}

static struct table *table_of(const struct handles *h, uint32_t pid)
{
	const uint32_t *at = map_get(&h->by_pid, pid);

	return at && *at ? &h->table[*at - 1] : NULL;
}

static uint32_t new_table(struct handles *h)
{
	h->table = grow(h->table, &h->tables_room, h->tables + 1, sizeof(*h->table));
	h->table[h->tables] = (struct table){.users = 1};
	return (uint32_t)h->tables++;
}

static uint32_t copy_table(struct handles *h, uint32_t from)
{
	uint32_t to = new_table(h);
	const struct table *f = &h->table[from];
	struct table *t = &h->table[to];
	size_t room = 0;

	t->descriptor = grow(NULL, &room, f->n ? f->n : 1, sizeof(*t->descriptor));
	t->n = room;
	if (f->n)
		memcpy(t->descriptor, f->descriptor, f->n * sizeof(*f->descriptor));
	for (size_t i = 0; i < f->n; i++)
		if (f->descriptor[i].slot)
			h->slot[f->descriptor[i].slot - 1].references++;
	return to;
}

void handles_process(struct handles *h, uint32_t pid, uint32_t parent, bool share)
{
	const uint32_t *known = map_get(&h->by_pid, pid), *from = map_get(&h->by_pid, parent);
	uint32_t table;

	if (known && *known)
		return;
	if (!parent || !from || !*from) {
		table = new_table(h);
	} else if (share) {
		table = *from - 1;
		h->table[table].users++;
	} else {
		table = copy_table(h, *from - 1);
	}
	*map_put(&h->by_pid, pid) = table + 1;
}

uint32_t handles_find(const struct handles *h, uint32_t pid, int fd)
{
	const struct table *t = table_of(h, pid);

	if (!t || fd < 0 || (size_t)fd >= t->n || !t->descriptor[fd].slot)
		return HANDLES_NONE;
	return t->descriptor[fd].slot - 1;
}

/* What a lane has freed is its own: to another one that uses it next, its resources would tell of users that it has nothing to do with. */
static uint32_t take_free(struct free_list *f, uint32_t lane)
{
	uint32_t *head = lane == HANDLES_NONE ? NULL : map_get(&f->head, lane), item;

	if (!head || !*head)
		return HANDLES_NONE;
	item = *head - 1;
	*head = f->next[item];
	return item;
}

static void give_free(struct free_list *f, uint32_t lane, uint32_t item)
{
	uint32_t *head = map_put(&f->head, lane);

	f->next = grow(f->next, &f->room, (size_t)item + 1, sizeof(*f->next));
	f->next[item] = *head;
	*head = item + 1;
}

static uint32_t take_slot(struct handles *h, uint32_t lane, uint32_t description)
{
	uint32_t slot = take_free(&h->free_slots, lane);

	if (slot == HANDLES_NONE) {
		h->slot = grow(h->slot, &h->slots_room, h->slots + 1, sizeof(*h->slot));
		slot = (uint32_t)h->slots++;
		h->slot[slot].r_slot = 0;
	}
	/* The resource stays with the number: users of what was in the slot before come first. */
	h->slot[slot].description = description;
	h->slot[slot].references = 0;
	h->description[description].references++;
	return slot;
}

uint32_t handles_open(struct handles *h, uint32_t lane, uint32_t object, uint32_t file, uint32_t flags)
{
	uint32_t d = take_free(&h->free_descriptions, lane);

	if (d == HANDLES_NONE) {
		h->description = grow(h->description, &h->descriptions_room, h->descriptions + 1, sizeof(*h->description));
		d = (uint32_t)h->descriptions++;
	}
	h->description[d] = (struct description){
		.object = object, .file = file, .flags = flags, .r_position = h->description[d].r_position};
	return take_slot(h, lane, d);
}

uint32_t handles_dup(struct handles *h, uint32_t lane, uint32_t slot)
{
	return take_slot(h, lane, h->slot[slot].description);
}

static uint32_t unreference(struct handles *h, uint32_t slot)
{
	return --h->slot[slot].references ? HANDLES_NONE : slot;
}

uint32_t handles_bind(struct handles *h, uint32_t pid, int fd, uint32_t slot, bool cloexec)
{
	uint32_t gone = HANDLES_NONE;
	struct table *t = table_of(h, pid);

	if (!t) {
		handles_process(h, pid, 0, false);
		t = table_of(h, pid);
	}
	if (fd < 0 || fd >= HANDLES_FD_MAX) {
		h->slot[slot].references++;
		return HANDLES_NONE; /* nothing will ever lead there; it stays open */
	}
	t->descriptor = grow(t->descriptor, &t->n, (size_t)fd + 1, sizeof(*t->descriptor));
	h->slot[slot].references++;
	if (t->descriptor[fd].slot)
		gone = unreference(h, t->descriptor[fd].slot - 1);
	t->descriptor[fd] = (struct descriptor){.slot = slot + 1, .cloexec = cloexec};
	return gone;
}

void handles_set_cloexec(struct handles *h, uint32_t pid, int fd, bool cloexec)
{
	if (handles_find(h, pid, fd) != HANDLES_NONE)
		table_of(h, pid)->descriptor[fd].cloexec = cloexec;
}

uint32_t handles_close(struct handles *h, uint32_t pid, int fd, bool *known)
{
	uint32_t slot = handles_find(h, pid, fd);

	*known = slot != HANDLES_NONE;
	if (!*known)
		return HANDLES_NONE;
	table_of(h, pid)->descriptor[fd].slot = 0;
	return unreference(h, slot);
}

bool handles_close_parked(struct handles *h, uint32_t pid, int fd, uint64_t begin_ns, uint32_t *slot)
{
	const struct table *t = table_of(h, pid);

	for (size_t i = 0; t && i < h->parked_n; i++) {
		if (h->parked[i].table != (uint32_t)(t - h->table) || h->parked[i].fd != fd || begin_ns >= h->parked[i].until_ns)
			continue;
		*slot = unreference(h, h->parked[i].slot);
		h->parked[i] = h->parked[--h->parked_n];
		return true;
	}
	return false;
}

uint32_t handles_park(struct handles *h, uint32_t pid, int fd, uint64_t now_ns)
{
	uint32_t slot = handles_find(h, pid, fd), before = HANDLES_NONE;
	struct table *t = table_of(h, pid);

	if (slot == HANDLES_NONE)
		return HANDLES_NONE;
	handles_close_parked(h, pid, fd, 0, &before);
	t->descriptor[fd].slot = 0;
	h->parked = grow(h->parked, &h->parked_room, h->parked_n + 1, sizeof(*h->parked));
	h->parked[h->parked_n++] =
		(struct parked){.until_ns = now_ns, .table = (uint32_t)(t - h->table), .slot = slot, .fd = fd};
	return before;
}

void handles_recycle(struct handles *h, uint32_t lane, uint32_t slot)
{
	uint32_t d = h->slot[slot].description;

	give_free(&h->free_slots, lane, slot);
	if (!--h->description[d].references)
		give_free(&h->free_descriptions, lane, d);
}

static void close_all(struct handles *h, struct table *t, bool only_cloexec, handles_closed *closed, void *context)
{
	for (size_t i = 0; i < t->n; i++) {
		uint32_t slot = t->descriptor[i].slot;

		if (!slot || (only_cloexec && !t->descriptor[i].cloexec))
			continue;
		t->descriptor[i].slot = 0;
		if (unreference(h, slot - 1) != HANDLES_NONE)
			closed(context, slot - 1);
	}
}

void handles_exec(struct handles *h, uint32_t pid, handles_closed *closed, void *context)
{
	uint32_t *at = map_get(&h->by_pid, pid);

	if (!at || !*at)
		return;
	if (h->table[*at - 1].users > 1) {
		h->table[*at - 1].users--;
		*at = copy_table(h, *at - 1) + 1;
	}
	close_all(h, &h->table[*at - 1], true, closed, context);
}

void handles_exit(struct handles *h, uint32_t pid, handles_closed *closed, void *context)
{
	uint32_t *at = map_get(&h->by_pid, pid);
	struct table *t;

	if (!at || !*at)
		return;
	t = &h->table[*at - 1];
	*at = 0;
	if (--t->users)
		return;
	close_all(h, t, false, closed, context);
	for (size_t i = h->parked_n; i--;) { /* the recording has lost their close */
		struct parked p = h->parked[i];

		if (p.table != (uint32_t)(t - h->table))
			continue;
		h->parked[i] = h->parked[--h->parked_n];
		if (unreference(h, p.slot) != HANDLES_NONE)
			closed(context, p.slot);
	}
	free(t->descriptor);
	*t = (struct table){0};
}
