#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>

#include "capture/calls.h"
#include "capture/drain.h"
#include "lib/cleanup.h"

enum { SQE_CQE_SKIP = 1 << 6 }; /* IOSQE_CQE_SKIP_SUCCESS, newer than Debian 12's header */

int async_init(struct async *async)
{
	memset(async, 0, sizeof(*async));
	async->room = 1024;
	async->pending = calloc(async->room, sizeof(*async->pending));
	return async->pending ? 0 : -ENOMEM;
}

void async_release(struct async *async)
{
	while (async->texts) {
		struct async_texts *next = async->texts->next;

		free(async->texts);
		async->texts = next;
	}
	free(async->pending);
	free(async->ring);
	memset(async, 0, sizeof(*async));
}

void async_move(struct async *to, struct async *from)
{
	free(to->pending);
	to->pending = from->pending;
	to->used = from->used;
	to->room = from->room;
	to->texts = from->texts;
	to->early = from->early;
	to->late = from->late;
	to->unknown = from->unknown;
	from->texts = NULL;
	from->pending = NULL;
	from->used = 0;
}

/* ---- libaio's requests that have not ended --------------------------------------------------------------------------------- */

static size_t place_of(const struct async *async, uint32_t pid, uint64_t key)
{
	return ((key ^ (uint64_t)pid << 48) * 0x9e3779b97f4a7c15ULL >> 32) & (async->room - 1);
}

static struct rec_async *lookup(const struct async *async, uint32_t pid, uint64_t key)
{
	size_t at = place_of(async, pid, key);

	while (async->pending[at].begin.pid && (async->pending[at].begin.pid != pid || async->pending[at].begin.key != key))
		at = (at + 1) & (async->room - 1);
	return &async->pending[at].begin;
}

static bool grow(struct async *async)
{
	struct async bigger = *async;

	bigger.room *= 2;
	bigger.pending = calloc(bigger.room, sizeof(*bigger.pending));
	if (!bigger.pending)
		return false;
	for (size_t i = 0; i < async->room; i++)
		if (async->pending[i].begin.pid)
			*lookup(&bigger, async->pending[i].begin.pid, async->pending[i].begin.key) = async->pending[i].begin;
	free(async->pending);
	*async = bigger;
	return true;
}

/* Takes an entry out and closes the gap that it leaves in its chain. */
static void drop(struct async *async, struct rec_async *entry)
{
	size_t hole = (size_t)((struct async_pending *)entry - async->pending), at = hole;

	async->used--;
	for (;;) {
		const struct rec_async *other;
		size_t home;

		at = (at + 1) & (async->room - 1);
		other = &async->pending[at].begin;
		if (!other->pid)
			break;
		home = place_of(async, other->pid, other->key);
		if (((at - home) & (async->room - 1)) >= ((at - hole) & (async->room - 1))) {
			async->pending[hole] = async->pending[at];
			hole = at;
		}
	}
	async->pending[hole].begin.pid = 0;
}

uint32_t async_ring(struct async *async, uint32_t pid, uint64_t name)
{
	struct async_ring *more;

	for (uint32_t i = async->rings; i-- > 0;) /* a name that comes again is most likely the newest */
		if (async->ring[i].name == name && async->ring[i].pid == pid)
			return i + 1;
	more = realloc(async->ring, (async->rings + 1) * sizeof(*more));
	if (!more)
		return 0;
	async->ring = more;
	async->ring[async->rings++] = (struct async_ring){name, pid};
	return async->rings;
}

/* ---- from requests to calls ------------------------------------------------------------------------------------------------ */

#define NO_CALL UINT16_MAX /* none on files */

/* The call that a request of libaio stands for, and its arguments. */
static uint16_t call_of_iocb(const struct rec_async *r, uint64_t arg[6])
{
	static const uint16_t call[] = {__NR_pread64, __NR_pwrite64, __NR_fsync, __NR_fdatasync, NO_CALL, NO_CALL, NO_CALL, __NR_preadv, __NR_pwritev};
	uint16_t nr = r->sqe.opcode < ARRAY_SIZE(call) ? call[r->sqe.opcode] : NO_CALL;
	bool vector = nr == __NR_preadv || nr == __NR_pwritev;

	arg[0] = (uint32_t)r->sqe.fd;
	arg[1] = vector ? r->length : 0;
	arg[2] = vector ? r->sqe.len : r->length;
	arg[3] = r->sqe.off;
	arg[5] = r->sqe.op_flags;
	return nr;
}

