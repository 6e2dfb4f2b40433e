#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "capture/names.h"
#include "capture/spaces.h"

/*
 * Paths as the kernel follows them. Programs use many names in few directories, so the way to a directory is remembered as long as no
 * symbolic link comes, goes or moves: nothing else changes where a path leads.
 */

#define LINKS_MAX 40

struct follow {
	struct names *names;
	const struct names_view *view; /* NULL: our own */
	size_t floor; /* of done: what a link and .. cannot leave */
	char done[PATH_MAX + NAME_MAX + 2]; /* canonical, without a final '/'; "" is the root */
	size_t length;
	char rest[2 * PATH_MAX];
	int links;
};

static void drop_last(struct follow *f)
{
	while (f->length > f->floor && f->done[--f->length] != '/')
		;
}

/* A link stands where a component was: its text comes before the rest. False: too long or too deep. */
static bool put_target(struct follow *f, const char *target, const char *rest)
{
	size_t n = strlen(target), more = strlen(rest);

	if (++f->links > LINKS_MAX || n + more + 2 > sizeof(f->rest))
		return false;
	memmove(f->rest + n + 1, rest, more + 1);
	memcpy(f->rest, target, n);
	f->rest[n] = '/';
	if (target[0] == '/')
		f->length = f->floor;
	else
		drop_last(f);
	return true;
}

static struct name *name_of_done(struct follow *f)
{
	char label[SPACES_PATH];

	if (!f->view || !f->view->space)
		return f->length ? names_get(f->names, f->done, f->length) : f->names->root;
	f->done[f->length] = 0;
	return names_get(f->names, label, spaces_label(f->view->spaces, f->view->space, f->done, f->length, label));
}

/* The name of component[n] in the directory that has been reached, or what '.' and '..' mean. NULL: too long. */
static struct name *step(struct follow *f, const char *component, size_t n)
{
	if (n == 2 && component[0] == '.' && component[1] == '.') {
		drop_last(f);
	} else if (n != 1 || component[0] != '.') {
		if (f->length + n + 2 > PATH_MAX)
			return NULL;
		f->done[f->length++] = '/';
		memcpy(f->done + f->length, component, n);
		f->length += n;
	}
	return name_of_done(f);
}

/* Goes from there through all of f->rest, looking at everything on the way. The directory that it ends in, NULL: no such place. */
static struct name *walk(struct follow *f, struct name *name)
{
	for (char *rest = f->rest;;) {
		size_t n;

		rest += strspn(rest, "/");
		n = strcspn(rest, "/");
		if (!n || !name)
			return name;
		name = step(f, rest, n);
		if (!name)
			return NULL;
		name->followed = true;
		rest += n;
		if (!name->made)
			names_look(f->names, name);
		if (name->kind != NAME_LINK || !name->target)
			continue;
		if (!put_target(f, name->target, rest))
			return NULL;
		rest = f->rest;
	}
}

static struct names_way *way_of(struct names *names, const char *text, size_t n)
{
	return &names->way[XXH3_64bits(text, n) % NAMES_WAYS];
}

/* Stands in the directory that text[n] led to, which is what that way is about. NULL: it is about something else, or not true any more. */
static struct name *remembered(struct follow *f, const struct names_way *way, const char *text, size_t n)
{
	if (way->epoch != f->names->epoch || way->length != n || memcmp(way->text, text, n) != 0)
		return NULL;
	f->length = way->directory->length;
	memcpy(f->done, way->directory->text, f->length);
	return way->directory;
}

/* Of text[n], which ends with '/', what leads to the directory before the last. */
static size_t parent_bytes(const char *text, size_t n)
{
	while (n && text[n - 1] == '/')
		n--;
	while (n && text[n - 1] != '/')
		n--;
	return n;
}

/* Goes to the directory that text[n] leads to; our own are remembered, and what is below one begins there. NULL: no such place. */
static struct name *go_to(struct follow *f, const char *text, size_t n)
{
	struct names_way *way = way_of(f->names, text, n);
	struct name *name = f->view ? NULL : remembered(f, way, text, n);
	size_t known;
	char *copy;

	if (name)
		return name;
	known = f->view ? 0 : parent_bytes(text, n);
	name = known ? remembered(f, way_of(f->names, text, known), text, known) : NULL;
	if (!name) {
		known = 0;
		f->length = f->floor;
		name = name_of_done(f);
	}
	memcpy(f->rest, text + known, n - known);
	f->rest[n - known] = 0;
	name = walk(f, name);
	copy = name && !f->view ? realloc(way->text, n + 1) : NULL;
	if (copy) {
		memcpy(copy, text, n);
		*way = (struct names_way){.text = copy, .length = n, .epoch = f->names->epoch, .directory = name};
	}
	return name;
}

/* Takes the link at the end of a path, in the directory done[at], for the path. Its new length, 0: too long or too deep. */
static size_t follow_last(struct follow *f, size_t at, const struct name *link, bool slash, char path[PATH_MAX])
{
	size_t n = strlen(link->target), before = link->target[0] == '/' ? 0 : at - f->floor + 1;

	if (++f->links > LINKS_MAX || before + n + 2 > PATH_MAX)
		return 0;
	if (before) {
		memcpy(path, f->done + f->floor, before - 1);
		path[before - 1] = '/';
	}
	memcpy(path + before, link->target, n);
	if (slash)
		path[before + n++] = '/';
	return before + n;
}

struct name *names_resolve(struct names *names, const char *path, size_t length, bool follow)
{
	return names_resolve_in(names, NULL, path, length, follow);
}

struct name *names_resolve_in(struct names *names, const struct names_view *view, const char *path, size_t length, bool follow)
{
	char linked[PATH_MAX];
	struct follow f; /* large: set where it is used */

	f.names = names;
	f.view = view;
	f.floor = view ? view->root_length : 0;
	f.links = 0;
	if (length >= PATH_MAX || f.floor >= PATH_MAX)
		return NULL;
	if (view)
		memcpy(f.done, view->root, f.floor);
	names_look(names, names->root);
	for (;;) {
		size_t end = length, begin, at;
		struct name *name, *directory;
		const char *slash;

		while (end && path[end - 1] == '/')
			end--;
		slash = memrchr(path, '/', end);
		begin = slash ? (size_t)(slash - path) + 1 : 0;
		directory = go_to(&f, path, begin);
		if (begin == end || !directory)
			return directory;
		at = f.length;
		name = step(&f, path + begin, end - begin);
		if (!name || (!follow && end == length))
			return name;
		name->followed = true;
		names_peek(names, directory, name);
		if (name->kind != NAME_LINK || !name->target)
			return name;
		length = follow_last(&f, at, name, end < length, linked);
		if (!length)
			return NULL;
		path = linked;
	}
}
