#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/names.h"
#include "capture/spaces.h"

#define LINKS_MAX 40
#define LIST_MAX 65536
#define TICK_NS 10000000 /* of the slowest kernels: file systems take times from a clock that may be so late */

int names_init(struct names *names, struct trace_writer *writer, struct files *files)
{
	memset(names, 0, sizeof(*names));
	names->writer = writer;
	names->files = files;
	names->room = 4096;
	names->chain = calloc(names->room, sizeof(struct name *));
	return names->chain ? 0 : -ENOMEM;
}

void names_release(struct names *names)
{
	for (size_t i = 0; names->chain && i < names->room; i++) {
		while (names->chain[i]) {
			struct name *name = names->chain[i];

			names->chain[i] = name->next;
			free(name->target);
			free(name);
		}
	}
	free(names->chain);
	memset(names, 0, sizeof(*names));
}

static uint32_t hash_of(const char *text, size_t length)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < length; i++)
		h = (h ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	return (uint32_t)(h ^ h >> 32);
}

static void grow(struct names *names)
{
	size_t room = names->room * 2;
	struct name **chain = calloc(room, sizeof(struct name *));

	if (!chain)
		return; /* longer chains, nothing worse */
	for (size_t i = 0; i < names->room; i++) {
		while (names->chain[i]) {
			struct name *name = names->chain[i];

			names->chain[i] = name->next;
			name->next = chain[name->hash & (room - 1)];
			chain[name->hash & (room - 1)] = name;
		}
	}
	free(names->chain);
	names->chain = chain;
	names->room = room;
}

struct name *names_get(struct names *names, const char *text, size_t length)
{
	uint32_t hash = hash_of(text, length);
	struct name *name;

	for (name = names->chain[hash & (names->room - 1)]; name; name = name->next)
		if (name->hash == hash && name->length == length && !memcmp(name->text, text, length))
			return name;
	if (names->count >= names->room)
		grow(names);
	name = calloc(1, sizeof(*name) + length + 1);
	if (!name)
		return NULL;
	memcpy(name->text, text, length);
	name->length = (uint32_t)length;
	name->hash = hash;
	name->next = names->chain[hash & (names->room - 1)];
	names->chain[hash & (names->room - 1)] = name;
	names->count++;
	return name;
}

uint32_t names_string(struct names *names, struct name *name)
{
	if (!name)
		return 0;
	if (!name->string)
		name->string = trace_writer_string(names->writer, name->length ? name->text : "/", name->length ? name->length : 1);
	return name->string;
}

static enum name_kind kind_of(mode_t mode)
{
	return S_ISDIR(mode) ? NAME_DIRECTORY : S_ISLNK(mode) ? NAME_LINK : NAME_OTHER;
}

static void read_target(struct name *name, const char *path)
{
	char text[PATH_MAX];
	ssize_t n = readlink(path, text, sizeof(text) - 1);

	free(name->target);
	name->target = n > 0 ? strndup(text, (size_t)n) : NULL;
}

/* Was it born after the call, or perhaps so? Then it may be none of the call's business; whoever uses it tells what it is. */
static bool born_later(const struct names *names, const struct name *name, const struct statx *st)
{
	uint64_t slack_ns = name->created ? 0 : TICK_NS, born_ns = (uint64_t)st->stx_btime.tv_sec * 1000000000ULL + st->stx_btime.tv_nsec;

	return (st->stx_mask & STATX_BTIME) && born_ns + slack_ns > names->start_realtime_ns + names->now_ns;
}

/*
 * Was it changed (and so perhaps renamed) since the call, or just before? A name that was listed may have been another file's then. Whoever uses
 * it afterwards tells what it is.
 */
static bool changed_later(const struct names *names, const struct statx *st)
{
	uint64_t changed_ns = (uint64_t)st->stx_ctime.tv_sec * 1000000000ULL + st->stx_ctime.tv_nsec;

	return changed_ns + TICK_NS > names->start_realtime_ns + names->now_ns;
}

/* A name that a recorded call has made, and that is gone already: what it was is known from that call. */
static void tell_made(struct names *names, struct name *name)
{
	struct file_sight sight = {.seen_ns = names->now_ns, .bits = TRACE_FILE_CREATED};

	if (name->kind == NAME_DIRECTORY)
		sight.mode = S_IFDIR | 0755;
	else if (name->kind == NAME_LINK && name->target)
		sight.mode = S_IFLNK | 0777;
	else
		return;
	if (name->target) {
		sight.size = strlen(name->target);
		sight.target = trace_writer_string(names->writer, name->target, sight.size);
	}
	sight.path = names_string(names, name);
	name->file = files_see(names->files, &sight);
}

