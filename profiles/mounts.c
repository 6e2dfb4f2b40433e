#include "profiles/mounts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

/* "\040" -> " ", in place. */
static char *unescape(char *text)
{
	char *to = text;

	for (const char *from = text; *from; to++) {
		if (from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] && from[3]) {
			*to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
			from += 4;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
	return text;
}

/* 36 35 98:0 /root /mount-point options optional... - type source super-options */
static bool parse(char *line, struct mount_entry *e)
{
	char *field[6], *save = NULL, *tail = strstr(line, " - "), *type, *source, *super;

	if (!tail)
		return false;
	*tail = 0;
	for (int i = 0; i < 6; i++)
		if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
			return false;
	type = strtok_r(tail + 3, " ", &save);
	source = strtok_r(NULL, " ", &save);
	super = strtok_r(NULL, "\n", &save);
	if (!type || !source || sscanf(field[2], "%u:%u", &e->major, &e->minor) != 2)
		return false;
	e->mount_point = unescape(field[4]);
	e->type = type;
	e->source = unescape(source);
	if (asprintf(&e->options, "%s,%s", field[5], super ? super : "") < 0)
		e->options = NULL;
	return e->options != NULL;
}

int mounts_each(int (*each)(const struct mount_entry *entry, void *arg), void *arg)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/mountinfo", "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int rc = 0;

	if (!f)
		return -errno;
	while (!rc && getline(&line, &room, f) > 0) {
		struct mount_entry e = {0};

		if (!parse(line, &e))
			continue;
		rc = each(&e, arg);
		free(e.options);
	}
	return rc;
}

struct wanted {
	const char *mount_point;
	struct mount_entry *entry;
	bool found;
};

static int is_wanted(const struct mount_entry *e, void *arg)
{
	struct wanted *w = arg;

	if (strcmp(e->mount_point, w->mount_point))
		return 0;
	w->found = true;
	if (w->entry) { /* a later line lies above an earlier one */
		mounts_release(w->entry);
		*w->entry = (struct mount_entry){strdup(e->mount_point), strdup(e->type), strdup(e->source), strdup(e->options), e->major,
						 e->minor};
	}
	return 0;
}

bool mounts_at(const char *mount_point, struct mount_entry *entry)
{
	struct wanted w = {mount_point, entry, false};

	if (entry)
		*entry = (struct mount_entry){0};
	mounts_each(is_wanted, &w);
	return w.found;
}

void mounts_release(struct mount_entry *entry)
{
	free(entry->mount_point);
	free(entry->type);
	free(entry->source);
	free(entry->options);
	*entry = (struct mount_entry){0};
}
