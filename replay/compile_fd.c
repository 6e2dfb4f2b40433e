/* Operations on open files. */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <string.h>

#include "replay/compiler.h"

static struct object *object_of(struct compiler *c, uint32_t slot)
{
	uint32_t object = handles_description(&c->handles, slot)->object;

	return object ? &c->model.object[object] : NULL;
}

/* Reads and writes that use and move the description's position. */
static bool uses_position(const struct trace_event *ev)
{
	switch (ev->op) {
	case TRACE_OP_READ: case TRACE_OP_READV: case TRACE_OP_WRITE: case TRACE_OP_WRITEV: case TRACE_OP_GETDENTS: case TRACE_OP_GETDENTS64:
	case TRACE_OP_LSEEK:
		return true;
	}
	return false;
}

/* No call moves more (MAX_RW_COUNT of the kernel), whatever it is asked for. */
static uint64_t transfer_length(const struct trace_event *ev)
{
	const uint64_t most = 0x7ffff000;

	return ev->length < most ? ev->length : most;
}

static bool appends(struct compiler *c, uint32_t slot)
{
	if (c->ev->op == TRACE_OP_PWRITEV2 && c->ev->flags & RWF_APPEND)
		return true;
	return trace_ops[c->ev->op].class == TRACE_CLASS_WRITE && handles_description(&c->handles, slot)->flags & O_APPEND;
}

/* The position is not what the model thinks (a seek was not recorded): put it right first. */
static void put_position_right(struct compiler *c, uint32_t slot)
{
	struct description *d = handles_description(&c->handles, slot);
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.offset = (uint64_t)ev->offset, .arg = SEEK_SET};
	uint8_t class = trace_ops[ev->op].class;

	if (ev->offset < 0 || ev->offset == d->position || appends(c, slot) || ev->result < 0 ||
	    (class != TRACE_CLASS_READ && class != TRACE_CLASS_WRITE))
		return;
	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	order_write_strictly(c->order, &d->r_position);
	compile_hidden(c, TRACE_OP_LSEEK, slot, &a);
	d->position = ev->offset;
}

void compile_touch_cut(struct compiler *c, uint32_t object)
{
	struct object *o = &c->model.object[object];

	order_write_strictly(c->order, &o->r_size);
	order_write(c->order, &o->r_cut);
	o->bits |= OBJECT_CHANGED;
	model_changed(&c->model, object, c->ev->begin_ns + c->ev->duration_ns);
}

static void touch_read(struct compiler *c, uint32_t slot, uint64_t at, uint64_t length)
{
	struct object *o = object_of(c, slot);

	if (!o)
		return;
	/* Inside what was always there a read depends on nobody; a truncation still has to wait for it. */
	if (at + length <= o->low_size && at + length >= at) {
		order_note(c->order, &o->r_size);
	} else {
		order_read(c->order, &o->r_size);
		order_peek(c->order, o->r_cut);
		order_note(c->order, &o->r_end);
	}
}

static void touch_write(struct compiler *c, uint32_t slot, uint64_t at, uint64_t length, bool append)
{
	struct object *o = object_of(c, slot);

	if (!o)
		return;
	o->bits |= OBJECT_CHANGED;
	if (append || at + length > o->low_size || at + length < at)
		order_peek(c->order, o->r_cut);
	/* Who met the old end came before, also where the two overlapped. */
	if (append || at + length > o->size || at + length < at) {
		order_peek_readers(c->order, o->r_end);
		order_write(c->order, &o->r_size);
	} else if (at + length <= o->low_size) {
		order_note(c->order, &o->r_size);
	} else {
		order_read(c->order, &o->r_size);
	}
}

/*
 * A read to the end of a file whose size another thread was changing at that moment returned one of many possible counts (the kernel shows
 * a write page by page): only that it succeeds is expected.
 */
static bool read_raced(const struct compiler *c, uint32_t object, uint64_t end)
{
	const struct object *o = &c->model.object[object];
	const struct trace_event *ev = c->ev;

	if (ev->result < 0 || (ev->result == (int64_t)ev->length && end <= o->low_size))
		return false;
	return o->changed_ns > ev->begin_ns || c->size_changes;
}

