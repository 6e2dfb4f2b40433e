#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "capture/async.h"
#include "capture/drain.h"

int async_init(struct async *async)
{
	memset(async, 0, sizeof(*async));
	async->room = 1024;
	async->pending = calloc(async->room, sizeof(*async->pending));
	return async->pending ? 0 : -ENOMEM;
}

void async_release(struct async *async)
{
	free(async->pending);
	free(async->context);
	memset(async, 0, sizeof(*async));
}

void async_move(struct async *to, struct async *from)
{
	free(to->pending);
	to->pending = from->pending;
	to->used = from->used;
	to->room = from->room;
	to->unmatched = from->unmatched;
	from->pending = NULL;
	from->used = 0;
}

static size_t place_of(const struct async *async, uint32_t pid, uint64_t key)
{
	return ((key ^ (uint64_t)pid << 48) * 0x9e3779b97f4a7c15ULL >> 32) & (async->room - 1);
}

static struct rec_async *lookup(const struct async *async, uint32_t pid, uint64_t key)
{
	size_t at = place_of(async, pid, key);

	while (async->pending[at].pid && (async->pending[at].pid != pid || async->pending[at].key != key))
		at = (at + 1) & (async->room - 1);
	return &async->pending[at];
}

static void put(struct async *async, const struct rec_async *record)
{
	struct rec_async *entry = lookup(async, record->pid, record->key);

	if (!entry->pid && async->used * 10 >= async->room * 6) {
		struct async bigger = *async;

		bigger.room *= 2;
		bigger.pending = calloc(bigger.room, sizeof(*bigger.pending));
		if (!bigger.pending)
			return;
		for (size_t i = 0; i < async->room; i++)
			if (async->pending[i].pid)
				*lookup(&bigger, async->pending[i].pid, async->pending[i].key) = async->pending[i];
		free(async->pending);
		*async = bigger;
		entry = lookup(async, record->pid, record->key);
	}
	async->used += !entry->pid;
	*entry = *record;
}

/* Takes an entry out and closes the gap that it leaves in its chain. */
static void drop(struct async *async, struct rec_async *entry)
{
	size_t hole = (size_t)(entry - async->pending), at = hole;

	async->used--;
	for (;;) {
		size_t home;

		at = (at + 1) & (async->room - 1);
		if (!async->pending[at].pid)
			break;
		home = place_of(async, async->pending[at].pid, async->pending[at].key);
		if (((at - home) & (async->room - 1)) >= ((at - hole) & (async->room - 1))) {
			async->pending[hole] = async->pending[at];
			hole = at;
		}
	}
	async->pending[hole].pid = 0;
}

static uint32_t ring_of(struct async *async, uint64_t context)
{
	uint64_t *more;

	for (uint32_t i = 0; i < async->contexts; i++)
		if (async->context[i] == context)
			return i + 1;
	more = realloc(async->context, (async->contexts + 1) * sizeof(*more));
	if (!more)
		return 0;
	async->context = more;
	async->context[async->contexts++] = context;
	return async->contexts;
}

static uint8_t op_of(const struct rec_async *r)
{
	static const uint8_t aio[] = {TRACE_OP_PREAD64, TRACE_OP_PWRITE64, TRACE_OP_FSYNC, TRACE_OP_FDATASYNC, 0, 0, 0, TRACE_OP_PREADV, TRACE_OP_PWRITEV};
	static const uint8_t uring[] = {0, TRACE_OP_PREADV2, TRACE_OP_PWRITEV2, TRACE_OP_FSYNC, TRACE_OP_PREAD64, TRACE_OP_PWRITE64};

	if (r->kind != ASYNC_URING) {
		/* Vectors with flags are the calls that have flags. */
		if (r->flags && (r->opcode == 7 || r->opcode == 8))
			return r->opcode == 7 ? TRACE_OP_PREADV2 : TRACE_OP_PWRITEV2;
		return r->opcode < sizeof(aio) ? aio[r->opcode] : 0;
	}
	if (r->opcode == 3 && (r->flags & 1))
		return TRACE_OP_FDATASYNC;
	if (r->opcode == 22 || r->opcode == 23)
		return r->opcode == 22 ? TRACE_OP_PREAD64 : TRACE_OP_PWRITE64;
	return r->opcode < sizeof(uring) ? uring[r->opcode] : 0;
}

static void emit(struct drain *d, const struct rec_async *r, int64_t result, uint64_t end_ns)
{
	struct trace_event e = {.op = op_of(r),
				.via = r->kind == ASYNC_URING ? TRACE_VIA_URING : TRACE_VIA_AIO,
				.fd = r->fd,
				.fd2 = -1,
				.offset = r->offset,
				.offset2 = -1,
				.length = r->length,
				.flags = r->flags,
				.arg = r->parts,
				.result = result};

	if (!e.op)
		return;
	e.begin_ns = r->begin_ns > d->start_ns ? r->begin_ns - d->start_ns : 0;
	e.duration_ns = end_ns - d->start_ns - e.begin_ns;
	e.thread = tasks_get(&d->tasks, r->tid, r->pid, e.begin_ns);
	e.file = files_find(&d->files, r->file.dev, r->file.ino, r->file.generation);
	e.ring = ring_of(&d->async, r->context);
	drain_write(d, &e);
}

void async_record(struct drain *d, const struct rec_async *record)
{
	struct rec_async *begin;

	switch (record->kind) {
	case ASYNC_AIO_BEGIN: put(&d->async, record); break;
	case ASYNC_AIO_END:
		begin = lookup(&d->async, record->pid, record->key);
		if (!begin->pid) {
			d->async.unmatched++;
			break;
		}
		emit(d, begin, record->result, record->head.end_ns);
		drop(&d->async, begin);
		break;
	case ASYNC_URING: emit(d, record, record->result, record->head.end_ns); break;
	}
}
