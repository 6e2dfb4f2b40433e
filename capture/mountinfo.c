#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/mountinfo.h"
#include "lib/cleanup.h"
#include "lib/json.h"

/* The same set that the kernel program knows by magic number. */
static const char *const pseudo_types[] = {
	"proc", "sysfs", "cgroup", "cgroup2", "debugfs", "tracefs", "bpf", "securityfs", "devpts", "devtmpfs", "mqueue",
	"hugetlbfs", "binfmt_misc", "configfs", "fusectl", "selinuxfs", "smackfs", "pstore", "efivarfs", "rpc_pipefs",
	"nfsd", "autofs", "nsfs", NULL};

static bool is_pseudo(const char *type)
{
	for (size_t i = 0; pseudo_types[i]; i++)
		if (!strcmp(type, pseudo_types[i]))
			return true;
	return false;
}

/* The kernel writes space, tab, newline and backslash as \ooo. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((unsigned)(text[1] - '0') * 64 + (unsigned)(text[2] - '0') * 8 + (unsigned)(text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = 0;
}

/* "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue" */
static bool parse(char *line, struct mountinfo_entry *entry)
{
	char *field[6], *rest = line, *tail = strstr(line, " - ");
	unsigned int major, minor;

	if (!tail)
		return false;
	*tail = 0;
	tail += 3;
	for (size_t i = 0; i < ARRAY_SIZE(field); i++)
		if (!(field[i] = strsep(&rest, " ")))
			return false;
	if (sscanf(field[2], "%u:%u", &major, &minor) != 2)
		return false;
	entry->dev = (uint64_t)major << 20 | minor;
	entry->type = strdup(strsep(&tail, " "));
	entry->source = strdup(tail ? strsep(&tail, " ") : "");
	entry->root = strdup(field[3]);
	entry->path = strdup(field[4]);
	if (!entry->type || !entry->source || !entry->root || !entry->path ||
	    asprintf(&entry->options, "%s%s%s", field[5], tail && *tail ? ";" : "", tail && *tail ? tail : "") < 0)
		return false;
	entry->options[strcspn(entry->options, "\n")] = 0;
	unescape(entry->path);
	entry->path_bytes = strcmp(entry->path, "/") ? strlen(entry->path) : 0;
	unescape(entry->root);
	unescape(entry->source);
	entry->pseudo = is_pseudo(entry->type);
	entry->makes_devs = !strcmp(entry->type, "btrfs") || !strcmp(entry->type, "overlay") || !strcmp(entry->type, "bcachefs");
	return true;
}

static int read_file(struct mountinfo *mounts, const char *path)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	mounts->entry = NULL;
	mounts->n = mounts->longest = 0;
	if (!f)
		return -errno;
	while (getline(&line, &room, f) > 0) {
		struct mountinfo_entry *more = realloc(mounts->entry, (mounts->n + 1) * sizeof(*more));

		if (!more)
			return -ENOMEM;
		mounts->entry = more;
		memset(&more[mounts->n], 0, sizeof(*more));
		if (!parse(line, &more[mounts->n]))
			continue;
		if (more[mounts->n].path_bytes > mounts->longest)
			mounts->longest = more[mounts->n].path_bytes;
		mounts->n++;
	}
	return 0;
}

int mountinfo_read(struct mountinfo *mounts)
{
	return read_file(mounts, "/proc/self/mountinfo");
}

int mountinfo_read_of(struct mountinfo *mounts, uint32_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/mountinfo", pid);
	return read_file(mounts, path);
}

const struct mountinfo_entry *mountinfo_of(const struct mountinfo *mounts, const char *path, size_t length)
{
	const struct mountinfo_entry *best = NULL;
	size_t best_length = 0;

	/* The last one mounted on a place covers the others. */
	for (size_t i = 0; i < mounts->n; i++) {
		size_t n = mounts->entry[i].path_bytes;

		/* Most of them fail at the first letter, so that is looked at first: the other tests are hard to predict. */
		if (n > length || (n > 1 && path[1] != mounts->entry[i].path[1]))
			continue;
		if (n >= best_length && (n == length || path[n] == '/') && !memcmp(path, mounts->entry[i].path, n)) {
			best = &mounts->entry[i];
			best_length = n;
		}
	}
	return best;
}

bool mountinfo_pseudo_dev(const struct mountinfo *mounts, uint64_t dev)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (mounts->entry[i].dev == dev)
			return mounts->entry[i].pseudo;
	return false;
}

bool mountinfo_makes_devs(const struct mountinfo *mounts, uint64_t dev)
{
	for (size_t i = 0; i < mounts->n; i++)
		if (mounts->entry[i].dev == dev)
			return mounts->entry[i].makes_devs;
	return true;
}

json_t *mountinfo_json(const struct mountinfo *mounts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < mounts->n; i++) {
		const struct mountinfo_entry *m = &mounts->entry[i];
		char dev[32];

		if (m->pseudo)
			continue;
		snprintf(dev, sizeof(dev), "%u:%u", (unsigned)(m->dev >> 20), (unsigned)(m->dev & 0xfffff));
		json_array_append_new(list, json_pack("{s:o, s:o, s:s, s:o, s:o, s:o}", "path", json_any_text(m->path), "type",
						      json_any_text(m->type), "dev", dev, "root", json_any_text(m->root), "source",
						      json_any_text(m->source), "options", json_any_text(m->options)));
	}
	return list;
}

void mountinfo_release(struct mountinfo *mounts)
{
	for (size_t i = 0; i < mounts->n; i++) {
		struct mountinfo_entry *m = &mounts->entry[i];

		free(m->path);
		free(m->type);
		free(m->source);
		free(m->options);
		free(m->root);
	}
	free(mounts->entry);
	memset(mounts, 0, sizeof(*mounts));
}
