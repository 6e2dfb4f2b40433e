/* Descriptors: open, close, copies. The tables that they are in: handles.c; who has which: compile_process.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <sys/stat.h>

#include "replay/compiler.h"

enum { REGISTERED = 1 << 30 }; /* in place of a process: a ring's table of registered files */

/* ---- slots ----------------------------------------------------------------------------------------------------------------- */

void compile_close_slot(struct compiler *c, uint32_t slot)
{
	struct plan_args a = {0};

	if (slot == HANDLES_NONE)
		return;
	if (!compile_slot_is_dead(c, slot)) {
		compile_begin(c);
		order_write(c->order, &c->handles.slot[slot].r_slot);
		compile_hidden(c, TRACE_OP_CLOSE, slot, &a);
	}
	handles_recycle(&c->handles, compile_lane(c), slot);
}

bool compile_slot_is_dead(struct compiler *c, uint32_t slot)
{
	return handles_description(&c->handles, slot)->flags & DESCRIPTION_DEAD;
}

/* Opens a file that the trace says is behind a descriptor, without saying how it came there. */
static uint32_t open_anew(struct compiler *c, int fd, uint32_t file)
{
	uint32_t object = model_object_of(&c->model, file), slot, gone, path;
	struct plan_args a = {0};

	if (!object || !c->model.object[object].name)
		return HANDLES_NONE;
	path = model_path(&c->model, c->model.object[object].name, false);
	if (!path || c->model.name[c->model.object[object].name].now != object)
		return HANDLES_NONE;
	a.path = path;
	a.flags = c->model.object[object].kind == OBJECT_DIRECTORY ? O_RDONLY | O_DIRECTORY : O_RDWR;
	slot = handles_open(&c->handles, compile_lane(c), object, file, (uint32_t)a.flags);
	if (c->model.object[object].bits & OBJECT_SPECIAL)
		handles_description(&c->handles, slot)->flags |= DESCRIPTION_DEAD;
	gone = handles_bind(&c->handles, c->pid, fd, slot, false);
	compile_close_slot(c, gone);
	if (!compile_slot_is_dead(c, slot)) {
		compile_begin(c);
		order_read(c->order, &c->model.name[c->model.object[object].name].resource);
		order_write(c->order, &c->handles.slot[slot].r_slot);
		compile_hidden(c, TRACE_OP_OPENAT, slot, &a);
	}
	c->plan->fallbacks++;
	return slot;
}

uint32_t compile_slot(struct compiler *c, int fd, uint32_t file)
{
	uint32_t slot = handles_find(&c->handles, c->pid, fd);
	struct description *d;

	if (slot != HANDLES_NONE) {
		d = handles_description(&c->handles, slot);
		if (!file || d->file == file)
			return slot;
		if (!d->file || c->model.file[file].object == d->object || !c->model.file[file].object) {
			if (!c->model.file[file].object)
				model_tie(&c->model, file, d->object);
			d->file = file;
			return slot;
		}
	}
	return file && c->ev->result != -EBADF ? open_anew(c, fd, file) : slot;
}

/* ---- open ------------------------------------------------------------------------------------------------------------------ */

