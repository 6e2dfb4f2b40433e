/* The judgement whether a disk may be destroyed. Everything here only reads, except disk_mark. */
#include "profiles/disk_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/proc.h"
#include "lib/why.h"
#include "profiles/kernelfile.h"
#include "profiles/mounts.h"
#include "profiles/tool.h"

#define EDGE_BYTES (1u << 20)
#define SAMPLE_BYTES 4096u
#define SAMPLES 64u

/* The disk itself and its partitions: kernel name and "major:minor" of each. */
struct parts {
	struct {
		char name[64], dev[32], label[128];
	} part[256];
	size_t n;
};

static void add_part(struct parts *all, const char *disk, const char *partition)
{
	char path[256], *text, *label, *end;
	size_t i = all->n;

	if (i == ARRAY_SIZE(all->part))
		return;
	snprintf(all->part[i].name, sizeof(all->part[i].name), "%s", partition ? partition : disk);
	all->part[i].label[0] = 0;
	snprintf(path, sizeof(path), "/sys/block/%s/%s/dev", disk, partition ? partition : ".");
	if (kernel_read(path, &text))
		return;
	snprintf(all->part[i].dev, sizeof(all->part[i].dev), "%s", text);
	free(text);
	snprintf(path, sizeof(path), "/sys/block/%s/%s/uevent", disk, partition ? partition : ".");
	if (!kernel_read(path, &text)) {
		label = strstr(text, "PARTNAME=");
		end = label ? strchr(label, '\n') : NULL;
		if (end)
			*end = 0;
		if (label)
			snprintf(all->part[i].label, sizeof(all->part[i].label), "%s", label + 9);
		free(text);
	}
	all->n++;
}

static void find_parts(const char *disk, struct parts *all)
{
	char path[640];
	struct dirent *e;
	DIR *dir;

	all->n = 0;
	add_part(all, disk, NULL);
	snprintf(path, sizeof(path), "/sys/block/%s", disk);
	dir = opendir(path);
	while (dir && (e = readdir(dir))) {
		snprintf(path, sizeof(path), "/sys/block/%s/%s/partition", disk, e->d_name);
		if (*e->d_name != '.' && !access(path, F_OK))
			add_part(all, disk, e->d_name);
	}
	if (dir)
		closedir(dir);
}

struct search {
	const struct parts *all;
	struct disk *disk;
};

static bool is_part(const struct parts *all, const char *dev, const char *name)
{
	for (size_t i = 0; i < all->n; i++)
		if ((dev && !strcmp(all->part[i].dev, dev)) || (name && !strcmp(all->part[i].name, name)))
			return true;
	return false;
}

static int on_mount(const struct mount_entry *e, void *arg)
{
	struct search *s = arg;
	char dev[32];

	/* btrfs shows an anonymous number, so the source's name counts too */
	snprintf(dev, sizeof(dev), "%u:%u", e->major, e->minor);
	if (!is_part(s->all, dev, !strncmp(e->source, "/dev/", 5) ? e->source + 5 : NULL))
		return 0;
	if (!strcmp(e->mount_point, "/"))
		why_set(&s->disk->why, 0, "it carries the running system");
	else
		why_set(&s->disk->why, 0, "it is mounted on '%s'", e->mount_point);
	return !strcmp(e->mount_point, "/"); /* go on: "/" is the better reason */
}

static bool has_entry(const char *path, char *name, size_t room)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	bool found = false;

	while (dir && !found && (e = readdir(dir))) {
		found = *e->d_name != '.';
		if (found)
			snprintf(name, room, "%s", e->d_name);
	}
	if (dir)
		closedir(dir);
	return found;
}

static bool refused_by_holder(struct disk *d, const struct parts *all)
{
	char path[256], holder[256];

	for (size_t i = 0; i < all->n; i++) {
		snprintf(path, sizeof(path), "/sys/class/block/%s/holders", all->part[i].name);
		if (has_entry(path, holder, sizeof(holder))) {
			why_set(&d->why, 0, "%s is part of %s", all->part[i].name, holder);
			return true;
		}
	}
	return false;
}

static bool refused_by_swap(struct disk *d, const struct parts *all)
{
	_cleanup_free_ char *swaps = NULL;
	char *save = NULL;

	if (kernel_read("/proc/swaps", &swaps))
		return false;
	for (char *line = strtok_r(swaps, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, " \t")] = 0;
		if (!strncmp(line, "/dev/", 5) && is_part(all, NULL, line + 5)) {
			why_set(&d->why, 0, "%s is swap space in use", line + 5);
			return true;
		}
	}
	return false;
}

/* The kernel's own word, which also knows mounts of other namespaces and further btrfs devices. */
static bool refused_by_kernel(struct disk *d, const struct parts *all)
{
	for (size_t i = 0; i < all->n; i++) {
		_cleanup_close_ int fd = -1;
		char path[128];

		snprintf(path, sizeof(path), "/dev/%s", all->part[i].name);
		fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
		if (fd >= 0)
			continue;
		if (errno == EBUSY)
			why_set(&d->why, 0, "%s is in use (the kernel says busy)", all->part[i].name);
		else
			why_set(&d->why, 0, "cannot open %s: %s", path, strerror(errno));
		return true;
	}
	return false;
}

