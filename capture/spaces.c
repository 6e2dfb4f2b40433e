#include "capture/spaces.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define LABEL "/.mnt-"

void spaces_init(struct spaces *spaces, struct mountinfo *own)
{
	*spaces = (struct spaces){.own = own, .own_number = spaces_number(0)};
}

void spaces_release(struct spaces *spaces)
{
	for (size_t i = 0; i < spaces->n; i++) {
		mountinfo_release(&spaces->space[i]->mounts);
		free(spaces->space[i]);
	}
	free(spaces->space);
	spaces->space = NULL;
	spaces->n = 0;
}

uint32_t spaces_number(uint32_t pid)
{
	char path[64] = "/proc/self/ns/mnt";
	struct stat st;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%u/ns/mnt", pid);
	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

/* A process that is in the namespace still, 0: none of those that were seen there last. */
static uint32_t inhabitant(const struct space *space)
{
	for (size_t i = 0; i < ARRAY_SIZE(space->pid); i++)
		if (space->pid[i] && spaces_number(space->pid[i]) == space->number)
			return space->pid[i];
	return 0;
}

/* The one that was seen last stands first. Most are short-lived; those that started them are not. */
static void remember(struct space *space, uint32_t pid)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(space->pid) - 1 && space->pid[i] != pid)
		i++;
	memmove(space->pid + 1, space->pid, i * sizeof(space->pid[0]));
	space->pid[0] = pid;
}

/* Any process that is in the namespace, found the long way: those that were seen there may all have been short-lived. 0: none. */
static uint32_t seek_inhabitant(const struct space *space)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint32_t found = 0;

	while (proc && !found && (entry = readdir(proc))) {
		uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10);

		if (pid && spaces_number(pid) == space->number)
			found = pid;
	}
	if (proc)
		closedir(proc);
	return found;
}

static bool read_mounts(struct mountinfo *to, uint32_t pid)
{
	struct mountinfo mounts;

	if (!pid || mountinfo_read_of(&mounts, pid))
		return false;
	mountinfo_release(to);
	*to = mounts;
	return true;
}

static struct space *find_or_add(struct spaces *spaces, uint32_t number)
{
	struct space **more, *space;

	for (size_t i = 0; i < spaces->n; i++)
		if (spaces->space[i]->number == number)
			return spaces->space[i];
	more = realloc(spaces->space, (spaces->n + 1) * sizeof(*more));
	space = more ? calloc(1, sizeof(*space)) : NULL;
	spaces->space = more ? more : spaces->space;
	if (!space)
		return NULL;
	space->number = number;
	mountinfo_read(&space->mounts); /* ours: it began as a copy of them, or of a copy; its own come when they can be read */
	return spaces->space[spaces->n++] = space;
}

struct space *spaces_get(struct spaces *spaces, uint32_t number, uint32_t pid, uint64_t events, bool *changed)
{
	struct space *space;

	*changed = false;
	if (!number)
		return NULL;
	if (number == spaces->own_number) {
		if (events && events != spaces->own_events)
			*changed = read_mounts(spaces->own, (uint32_t)getpid());
		spaces->own_events = events ? events : spaces->own_events;
		return NULL;
	}
	space = find_or_add(spaces, number);
	if (!space)
		return NULL;
	remember(space, pid);
	if (!space->known || events != space->events) {
		uint32_t there = inhabitant(space);

		if (!there && (!space->sought || events != space->events)) {
			there = seek_inhabitant(space);
			if (there)
				remember(space, there);
		}
		space->known = *changed = read_mounts(&space->mounts, there);
		space->sought = true;
		space->events = events;
	}
	return space;
}

/* "/" counts as nothing, so that paths can be put behind it. */
static size_t length_of(const char *directory)
{
	size_t n = strlen(directory);

	return n == 1 ? 0 : n;
}

static bool is_below(const char *path, size_t length, const char *directory, size_t n)
{
	return n <= length && !memcmp(path, directory, n) && (n == length || path[n] == '/');
}

/*
 * The path that the mounts of `to` have for what `from` has at path: the mount that shows the same part of the same file system and is not covered by
 * another one. Returns its length, -1: there is none.
 */
