/* Calls on one name that overlapped: which took effect first, as their results tell. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>

#include "replay/ahead.h"

/* ---- what a result says about names ------------------------------------------------------------------------------------------ */

static void opened(const struct trace_event *ev, struct ahead_name *n)
{
	bool creat = ev->op == TRACE_OP_CREAT || ev->flags & O_CREAT;

	if ((ev->flags & __O_TMPFILE) == __O_TMPFILE)
		return;
	if (ev->result >= 0) {
		bool made = ev->bits & TRACE_EV_CREATED || (creat && ev->flags & O_EXCL);

		*n = (struct ahead_name){.path = ev->path,
					 .need = made ? NEED_NOT_THERE : NEED_THERE,
					 .effect = made ? EFFECT_MAKES : EFFECT_NONE,
					 .file = made ? 0 : ev->file};
	} else if (ev->result == -ENOENT && !creat) {
		*n = (struct ahead_name){.path = ev->path, .need = NEED_NOT_THERE};
	} else if (ev->result == -EEXIST) {
		*n = (struct ahead_name){.path = ev->path, .need = NEED_THERE};
	}
}

/* mkdir and what is like it, for one of the paths. */
static void made(const struct trace_event *ev, uint32_t path, struct ahead_name *n)
{
	if (ev->result == 0)
		*n = (struct ahead_name){.path = path, .need = NEED_NOT_THERE, .effect = EFFECT_MAKES};
	else if (ev->result == -EEXIST || ev->result == -EADDRINUSE)
		*n = (struct ahead_name){.path = path, .need = NEED_THERE};
}

static void looked_at(const struct trace_event *ev, struct ahead_name *n, enum name_effect effect)
{
	if (ev->result >= 0)
		*n = (struct ahead_name){.path = ev->path,
					 .need = NEED_THERE,
					 .effect = (uint8_t)effect,
					 .file = compile_tells_file(ev) ? ev->file : 0};
	else if (ev->result == -ENOENT)
		*n = (struct ahead_name){.path = ev->path, .need = NEED_NOT_THERE};
	else if (ev->result == -ENODATA || ev->result == -ENOTEMPTY || ev->result == -EISDIR)
		*n = (struct ahead_name){.path = ev->path, .need = NEED_THERE};
}

static void renamed(const struct trace_event *ev, struct ahead_name name[2])
{
	uint64_t flags = ev->op == TRACE_OP_RENAMEAT2 ? ev->flags : 0;

	/* A name is replaced by itself: nothing happens. */
	if (ev->result == -EEXIST || (ev->result == 0 && ev->path == ev->path2)) {
		name[0] = (struct ahead_name){.path = ev->path, .need = NEED_THERE};
		name[1] = (struct ahead_name){.path = ev->path2, .need = NEED_THERE};
		return;
	}
	if (ev->result == -ENOENT && flags & RENAME_EXCHANGE) {
		name[0] = (struct ahead_name){.path = ev->path, .need = NEED_NOT_THERE, .or_path = ev->path2};
		name[1] = (struct ahead_name){.path = ev->path2, .need = NEED_NOT_THERE, .or_path = ev->path};
		return;
	}
	looked_at(ev, &name[0], flags & RENAME_EXCHANGE ? EFFECT_NONE : EFFECT_REMOVES);
	if (ev->result == 0)
		name[1] = (struct ahead_name){.path = ev->path2,
					      .need = flags & RENAME_EXCHANGE	 ? NEED_THERE
						      : flags & RENAME_NOREPLACE ? NEED_NOT_THERE
										 : NEED_NOTHING,
					      .effect = flags & RENAME_EXCHANGE ? EFFECT_NONE : EFFECT_MAKES,
					      .from = ev->path};
	if (ev->result == 0 && flags & RENAME_EXCHANGE)
		name[0].from = ev->path2;
}

