#include "replay/model.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LINKS_MAX = 40 };

void model_init(struct model *m, struct texts *strings)
{
	*m = (struct model){.strings = strings, .objects = 1, .names = 1, .epoch = 1};
	m->object = grow(NULL, &m->objects_room, 64, sizeof(*m->object));
	m->name = grow(NULL, &m->names_room, 64, sizeof(*m->name));
	model_new_object(m, OBJECT_DIRECTORY, 0755);
	m->object[OBJECT_ROOT].bits = OBJECT_AT_START;
}

void model_release(struct model *m)
{
	free(m->object);
	free(m->name);
	free(m->first_name);
	free(m->file);
	free(m->way);
	free(m->missing.path);
	map_release(&m->missing.seen);
	map_release(&m->by_name);
	*m = (struct model){0};
}

uint32_t model_new_object(struct model *m, enum object_kind kind, uint32_t mode)
{
	m->object = grow(m->object, &m->objects_room, m->objects + 1, sizeof(*m->object));
	m->first_name = grow(m->first_name, &m->first_room, m->objects + 1, sizeof(*m->first_name));
	m->object[m->objects] = (struct object){.kind = (uint8_t)kind, .mode = mode & 0777};
	return (uint32_t)m->objects++;
}

/* The name of that text in the directory; what it leads to in a directory that the recording made is known: nothing. */
static uint32_t name_in(struct model *m, uint32_t directory, const char *text, size_t n)
{
	uint32_t t = texts_add(m->strings, text, n);
	uint32_t *at = map_put(&m->by_name, (uint64_t)directory << 32 | t);

	if (!*at) {
		bool made = !(m->object[directory].bits & OBJECT_AT_START);

		m->name = grow(m->name, &m->names_room, m->names + 1, sizeof(*m->name));
		m->name[m->names] = (struct name){.directory = directory,
						  .text = t,
						  .start = made ? OBJECT_ABSENT : OBJECT_UNKNOWN,
						  .now = made ? OBJECT_ABSENT : OBJECT_UNKNOWN,
						  .next = m->first_name[directory]};
		*at = m->first_name[directory] = (uint32_t)m->names++;
	}
	return *at;
}

/* The name existed at the start and leads to object, which exists since then as well. */
void model_existed(struct model *m, uint32_t name, uint32_t object)
{
	struct name *n = &m->name[name];
	struct object *o = &m->object[object];

	n->now = object;
	o->names++;
	if (n->start == OBJECT_UNKNOWN && (o->bits & OBJECT_AT_START || !o->name))
		n->start = object;
	else
		m->conflicts++;
	if (n->start == object) {
		o->bits |= OBJECT_AT_START;
		if (!o->start_name)
			o->start_name = name;
	}
	if (!o->name)
		o->name = name;
}

/* ---- walking --------------------------------------------------------------------------------------------------------------- */

struct walk {
	struct model *m;
	struct where *where;
	uint32_t up[MODEL_WALK_MAX]; /* directories from the root to here */
	uint32_t depth;
	int links;
	bool follow, must_exist;
	bool plain; /* nothing but names of directories so far */
};

static void walk(struct walk *w, const char *path);

static uint32_t here(const struct walk *w)
{
	return w->up[w->depth];
}

static void follow_link(struct walk *w, uint32_t link)
{
	/* Interning a name may move the texts: the target is copied. */
	char target[PATH_MAX];
	const char *text = texts_text(w->m->strings, w->m->object[link].target);

	if (w->links++ >= LINKS_MAX || strlen(text) >= sizeof(target)) {
		w->where->directory = 0;
		w->where->missing = true;
		return;
	}
	strcpy(target, text);
	if (target[0] == '/')
		w->depth = 0;
	walk(w, target);
}

static bool is_guess(const struct model *m, uint32_t object)
{
	return object != OBJECT_UNKNOWN && object != OBJECT_ABSENT && m->object[object].kind == OBJECT_FILE &&
	       m->object[object].bits & OBJECT_GUESSED;
}

static uint32_t guessed_directory(struct model *m, uint32_t object)
{
	struct object *o = &m->object[object];

	o->kind = OBJECT_DIRECTORY;
	o->bits = (uint8_t)((o->bits & ~OBJECT_GUESSED) | OBJECT_MODE_GUESSED);
	return object;
}