static uint64_t open_flags(const struct trace_event *ev)
{
	/* What openat2 accepts; unknown bits would make it fail where open ignores them. */
	const uint64_t known = O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | O_SYNC | O_DIRECT |
			       O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | __O_TMPFILE;

	if (ev->op == TRACE_OP_CREAT)
		return O_CREAT | O_WRONLY | O_TRUNC;
	if (ev->flags & O_PATH)
		return ev->flags & (O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return ev->flags & known;
}

static bool creates(struct compiler *c, uint64_t flags)
{
	const struct trace_event *ev = c->ev;
	uint32_t there;

	if (!(flags & O_CREAT))
		return false;
	if (ev->bits & TRACE_EV_CREATED || flags & O_EXCL)
		return true;
	model_walk(&c->model, c->path, !(flags & O_NOFOLLOW), &c->where);
	if (c->where.object == OBJECT_ABSENT && c->where.name)
		return true;
	/*
	 * What mknod made has no id yet. Or the recorder has met another file of that number meanwhile, and given this one a second id.
	 */
	there = c->where.object == OBJECT_ABSENT ? OBJECT_UNKNOWN : c->where.object;
	if (there && (!c->model.object[there].file || model_same_file(&c->model, ev->file, c->model.object[there].file)))
		return false;
	return ev->file && c->model.file[ev->file].bits & TRACE_FILE_CREATED && !c->model.file[ev->file].object;
}

static uint32_t created_file(struct compiler *c, uint32_t mode)
{
	uint32_t seen = c->ev->file ? c->model.file[c->ev->file].mode : 0, object;

	object = model_new_object(&c->model, OBJECT_FILE, S_ISREG(seen) ? seen : mode);
	model_tie(&c->model, c->ev->file, object);
	return object;
}

/* Where the file is that was opened: 0 when the model cannot say. */
static uint32_t opened_object(struct compiler *c, uint64_t flags, bool *made)
{
	const struct trace_event *ev = c->ev;
	bool follow = !(flags & O_NOFOLLOW) && (flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);

	*made = false;
	if ((flags & __O_TMPFILE) == __O_TMPFILE) {
		compile_exists(c, c->path, true, 0, OBJECT_DIRECTORY, &c->where);
		return created_file(c, ev->mode);
	}
	if (creates(c, flags)) {
		model_reach(&c->model, c->path, follow, ev->file, &c->where);
		if (!c->where.name)
			return 0;
		compile_vanished(c, c->path, &c->where);
		*made = true;
		c->where.object = created_file(c, ev->mode);
		model_bind(&c->model, c->where.name, c->where.object);
		return c->where.object;
	}
	compile_exists(c, c->path, follow, ev->file, flags & O_DIRECTORY ? OBJECT_DIRECTORY : OBJECT_FILE, &c->where);
	return c->where.object == OBJECT_ABSENT ? 0 : c->where.object;
}

static void open_failed(struct compiler *c, uint64_t flags)
{
	bool follow = !(flags & O_NOFOLLOW);

	switch (-c->ev->result) {
	case ENOENT:
		if (flags & O_CREAT)
			model_absent_directory(&c->model, c->path, follow, &c->where);
		else
			model_absent(&c->model, c->path, follow, ENOENT, &c->where);
		break;
	case ENOTDIR:
		if (flags & O_DIRECTORY && c->ev->file)
			compile_exists(c, c->path, follow, c->ev->file, OBJECT_FILE, &c->where);
		else
			model_absent(&c->model, c->path, follow, ENOTDIR, &c->where);
		break;
	case EEXIST:
		compile_exists(c, c->path, false, c->ev->file, OBJECT_FILE, &c->where);
		break;
	case EISDIR:
		compile_exists(c, c->path, follow, c->ev->file, OBJECT_DIRECTORY, &c->where);
		break;
	case ELOOP:
		compile_exists(c, c->path, !(flags & O_NOFOLLOW), c->ev->file, OBJECT_LINK, &c->where);
		break;
	default: model_walk(&c->model, c->path, follow, &c->where);
	}
}

static void touch_opened(struct compiler *c, uint32_t object, uint64_t flags, bool made)
{
	compile_touch_name(c, &c->where, made);
	if (object && flags & O_TRUNC && !made) {
		compile_touch_cut(c, object);
		model_resize(&c->model, object, 0);
	}
}

static void compile_open(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	uint64_t flags = open_flags(ev);
	struct plan_args a = {.flags = flags, .mode = ev->mode & 0777};
	uint32_t object = 0, slot = PLAN_NONE, gone = HANDLES_NONE, unclosed = HANDLES_NONE;
	bool made = false, special;

	if (!compile_paths(c, true, false) || compile_environmental(ev->result)) {
		compile_skip(c);
		return;
	}
	if (ev->result >= 0)
		object = opened_object(c, flags, &made);
	else
		open_failed(c, flags);
	special = object && c->model.object[object].bits & OBJECT_SPECIAL;
	if (made)
		a.mode = c->model.object[object].mode;
	if (ev->result >= 0) {
		slot = handles_open(&c->handles, compile_lane(c), object, ev->file, (uint32_t)flags);
		if (special)
			handles_description(&c->handles, slot)->flags |= DESCRIPTION_DEAD;
		unclosed = handles_park(&c->handles, c->pid, (int)ev->result, ev->begin_ns + ev->duration_ns);
		gone = handles_bind(&c->handles, c->pid, (int)ev->result, slot, flags & O_CLOEXEC);
	}
	compile_close_slot(c, unclosed);
	if (special) {
		compile_close_slot(c, gone);
		compile_skip(c);
		return;
	}
	a.path = model_way_text(&c->model, c->path, c->where.way);
	compile_begin(c);
	touch_opened(c, object, flags, made);
	compile_at(c, &a);
	if (slot != PLAN_NONE)
		order_write(c->order, &c->handles.slot[slot].r_slot);
	compile_emit(c, slot, &a, ev->result >= 0 ? PLAN_EXPECT_SUCCESS : (uint16_t)-ev->result);
	compile_close_slot(c, gone);
}

/* ---- close and copies ------------------------------------------------------------------------------------------------------ */

static void compile_close(struct compiler *c)
{
	struct plan_args a = {0};
	bool known = true;
	uint32_t slot;

	if (!handles_close_parked(&c->handles, c->pid, c->ev->fd, c->ev->begin_ns, &slot))
		slot = handles_close(&c->handles, c->pid, c->ev->fd, &known);
	if (!known && c->ev->result == -EBADF) {
		compile_begin(c);
		compile_emit(c, PLAN_NONE, &a, EBADF);
		return;
	}
	/* Not the last descriptor of its slot, or never known to be a file. */
	if (slot == HANDLES_NONE) {
		compile_books(c);
		return;
	}
	if (compile_slot_is_dead(c, slot)) {
		compile_skip(c);
	} else {
		compile_begin(c);
		order_write(c->order, &c->handles.slot[slot].r_slot);
		compile_emit(c, slot, &a, PLAN_EXPECT_FULL);
	}
	handles_recycle(&c->handles, compile_lane(c), slot);
}

static void compile_close_range(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	int64_t last = (uint32_t)ev->fd2 > HANDLES_FD_MAX ? HANDLES_FD_MAX : ev->fd2;

	if (ev->result < 0 || ev->fd < 0) {
		compile_books(c);
		return;
	}
	for (int64_t fd = ev->fd; fd <= last; fd++) {
		bool known;

		if (ev->flags & CLOSE_RANGE_CLOEXEC)
			handles_set_cloexec(&c->handles, c->pid, (int)fd, true);
		else
			compile_close_slot(c, handles_close(&c->handles, c->pid, (int)fd, &known));
	}
	compile_books(c);
}

static void compile_dup(struct compiler *c, bool cloexec)
{
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.flags = ev->op == TRACE_OP_FCNTL ? ev->flags : 0};
	uint32_t from = compile_slot(c, ev->fd, ev->file), slot, gone;
	bool any_number = ev->op == TRACE_OP_DUP || ev->op == TRACE_OP_FCNTL; /* dup2 and dup3 close what had theirs */

	if (ev->result == -EBADF && from == HANDLES_NONE) {
		compile_begin(c);
		a.handle2 = PLAN_NONE;
		compile_emit(c, PLAN_NONE, &a, EBADF);
		return;
	}
	if (ev->result < 0 || from == HANDLES_NONE || ev->result == ev->fd) {
		/* A socket or a pipe was copied: it may replace a file's descriptor. */
		bool known;

		if (ev->result >= 0 && ev->result != ev->fd)
			compile_close_slot(c, handles_close(&c->handles, c->pid, (int)ev->result, &known));
		compile_books(c);
		return;
	}
	slot = handles_dup(&c->handles, compile_lane(c), from);
	if (any_number)
		compile_close_slot(c, handles_park(&c->handles, c->pid, (int)ev->result, ev->begin_ns + ev->duration_ns));
	gone = handles_bind(&c->handles, c->pid, (int)ev->result, slot, cloexec);
	if (compile_slot_is_dead(c, slot)) {
		compile_skip(c);
	} else {
		a.handle2 = slot;
		compile_begin(c);
		order_read(c->order, &c->handles.slot[from].r_slot);
		order_write(c->order, &c->handles.slot[slot].r_slot);
		compile_emit(c, from, &a, PLAN_EXPECT_SUCCESS);
	}
	compile_close_slot(c, gone);
}