/* What st says of the name. It stands at path now. */
static void look_at(struct names *names, struct name *name, const struct statx *st, const char *path)
{
	struct file_sight sight = {.seen_ns = names->now_ns};
	uint64_t st_dev;

	name->kind = (uint8_t)kind_of(st->stx_mode);
	if (name->kind == NAME_LINK) {
		read_target(name, path);
		if (name->target)
			sight.target = trace_writer_string(names->writer, name->target, strlen(name->target));
	}
	if (!S_ISREG(st->stx_mode) && !S_ISDIR(st->stx_mode) && !S_ISLNK(st->stx_mode))
		return;
	st_dev = (uint64_t)st->stx_dev_major << 20 | st->stx_dev_minor;
	sight.dev = spaces_kernel_dev(names->spaces, name->text, name->length, st_dev);
	sight.user_dev = sight.dev == st_dev ? 0 : st_dev;
	sight.ino = st->stx_ino;
	sight.mode = st->stx_mode;
	sight.nlink = st->stx_nlink;
	sight.size = st->stx_size;
	sight.bits = (name->created ? TRACE_FILE_CREATED : 0) | (S_ISREG(st->stx_mode) ? TRACE_FILE_SIZE_LATE : 0);
	sight.path = names_string(names, name);
	name->file = files_see(names->files, &sight);
}

/* listed: that it was there was not said by a call on it, but by the list of a directory. */
static void look(struct names *names, struct name *name, bool listed)
{
	bool made = name->made;
	char buffer[SPACES_PATH];
	const char *path;
	struct statx st;

	if (name->looked)
		return;
	name->made = false;
	path = spaces_where(names->spaces, name->text, buffer);
	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) ||
	    (made && kind_of(st.stx_mode) != (enum name_kind)name->kind)) {
		if (made)
			tell_made(names, name);
		else
			name->kind = NAME_ABSENT;
		name->looked = made;
		return;
	}
	if ((!made && born_later(names, name, &st)) || (listed && changed_later(names, &st)))
		return;
	name->looked = true;
	look_at(names, name, &st, path);
}

void names_look(struct names *names, struct name *name)
{
	look(names, name, false);
}

void names_look_moved(struct names *names, struct name *name, const struct name *now)
{
	char buffer[SPACES_PATH];
	const char *path = spaces_where(names->spaces, now->text, buffer);
	struct statx st;

	if (name->made || statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) || born_later(names, name, &st))
		return;
	look_at(names, name, &st, path);
}

/* At the end of a path only links matter: whatever else is there, the call itself says more about it. */
static void peek(struct names *names, struct name *name)
{
	char byte, buffer[SPACES_PATH];

	if (name->looked || name->peeked || name->made)
		return;
	name->peeked = true;
	if (readlink(spaces_where(names->spaces, name->text, buffer), &byte, 1) == 1)
		names_look(names, name);
}

void names_list(struct names *names, struct name *directory)
{
	char text[PATH_MAX], buffer[SPACES_PATH];
	struct dirent *entry;
	size_t left = LIST_MAX;
	DIR *dir;

	if (directory->listed || directory->created)
		return; /* what is in a new directory was made by recorded calls */
	directory->listed = true;
	dir = opendir(spaces_where(names->spaces, directory->text, buffer));
	while (dir && left-- && (entry = readdir(dir))) {
		int n = snprintf(text, sizeof(text), "%s/%s", directory->text, entry->d_name);
		struct name *name;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || n >= (int)sizeof(text))
			continue;
		name = names_get(names, text, (size_t)n);
		if (name && !name->looked && !name->made && !name->created)
			look(names, name, true);
	}
	if (dir)
		closedir(dir);
}

/* ---- following a path ------------------------------------------------------------------------------------------------------ */

struct follow {
	struct names *names;
	const struct names_view *view;
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
	f->done[f->length] = 0;
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
	f->done[f->length] = 0;
	return true;
}

static struct name *name_of_done(struct follow *f)
{
	char label[SPACES_PATH];

	if (!f->view || !f->view->space)
		return names_get(f->names, f->done, f->length);
	return names_get(f->names, label, spaces_label(f->view->spaces, f->view->space, f->done, f->length, label));
}

