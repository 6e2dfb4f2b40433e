/* Disks as sysfs shows them: names, identity, and which one a WWN or serial means. */
#include "profiles/disk.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/why.h"
#include "profiles/disk_guard.h"
#include "profiles/kernelfile.h"

/* The first of these files that is there and not empty, without blanks around it. Allocated or NULL. */
static char *first_text(const char *disk, const char *const *files)
{
	for (; *files; files++) {
		char path[160], *text, *start;

		snprintf(path, sizeof(path), "/sys/block/%s/%s", disk, *files);
		if (kernel_read(path, &text))
			continue;
		start = text + strspn(text, " \t");
		memmove(text, start, strlen(start) + 1);
		if (*text)
			return text;
		free(text);
	}
	return NULL;
}

/* SCSI vital product data page 0x80: four bytes of header, then the serial number, padded with blanks. */
static char *vpd_serial(const char *disk)
{
	unsigned char page[256] = {0};
	char path[128], *serial;
	_cleanup_fclose_ FILE *f = NULL;
	size_t n, start = 4;

	snprintf(path, sizeof(path), "/sys/block/%s/device/vpd_pg80", disk);
	f = fopen(path, "re");
	n = f ? fread(page, 1, sizeof(page) - 1, f) : 0;
	while (start < n && page[start] == ' ')
		start++;
	while (n > start && (page[n - 1] == ' ' || page[n - 1] == 0))
		n--;
	if (n <= start)
		return NULL;
	serial = strndup((char *)page + start, n - start);
	return serial;
}

static bool is_disk_name(const char *name)
{
	static const char *const other[] = {"loop", "ram", "zram", "md", "dm-", "sr", "fd", "nbd", "mtdblock"};

	if (*name == '.')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(other); i++)
		if (!strncmp(name, other[i], strlen(other[i])))
			return false;
	return true;
}

int disk_examine(const char *name, struct disk *d, char **why)
{
	static const char *const serials[] = {"serial", "device/serial", NULL}, *const wwns[] = {"wwid", "device/wwid", NULL},
				 *const models[] = {"device/model", NULL};
	char path[128];

	*d = (struct disk){.verdict = DISK_REFUSED};
	snprintf(d->name, sizeof(d->name), "%s", name);
	snprintf(path, sizeof(path), "/sys/block/%s/size", name);
	if (strchr(name, '/') || access(path, F_OK))
		return why_set(why, -ENODEV, "'%s' is no disk here", name);
	d->sectors_512 = (uint64_t)kernel_number(path, 0);
	d->size_bytes = d->sectors_512 * 512;
	snprintf(path, sizeof(path), "/sys/block/%s/ro", name);
	d->read_only = kernel_number(path, 1) != 0;
	snprintf(path, sizeof(path), "/sys/block/%s/queue/rotational", name);
	d->rotational = kernel_number(path, 0) != 0;
	d->serial = first_text(name, serials);
	if (!d->serial)
		d->serial = vpd_serial(name);
	d->wwn = first_text(name, wwns);
	d->model = first_text(name, models);
	disk_judge(d);
	return 0;
}

void disk_release(struct disk *d)
{
	free(d->serial);
	free(d->wwn);
	free(d->model);
	free(d->why);
	free(d->scratch);
	*d = (struct disk){0};
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct disk *)a)->name, ((const struct disk *)b)->name);
}

static bool same_identity(const struct disk *a, const struct disk *b)
{
	return (a->serial && b->serial && !strcmp(a->serial, b->serial)) || (a->wwn && b->wwn && !strcmp(a->wwn, b->wwn));
}

/* Two paths to one disk, or two disks with one name: either way the name does not say which. */
static void refuse_twins(struct disk *disks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			if (i != j && same_identity(&disks[i], &disks[j]) && disks[i].verdict != DISK_REFUSED) {
				disks[i].verdict = DISK_REFUSED;
				why_set(&disks[i].why, 0, "%s has the same serial or WWN: which of them is meant is not certain", disks[j].name);
			}
}

int disk_list(struct disk **disks, size_t *n, char **why)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *e;

	*disks = NULL;
	*n = 0;
	if (!dir)
		return why_set(why, -errno, "cannot list /sys/block: %s", strerror(errno));
	while ((e = readdir(dir))) {
		struct disk d, *more;

		if (!is_disk_name(e->d_name) || disk_examine(e->d_name, &d, NULL))
			continue;
		more = d.size_bytes ? realloc(*disks, (*n + 1) * sizeof(d)) : NULL; /* an empty card reader is no disk */
		if (!more) {
			disk_release(&d);
			continue;
		}
		*disks = more;
		more[(*n)++] = d;
	}
	closedir(dir);
	if (*n)
		qsort(*disks, *n, sizeof(**disks), by_name);
	refuse_twins(*disks, *n);
	return 0;
}

void disk_list_free(struct disk *disks, size_t n)
{
	for (size_t i = 0; i < n; i++)
		disk_release(&disks[i]);
	free(disks);
}

/* "wwn-0x5000c500a1" (udev), "naa.5000c500a1" and "0x5000c500a1" (kernel) are the same number. */
static const char *bare(const char *id)
{
	static const char *const prefixes[] = {"wwn-", "naa.", "eui.", "0x"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncasecmp(id, prefixes[i], strlen(prefixes[i])))
			id += strlen(prefixes[i]);
	return id;
}

static bool is_called(const struct disk *d, const char *id)
{
	return (d->serial && !strcmp(d->serial, id)) || (d->wwn && !strcasecmp(bare(d->wwn), bare(id)));
}

static int claim(struct disk *d, const char *id, bool erase, char **device, char **why)
{
	int rc;

	if (d->verdict == DISK_REFUSED)
		return why_set(why, -EPERM, "disk '%s' (%s) is refused: %s; nothing was written", id, d->name, d->why ? d->why : "?");
	if (d->verdict == DISK_BLANK && !erase)
		return why_set(why, -EPERM, "disk '%s' (%s) is blank, but not marked as ours: its first use needs --erase; nothing was written", id,
			       d->name);
	if (d->verdict == DISK_BLANK) {
		rc = disk_mark(d, why);
		if (rc)
			return rc;
	}
	*device = strdup(d->scratch);
	return *device ? 0 : why_set(why, -ENOMEM, "out of memory");
}

int disk_claim(const char *id, bool erase, char **device, char **why)
{
	struct disk *disks, *found = NULL;
	size_t n, matches = 0;
	int rc = disk_list(&disks, &n, why);

	*device = NULL;
	if (rc)
		return rc;
	for (size_t i = 0; i < n && *id; i++) {
		if (!is_called(&disks[i], id))
			continue;
		found = &disks[i];
		matches++;
	}
	if (matches == 1)
		rc = claim(found, id, erase, device, why);
	else if (matches)
		rc = why_set(why, -EPERM, "%zu disks are called '%s'; nothing was written", matches, id);
	else
		rc = why_set(why, -ENODEV, "no disk here has the WWN or serial '%s'; 'iorig disks' lists them", id);
	disk_list_free(disks, n);
	return rc;
}