static void compile_data(struct compiler *c, uint32_t slot)
{
	const struct trace_event *ev = c->ev;
	struct description *d = handles_description(&c->handles, slot);
	struct plan_args a = {.offset = ev->offset < 0 ? 0 : (uint64_t)ev->offset, .length = transfer_length(ev), .flags = ev->flags, .arg = ev->arg};
	bool writes = trace_ops[ev->op].class == TRACE_CLASS_WRITE, moves = uses_position(ev), append = appends(c, slot);
	uint64_t at = moves && ev->offset < 0 ? (uint64_t)(d->position < 0 ? 0 : d->position) : a.offset;
	uint64_t done = ev->result > 0 ? (uint64_t)ev->result : 0;
	uint32_t object = d->object;
	bool raced;

	/* No offset at all: it did nothing, and an engine could take it for another one. */
	if (!moves && ev->offset < 0 && ev->result == -EINVAL) {
		compile_books(c);
		return;
	}
	/* What was there at once then need not be now; the one that waits gets the same. */
	a.flags &= ~(uint64_t)RWF_NOWAIT;
	if (append && object)
		at = at > c->model.object[object].size ? at : c->model.object[object].size;
	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	if (moves)
		order_write_strictly(c->order, &d->r_position);
	if (writes)
		touch_write(c, slot, at, done, append);
	else
		touch_read(c, slot, at, ev->result == (int64_t)ev->length ? done : UINT64_MAX - at);
	raced = object && !writes && read_raced(c, object, at + done);
	if (object && done && writes && at + done <= INT64_MAX)
		model_extend(&c->model, object, at + done);
	else if (object && !writes && !raced)
		model_saw_bytes(&c->model, object, at, done);
	if (object && writes && at + done > c->model.object[object].low_size)
		model_changed(&c->model, object, ev->begin_ns + ev->duration_ns);
	if (moves && ev->result >= 0)
		d->position = (int64_t)(at + done);
	compile_emit(c, slot, &a, raced ? PLAN_EXPECT_SUCCESS : compile_expect(c, &a, true));
}

/* It found an end that was there before or after a change with which it overlapped, and the changes tell no order in which that can be. */
static bool end_raced(const struct compiler *c, const struct object *o)
{
	const struct trace_event *ev = c->ev;

	return ev->arg == SEEK_END && o->changed_ns > ev->begin_ns && (uint64_t)(ev->result - ev->offset) != o->size;
}

static void compile_seek(struct compiler *c, uint32_t slot)
{
	const struct trace_event *ev = c->ev;
	struct description *d = handles_description(&c->handles, slot);
	struct object *o = object_of(c, slot);
	struct plan_args a = {.offset = (uint64_t)ev->offset, .arg = ev->arg};
	uint16_t expect = PLAN_EXPECT_SUCCESS;

	if (ev->result < 0)
		expect = compile_expect(c, &a, false);
	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	order_write_strictly(c->order, &d->r_position);
	/* Where it found the end tells when, also where others moved that meanwhile. */
	if (o && ev->arg != SEEK_SET && ev->arg != SEEK_CUR) {
		order_read_strictly(c->order, &o->r_size);
		order_note(c->order, &o->r_end);
	}
	if (o && o->kind == OBJECT_FILE && ev->result >= 0) {
		if (ev->arg == SEEK_END && ev->result >= ev->offset)
			model_saw_size(&c->model, d->object, (uint64_t)(ev->result - ev->offset));
		if (ev->arg <= SEEK_END && !end_raced(c, o))
			expect = compile_expect(c, &a, false);
	}
	/* Where data and holes are is not recorded: the next operation finds its own position. */
	if (ev->result == -ENXIO) {
		expect = PLAN_EXPECT_ANY;
		d->position = -1;
	}
	if (ev->result >= 0)
		d->position = ev->arg <= SEEK_END ? ev->result : -1;
	compile_emit(c, slot, &a, expect);
}