/* Takes the next component. Returns the place of what follows it, NULL at the end, and the component's name (NULL: out of bounds). */
static char *component(struct follow *f, char *rest, struct name **name)
{
	size_t n;

	*name = NULL;
	rest += strspn(rest, "/");
	n = strcspn(rest, "/");
	if (!n)
		return NULL;
	if (n == 2 && rest[0] == '.' && rest[1] == '.')
		drop_last(f);
	else if (n != 1 || rest[0] != '.') {
		if (f->length + n + 2 > PATH_MAX)
			return NULL;
		f->done[f->length++] = '/';
		memcpy(f->done + f->length, rest, n);
		f->length += n;
		f->done[f->length] = 0;
	}
	*name = name_of_done(f);
	return rest + n;
}

struct name *names_resolve(struct names *names, const char *path, size_t length, bool follow)
{
	return names_resolve_in(names, NULL, path, length, follow);
}

struct name *names_resolve_in(struct names *names, const struct names_view *view, const char *path, size_t length, bool follow)
{
	struct follow f = {.names = names, .view = view};
	struct name *name = NULL, *here;
	char *rest = f.rest;

	if (length >= PATH_MAX)
		return NULL;
	memcpy(f.rest, path, length);
	f.rest[length] = 0;
	if (view) {
		if (view->root_length >= PATH_MAX)
			return NULL;
		memcpy(f.done, view->root, view->root_length);
		f.done[view->root_length] = 0;
		f.length = f.floor = view->root_length;
	}
	names_look(names, names_get(names, "", 0));
	for (;;) {
		char *after = component(&f, rest, &here);

		if (!after)
			break;
		if (!here)
			return NULL;
		name = here;
		rest = after;
		if (rest[strspn(rest, "/")]) {
			if (!name->made)
				names_look(names, name);
		} else {
			if (!follow && *rest != '/')
				break;
			peek(names, name);
		}
		if (name->kind != NAME_LINK || !name->target)
			continue;
		if (!put_target(&f, name->target, rest))
			return NULL;
		rest = f.rest;
	}
	return rest[strspn(rest, "/")] ? NULL : name ? name : name_of_done(&f);
}

/* ---- rename ---------------------------------------------------------------------------------------------------------------- */

static void swap_state(struct name *a, struct name *b)
{
	struct name old = *a;

	a->target = b->target;
	a->file = b->file;
	a->kind = b->kind;
	a->created = b->created;
	a->looked = b->looked;
	a->made = b->made;
	b->target = old.target;
	b->file = old.file;
	b->kind = old.kind;
	b->created = old.created;
	b->looked = old.looked;
	b->made = old.made;
}

void names_forget(struct name *name)
{
	free(name->target);
	name->target = NULL;
	name->file = 0;
	name->kind = NAME_ABSENT;
	name->created = true; /* what comes there later is new */
	name->looked = true;
	name->made = false;
}

static bool below(const struct name *name, const struct name *directory)
{
	return name->length > directory->length + 1 && name->text[directory->length] == '/' &&
	       !memcmp(name->text, directory->text, directory->length);
}

/* Names below a moved directory: gathered first, since making the new ones changes the table. */
static void move_below(struct names *names, const struct name *from, const struct name *to, bool exchange)
{
	struct name **list = NULL;
	size_t n = 0, room = 0;
	char text[PATH_MAX];

	for (size_t i = 0; i < names->room; i++) {
		for (struct name *name = names->chain[i]; name; name = name->next) {
			if (!below(name, from))
				continue;
			if (n == room) {
				struct name **more = realloc(list, (room = room ? 2 * room : 64) * sizeof(*list));

				if (!more)
					break;
				list = more;
			}
			list[n++] = name;
		}
	}
	for (size_t i = 0; i < n; i++) {
		size_t tail = list[i]->length - from->length;
		struct name *other;

		if (to->length + tail >= sizeof(text))
			continue;
		memcpy(text, to->text, to->length);
		memcpy(text + to->length, list[i]->text + from->length, tail);
		other = names_get(names, text, to->length + tail);
		if (!other)
			continue;
		swap_state(list[i], other);
		if (!exchange)
			names_forget(list[i]);
	}
	free(list);
}

void names_move(struct names *names, struct name *from, struct name *to, bool exchange)
{
	if (from == to)
		return;
	if (from->kind == NAME_DIRECTORY)
		move_below(names, from, to, exchange);
	swap_state(from, to);
	if (!exchange)
		names_forget(from);
}