/* One component; last: it is the final one of the whole path. Returns false when the walk is over. */
static bool step(struct walk *w, const char *text, size_t n, bool last)
{
	struct model *m = w->m;
	struct where *to = w->where;
	uint32_t name = name_in(m, here(w), text, n), object = m->name[name].now;
	bool follow = w->follow;

	if (object != OBJECT_UNKNOWN && object != OBJECT_ABSENT && m->object[object].kind == OBJECT_LINK && (!last || w->follow)) {
		w->plain = false;
		if (to->passed_n < MODEL_WALK_MAX)
			to->passed[to->passed_n++] = name;
		/* What stands in the middle of a path is followed to its end. */
		w->follow = w->follow || !last;
		follow_link(w, object);
		w->follow = follow;
		if (last || !to->directory)
			return false;
		object = to->object;
		name = to->name;
	}
	/* Of something that was only seen to be there it is known now that it is a directory. */
	if (!last && is_guess(m, object))
		object = w->must_exist ? guessed_directory(m, object) : OBJECT_UNKNOWN;
	if (object == OBJECT_UNKNOWN && name && !last && w->must_exist) {
		object = model_new_object(m, OBJECT_DIRECTORY, 0755);
		m->object[object].bits = OBJECT_MODE_GUESSED;
		model_existed(m, name, object);
	}
	to->directory = here(w);
	to->name = name;
	to->object = object;
	if (last)
		return false;
	if (name && to->passed_n < MODEL_WALK_MAX)
		to->passed[to->passed_n++] = name;
	if (object == OBJECT_UNKNOWN || object == OBJECT_ABSENT || m->object[object].kind != OBJECT_DIRECTORY) {
		to->missing = object != OBJECT_UNKNOWN;
		to->directory = 0;
		to->name = 0;
		to->object = object == OBJECT_UNKNOWN ? OBJECT_UNKNOWN : OBJECT_ABSENT;
		return false;
	}
	if (name) {
		if (w->depth + 1 >= MODEL_WALK_MAX)
			return false;
		w->up[++w->depth] = object;
	}
	return true;
}

static void walk(struct walk *w, const char *path)
{
	for (;;) {
		const char *end;
		bool last;

		while (*path == '/')
			path++;
		end = strchrnul(path, '/');
		if (end == path || (end - path == 1 && *path == '.') || (end - path == 2 && path[0] == '.' && path[1] == '.')) {
			if (end - path == 2 && w->depth)
				w->depth--;
			w->plain = false;
			w->where->directory = here(w);
			w->where->name = 0;
			w->where->object = here(w);
			if (!*end)
				return;
			path = end;
			continue;
		}
		last = !end[strspn(end, "/")];
		/* A slash at the end asks for what a link leads to. */
		if (*end && last) {
			w->follow = true;
			w->plain = false;
		}
		if (end - path > NAME_MAX) {
			w->where->directory = 0;
			w->where->missing = true;
			w->where->object = OBJECT_ABSENT;
			return;
		}
		if (!step(w, path, (size_t)(end - path), last))
			return;
		path = end;
	}
}

void model_walk_existing(struct model *m, const char *path, bool follow, bool must_exist, struct where *where)
{
	struct walk w; /* 1 KiB, of which little is used */

	if (model_way_take(m, follow, where))
		return;
	w.m = m;
	w.where = where;
	w.up[0] = OBJECT_ROOT;
	w.depth = 0;
	w.links = 0;
	w.follow = follow;
	w.must_exist = must_exist;
	w.plain = true;
	where->directory = where->name = where->object = where->passed_n = 0;
	where->missing = where->appeared = false;
	walk(&w, path);
	if (w.plain)
		model_way_keep(m, where);
}

void model_walk(struct model *m, const char *path, bool follow, struct where *where)
{
	model_walk_existing(m, path, follow, false, where);
}

/* ---- changes by the recording ---------------------------------------------------------------------------------------------- */

