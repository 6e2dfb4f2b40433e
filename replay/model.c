#include "replay/model.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { LINKS_MAX = 40 };

void model_init(struct model *m, struct texts *strings)
{
	*m = (struct model){.strings = strings, .objects = 1, .names = 1};
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
static void existed(struct model *m, uint32_t name, uint32_t object)
{
	struct name *n = &m->name[name];
	struct object *o = &m->object[object];

	n->now = object;
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

static uint32_t make_link(struct model *m, uint32_t name, uint32_t target)
{
	uint32_t object = model_new_object(m, OBJECT_LINK, 0777);

	m->object[object].target = target;
	existed(m, name, object);
	return object;
}

/* ---- walking --------------------------------------------------------------------------------------------------------------- */

struct walk {
	struct model *m;
	struct where *where;
	uint32_t up[MODEL_WALK_MAX]; /* directories from the root to here */
	uint32_t depth;
	int links;
	bool follow, must_exist;
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

/* One component; last: it is the final one of the whole path. Returns false when the walk is over. */
static bool step(struct walk *w, const char *text, size_t n, bool last)
{
	struct model *m = w->m;
	struct where *to = w->where;
	uint32_t name = name_in(m, here(w), text, n), object = m->name[name].now;
	bool follow = w->follow;

	if (object != OBJECT_UNKNOWN && object != OBJECT_ABSENT && m->object[object].kind == OBJECT_LINK && (!last || w->follow)) {
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
	if (object == OBJECT_UNKNOWN && name && !last && w->must_exist) {
		object = model_new_object(m, OBJECT_DIRECTORY, 0755);
		existed(m, name, object);
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
		if (*end && last)
			w->follow = true;
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

static void walk_from_root(struct model *m, const char *path, bool follow, bool must_exist, struct where *where)
{
	struct walk w = {.m = m, .where = where, .up = {OBJECT_ROOT}, .follow = follow, .must_exist = must_exist};

	where->directory = where->name = where->object = where->passed_n = 0;
	where->missing = where->appeared = false;
	walk(&w, path);
}

void model_walk(struct model *m, const char *path, bool follow, struct where *where)
{
	walk_from_root(m, path, follow, false, where);
}

/* ---- learning -------------------------------------------------------------------------------------------------------------- */

void model_define(struct model *m, const struct trace_file *file, const char *path, const char *target)
{
	struct model_file *f;

	m->file = grow(m->file, &m->files_room, (size_t)file->id + 1, sizeof(*m->file));
	f = &m->file[file->id];
	*f = (struct model_file){.object = f->object,
				 .path = path[0] == '/' ? texts_add(m->strings, path, strlen(path)) : 0,
				 .target = texts_add(m->strings, target, strlen(target)),
				 .mode = file->mode,
				 .nlink = file->nlink,
				 .bits = file->bits,
				 .size = file->size};
	/* A link explains paths that lead through it, whether or not an operation looks at the link itself. */
	if (S_ISLNK(file->mode) && target[0] && !(file->bits & TRACE_FILE_CREATED))
		model_object_of(m, file->id);
}

static enum object_kind kind_of_mode(uint32_t mode, enum object_kind otherwise)
{
	if (!(mode & S_IFMT))
		return otherwise;
	return S_ISDIR(mode) ? OBJECT_DIRECTORY : S_ISLNK(mode) ? OBJECT_LINK : OBJECT_FILE;
}

/* Permissions that the trace does not tell allow everything that a recorded success may have needed. */
static uint32_t permissions(uint32_t mode)
{
	return mode & 0777 ? mode & 0777 : 0755;
}

static uint32_t object_for(struct model *m, uint32_t file, enum object_kind otherwise)
{
	const struct model_file *f = &m->file[file];
	enum object_kind kind = file ? kind_of_mode(f->mode, otherwise) : otherwise;
	uint32_t object = model_new_object(m, kind, permissions(file ? f->mode : 0));
	struct object *o = &m->object[object];

	if (!file) {
		o->bits |= OBJECT_GUESSED;
		return object;
	}
	if (kind == OBJECT_FILE && (f->mode & S_IFMT) && !S_ISREG(f->mode))
		o->bits |= OBJECT_SPECIAL;
	else if (kind == OBJECT_FILE)
		o->size = o->start_size = o->low_size = f->size > INT64_MAX ? INT64_MAX : f->size;
	if (kind == OBJECT_LINK)
		o->target = f->target ? f->target : texts_add(m->strings, "unknown", 7);
	m->file[file].object = object;
	return object;
}

uint32_t model_nameless(struct model *m, uint32_t file)
{
	uint32_t object = m->file[file].object;

	if (!object) {
		object = object_for(m, file, OBJECT_FILE);
		m->object[object].bits |= OBJECT_AT_START;
	}
	return object;
}

/* Puts a file that existed at the start at a path whose last name is not known yet. */
static uint32_t place(struct model *m, const char *path, uint32_t file, enum object_kind kind, struct where *where)
{
	uint32_t object = file ? m->file[file].object : 0;

	walk_from_root(m, path, false, true, where);
	if (!where->name || where->object != OBJECT_UNKNOWN)
		return where->object == OBJECT_ABSENT ? 0 : where->object;
	if (!object)
		object = object_for(m, file, kind);
	existed(m, where->name, object);
	where->object = m->name[where->name].now;
	return object;
}

uint32_t model_object_of(struct model *m, uint32_t file)
{
	struct where where;

	if (!file)
		return 0;
	if (!m->file[file].object && m->file[file].path) {
		char path[PATH_MAX];
		const char *text = texts_text(m->strings, m->file[file].path);
		uint32_t object;

		if (strlen(text) >= sizeof(path))
			return 0;
		strcpy(path, text);
		object = place(m, path, file, OBJECT_FILE, &where);
		if (object && !m->file[file].object)
			m->file[file].object = object;
	}
	return m->file[file].object;
}

/*
 * The program said `given`, the kernel found `real`: somewhere in given is a symbolic link that the trace does not show. The shortest
 * explanation is taken: the parts after the link are equal, and the name that must be the link is not known to be something else.
 */
static void infer_link(struct model *m, const char *given, const char *real, bool whole)
{
	const char *g = given + strlen(given), *r = real + strlen(real);
	const char *cut_g[MODEL_WALK_MAX], *cut_r[MODEL_WALK_MAX];
	int n = 0;

	/* Cuts where the rest behind is equal, from the longest text before it to the shortest. */
	for (;;) {
		const char *pg = g, *pr = r;

		if (n < MODEL_WALK_MAX) {
			cut_g[n] = g;
			cut_r[n++] = r;
		}
		while (pg > given && pg[-1] != '/')
			pg--;
		while (pr > real && pr[-1] != '/')
			pr--;
		if (g - pg != r - pr || memcmp(pg, pr, (size_t)(g - pg)) || pg <= given + 1 || pr <= real + 1)
			break;
		g = pg - 1;
		r = pr - 1;
	}
	while (n-- > !whole) {
		char link[PATH_MAX];
		struct where where;

		snprintf(link, sizeof(link), "%.*s", (int)(cut_g[n] - given), given);
		walk_from_root(m, link, false, true, &where);
		if (where.name && where.object == OBJECT_UNKNOWN) {
			make_link(m, where.name, texts_add(m->strings, real, (size_t)(cut_r[n] - real)));
			return;
		}
	}
}

/* The path without "//", "." and "name/..": how it would read if no symbolic link stood in it. */
static void tidy(const char *path, char to[PATH_MAX])
{
	size_t n = 0;

	while (*path) {
		const char *end;

		path += strspn(path, "/");
		end = strchrnul(path, '/');
		if (end - path == 2 && !strncmp(path, "..", 2)) {
			while (n && to[--n] != '/')
				;
		} else if (end > path && !(end - path == 1 && *path == '.') && n + (size_t)(end - path) + 2 < PATH_MAX) {
			to[n++] = '/';
			memcpy(to + n, path, (size_t)(end - path));
			n += (size_t)(end - path);
		}
		path = end;
	}
	to[n] = 0;
}

/* The tidied path, and the canonical one of the file when it differs, else "". */
static void both_paths(const struct model *m, uint32_t file, const char *path, char given[PATH_MAX], char real[PATH_MAX])
{
	const char *text = file ? texts_text(m->strings, m->file[file].path) : "";

	tidy(path, given);
	real[0] = 0;
	if (strlen(text) < PATH_MAX && strcmp(text, given))
		strcpy(real, text);
}

static bool same_last(const char *a, const char *b)
{
	const char *x = strrchr(a, '/'), *y = strrchr(b, '/');

	return x && y && !strcmp(x, y);
}

void model_reach(struct model *m, const char *path, bool follow, uint32_t file, struct where *where)
{
	char given[PATH_MAX], real[PATH_MAX];

	walk_from_root(m, path, follow, false, where);
	if (where->name || where->missing)
		return;
	both_paths(m, file, path, given, real);
	if (real[0] && same_last(given, real))
		infer_link(m, given, real, false);
	walk_from_root(m, path, follow, true, where);
}

static void remember_missing(struct model *m, const char *path)
{
	struct model_missing *missing = &m->missing;
	char tidied[PATH_MAX];
	uint32_t text, *seen;

	tidy(path, tidied);
	text = texts_add(m->strings, tidied, strlen(tidied));
	seen = map_put(&missing->seen, text);
	if (*seen)
		return;
	*seen = 1;
	missing->path = grow(missing->path, &missing->room, missing->n + 1, sizeof(*missing->path));
	missing->path[missing->n++] = text;
}

static bool was_missing(struct model *m, const char *tidied)
{
	return map_get(&m->missing.seen, texts_add(m->strings, tidied, strlen(tidied)));
}

static void appear(struct model *m, uint32_t file, enum object_kind kind, struct where *where)
{
	if (where->object != OBJECT_ABSENT || !where->name || kind == OBJECT_LINK)
		return;
	where->object = object_for(m, file, kind);
	if (m->object[where->object].kind == OBJECT_LINK)
		m->object[where->object].kind = OBJECT_FILE;
	model_bind(m, where->name, where->object);
	where->appeared = true;
}

static bool is_gone(const struct model *m, uint32_t object)
{
	uint32_t name = m->object[object].name;

	return name && m->name[name].now != object;
}

void model_exists(struct model *m, const char *path, bool follow, uint32_t file, enum object_kind kind, struct where *where)
{
	char given[PATH_MAX], real[PATH_MAX];
	uint32_t known = file ? m->file[file].object : 0;

	walk_from_root(m, path, follow, false, where);
	if (where->object != OBJECT_UNKNOWN && where->object != OBJECT_ABSENT) {
		/* The first time that this object is seen under its id, or the inode of a removed file was used again. */
		if (file && (!known || (known != where->object && is_gone(m, known))))
			model_tie(m, file, where->object);
		if (!file || m->file[file].object == where->object)
			return;
	}
	both_paths(m, file, path, given, real);
	if (where->object == OBJECT_UNKNOWN && real[0] && (follow || same_last(given, real)) && m->file[file].nlink <= 1) {
		if (follow)
			model_object_of(m, file);
		walk_from_root(m, path, follow, false, where);
		if (where->object == OBJECT_UNKNOWN)
			infer_link(m, given, real, follow);
	}
	walk_from_root(m, path, follow, true, where);
	known = file ? m->file[file].object : 0;
	if (where->name && where->object == OBJECT_UNKNOWN && was_missing(m, given))
		where->object = m->name[where->name].start = m->name[where->name].now = OBJECT_ABSENT;
	if (where->name && where->object == OBJECT_UNKNOWN) {
		uint32_t object = known ? known : object_for(m, file, kind);

		existed(m, where->name, object);
		where->object = object;
	} else if (where->object == OBJECT_ABSENT || (known && known != where->object)) {
		m->conflicts++; /* somebody who was not recorded changed it */
		appear(m, file, kind, where);
	}
}

void model_absent(struct model *m, const char *path, bool follow, int error, struct where *where)
{
	walk_from_root(m, path, follow, false, where);
	if (!where->directory && !where->missing && error == ENOENT)
		remember_missing(m, path);
	if (where->name && where->object == OBJECT_UNKNOWN && error == ENOENT) {
		m->name[where->name].start = m->name[where->name].now = OBJECT_ABSENT;
		where->object = OBJECT_ABSENT;
	} else if (error == ENOTDIR && where->passed_n) {
		/* Something on the way is no directory: the last name before the end, when nothing is known about it. */
		uint32_t name = where->passed[where->passed_n - 1];

		if (m->name[name].now == OBJECT_UNKNOWN)
			existed(m, name, model_new_object(m, OBJECT_FILE, 0644));
	}
}

/* ---- changes by the recording ---------------------------------------------------------------------------------------------- */

void model_tie(struct model *m, uint32_t file, uint32_t object)
{
	const struct model_file *f = &m->file[file];
	struct object *o = &m->object[object];

	if (!file)
		return;
	m->file[file].object = object;
	if (!(o->bits & OBJECT_AT_START))
		return;
	if (o->bits & OBJECT_GUESSED && f->mode) {
		o->kind = (uint8_t)kind_of_mode(f->mode, o->kind);
		o->mode = permissions(f->mode);
		if (o->kind == OBJECT_LINK)
			o->target = f->target;
		if (o->kind == OBJECT_FILE && !S_ISREG(f->mode))
			o->bits |= OBJECT_SPECIAL;
		o->bits &= (uint8_t)~OBJECT_GUESSED;
	}
	if (o->kind == OBJECT_FILE && S_ISREG(f->mode) && !(o->bits & OBJECT_SIZE_SET) && f->size <= INT64_MAX && o->start_size < f->size)
		o->start_size = o->low_size = o->size = f->size;
}

void model_bind(struct model *m, uint32_t name, uint32_t object)
{
	if (m->name[name].start == OBJECT_UNKNOWN)
		m->name[name].start = OBJECT_ABSENT;
	m->name[name].now = object;
	m->object[object].name = name;
}

void model_unbind(struct model *m, uint32_t name)
{
	m->name[name].now = OBJECT_ABSENT;
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
		existed(m, name, model_new_object(m, OBJECT_FILE, 0644));
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