void ahead_names(const struct trace_event *ev, struct ahead_name name[2])
{
	switch (ev->op) {
	case TRACE_OP_OPEN: case TRACE_OP_OPENAT: case TRACE_OP_OPENAT2: case TRACE_OP_CREAT: opened(ev, &name[0]); return;
	case TRACE_OP_MKDIR: case TRACE_OP_MKDIRAT: case TRACE_OP_MKNOD: case TRACE_OP_MKNODAT: case TRACE_OP_BIND: made(ev, ev->path, &name[0]); return;
	case TRACE_OP_SYMLINK: case TRACE_OP_SYMLINKAT: made(ev, ev->path2, &name[1]); return;
	case TRACE_OP_LINK: case TRACE_OP_LINKAT:
		looked_at(ev, &name[0], EFFECT_NONE);
		made(ev, ev->path2, &name[1]);
		if (!ev->result)
			name[1].from = ev->path;
		return;
	case TRACE_OP_RMDIR: case TRACE_OP_UNLINK: case TRACE_OP_UNLINKAT: looked_at(ev, &name[0], EFFECT_REMOVES); return;
	case TRACE_OP_RENAME: case TRACE_OP_RENAMEAT: case TRACE_OP_RENAMEAT2: renamed(ev, name); return;
	}
	if (ev->path && replay_ops[ev->op].kind == KIND_PATH)
		looked_at(ev, &name[0], EFFECT_NONE);
}

/* ---- order ------------------------------------------------------------------------------------------------------------------- */

/* What stands there now, as far as is known. */
static uint32_t object_at(struct compiler *c, uint32_t path)
{
	struct where where;
	const char *text = c->source->string(c->source->self, path);

	if (text[0] != '/')
		return OBJECT_UNKNOWN;
	where.way = path;
	model_walk(&c->model, text, false, &where);
	return where.object;
}

static bool is_there(uint32_t object)
{
	return object != OBJECT_UNKNOWN && object != OBJECT_ABSENT;
}

/* The name is not as the event found it, or nothing is known and the other one found the opposite. */
static bool contradicts(struct compiler *c, const struct ahead_name *n, const struct ahead_name *other)
{
	uint32_t object;

	if (c->source->string(c->source->self, n->path)[0] != '/')
		return false;
	object = object_at(c, n->path);
	if (object == OBJECT_UNKNOWN)
		return other->need != NEED_NOTHING;
	return (object == OBJECT_ABSENT) == (n->need == NEED_THERE);
}

/* Of two names one was missing: this one, when the other one is there. */
static bool holds(struct compiler *c, const struct ahead_name *n)
{
	return !n->or_path || is_there(object_at(c, n->or_path));
}

/* The name is now as the event found it, as far as is known. */
static bool fits(struct compiler *c, const struct ahead_name *n)
{
	uint32_t object = object_at(c, n->path);

	return (object == OBJECT_UNKNOWN || (object == OBJECT_ABSENT) == (n->need == NEED_NOT_THERE)) && holds(c, n);
}

/* The name is known not to be as the event found it. */
static bool is_impossible(struct compiler *c, const struct ahead_name *n)
{
	uint32_t object = n->need != NEED_NOTHING ? object_at(c, n->path) : OBJECT_UNKNOWN;

	return object != OBJECT_UNKNOWN && (object == OBJECT_ABSENT) == (n->need == NEED_THERE);
}

/* The kernel found this object at the name: 0: not told, or not known. */
static uint32_t found(const struct compiler *c, const struct ahead_name *n)
{
	return n->file && n->file < c->model.files_room ? c->model.file[n->file].object : 0;
}

/* The first call met what is elsewhere now, and the other one brings that here. */
static bool brings(struct compiler *c, const struct ahead_name *mine, const struct ahead_name *other)
{
	uint32_t object = other->from ? found(c, mine) : 0, here = object ? object_at(c, mine->path) : 0;

	/* Through a symbolic link: the name itself tells nothing. */
	if (!object || here == object || (is_there(here) && c->model.object[here].kind == OBJECT_LINK))
		return false;
	return object_at(c, other->from) == object;
}

/* The other call met what is here now, and the first one puts something else in its place. */
static bool replaces(struct compiler *c, const struct ahead_name *mine, const struct ahead_name *other)
{
	uint32_t object = mine->from ? found(c, other) : 0;

	return object && object_at(c, mine->path) == object && object_at(c, mine->from) != object;
}

enum verdict { GO_ON, OTHER_FIRST, ENOUGH };