static uint64_t field_of(const struct rec_async *r, const struct rec_path *texts, uint8_t field)
{
	switch ((enum request_field)field) {
	case REQ_NONE: return 0;
	case REQ_FD: return (uint32_t)r->sqe.fd;
	case REQ_OFF: return r->sqe.off;
	case REQ_ADDR: return r->sqe.addr;
	case REQ_LEN: return r->sqe.len;
	case REQ_SUM: return r->length;
	case REQ_FLAGS: return r->sqe.op_flags;
	case REQ_FILE_INDEX: return (uint32_t)r->sqe.file_index;
	case REQ_ADDR3: return r->sqe.addr3;
	case REQ_HOW_FLAGS: return texts ? texts->wide.event.arg[2] : 0;
	case REQ_HOW_MODE: return texts ? texts->wide.event.arg[3] : 0;
	case REQ_HOW_RESOLVE: return texts ? texts->wide.arg4 : 0;
	}
	return 0;
}

static uint16_t call_of_sqe(const struct rec_async *r, const struct rec_path *texts, uint64_t arg[6])
{
	const struct request *q = &requests[r->sqe.opcode & (REQUEST_MAX - 1)];

	for (int i = 0; i < 6; i++)
		arg[i] = field_of(r, texts, q->field[i]);
	switch (r->sqe.opcode) {
	case IORING_OP_FSYNC: return r->sqe.op_flags & IORING_FSYNC_DATASYNC ? __NR_fdatasync : q->call;
	case IORING_OP_CLOSE:
		if (r->sqe.file_index)
			arg[0] = (uint32_t)r->sqe.file_index - 1;
		break;
	case IORING_OP_FADVISE: /* a longer length has its place elsewhere */
		arg[2] = r->sqe.addr ? r->sqe.addr : arg[2];
		break;
	case IORING_OP_MADVISE: arg[1] = r->sqe.off ? r->sqe.off : arg[1]; break;
	case IORING_OP_SPLICE: /* an offset is given unless it is -1; drain.c expects an address */
		arg[1] = r->sqe.addr != UINT64_MAX;
		arg[3] = r->sqe.off != UINT64_MAX;
		break;
	case 54: arg[1] = r->sqe.op_flags & 1 ? 0 : O_CLOEXEC; break; /* FIXED_FD_INSTALL */
	}
	return q->call ? q->call : NO_CALL;
}

/* Reads and writes have forms for what their simplest call cannot say: where the descriptor stands (-1), and flags. */
static uint16_t fitting_call(uint16_t nr, const struct rec_async *r, uint64_t arg[6])
{
	bool reading = nr == __NR_pread64 || nr == __NR_preadv;

	if (nr != __NR_pread64 && nr != __NR_pwrite64 && nr != __NR_preadv && nr != __NR_pwritev)
		return nr;
	if (!r->sqe.op_flags)
		return r->sqe.off == UINT64_MAX && (nr == __NR_pread64 || nr == __NR_pwrite64) ? (reading ? __NR_read : __NR_write) : nr;
	if (nr == __NR_pread64 || nr == __NR_pwrite64) {
		arg[1] = arg[2];
		arg[2] = 1;
	}
	arg[5] = r->sqe.op_flags;
	return reading ? __NR_preadv2 : __NR_pwritev2;
}

static uint16_t bits_of(const struct rec_async *r)
{
	static const struct {
		uint8_t sqe;
		uint16_t bit;
	} of_sqe[] = {{IOSQE_FIXED_FILE, TRACE_EV_FIXED_FILE}, {IOSQE_IO_DRAIN, TRACE_EV_DRAIN}, {IOSQE_IO_LINK, TRACE_EV_LINK},
		      {IOSQE_IO_HARDLINK, TRACE_EV_HARDLINK}, {IOSQE_ASYNC, TRACE_EV_ASYNC}};
	uint16_t bits = 0;

	if (r->bits & ASYNC_BATCH)
		bits |= TRACE_EV_BATCH;
	if (r->bits & ASYNC_COMPAT)
		bits |= TRACE_EV_COMPAT;
	if (r->kind != ASYNC_URING && r->kind != ASYNC_URING_SILENT)
		return bits;
	for (size_t i = 0; i < ARRAY_SIZE(of_sqe); i++)
		if (r->sqe.flags & of_sqe[i].sqe)
			bits |= of_sqe[i].bit;
	if (r->bits & ASYNC_SQPOLL)
		bits |= TRACE_EV_SQPOLL;
	switch (r->sqe.opcode) {
	case IORING_OP_READ_FIXED:
	case IORING_OP_WRITE_FIXED:
	case 60: /* READV_FIXED */
	case 61: bits |= TRACE_EV_FIXED_BUFFER; break;
	case IORING_OP_OPENAT:
	case IORING_OP_OPENAT2:
	case IORING_OP_CLOSE: /* an index, counted from 1 */
		if (r->sqe.file_index)
			bits |= TRACE_EV_FIXED_FILE;
		break;
	}
	return bits;
}