static ssize_t translate(const struct mountinfo *from, const struct mountinfo *to, const char *path, size_t length, char out[SPACES_PATH])
{
	const struct mountinfo_entry *here = mountinfo_of(from, path, length);
	char inside[SPACES_PATH], result[SPACES_PATH];
	size_t best = 0, at = here ? length_of(here->path) : 0;
	int inside_bytes, n;
	ssize_t found = -1;

	if (!here)
		return -1;
	inside_bytes = snprintf(inside, sizeof(inside), "%.*s%.*s", (int)length_of(here->root), here->root, (int)(length - at), path + at);
	if (inside_bytes < 0 || (size_t)inside_bytes >= sizeof(inside))
		return -1;
	for (size_t i = 0; i < to->n; i++) {
		const struct mountinfo_entry *m = &to->entry[i];
		size_t root = length_of(m->root);

		if (m->dev != here->dev || (found >= 0 && root < best) || !is_below(inside, (size_t)inside_bytes, m->root, root))
			continue;
		n = snprintf(result, sizeof(result), "%.*s%s", (int)length_of(m->path), m->path, inside + root);
		if (n < 0 || (size_t)n >= sizeof(result) || mountinfo_of(to, result, (size_t)n) != m)
			continue;
		/* Of several that show it, one at the same place is best. */
		if (found >= 0 && root == best && (found == (ssize_t)length && !memcmp(out, path, length)))
			continue;
		memcpy(out, result, (size_t)n + 1);
		found = n;
		best = root;
	}
	return found;
}

static size_t private_label(const struct space *space, const char *path, size_t length, char label[SPACES_PATH])
{
	int n = snprintf(label, SPACES_PATH, LABEL "%u%.*s", space->number, (int)length, path);

	return n < SPACES_PATH ? (size_t)n : SPACES_PATH - 1;
}

size_t spaces_label(const struct spaces *spaces, const struct space *space, const char *path, size_t length, char label[SPACES_PATH])
{
	ssize_t n = translate(&space->mounts, spaces->own, path, length, label);

	return n < 0 ? private_label(space, path, length, label) : (size_t)n;
}

enum found { SOMETHING_ELSE, NOTHING, THE_FILE };

static enum found find(const struct spaces *spaces, const char *label, uint64_t ino)
{
	char buffer[SPACES_PATH];
	struct stat st;

	if (lstat(spaces_where(spaces, label, buffer), &st))
		return NOTHING;
	return st.st_ino == ino ? THE_FILE : SOMETHING_ELSE;
}

size_t spaces_label_of(const struct spaces *spaces, const struct space *space, const char *path, size_t length, uint64_t ino, char label[SPACES_PATH])
{
	size_t n = spaces_label(spaces, space, path, length, label);
	enum found found = find(spaces, label, ino);
	char same[SPACES_PATH];

	if (found == THE_FILE)
		return n;
	/* Mounts change: a namespace that was made a moment ago had ours. */
	snprintf(same, sizeof(same), "%.*s", (int)length, path);
	if (find(spaces, same, ino) == THE_FILE) {
		memcpy(label, same, length + 1);
		return length;
	}
	return space->known || found == NOTHING ? n : private_label(space, path, length, label);
}

/* The number in a label, 0: it is none. *rest is what follows. */
static uint32_t number_in(const char *label, const char **rest)
{
	char *end;
	unsigned long number;

	if (strncmp(label, LABEL, strlen(LABEL)) != 0)
		return 0;
	number = strtoul(label + strlen(LABEL), &end, 10);
	*rest = end;
	return *end && *end != '/' ? 0 : (uint32_t)number;
}

size_t spaces_inside(const struct spaces *spaces, const struct space *space, const char *label, size_t length, char path[SPACES_PATH])
{
	const char *rest;
	ssize_t n;

	if (space && number_in(label, &rest) == space->number)
		n = snprintf(path, SPACES_PATH, "%s", rest);
	else
		n = space ? translate(spaces->own, &space->mounts, label, length, path) : -1;
	if (n < 0)
		n = snprintf(path, SPACES_PATH, "%.*s", (int)length, label);
	return n < SPACES_PATH ? (size_t)n : SPACES_PATH - 1;
}

static const struct space *space_of(const struct spaces *spaces, uint32_t number)
{
	for (size_t i = 0; number && i < spaces->n; i++)
		if (spaces->space[i]->number == number)
			return spaces->space[i];
	return NULL;
}

uint64_t spaces_kernel_dev(const struct spaces *spaces, const char *label, size_t length, uint64_t st_dev)
{
	const char *path = label;
	const struct space *space = space_of(spaces, number_in(label, &path));
	const struct mountinfo *mounts = space ? &space->mounts : spaces->own;
	const struct mountinfo_entry *m;

	for (size_t i = 0; i < mounts->n; i++)
		if (mounts->entry[i].dev == st_dev)
			return st_dev;
	m = mountinfo_of(mounts, space ? path : label, space ? length - (size_t)(path - label) : length);
	return m && m->makes_devs && !(spaces->subvolumes && !strcmp(m->type, "btrfs")) ? m->dev : st_dev;
}

const char *spaces_where(const struct spaces *spaces, const char *label, char buffer[SPACES_PATH])
{
	const char *rest = NULL;
	const struct space *space = space_of(spaces, number_in(label, &rest));

	if (!space)
		return *label ? label : "/";
	snprintf(buffer, SPACES_PATH, "/proc/%u/root%s", inhabitant(space), *rest ? rest : "/"); /* the root itself is no link */
	return buffer;
}
