#include "sweeps/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/block.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/outfile.h"
#include "lib/stop.h"
#include "lib/why.h"
#include "profiles/disk.h"

static const char *name_of(const json_t *disk)
{
	return json_text(disk, "serial", json_text(disk, "wwn", NULL));
}

static const struct disk *find(const struct disk *disks, size_t n, const char *wanted)
{
	for (size_t i = 0; i < n; i++)
		if ((disks[i].serial && !strcmp(disks[i].serial, wanted)) || (disks[i].wwn && !strcmp(disks[i].wwn, wanted)))
			return &disks[i];
	return NULL;
}

static int check_one(const struct disk *all, size_t n, const char *wanted, bool erase, char **why)
{
	const struct disk *disk = find(all, n, wanted);

	if (!disk)
		return why_set(why, -EPERM, "there is no disk with serial or WWN '%s' in this machine", wanted);
	if (disk->verdict == DISK_REFUSED)
		return why_set(why, -EPERM, "disk '%s' (/dev/%s) is not touched: %s", wanted, disk->name, disk->why);
	if (disk->verdict == DISK_BLANK && !erase)
		return why_set(why, -EPERM, "disk '%s' (/dev/%s) is blank and not ours yet; give --erase to let iorig have it", wanted, disk->name);
	return 0;
}

int devices_check(const struct sweep *sweep, bool erase, char **why)
{
	const json_t *list = json_at(sweep->doc, "box.disks"), *disk;
	struct disk *all = NULL;
	size_t n = 0, i;
	int rc = 0;

	if (!name_of(json_array_get(list, 0)))
		return 0; /* loop files */
	rc = disk_list(&all, &n, why);
	if (rc)
		return rc;
	json_array_foreach((json_t *)list, i, disk)
		if (!rc)
			rc = check_one(all, n, name_of(disk), erase, why);
	disk_list_free(all, n);
	return rc;
}

static int take_loop(const json_t *disk, size_t i, const char *folder, struct undo *undo, char **device, char **why)
{
	_cleanup_free_ char *file = NULL, *disks = NULL;
	int rc;

	if (asprintf(&disks, "%s/disks", folder) < 0 || asprintf(&file, "%s/disk%zu.img", disks, i) < 0)
		return -ENOMEM;
	rc = make_directories(disks);
	if (rc)
		return why_set(why, rc, "cannot make '%s': %s", disks, strerror(-rc));
	unlink(file); /* of a boot that ended before its undo: nothing in it is needed */
	return disk_loop_make(file, (uint64_t)(json_number(disk, "loop_gib", 0) * 1073741824.0) & ~(uint64_t)0xfffff, undo, device, why);
}

int devices_take(struct devices *d, const struct sweep *sweep, const char *folder, bool erase, struct undo *undo, char **why)
{
	const json_t *list = json_at(sweep->doc, "box.disks"), *disk;
	size_t n = json_array_size(list), i;
	int rc = 0;

	*d = (struct devices){.path = calloc(n, sizeof(char *)), .name = calloc(n, sizeof(char *))};
	json_array_foreach((json_t *)list, i, disk) {
		rc = name_of(disk) ? disk_claim(name_of(disk), erase, &d->path[i], why) : take_loop(disk, i, folder, undo, &d->path[i], why);
		if (rc)
			break;
		d->name[i] = block_whole_disk(d->path[i]);
		d->n++;
	}
	if (rc)
		devices_release(d);
	return rc == -ENODEV ? -EPERM : rc;
}

int devices_claim_again(const struct devices *d, const struct sweep *sweep, char **why)
{
	const json_t *list = json_at(sweep->doc, "box.disks"), *disk;
	size_t i;

	json_array_foreach((json_t *)list, i, disk) {
		_cleanup_free_ char *device = NULL;
		int rc = name_of(disk) ? disk_claim(name_of(disk), false, &device, why) : 0;

		if (rc)
			return rc == -ENODEV ? -EPERM : rc;
		if (device && strcmp(device, d->path[i]))
			return why_set(why, -EPERM, "disk '%s' was %s and is %s now", name_of(disk), d->path[i], device);
	}
	return 0;
}

void devices_wait_free(const struct devices *d, double limit_s)
{
	uint64_t end = clock_now_ns() + (uint64_t)(limit_s * 1e9);

	for (size_t i = 0; i < d->n; i++) {
		int fd;

		while ((fd = open(d->path[i], O_RDONLY | O_EXCL | O_CLOEXEC)) < 0 && errno == EBUSY && clock_now_ns() < end && !stop_requested())
			clock_sleep_ns(100000000);
		if (fd >= 0)
			close(fd);
	}
}

void devices_release(struct devices *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->path[i]);
		free(d->name[i]);
	}
	free(d->path);
	free(d->name);
	*d = (struct devices){0};
}
