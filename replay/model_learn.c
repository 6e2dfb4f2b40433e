/* The model's beliefs about the start: what results say must have existed, or not, and which symbolic links explain a path. */
#include "replay/model.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static uint32_t make_link(struct model *m, uint32_t name, uint32_t target)
{
	uint32_t object = model_new_object(m, OBJECT_LINK, 0777);

	m->object[object].target = target;
	model_existed(m, name, object);
	return object;
}

static uint32_t inode_hash(uint64_t dev, uint64_t ino)
{
	uint64_t h = (ino ^ dev << 40) * 0x9e3779b97f4a7c15ULL;

	return (uint32_t)(h >> 32) | 1;
}

bool model_same_file(const struct model *m, uint32_t a, uint32_t b)
{
	const struct model_file *f = &m->file[a], *g = &m->file[b];

	return a == b || (f->inode && f->inode == g->inode && (!f->generation || !g->generation || f->generation == g->generation));
}

static void join(struct model *m, uint32_t file, uint32_t object)
{
	m->file[file].object = object;
	if (m->file[file].inode)
		m->object[object].file = file;
}

void model_tell_inode(struct model *m, const struct trace_file *file)
{
	m->file = grow(m->file, &m->files_room, (size_t)file->id + 1, sizeof(*m->file));
	m->file[file->id].inode = file->ino ? inode_hash(file->dev, file->ino) : 0;
	m->file[file->id].generation = file->generation;
}

void model_define(struct model *m, const struct trace_file *file, const char *path, const char *target)
{
	struct model_file *f;

	model_tell_inode(m, file);
	f = &m->file[file->id];
	*f = (struct model_file){.object = f->object,
				 .path = path[0] == '/' ? texts_add(m->strings, path, strlen(path)) : 0,
				 .target = texts_add(m->strings, target, strlen(target)),
				 .mode = file->mode,
				 .nlink = file->nlink,
				 .bits = file->bits,
				 .inode = f->inode,
				 .generation = f->generation,
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
		model_set_special(m, object, f->mode);
	else if (kind == OBJECT_FILE)
		o->size = o->start_size = o->low_size = f->size > INT64_MAX ? INT64_MAX : f->size;
	if (kind == OBJECT_LINK)
		o->target = f->target ? f->target : texts_add(m->strings, "unknown", 7);
	join(m, file, object);
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

	model_walk_existing(m, path, false, true, where);
	if (!where->name || where->object != OBJECT_UNKNOWN)
		return where->object == OBJECT_ABSENT ? 0 : where->object;
	if (!object)
		object = object_for(m, file, kind);
	model_existed(m, where->name, object);
	where->object = m->name[where->name].now;
	return object;
}

static void tell_mode(struct model *m, uint32_t file, uint32_t object)
{
	const struct model_file *f = &m->file[file];
	struct object *o = &m->object[object];

	if (!(o->bits & OBJECT_MODE_GUESSED) || !S_ISDIR(f->mode) || f->bits & TRACE_FILE_CREATED)
		return;
	o->mode = permissions(f->mode);
	o->bits &= (uint8_t)~OBJECT_MODE_GUESSED;
}

uint32_t model_object_of(struct model *m, uint32_t file)
{
	struct where where;

	where.way = 0;
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
		if (object && !m->file[file].object) {
			join(m, file, object);
			tell_mode(m, file, object);
		}
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
		struct where where = {.way = 0};

		snprintf(link, sizeof(link), "%.*s", (int)(cut_g[n] - given), given);
		model_walk_existing(m, link, false, true, &where);
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

	model_walk_existing(m, path, follow, false, where);
	if (where->name || where->missing)
		return;
	both_paths(m, file, path, given, real);
	if (real[0] && same_last(given, real))
		infer_link(m, given, real, false);
	model_walk_existing(m, path, follow, true, where);
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
	return m->object[object].name && !m->object[object].names;
}

void model_exists(struct model *m, const char *path, bool follow, uint32_t file, enum object_kind kind, struct where *where)
{
	char given[PATH_MAX], real[PATH_MAX];
	uint32_t known = file ? m->file[file].object : 0;

	model_walk_existing(m, path, follow, false, where);
	if (where->object != OBJECT_UNKNOWN && where->object != OBJECT_ABSENT) {
		/* The first time that this object is seen under its id, or the inode of a removed file was used again. */
		if (file && (!known || (known != where->object && (is_gone(m, known) || model_same_file(m, file, m->object[where->object].file)))))
			model_tie(m, file, where->object);
		if (!file || m->file[file].object == where->object)
			return;
	}
	both_paths(m, file, path, given, real);
	if (where->object == OBJECT_UNKNOWN && real[0] && (follow || same_last(given, real)) && m->file[file].nlink <= 1) {
		if (follow)
			model_object_of(m, file);
		model_walk_existing(m, path, follow, false, where);
		if (where->object == OBJECT_UNKNOWN)
			infer_link(m, given, real, follow);
	}
	model_walk_existing(m, path, follow, true, where);
	known = file ? m->file[file].object : 0;
	if (where->name && where->object == OBJECT_UNKNOWN && was_missing(m, given))
		where->object = m->name[where->name].start = m->name[where->name].now = OBJECT_ABSENT;
	if (where->name && where->object == OBJECT_UNKNOWN) {
		uint32_t object = known ? known : object_for(m, file, kind);

		model_existed(m, where->name, object);
		where->object = object;
	} else if (where->object == OBJECT_ABSENT || (known && known != where->object)) {
		m->conflicts++; /* somebody who was not recorded changed it */
		appear(m, file, kind, where);
	}
}

void model_absent(struct model *m, const char *path, bool follow, int error, struct where *where)
{
	model_walk_existing(m, path, follow, false, where);
	if (!where->directory && !where->missing && error == ENOENT)
		remember_missing(m, path);
	if (where->name && where->object == OBJECT_UNKNOWN && error == ENOENT) {
		m->name[where->name].start = m->name[where->name].now = OBJECT_ABSENT;
		where->object = OBJECT_ABSENT;
	} else if (error == ENOTDIR && where->passed_n) {
		/* Something on the way is no directory: the last name before the end, when nothing is known about it. */
		uint32_t name = where->passed[where->passed_n - 1];

		if (m->name[name].now == OBJECT_UNKNOWN)
			model_existed(m, name, model_new_object(m, OBJECT_FILE, 0644));
	}
}

void model_absent_directory(struct model *m, const char *path, bool follow, struct where *where)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct where to = {.way = 0};

	model_walk(m, path, follow, where);
	if (where->name || where->missing || !slash || !slash[1] || slash == path || (size_t)(slash - path) >= sizeof(directory))
		return;
	memcpy(directory, path, (size_t)(slash - path));
	directory[slash - path] = 0;
	model_walk(m, directory, true, &to);
	if (to.name && to.object == OBJECT_UNKNOWN)
		model_absent(m, directory, true, ENOENT, &to);
}