static void touch_allocated(struct compiler *c, uint32_t slot)
{
	const struct trace_event *ev = c->ev;
	struct object *o = object_of(c, slot);
	uint64_t end = (uint64_t)ev->offset + ev->length;

	if (!o)
		return;
	o->bits |= OBJECT_CHANGED;
	order_write(c->order, &o->r_size);
	if (ev->result < 0 || ev->offset < 0 || end > INT64_MAX || end < ev->length)
		return;
	if (ev->flags & FALLOC_FL_COLLAPSE_RANGE)
		model_resize(&c->model, (uint32_t)(o - c->model.object), o->size > ev->length ? o->size - ev->length : 0);
	else if (ev->flags & FALLOC_FL_INSERT_RANGE)
		model_resize(&c->model, (uint32_t)(o - c->model.object), o->size + ev->length);
	else if (!(ev->flags & (FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)))
		model_extend(&c->model, (uint32_t)(o - c->model.object), end);
}

static void compile_size(struct compiler *c, uint32_t slot)
{
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.offset = (uint64_t)ev->offset, .length = ev->length, .flags = ev->flags};
	struct object *o = object_of(c, slot);

	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	if (ev->op == TRACE_OP_FALLOCATE) {
		touch_allocated(c, slot);
	} else if (o) {
		compile_touch_cut(c, (uint32_t)(o - c->model.object));
		if (ev->result == 0 && ev->length <= INT64_MAX)
			model_resize(&c->model, (uint32_t)(o - c->model.object), ev->length);
	}
	compile_emit(c, slot, &a, compile_expect(c, &a, false));
}

static uint64_t left_in(struct compiler *c, uint32_t slot, int64_t offset)
{
	const struct object *o = object_of(c, slot);

	return o && offset >= 0 && o->size > (uint64_t)offset ? o->size - (uint64_t)offset : 0;
}

/* How many bytes have come into the output. */
static uint64_t cloned(struct compiler *c, uint32_t in)
{
	const struct trace_event *ev = c->ev;

	return ev->length ? ev->length : left_in(c, in, ev->offset);
}

/* Not the end of the input has ended it, but a signal: it is asked for what it did. */
static bool cut_short(struct compiler *c, uint32_t in)
{
	const struct trace_event *ev = c->ev;
	int64_t at = ev->offset >= 0 ? ev->offset : handles_description(&c->handles, in)->position;

	return ev->result > 0 && (uint64_t)ev->result < ev->length && (uint64_t)ev->result < left_in(c, in, at);
}

/* copy_file_range, sendfile, splice: the input is fd (a file or not), the output fd2. */
static void compile_copy(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.offset = (uint64_t)ev->offset, .offset2 = (uint64_t)ev->offset2, .length = transfer_length(ev), .flags = ev->flags};
	uint32_t in = ev->file ? compile_slot(c, ev->fd, ev->file) : HANDLES_NONE;
	uint32_t out = ev->file2 ? compile_slot(c, ev->fd2, ev->file2) : HANDLES_NONE;
	uint64_t done = ev->result > 0 ? (uint64_t)ev->result : 0;
	struct description *d;

	/* It did nothing; a file system that could share blocks would do something. */
	if (ev->op == TRACE_OP_FICLONERANGE && ev->result) {
		compile_books(c);
		return;
	}
	if ((in == HANDLES_NONE && out == HANDLES_NONE) || compile_environmental(ev->result) ||
	    (in != HANDLES_NONE && compile_slot_is_dead(c, in)) || (out != HANDLES_NONE && compile_slot_is_dead(c, out))) {
		compile_skip(c);
		return;
	}
	if (in != HANDLES_NONE && out != HANDLES_NONE) {
		if (ev->op == TRACE_OP_FICLONERANGE)
			done = cloned(c, in);
		else if (cut_short(c, in))
			a.length = done;
	}
	a.handle2 = out;
	compile_begin(c);
	if (in != HANDLES_NONE) {
		order_read(c->order, &c->handles.slot[in].r_slot);
		d = handles_description(&c->handles, in);
		if (ev->offset < 0)
			order_write_strictly(c->order, &d->r_position);
		touch_read(c, in, ev->offset < 0 ? 0 : (uint64_t)ev->offset, UINT64_MAX);
		if (d->position >= 0 && ev->offset < 0)
			d->position += (int64_t)done;
	}
	if (out != HANDLES_NONE) {
		uint64_t at;

		order_read(c->order, &c->handles.slot[out].r_slot);
		d = handles_description(&c->handles, out);
		at = ev->op != TRACE_OP_SENDFILE && ev->offset2 >= 0 ? (uint64_t)ev->offset2 : (uint64_t)(d->position < 0 ? 0 : d->position);
		if (ev->op == TRACE_OP_SENDFILE || ev->offset2 < 0)
			order_write_strictly(c->order, &d->r_position);
		touch_write(c, out, at, done, false);
		if (d->object && done && at + done <= INT64_MAX)
			model_extend(&c->model, d->object, at + done);
		if (d->position >= 0 && (ev->op == TRACE_OP_SENDFILE || ev->offset2 < 0))
			d->position += (int64_t)done;
	}
	/* What a socket took at once says nothing about files. */
	compile_emit(c, in, &a, out == HANDLES_NONE || in == HANDLES_NONE ? PLAN_EXPECT_SUCCESS : compile_expect(c, &a, true));
}