/* A place in the ring's table that the program chose; for one that the kernel chose it is the result already. */
static int64_t result_of(const struct rec_async *r, int64_t result)
{
	bool opens = r->kind == ASYNC_URING && (r->sqe.opcode == IORING_OP_OPENAT || r->sqe.opcode == IORING_OP_OPENAT2);

	return opens && result >= 0 && r->sqe.file_index > 0 ? r->sqe.file_index - 1 : result;
}

/* The record that the call would have left. room: that of *path and of two texts behind it. Returns its size. */
static uint32_t as_call(const struct rec_async *r, uint16_t nr, const uint64_t arg[6], const struct async_texts *texts, uint64_t end_ns,
			struct rec_path *path)
{
	uint64_t begin = r->begin_ns < end_ns ? r->begin_ns : end_ns, duration = end_ns - begin;
	struct rec_event *e = &path->wide.event;
	uint32_t bytes = sizeof(path->wide);

	if (texts) {
		bytes = texts->bytes;
		memcpy(path, &texts->path, bytes);
	} else {
		memset(path, 0, sizeof(*path));
	}
	e->head.type = texts ? REC_PATH : REC_WIDE;
	e->head.bits |= r->head.bits;
	e->head.end_ns = end_ns;
	e->tid = r->tid;
	e->pid = r->pid;
	e->duration_lo = (uint32_t)duration;
	e->duration_hi = (uint16_t)(duration >> 32);
	e->nr = nr;
	memcpy(e->arg, arg, sizeof(e->arg));
	path->wide.arg4 = arg[4];
	path->wide.arg5 = arg[5];
	e->file = r->file;
	e->position = r->position;
	path->wide.file2 = r->file2;
	path->wide.position2 = -1;
	if (r->kind == ASYNC_URING && r->sqe.opcode == IORING_OP_SPLICE) { /* the ring knows the output as its file, the call as its second */
		e->file = r->file2;
		path->wide.file2 = r->file;
		e->position = (int64_t)r->sqe.addr;
		path->wide.position2 = r->sqe.off == UINT64_MAX ? r->position : (int64_t)r->sqe.off;
	}
	return bytes;
}

static void emit(struct drain *d, const struct rec_async *r, const struct async_texts *texts, int64_t result, uint64_t end_ns, uint16_t bits)
{
	bool uring = r->kind == ASYNC_URING || r->kind == ASYNC_URING_SILENT;
	struct drain_request request = {.via = uring ? TRACE_VIA_URING : TRACE_VIA_AIO,
					.ring = async_ring(&d->async, uring ? 0 : r->pid, r->context),
					.bits = bits_of(r) | bits};
	union {
		struct rec_path path;
		char room[sizeof(struct rec_path) + 2 * STRING_MAX];
	} call;
	uint64_t arg[6] = {0};
	uint16_t nr = fitting_call(uring ? call_of_sqe(r, texts ? &texts->path : NULL, arg) : call_of_iocb(r, arg), r, arg);
	uint32_t bytes;

	if (nr == NO_CALL) {
		d->async.unknown++;
		return;
	}
	bytes = as_call(r, nr, arg, texts, end_ns, &call.path);
	call.path.wide.event.result = result_of(r, result);
	drain_event(d, &call.path.wide.event.head, bytes, &request);
}

/* ---- records --------------------------------------------------------------------------------------------------------------- */

void async_texts(struct drain *d, const struct rec_path *texts, uint32_t bytes)
{
	struct async_texts *entry;

	if (bytes < sizeof(*texts) + texts->length1 + texts->length2 || bytes > sizeof(*texts) + 2 * STRING_MAX)
		return;
	entry = malloc(sizeof(*entry) + bytes - sizeof(*texts));
	if (!entry)
		return;
	entry->next = d->async.texts;
	entry->bytes = bytes;
	memcpy(&entry->path, texts, bytes);
	d->async.texts = entry;
}