/* A description of its own, of which the trace says no more than the file. */
static void compile_opened_elsewhere(struct compiler *c)
{
	const struct trace_event *ev = c->ev;

	if (ev->result < 0 || !ev->file || open_anew(c, (int)ev->result, ev->file) != HANDLES_NONE)
		compile_books(c);
	else
		compile_skip(c);
}

/* A descriptor from another process: shares the description when that one is known. */
static void compile_received(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	uint32_t gone;

	if (ev->result < 0 || !ev->file) {
		compile_books(c);
		return;
	}
	for (uint32_t slot = 0; slot < c->handles.slots; slot++) {
		if (!c->handles.slot[slot].references || handles_description(&c->handles, slot)->file != ev->file)
			continue;
		gone = handles_bind(&c->handles, c->pid, (int)ev->result, slot, ev->flags & O_CLOEXEC);
		compile_close_slot(c, gone);
		compile_books(c);
		return;
	}
	compile_opened_elsewhere(c);
}

/* Which file was registered at a place is seen when it is used: it is the one that a process has open. */
void compile_registered(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	uint32_t known;

	c->pid = REGISTERED | ev->ring;
	handles_process(&c->handles, c->pid, 0, false);
	known = handles_find(&c->handles, c->pid, ev->fd);
	if (trace_ops[ev->op].class == TRACE_CLASS_OPEN || !ev->file || ev->fd < 0 || ev->fd >= HANDLES_FD_MAX ||
	    (known != HANDLES_NONE && handles_description(&c->handles, known)->file == ev->file))
		return;
	for (uint32_t slot = 0; slot < c->handles.slots; slot++)
		if (c->handles.slot[slot].references && handles_description(&c->handles, slot)->file == ev->file) {
			compile_close_slot(c, handles_bind(&c->handles, c->pid, ev->fd, slot, false));
			return;
		}
}

