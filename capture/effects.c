#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "capture/by_id.h"
#include "capture/calls.h"
#include "capture/drain.h"
#include "lib/clock.h"

/*
 * What a call that ended did to names, mappings and threads. Names are followed only as far as calls tell; where they are silent (the target of
 * an unlink that nobody ever looked at), the trace says what follows from the call's success.
 */

#define BEHIND_NS 100000000ULL

#ifndef RENAME_EXCHANGE
#define RENAME_EXCHANGE 2
#endif

/* Something stood there when the call began, and nobody can look at it any more. */
static void existed(struct drain *d, struct name *name, uint32_t mode)
{
	struct file_sight sight = {.mode = mode, .bits = TRACE_FILE_SIZE_LATE, .seen_ns = d->names.now_ns};

	if (!name->file && name->made)
		names_look(&d->names, name);
	if (name->file)
		return;
	if (name->created)
		sight.bits |= TRACE_FILE_CREATED;
	sight.path = names_string(&d->names, name);
	name->file = files_see(&d->files, &sight);
}

static void gone(struct drain *d, struct name *name)
{
	if (name->kind == NAME_LINK && name->followed)
		d->names.epoch++;
	names_forget(name);
}

/* A name that the call has made. The trace is told about it when somebody uses it. */
static void came(struct drain *d, struct name *name, enum name_kind kind, const char *target)
{
	if (kind == NAME_LINK && name->followed)
		d->names.epoch++;
	free(name->target);
	name->target = target ? strdup(target) : NULL;
	name->kind = (uint8_t)kind;
	name->created = true;
	name->made = true;
	name->looked = false;
	name->file = 0;
}

static void on_unlink(struct drain *d, struct drained *e, bool directory)
{
	if (!e->name)
		return;
	existed(d, e->name, directory ? S_IFDIR | 0755 : S_IFREG | 0644);
	e->event.file = e->name->file;
	files_unlinked(&d->files, e->name->file, e->name, d->names.now_ns);
	gone(d, e->name);
}

static void on_rename(struct drain *d, struct drained *e)
{
	struct name *from = e->name, *to = e->name2;
	bool exchange = e->event.op == TRACE_OP_RENAMEAT2 && (e->event.flags & RENAME_EXCHANGE);

	if (!from || !to)
		return;
	if (!from->file)
		names_look_moved(&d->names, from, to);
	if (!from->file)
		existed(d, from, S_IFREG | 0644);
	e->event.file = from->file;
	/* A directory that was its own base has been announced at its new place already. */
	e->event.file2 = from->kind == NAME_DIRECTORY && to->file == from->file ? 0 : to->file;
	if ((from->kind != NAME_OTHER && from->kind != NAME_UNKNOWN) || to->kind == NAME_LINK)
		d->names.epoch++; /* a directory may hold links */
	if (from->kind == NAME_DIRECTORY)
		places_move(&d->places, &d->names, from, to);
	if (!exchange && to->file != from->file)
		files_unlinked(&d->files, to->file, to, d->names.now_ns);
	names_move(&d->names, from, to, exchange);
	if (to->file)
		effects_named(d, to->file, to);
}

static void on_symlink(struct drain *d, struct drained *e)
{
	const struct rec_path *p = (const struct rec_path *)e->record;
	char target[STRING_MAX];

	if (!e->name2 || p->length1 >= sizeof(target))
		return;
	memcpy(target, p + 1, p->length1);
	target[p->length1] = 0;
	came(d, e->name2, NAME_LINK, target);
}

/* Success on a path without a descriptor or a stat buffer: what it led to is looked at now, once. */
static void look(struct drain *d, struct drained *e)
{
	if (!e->name || e->event.file)
		return;
	if (!e->name->file)
		names_look(&d->names, e->name);
	e->event.file = e->name->file;
}

static void on_failure(struct drain *d, struct drained *e)
{
	if (!e->name)
		return;
	if (e->event.result == -ENOENT) {
		if (!e->name->file && !e->name->looked)
			e->name->created = true; /* what comes there later is new */
	} else {
		look(d, e);
		if (e->name2 && !e->name2->file)
			names_look(&d->names, e->name2);
	}
	if (e->name2 && !e->event.file2)
		e->event.file2 = e->name2->file;
}

static void on_mapping(struct drain *d, struct drained *e)
{
	uint32_t pid = e->record->pid;
	uint64_t address = e->given[A0], length = e->given[A1];
	struct trace_event *ev = &e->event;
	uint64_t begin_ns = ev->begin_ns, end_ns = begin_ns + ev->duration_ns;

	if (e->call->special == CALL_MMAP) {
		ev->offset2 = ev->result;
		if (ev->result >= 0 || ev->result < -4095)
			maps_add(&d->maps, pid, (uint64_t)ev->result, length, ev->file, end_ns, ev->flags & MAP_FIXED);
		return;
	}
	ev->offset2 = (int64_t)address;
	ev->file = maps_find(&d->maps, pid, address, length, begin_ns);
	if (!ev->file) {
		ev->op = 0;
		return;
	}
	if (e->call->special == CALL_MUNMAP && !ev->result)
		maps_remove(&d->maps, pid, address, length, begin_ns);
	if (e->call->special == CALL_MREMAP) {
		ev->offset = ev->result;
		if (ev->result >= 0 || ev->result < -4095) {
			maps_remove(&d->maps, pid, address, length, begin_ns);
			maps_add(&d->maps, pid, (uint64_t)ev->result, e->given[A2], ev->file, end_ns, false);
		}
	}
}