/* The texts of that request, out of the list. */
static struct async_texts *take_texts(struct async *async, const struct rec_async *r)
{
	for (struct async_texts **at = &async->texts; *at; at = &(*at)->next) {
		struct async_texts *entry = *at;

		if (entry->path.wide.event.arg[0] != r->context || entry->path.wide.event.arg[1] != r->key)
			continue;
		*at = entry->next;
		return entry;
	}
	return NULL;
}

/* Nobody saw its end: it is told as it usually is. */
static void emit_late(struct drain *d, const struct rec_async *r, const struct async_texts *texts, uint64_t now_ns)
{
	uint64_t arg[6] = {0};
	uint16_t nr = r->kind == ASYNC_AIO_BEGIN ? call_of_iocb(r, arg) : requests[r->sqe.opcode & (REQUEST_MAX - 1)].call;
	uint8_t class = nr == NO_CALL ? 0 : trace_ops[calls[nr].op].class;

	d->async.late++;
	emit(d, r, texts, class == TRACE_CLASS_READ || class == TRACE_CLASS_WRITE ? (int64_t)r->length : 0, now_ns, TRACE_EV_END_LATE);
}

static void on_uring(struct drain *d, const struct rec_async *r)
{
	struct async_texts *texts = r->bits & ASYNC_TEXTS ? take_texts(&d->async, r) : NULL;

	if (r->bits & ASYNC_TEXTS && !texts) /* they were lost, and counted */
		return;
	if (r->bits & ASYNC_FOREIGN)
		d->filtered++;
	else if (r->kind == ASYNC_URING_SILENT)
		emit_late(d, r, texts, r->head.end_ns);
	else
		emit(d, r, texts, r->result, r->head.end_ns, 0);
	free(texts);
}

static void on_aio_begin(struct drain *d, const struct rec_async *r)
{
	struct rec_async *entry = lookup(&d->async, r->pid, r->key);

	if (entry->pid) { /* it ended: the program looked for that itself, without a call (the ring is mapped into its memory) */
		emit_late(d, entry, NULL, r->begin_ns);
	} else {
		if (d->async.used * 10 >= d->async.room * 6 && !grow(&d->async)) {
			d->async.unknown++;
			return;
		}
		entry = lookup(&d->async, r->pid, r->key);
		d->async.used++;
	}
	*entry = *r;
}

void async_record(struct drain *d, const struct rec_async *record)
{
	struct rec_async *begin;

	switch (record->kind) {
	case ASYNC_AIO_BEGIN: on_aio_begin(d, record); break;
	case ASYNC_AIO_END:
		begin = lookup(&d->async, record->pid, record->key);
		if (!begin->pid) {
			d->async.early++;
			break;
		}
		emit(d, begin, NULL, record->result, record->head.end_ns, 0);
		drop(&d->async, begin);
		break;
	case ASYNC_URING:
	case ASYNC_URING_SILENT: on_uring(d, record); break;
	}
}

void async_exit(struct drain *d, uint32_t pid, uint64_t now_ns)
{
	for (size_t i = 0; d->async.used && i < d->async.room; i++) {
		struct rec_async *r = &d->async.pending[i].begin;

		while (r->pid == pid) { /* another one may move here */
			emit_late(d, r, NULL, now_ns);
			drop(&d->async, r);
		}
	}
}

static void unfinished(struct drain *d, const struct rec_async *r, const struct async_texts *texts, uint64_t now_ns)
{
	d->unfinished++;
	emit(d, r, texts, 0, now_ns, TRACE_EV_UNFINISHED);
}

void async_finish(struct drain *d, uint64_t now_ns)
{
	uint64_t key = 0;
	struct rec_async r;

	for (size_t i = 0; i < d->async.room; i++)
		if (d->async.pending[i].begin.pid)
			unfinished(d, &d->async.pending[i].begin, NULL, now_ns);
	while (recorder_next_request(d->recorder, &key, &r)) {
		struct async_texts *texts = r.bits & ASYNC_TEXTS ? take_texts(&d->async, &r) : NULL;

		if (r.bits & ASYNC_TEXTS && !texts)
			continue;
		if (r.sqe.flags & SQE_CQE_SKIP)
			emit_late(d, &r, texts, now_ns);
		else
			unfinished(d, &r, texts, now_ns);
		free(texts);
	}
}