static void compile_fcntl(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.flags = ev->flags, .arg = ev->arg};
	uint32_t slot;
	uint16_t expect = PLAN_EXPECT_SUCCESS;

	if (ev->flags == F_DUPFD || ev->flags == F_DUPFD_CLOEXEC) {
		compile_dup(c, ev->flags == F_DUPFD_CLOEXEC);
		return;
	}
	slot = compile_slot(c, ev->fd, ev->file);
	if (slot == HANDLES_NONE || compile_slot_is_dead(c, slot)) {
		if (!ev->file)
			compile_books(c);
		else
			compile_skip(c);
		return;
	}
	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	switch (ev->flags) {
	case F_SETFD:
		handles_set_cloexec(&c->handles, c->pid, ev->fd, ev->arg & FD_CLOEXEC);
		a.arg = FD_CLOEXEC; /* our own children must never inherit it */
		break;
	case F_GETFD: case F_GETFL: break;
	case F_GET_RW_HINT: case F_SET_RW_HINT: case F_GET_FILE_RW_HINT: case F_SET_FILE_RW_HINT:
		/* Which hint is not recorded. */
		a.flags = F_GET_RW_HINT;
		break;
	case F_SETFL:
		a.arg &= O_APPEND | O_DIRECT | O_NOATIME | O_NONBLOCK;
		/* What others do with the descriptor before and after is done under other flags. */
		order_write(c->order, &c->handles.slot[slot].r_slot);
		if (ev->result >= 0) {
			struct description *d = handles_description(&c->handles, slot);

			d->flags = (d->flags & ~(uint32_t)O_APPEND) | (a.arg & O_APPEND);
		}
		break;
	case F_GETLK: case F_SETLK: case F_SETLKW: case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
		a.flags = F_GETLK;
		if (handles_description(&c->handles, slot)->object)
			order_write(c->order, &c->model.object[handles_description(&c->handles, slot)->object].r_lock);
		break;
	default: compile_skip(c); return;
	}
	compile_emit(c, slot, &a, expect);
}

void compile_handle_event(struct compiler *c)
{
	switch (c->ev->op) {
	case TRACE_OP_CLOSE: compile_close(c); break;
	case TRACE_OP_CLOSE_RANGE: compile_close_range(c); break;
	case TRACE_OP_DUP: case TRACE_OP_DUP2: compile_dup(c, false); break;
	case TRACE_OP_DUP3: compile_dup(c, c->ev->flags & O_CLOEXEC); break;
	case TRACE_OP_FCNTL: compile_fcntl(c); break;
	case TRACE_OP_RECV_FD: case TRACE_OP_PIDFD_GETFD: compile_received(c); break;
	case TRACE_OP_OPEN_BY_HANDLE_AT: compile_opened_elsewhere(c); break;
	default: compile_open(c);
	}
}
