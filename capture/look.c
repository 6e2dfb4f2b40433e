#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/names.h"
#include "capture/spaces.h"

/* What is there under a name: asked from the file system, late but once, and told to the trace. */

#define LIST_MAX 65536
#define TICK_NS 10000000 /* of the slowest kernels: file systems take times from a clock that may be so late */

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
	if (S_ISCHR(st->stx_mode) || S_ISBLK(st->stx_mode))
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

/*
 * path leads from the directory at to the name. listed: that it was there was not said by a call on it, but by the list of a directory.
 */
static void look_from(struct names *names, struct name *name, int at, const char *path, bool listed)
{
	bool made = name->made;
	char buffer[SPACES_PATH];
	struct statx st;

	if (name->looked)
		return;
	name->made = false;
	if (statx(at, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &st) ||
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
	look_at(names, name, &st, spaces_where(names->spaces, name->text, buffer));
}

void names_look(struct names *names, struct name *name)
{
	char buffer[SPACES_PATH];

	if (!name->looked)
		look_from(names, name, AT_FDCWD, spaces_where(names->spaces, name->text, buffer), false);
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

void names_peek(struct names *names, const struct name *directory, struct name *name)
{
	char byte, buffer[SPACES_PATH];

	if (name->looked || name->peeked || name->made || directory->created)
		return; /* what is in a new directory was made by recorded calls */
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
			look_from(names, name, dirfd(dir), entry->d_name, true);
	}
	if (dir)
		closedir(dir);
}