static void compile_simple(struct compiler *c, uint32_t slot)
{
	const struct trace_event *ev = c->ev;
	struct description *d = handles_description(&c->handles, slot);
	struct plan_args a = {.offset = ev->offset < 0 ? 0 : (uint64_t)ev->offset, .length = ev->length, .flags = ev->flags, .arg = ev->arg,
			      .mode = ev->mode & 0777};
	uint16_t expect = compile_expect(c, &a, false);

	if (trace_ops[ev->op].class == TRACE_CLASS_XATTR && !compile_xattr(c, d->object, &a)) {
		compile_skip(c);
		return;
	}
	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	switch (ev->op) {
	case TRACE_OP_GETDENTS: case TRACE_OP_GETDENTS64:
		a.length = transfer_length(ev);
		order_write_strictly(c->order, &d->r_position);
		if (d->object)
			order_read_strictly(c->order, &c->model.object[d->object].r_children);
		/* fallthrough */
	case TRACE_OP_FSTATFS: case TRACE_OP_FLISTXATTR: case TRACE_OP_CACHESTAT:
		if (ev->result >= 0)
			expect = PLAN_EXPECT_SUCCESS;
		break;
	case TRACE_OP_FCHMOD: case TRACE_OP_FCHMODAT2:
		if (d->object && !ev->result)
			model_set_mode(&c->model, d->object, ev->mode);
		break;
	case TRACE_OP_FCHOWN:
		if (d->object)
			c->model.object[d->object].bits |= OBJECT_CHANGED;
		break;
	case TRACE_OP_FLOCK:
		if (d->object)
			order_write(c->order, &c->model.object[d->object].r_lock);
		break;
	}
	compile_emit(c, slot, &a, expect);
}

static void compile_without_fd(struct compiler *c)
{
	struct plan_args a = {0};

	compile_begin(c);
	compile_emit(c, PLAN_NONE, &a, compile_expect(c, &a, false));
}

void compile_fd_event(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	uint8_t class = trace_ops[ev->op].class;
	uint32_t slot;
	bool environmental;

	if (ev->op == TRACE_OP_SYNC) {
		compile_without_fd(c);
		return;
	}
	if (ev->op == TRACE_OP_FCHDIR) {
		compile_books(c);
		return;
	}
	if (class == TRACE_CLASS_COPY) {
		compile_copy(c);
		return;
	}
	slot = compile_slot(c, ev->fd, ev->file);
	if (slot == HANDLES_NONE) {
		if (ev->result == -EBADF)
			compile_without_fd(c);
		else
			compile_skip(c);
		return;
	}
	/* ENXIO of lseek: there is no data, or no hole, behind. The end of a chain of linked requests that broke is no whim of the host. */
	environmental = compile_environmental(ev->result) && !(ev->op == TRACE_OP_LSEEK && ev->result == -ENXIO) &&
			!(ev->via == TRACE_VIA_URING && ev->result == -ECANCELED);
	if (environmental || compile_slot_is_dead(c, slot)) {
		compile_skip(c);
		return;
	}
	if (uses_position(ev))
		put_position_right(c, slot);
	switch (ev->op) {
	case TRACE_OP_LSEEK: compile_seek(c, slot); break;
	case TRACE_OP_FTRUNCATE: case TRACE_OP_FALLOCATE: compile_size(c, slot); break;
	default:
		if (class == TRACE_CLASS_READ || class == TRACE_CLASS_WRITE)
			compile_data(c, slot);
		else
			compile_simple(c, slot);
	}
}