static void on_clone(struct drain *d, struct drained *e)
{
	uint32_t child = tasks_take_child(&d->tasks, e->record->tid);

	/* The call's own result counts in the caller's process id namespace. */
	if (child && e->event.result > 0)
		e->event.result = child;
}

/* Offsets that were given by address are in the positions of the record. */
static void on_copy(struct drained *e)
{
	const struct rec_wide *w = (const struct rec_wide *)e->record;
	int64_t moved = e->event.result > 0 ? e->event.result : 0;
	bool sendfile = e->call->special == CALL_SENDFILE;
	bool in_given = sendfile ? e->given[A2] != 0 : e->given[A1] != 0, out_given = !sendfile && e->given[A3] != 0;

	e->event.offset = w->event.position < 0 || in_given ? w->event.position : w->event.position - moved;
	e->event.offset2 = w->position2 < 0 || out_given ? w->position2 : w->position2 - moved;
}

/* Record locks: the range as the program gave it, a negative length turned round. */
static void on_fcntl(struct drained *e)
{
	int64_t start = (int64_t)e->given[A3], length = (int64_t)e->given[A4];

	if (e->record->head.type != REC_WIDE)
		return;
	if (length < 0) {
		start += length;
		length = -length;
	}
	e->event.offset2 = start;
	e->event.arg = (uint64_t)length << 8 | (e->given[A2] >> 16 & 15) << 4 | (e->given[A2] & 15);
}

void effects_named(struct drain *d, uint32_t file, struct name *name)
{
	struct name **all = by_id_cover(d->named, &d->named_room, file, sizeof(*all));

	if (!all)
		return;
	d->named = all;
	all[file] = name;
}

struct name *effects_name_of(const struct drain *d, uint32_t file)
{
	struct name *name = file && file < d->named_room ? d->named[file] : NULL;

	return name && name->file == file ? name : NULL;
}

static void list_later(struct drain *d, struct name *directory)
{
	if (d->later.n == d->later.room) {
		size_t room = d->later.room ? 2 * d->later.room : 256;
		struct name **more = realloc(d->later.name, room * sizeof(*more));

		if (!more)
			return;
		d->later.name = more;
		d->later.room = room;
	}
	d->later.name[d->later.n++] = directory;
}

/*
 * A directory was read: a replay finds as much in it when it knows what was there. Asking for that takes far longer than an event: when the
 * drainer is behind, it waits, for events that do not fit into the rings would be gone for good.
 */
static void on_list(struct drain *d, const struct drained *e)
{
	struct name *directory = effects_name_of(d, e->event.file);

	if (!directory || directory->listed)
		return;
	if (clock_now_ns() - e->record->head.end_ns < BEHIND_NS)
		names_list(&d->names, directory);
	else
		list_later(d, directory);
}

void effects_catch_up(struct drain *d, uint64_t budget_ns)
{
	uint64_t end_ns = d->later.n ? clock_now_ns() + budget_ns : 0;

	while (d->later.n && clock_now_ns() < end_ns)
		names_list(&d->names, d->later.name[--d->later.n]);
}

static void on_success(struct drain *d, struct drained *e)
{
	switch (e->call->special) {
	case CALL_UNLINK: on_unlink(d, e, e->event.op == TRACE_OP_UNLINKAT && (e->event.flags & AT_REMOVEDIR)); break;
	case CALL_RMDIR: on_unlink(d, e, true); break;
	case CALL_RENAME: on_rename(d, e); break;
	case CALL_MKDIR:
		if (e->name)
			came(d, e->name, NAME_DIRECTORY, NULL);
		break;
	case CALL_MKNOD:
	case CALL_BIND:
		if (e->name)
			came(d, e->name, NAME_OTHER, NULL);
		break;
	case CALL_SYMLINK: on_symlink(d, e); break;
	case CALL_LINK:
		look(d, e);
		if (e->name2) {
			names_forget(e->name2);
			e->name2->kind = NAME_OTHER;
			e->name2->file = e->event.file;
			files_linked(&d->files, e->event.file);
			if (e->event.file && !effects_name_of(d, e->event.file))
				effects_named(d, e->event.file, e->name2);
		}
		break;
	case CALL_FORK:
	case CALL_CLONE3: on_clone(d, e); break;
	case CALL_LIST: on_list(d, e); break;
	default:
		if (e->call->op <= TRACE_OP_CREAT && e->name && e->event.file) { /* 0: opened into a ring's table of files */
			e->name->file = e->event.file;
			e->name->looked = true;
			if (e->event.bits & TRACE_EV_CREATED)
				e->name->created = true;
		}
		look(d, e);
	}
}

void effects_of(struct drain *d, struct drained *e)
{
	struct trace_event *ev = &e->event;

	switch (e->call->special) {
	case CALL_MMAP:
	case CALL_MUNMAP:
	case CALL_MREMAP:
	case CALL_MAPPED: on_mapping(d, e); return;
	case CALL_COPY:
	case CALL_SENDFILE: on_copy(e); return;
	case CALL_OWNER: {
		uint8_t uid = e->call->arg; /* the group is the next argument */

		ev->arg = (e->given[uid] & 0xffffffff) << 32 | (e->given[uid + 1] & 0xffffffff);
		break;
	}
	case CALL_CLONE_FILE: {
		const struct rec_wide *w = (const struct rec_wide *)e->record;

		ev->offset = w->event.position;
		ev->offset2 = w->position2;
		return;
	}
	case CALL_FCNTL: on_fcntl(e); break;
	case CALL_CLOSE_RANGE:
		ev->fd2 = (int32_t)e->given[A1];
		return;
	}
	if (ev->result < 0 && ev->result >= -4095)
		on_failure(d, e);
	else
		on_success(d, e);
}
