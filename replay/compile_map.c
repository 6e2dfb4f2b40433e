/* Mapped files. A mapping of the recording is a map slot of the plan; addresses become offsets into it. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "replay/compiler.h"

static struct mapping *find_address(struct compiler *c, uint64_t address)
{
	for (size_t i = c->mappings; i--;) {
		struct mapping *m = &c->mapping[i];

		if (m->pid == c->pid && address >= m->address + m->low && address < m->address + m->high)
			return m;
	}
	return NULL;
}

static struct mapping *find_object(struct compiler *c, uint32_t object, uint64_t offset, bool write)
{
	for (size_t i = c->mappings; i--;) {
		struct mapping *m = &c->mapping[i];

		if (m->object == object && offset >= m->offset + m->low && offset < m->offset + m->high && (m->writable || !write))
			return m;
	}
	return NULL;
}

static void forget(struct compiler *c, struct mapping *m)
{
	*m = c->mapping[--c->mappings];
}

static void unmap_hidden(struct compiler *c, struct mapping *m)
{
	struct plan_args a = {.offset = m->low, .length = m->high - m->low};

	compile_begin(c);
	order_force(c->order, &m->r_map);
	compile_hidden(c, TRACE_OP_MUNMAP, m->map, &a);
	forget(c, m);
}

void compile_unmap_all(struct compiler *c, uint32_t pid)
{
	for (size_t i = c->mappings; i--;)
		if (c->mapping[i].pid == pid)
			unmap_hidden(c, &c->mapping[i]);
}

static void compile_mmap(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	uint32_t slot = compile_slot(c, ev->fd, ev->file);
	struct plan_args a = {.offset = (uint64_t)ev->offset, .length = ev->length, .arg = ev->arg & (PROT_READ | PROT_WRITE)};
	struct mapping *old;
	struct description *d;

	if (slot == HANDLES_NONE || ev->result < 0 || compile_slot_is_dead(c, slot) || !ev->length || ev->offset < 0 ||
	    ev->length > 1ULL << 46) {
		compile_skip(c);
		return;
	}
	/* A mapping may be laid over older ones (MAP_FIXED): those are gone there. */
	while ((old = find_address(c, (uint64_t)ev->offset2)) && old->address == (uint64_t)ev->offset2)
		unmap_hidden(c, old);
	d = handles_description(&c->handles, slot);
	a.flags = ev->flags & (MAP_SHARED | MAP_PRIVATE | MAP_POPULATE);
	if ((ev->flags & MAP_TYPE) == MAP_SHARED_VALIDATE)
		a.flags = MAP_SHARED | (ev->flags & MAP_POPULATE);
	a.handle2 = c->plan->maps++;
	c->mapping = grow(c->mapping, &c->mappings_room, c->mappings + 1, sizeof(*c->mapping));
	c->mapping[c->mappings++] = (struct mapping){.pid = c->pid,
						     .map = a.handle2,
						     .object = d->object,
						     .address = (uint64_t)ev->offset2,
						     .high = ev->length,
						     .offset = (uint64_t)ev->offset,
						     .writable = ev->arg & PROT_WRITE};
	if (d->object && ev->arg & PROT_WRITE && a.flags & MAP_SHARED)
		c->model.object[d->object].bits |= OBJECT_CHANGED;
	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	order_force(c->order, &c->mapping[c->mappings - 1].r_map);
	compile_emit(c, slot, &a, PLAN_EXPECT_SUCCESS);
}

static void compile_munmap(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct mapping *m = find_address(c, (uint64_t)ev->offset2);
	struct plan_args a = {0};
	uint64_t from, to;

	if (!m || ev->result) {
		compile_books(c);
		return;
	}
	from = (uint64_t)ev->offset2 - m->address;
	to = ev->length > m->high - from ? m->high : from + ev->length;
	to = (to + 4095) & ~4095ULL;
	if (to > m->high)
		to = m->high;
	/* A hole in the middle stays mapped here: nothing of the file system is lost by it. */
	if (from > m->low && to < m->high) {
		compile_books(c);
		return;
	}
	a.offset = from;
	a.length = to - from;
	compile_begin(c);
	order_force(c->order, &m->r_map);
	if (from <= m->low)
		m->low = to;
	else
		m->high = from;
	compile_emit(c, m->map, &a, PLAN_EXPECT_SUCCESS);
	if (m->low >= m->high)
		forget(c, m);
}

/* A whole mapping that grows, shrinks or moves. A part of one that moves away is left where it is. */
static void compile_mremap(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct mapping *m = find_address(c, (uint64_t)ev->offset2);
	struct plan_args a = {.length = (ev->length + 4095) & ~4095ULL, .arg = (ev->arg + 4095) & ~4095ULL};

	if (!m || (ev->result < 0 && ev->result > -4096) || (uint64_t)ev->offset2 != m->address + m->low || !a.length || a.length > 1ULL << 46 ||
	    a.arg != ((m->high - m->low + 4095) & ~4095ULL)) {
		compile_skip(c);
		return;
	}
	a.offset = m->low;
	compile_begin(c);
	order_force(c->order, &m->r_map);
	m->address = (uint64_t)ev->offset - m->low;
	m->high = m->low + ev->length;
	compile_emit(c, m->map, &a, PLAN_EXPECT_SUCCESS);
}

static void compile_range(struct compiler *c, struct mapping *m, uint64_t from)
{
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.offset = from & ~4095ULL, .flags = ev->flags, .arg = ev->arg};
	uint64_t skew = from & 4095;

	a.length = ev->length + skew > m->high - a.offset ? m->high - a.offset : ev->length + skew;
	if (ev->op == TRACE_OP_MSYNC)
		a.flags &= MS_ASYNC | MS_SYNC | MS_INVALIDATE;
	compile_begin(c);
	order_force(c->order, &m->r_map);
	compile_emit(c, m->map, &a, ev->op == TRACE_OP_MSYNC ? compile_expect(c, &a, false) : PLAN_EXPECT_SUCCESS);
}

/* Advice that only takes or gives memory; the rest could break the replayer. */
static bool takes_or_gives(uint64_t advice)
{
	return advice <= MADV_DONTNEED || (advice >= MADV_COLD && advice <= MADV_POPULATE_WRITE);
}

void compile_map_event(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct mapping *m;
	bool fault = ev->op == TRACE_OP_FAULT_READ || ev->op == TRACE_OP_FAULT_WRITE;

	if (ev->op == TRACE_OP_MMAP) {
		compile_mmap(c);
		return;
	}
	if (ev->op == TRACE_OP_MUNMAP) {
		compile_munmap(c);
		return;
	}
	if (ev->op == TRACE_OP_MREMAP) {
		compile_mremap(c);
		return;
	}
	if (fault) {
		uint32_t object = model_object_of(&c->model, ev->file);

		m = object && ev->offset >= 0 ? find_object(c, object, (uint64_t)ev->offset, ev->op == TRACE_OP_FAULT_WRITE) : NULL;
		if (m)
			compile_range(c, m, (uint64_t)ev->offset - m->offset);
		else
			compile_skip(c);
		return;
	}
	m = find_address(c, (uint64_t)ev->offset2);
	if (ev->op == TRACE_OP_MADVISE && ev->arg >= MADV_DONTFORK && ev->arg <= MADV_KEEPONFORK) {
		compile_books(c);
		return;
	}
	if (!m || ev->result < 0 || (ev->op == TRACE_OP_MADVISE && !takes_or_gives(ev->arg))) {
		compile_skip(c);
		return;
	}
	compile_range(c, m, (uint64_t)ev->offset2 - m->address);
}