static void leaves(struct model *m, uint32_t name)
{
	uint32_t object = m->name[name].now;

	m->change[m->changes++ % MODEL_CHANGES] = (struct model_change){.name = name, .was = object, .end_ns = m->now_ns};
	if (object != OBJECT_UNKNOWN && object != OBJECT_ABSENT && m->object[object].names)
		m->object[object].names--;
	if (object != OBJECT_UNKNOWN && object != OBJECT_ABSENT && m->object[object].kind == OBJECT_DIRECTORY)
		model_ways_change(m);
}

void model_bind(struct model *m, uint32_t name, uint32_t object)
{
	leaves(m, name);
	if (m->name[name].start == OBJECT_UNKNOWN)
		m->name[name].start = OBJECT_ABSENT;
	m->name[name].now = object;
	m->object[object].name = name;
	m->object[object].names++;
}

void model_unbind(struct model *m, uint32_t name)
{
	leaves(m, name);
	m->name[name].now = OBJECT_ABSENT;
}

void model_set_special(struct model *m, uint32_t object, uint32_t mode)
{
	m->object[object].bits |= OBJECT_SPECIAL;
	m->object[object].type = S_ISFIFO(mode) || S_ISSOCK(mode) ? mode & S_IFMT : 0;
}

void model_set_mode(struct model *m, uint32_t object, uint32_t mode)
{
	m->object[object].mode_set = OBJECT_MODE_KNOWN | (mode & 0777);
	m->object[object].bits |= OBJECT_CHANGED;
}

void model_saw_bytes(struct model *m, uint32_t object, uint64_t offset, uint64_t result)
{
	struct object *o = &m->object[object];

	if (o->kind != OBJECT_FILE || o->bits & OBJECT_SPECIAL || !result || offset + result < offset)
		return;
	if (offset + result > o->size) {
		if (o->bits & OBJECT_SIZE_SET || !(o->bits & OBJECT_AT_START))
			m->conflicts++;
		else
			o->start_size = o->low_size = offset + result;
		o->size = offset + result;
	}
}

void model_saw_size(struct model *m, uint32_t object, uint64_t size)
{
	struct object *o = &m->object[object];

	if (o->kind != OBJECT_FILE || o->bits & (OBJECT_SPECIAL | OBJECT_SIZE_SET) || !(o->bits & OBJECT_AT_START) || size > INT64_MAX)
		return;
	o->start_size = o->low_size = o->size = size;
}

void model_resize(struct model *m, uint32_t object, uint64_t size)
{
	struct object *o = &m->object[object];

	o->size = size;
	o->bits |= OBJECT_SIZE_SET;
	if (size < o->low_size)
		o->low_size = size;
}

void model_extend(struct model *m, uint32_t object, uint64_t end)
{
	if (m->object[object].kind == OBJECT_FILE && end > m->object[object].size)
		model_resize(m, object, end);
}

void model_populate(struct model *m, uint32_t directory)
{
	uint32_t name;

	if (m->object[directory].kind != OBJECT_DIRECTORY || !(m->object[directory].bits & OBJECT_AT_START))
		return;
	for (name = m->first_name[directory]; name; name = m->name[name].next)
		if (m->name[name].now != OBJECT_ABSENT && m->name[name].now != OBJECT_UNKNOWN)
			return;
	name = name_in(m, directory, ".iorig-not-empty", 16);
	if (m->name[name].now == OBJECT_UNKNOWN)
		model_existed(m, name, model_new_object(m, OBJECT_FILE, 0644));
}

uint32_t model_path(struct model *m, uint32_t name, bool start)
{
	char text[PATH_MAX];
	size_t at = sizeof(text) - 1;

	text[at] = 0;
	for (int depth = 0; depth < MODEL_WALK_MAX; depth++) {
		const struct name *n = &m->name[name];
		const char *part = texts_text(m->strings, n->text);
		size_t length = strlen(part);

		if (length + 1 > at)
			return 0;
		at -= length;
		memcpy(text + at, part, length);
		text[--at] = '/';
		if (n->directory == OBJECT_ROOT)
			return texts_add(m->strings, text + at, sizeof(text) - 1 - at);
		name = start ? m->object[n->directory].start_name : m->object[n->directory].name;
		if (!name || (!start && m->name[name].now != n->directory))
			return 0;
	}
	return 0;
}