/* All of it would take hours; a disk that ever held data without a signature shows in its edges or in a sample. */
static bool refused_by_content(struct disk *d)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ unsigned char *buffer = malloc(EDGE_BYTES);
	uint64_t edge = d->size_bytes < EDGE_BYTES ? d->size_bytes : EDGE_BYTES;
	char path[128];

	snprintf(path, sizeof(path), "/dev/%s", d->name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (uint64_t i = 0; i < SAMPLES + 2; i++) {
		size_t n = i < 2 ? (size_t)edge : SAMPLE_BYTES;
		uint64_t at = i == 0 ? 0 : i == 1 ? d->size_bytes - edge : (d->size_bytes - SAMPLE_BYTES) / SAMPLES * (i - 2) & ~511ULL;
		ssize_t got = fd < 0 || !buffer ? -1 : pread(fd, buffer, n, (off_t)at);

		if (got < (ssize_t)n) {
			why_set(&d->why, 0, "cannot read it at byte %llu: %s", (unsigned long long)at, got < 0 ? strerror(errno) : "it ends there");
			return true;
		}
		for (size_t b = 0; b < n; b++)
			if (buffer[b]) {
				why_set(&d->why, 0,
					"it is not blank: there is data at byte %llu; if it may go, zero it yourself (blkdiscard -z /dev/%s)",
					(unsigned long long)(at + b), d->name);
				return true;
			}
	}
	return false;
}

static bool refused_by_signature(struct disk *d)
{
	char path[128];
	const char *const argv[] = {"wipefs", "--no-act", "--json", path, NULL};
	_cleanup_free_ char *out = NULL, *why = NULL;
	_cleanup_json_ json_t *doc = NULL;
	const json_t *first;

	snprintf(path, sizeof(path), "/dev/%s", d->name);
	if (tool_run(argv, NULL, &out, &why)) {
		why_set(&d->why, 0, "cannot look for signatures: %s", why);
		return true;
	}
	/* no output at all means no signature */
	doc = json_loads(out[strspn(out, " \n")] ? out : "{}", 0, NULL);
	first = json_array_get(json_object_get(doc, "signatures"), 0);
	if (!doc) {
		why_set(&d->why, 0, "cannot look for signatures: wipefs answered nonsense");
		return true;
	}
	if (first)
		why_set(&d->why, 0, "it holds a signature that is not ours: %s at byte %s", json_text(first, "type", "?"),
			json_text(first, "offset", "?"));
	return first != NULL;
}

static void judge_free(struct disk *d, const struct parts *all)
{
	if (all->n == 2 && !strcmp(all->part[1].label, DISK_MARK)) {
		if (asprintf(&d->scratch, "/dev/%s", all->part[1].name) < 0)
			d->scratch = NULL;
		d->verdict = d->scratch ? DISK_MARKED : DISK_REFUSED;
	} else if (all->n > 1) {
		why_set(&d->why, 0, "it has partitions that are not ours (%s%s%s)", all->part[1].name, *all->part[1].label ? ": " : "",
			all->part[1].label);
	} else if (!refused_by_signature(d) && !refused_by_content(d)) {
		d->verdict = DISK_BLANK;
	}
}

void disk_judge(struct disk *d)
{
	_cleanup_free_ struct parts *all = calloc(1, sizeof(*all));
	struct search search = {all, d};

	d->verdict = DISK_REFUSED;
	if (!all)
		return;
	find_parts(d->name, all);
	if (!d->size_bytes) {
		why_set(&d->why, 0, "it has no medium");
		return;
	}
	mounts_each(on_mount, &search);
	if (d->why)
		return;
	if (d->read_only) {
		why_set(&d->why, 0, "it is read-only");
		return;
	}
	if (!refused_by_swap(d, all) && !refused_by_holder(d, all) && !refused_by_kernel(d, all))
		judge_free(d, all);
}

/* sfdisk wants its script on standard input. */
static int partition(const char *device, char **why)
{
	static const char script[] = "label: gpt\nname=\"" DISK_MARK "\", type=linux\n";
	const char *const argv[] = {"sfdisk", "--quiet", "--wipe", "never", device, NULL};
	struct proc_options options = {.timeout_ns = 60000000000ULL, .environment = tool_environment};
	_cleanup_close_ int fd = memfd_create("sfdisk", 0);
	struct proc_result result;
	char input[64];
	int rc;

	if (fd < 0 || write(fd, script, sizeof(script) - 1) != (ssize_t)sizeof(script) - 1)
		return why_set(why, -errno, "cannot hand the partition table to sfdisk: %s", strerror(errno));
	snprintf(input, sizeof(input), "/proc/self/fd/%d", fd);
	options.in_file = input;
	rc = proc_run(argv, &options, &result);
	if (rc)
		return why_set(why, rc, "cannot start sfdisk: %s", strerror(-rc));
	if (result.status)
		rc = why_set(why, -EIO, "sfdisk could not partition %s: %s", device, proc_last_words(&result));
	proc_release(&result);
	return rc;
}

int disk_mark(struct disk *d, char **why)
{
	char device[128];
	int rc;

	/* once more, right before the write */
	disk_judge(d);
	if (d->verdict != DISK_BLANK)
		return why_set(why, -EPERM, "disk %s is no longer blank: %s; nothing was written", d->name, d->why ? d->why : "it changed");
	snprintf(device, sizeof(device), "/dev/%s", d->name);
	rc = partition(device, why);
	/* the kernel reads the table again, and devtmpfs or udev makes the node: both take a moment */
	for (int try = 0; !rc && try < 50; try++) {
		free(d->scratch);
		free(d->why);
		d->scratch = d->why = NULL;
		disk_judge(d);
		if (d->verdict == DISK_MARKED && !access(d->scratch, F_OK))
			return 0;
		usleep(100000);
	}
	return rc ? rc : why_set(why, -EIO, "%s was partitioned, but its partition '%s' does not appear: %s", device, DISK_MARK, d->why ? d->why : "");
}
