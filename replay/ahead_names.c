/* Calls on one name that overlapped: which took effect first, as their results tell. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>

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
		name[0].file = 0;
		made(ev, ev->path2, &name[1]);
		if (!ev->result)
			name[1].from = ev->path;
		if (ev->result == -EEXIST && ev->path)
			name[0] = (struct ahead_name){.path = ev->path, .need = NEED_THERE};
		return;
	case TRACE_OP_RMDIR: case TRACE_OP_UNLINK: case TRACE_OP_UNLINKAT: looked_at(ev, &name[0], EFFECT_REMOVES); return;
	case TRACE_OP_RENAME: case TRACE_OP_RENAMEAT: case TRACE_OP_RENAMEAT2: renamed(ev, name); return;
	}
	if (ev->path && replay_ops[ev->op].kind == KIND_PATH)
		looked_at(ev, &name[0], EFFECT_NONE);
}

/* ---- order ------------------------------------------------------------------------------------------------------------------- */

/* Both are about one name, and one of them changes it. */
static bool concerns(const struct ahead_record *a, const struct ahead_record *b)
{
	for (int i = 0; i < 4; i++) {
		const struct ahead_name *mine = &a->name[i / 2], *other = &b->name[i % 2];

		if (mine->path && mine->path == other->path && (ahead_changes(mine) || ahead_changes(other)))
			return true;
	}
	return false;
}

/* Another event that is there may be about a name of the first one, and one of them changes it. */
static bool has_company(const struct ahead *a, const struct ahead_record *first)
{
	for (int i = 0; i < 2; i++) {
		const struct ahead_name *n = &first->name[i];
		uint32_t at = n->path % AHEAD_NAMES;
		int own = 1 + (first->name[!i].path == n->path), changes = ahead_changes(n) + (own > 1 && ahead_changes(&first->name[!i]));

		if (n->path && a->named[at] > own && (changes || a->changed[at] > changes))
			return true;
	}
	return false;
}

/* Whether the first event met another one on its way, so that the order of their ends may not be that of their effects. */
static bool is_doubtful(struct ahead *a)
{
	const struct ahead_record *first = ahead_at(a, 0);

	if (!has_company(a, first))
		return false;
	for (uint32_t i = 1; i < a->n; i++) {
		const struct ahead_record *r = ahead_at(a, i);

		if (!has_name(r))
			continue;
		if (ahead_end(r) > ahead_end(first) + a->slowest_ns)
			return false;
		if (r->record.event.begin_ns < ahead_end(first) && r->record.event.thread != first->record.event.thread && concerns(first, r))
			return true;
	}
	return false;
}

static void move_to_front(struct ahead *a, uint32_t from)
{
	struct ahead_record moved = *ahead_at(a, from);

	for (; from; from--)
		*ahead_at(a, from) = *ahead_at(a, from - 1);
	*ahead_at(a, 0) = moved;
}

/* What an event refers to is defined between the first record and it. */
static bool defines(const struct trace_record *r, const struct trace_event *ev)
{
	return (r->type == TRACE_FILE && (r->file.id == ev->file || r->file.id == ev->file2)) ||
	       (r->type == TRACE_THREAD && r->thread.id == ev->thread);
}

/* An event goes to the front, and before it what it refers to: that is compiled first then. true: there was something. */
static bool bring(struct ahead *a, uint32_t at)
{
	struct trace_event ev = ahead_at(a, at)->record.event;
	bool definitions = false;

	move_to_front(a, at);
	for (uint32_t i = 1; i <= at; i++)
		if (defines(&ahead_at(a, i)->record, &ev)) {
			move_to_front(a, i);
			definitions = true;
		}
	return definitions;
}

/* The first record before the event that is its own thread's; at: there is none. In the order of the ends they are in program order. */
static uint32_t first_own(struct ahead *a, uint32_t at)
{
	const struct trace_event *ev = &ahead_at(a, at)->record.event;

	for (uint32_t i = 0; i < at && !ev->via; i++) {
		const struct trace_record *r = &ahead_at(a, i)->record;

		if (r->type == TRACE_EVENT && r->event.thread == ev->thread && !r->event.via)
			return i;
	}
	return at;
}

static uint32_t place_of(struct ahead *a, uint64_t number)
{
	uint32_t at = 0;

	while (at < a->n && (ahead_at(a, at)->record.type != TRACE_EVENT || ahead_at(a, at)->number != number))
		at++;
	return at;
}

/* The next call of the order that was found is brought to the front, after what its thread did before. */
static void follow(struct ahead *a)
{
	const struct ahead_order *next;
	uint32_t at, own;

	do {
		if (a->order_at == a->ordered)
			return;
		next = &a->order[a->order_at++];
		at = place_of(a, next->number);
	} while (at == a->n || ahead_at(a, at)->settled);
	own = first_own(a, at);
	if (own == at) {
		ahead_at(a, at)->settled = true;
		ahead_at(a, at)->instead = next->instead;
	} else {
		a->order_at--;
	}
	bring(a, own);
}

/* A link whose first name was changed while it was under way: it may have met what was there before. */
static bool is_late_link(const struct ahead_record *first, struct compiler *c)
{
	const struct trace_event *ev = &first->record.event;
	const struct model *m = &c->model;
	struct where where = {.way = ev->path};

	if ((ev->op != TRACE_OP_LINK && ev->op != TRACE_OP_LINKAT) || !first->name[0].path ||
	    c->source->string(c->source->self, ev->path)[0] != '/')
		return false;
	model_walk(&c->model, c->source->string(c->source->self, ev->path), false, &where);
	for (uint64_t i = m->changes; where.name && i-- && i + MODEL_CHANGES >= m->changes;)
		if (m->change[i % MODEL_CHANGES].name == where.name && m->change[i % MODEL_CHANGES].end_ns > ev->begin_ns)
			return true;
	return false;
}

static void sort_names(struct ahead *a, struct compiler *c)
{
	if (a->order_at == a->ordered && (is_doubtful(a) || is_late_link(ahead_at(a, 0), c)))
		ahead_search(a, c);
	follow(a);
}

void ahead_sort(struct ahead *a, struct compiler *c)
{
	/* A chain of calls that all overlapped is short; a trace that lies may make a circle. */
	for (int turns = 0; turns < 8; turns++) {
		uint32_t at;

		if (has_name(ahead_at(a, 0)) && !ahead_at(a, 0)->settled)
			sort_names(a, c);
		at = ahead_find_size(a, c);
		if (!at || first_own(a, at) != at)
			return;
		ahead_at(a, at)->settled = true;
		if (bring(a, at))
			return;
	}
}