/* About a name of the first event, what a later one that overlapped with it says. */
static enum verdict judge(struct compiler *c, const struct ahead_name *mine, const struct ahead_name *other, bool overlaps)
{
	if (!other->path || other->path != mine->path)
		return GO_ON;
	/* It found the name as it was before the change. */
	if (overlaps && other->effect == EFFECT_NONE &&
	    ((mine->effect == EFFECT_MAKES && other->need == NEED_NOT_THERE) || (mine->effect == EFFECT_REMOVES && other->need == NEED_THERE)) &&
	    fits(c, other))
		return OTHER_FIRST;
	/* It made the name what the first one found. */
	if (overlaps &&
	    ((mine->need == NEED_THERE && other->effect == EFFECT_MAKES) || (mine->need == NEED_NOT_THERE && other->effect == EFFECT_REMOVES)) &&
	    contradicts(c, mine, other) && holds(c, mine))
		return OTHER_FIRST;
	if (overlaps && (brings(c, mine, other) || replaces(c, mine, other)))
		return OTHER_FIRST;
	/* Made again, it has been there since; but whoever made what is there already still needs one that took it away. */
	return other->effect == EFFECT_NONE || other->effect == mine->effect || is_impossible(c, mine) ? GO_ON : ENOUGH;
}

static enum verdict compare(struct compiler *c, const struct ahead_record *first, const struct ahead_record *other)
{
	const struct trace_event *a = &first->record.event, *b = &other->record.event;
	bool overlaps = b->begin_ns < ahead_end(first) && a->thread != b->thread;

	for (int i = 0; i < 4; i++) {
		const struct ahead_name *mine = &first->name[i / 2];
		enum verdict v = mine->path ? judge(c, mine, &other->name[i % 2], overlaps) : GO_ON;

		if (v != GO_ON)
			return v;
	}
	return GO_ON;
}

/* Index of the event that must come before the first one, 0: none. */
static uint32_t find_name(struct ahead *a, struct compiler *c)
{
	const struct ahead_record *first = ahead_at(a, 0);

	for (uint32_t i = 1; i < a->n; i++) {
		const struct ahead_record *r = ahead_at(a, i);
		enum verdict v;

		if (!r->name[0].path && !r->name[1].path)
			continue;
		if (ahead_end(r) > ahead_end(first) + a->slowest_ns)
			return 0;
		v = compare(c, first, r);
		if (v != GO_ON)
			return v == OTHER_FIRST ? i : 0;
	}
	return 0;
}

static void move_to_front(struct ahead *a, uint32_t from)
{
	struct ahead_record moved = *ahead_at(a, from);

	for (; from; from--)
		*ahead_at(a, from) = *ahead_at(a, from - 1);
	*ahead_at(a, 0) = moved;
}

/*
 * The event would come before an earlier one of its own thread. In the order of the ends that cannot be; but the first event may have
 * been moved there itself.
 */
static bool overtakes_its_own(struct ahead *a, uint32_t at)
{
	const struct trace_event *ev = &ahead_at(a, at)->record.event;

	for (uint32_t i = 0; i < at && !ev->via; i++) {
		const struct trace_record *r = &ahead_at(a, i)->record;

		if (r->type == TRACE_EVENT && r->event.thread == ev->thread && !r->event.via)
			return true;
	}
	return false;
}

/* What an event refers to is defined between the first record and it. */
static bool defines(const struct trace_record *r, const struct trace_event *ev)
{
	return (r->type == TRACE_FILE && (r->file.id == ev->file || r->file.id == ev->file2)) ||
	       (r->type == TRACE_THREAD && r->thread.id == ev->thread);
}

void ahead_sort(struct ahead *a, struct compiler *c)
{
	/* A chain of calls that all overlapped is short; a trace that lies may make a circle. */
	for (int turns = 0; turns < 8; turns++) {
		uint32_t at = has_name(ahead_at(a, 0)) ? find_name(a, c) : 0, definitions = 0;
		struct trace_event ev;

		if (!at)
			at = ahead_find_size(a, c);
		if (!at || overtakes_its_own(a, at))
			return;
		ev = ahead_at(a, at)->record.event;
		move_to_front(a, at);
		for (uint32_t i = 1; i <= at; i++)
			if (defines(&ahead_at(a, i)->record, &ev)) {
				move_to_front(a, i);
				definitions++;
			}
		if (definitions)
			return;
	}
}