void model_tie(struct model *m, uint32_t file, uint32_t object)
{
	const struct model_file *f = &m->file[file];
	struct object *o = &m->object[object];

	if (!file)
		return;
	join(m, file, object);
	if (!(o->bits & OBJECT_AT_START))
		return;
	tell_mode(m, file, object);
	if (o->bits & OBJECT_GUESSED && f->mode) {
		model_ways_change(m);
		o->kind = (uint8_t)kind_of_mode(f->mode, o->kind);
		o->mode = permissions(f->mode);
		if (o->kind == OBJECT_LINK)
			o->target = f->target;
		if (o->kind == OBJECT_FILE && !S_ISREG(f->mode))
			model_set_special(m, object, f->mode);
		o->bits &= (uint8_t)~OBJECT_GUESSED;
	}
	if (o->kind == OBJECT_FILE && S_ISREG(f->mode) && !(o->bits & OBJECT_SIZE_SET) && f->size <= INT64_MAX && o->start_size < f->size)
		o->start_size = o->low_size = o->size = f->size;
}

void model_place_rest(struct model *m)
{
	for (uint32_t id = 1; id < m->files_room; id++) {
		uint32_t object;

		if (m->file[id].object || !m->file[id].path || m->file[id].bits & TRACE_FILE_CREATED)
			continue;
		object = model_object_of(m, id);
		if (object && m->object[object].kind == OBJECT_FILE)
			m->object[object].bits |= OBJECT_LISTED;
	}
}
