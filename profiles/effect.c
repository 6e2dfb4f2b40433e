/*
 * Does a setting have its physical effect? A few synchronous writes before the run, and the flushes that the member disks saw meanwhile: the
 * only witness that tells barriers from no barriers, wherever they were switched off (mount option, superblock default, queue).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "profiles/kernelfile.h"
#include "profiles/machine.h"

#define PROBE_WRITES 16
#define STAT_FLUSHES 15 /* index of the field in /sys/block/X/stat since Linux 5.5 */

/* Flushes of all member disks so far; -1 when a disk does not count them. */
static long long flushes(const struct stage *s)
{
	long long sum = 0;

	for (size_t i = 0; i < s->n; i++) {
		_cleanup_free_ char *text = NULL;
		char path[128], *save = NULL, *field;
		int n = 0;

		snprintf(path, sizeof(path), "/sys/block/%s/queue/iostats", s->leaves[i]);
		if (kernel_number(path, 0) != 1)
			return -1;
		snprintf(path, sizeof(path), "/sys/block/%s/stat", s->leaves[i]);
		if (kernel_read(path, &text))
			return -1;
		for (field = strtok_r(text, " ", &save); field && n < STAT_FLUSHES; n++)
			field = strtok_r(NULL, " ", &save);
		if (!field)
			return -1;
		sum += strtoll(field, NULL, 10);
	}
	return sum;
}

/* Is there a cache that a flush would go to? Without one the kernel drops flushes, and rightly so. */
static bool all_write_back(const struct stage *s)
{
	bool back = true;

	for (size_t i = 0; i < s->n; i++) {
		_cleanup_free_ char *text = NULL;
		char path[128];

		snprintf(path, sizeof(path), "/sys/block/%s/queue/write_cache", s->leaves[i]);
		back = back && !kernel_read(path, &text) && !strcmp(text, "write back");
	}
	return back;
}

static int write_synchronously(const struct stage *s)
{
	static const char block[4096];
	_cleanup_free_ char *path = NULL;
	_cleanup_close_ int fd = -1;
	int rc = 0;

	if (asprintf(&path, "%s/.iorig-probe", s->mount_point) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	for (int i = 0; i < PROBE_WRITES && !rc; i++)
		if (pwrite(fd, block, sizeof(block), (off_t)i * 4096) != sizeof(block) || fsync(fd))
			rc = errno ? -errno : -EIO;
	if (unlink(path) || syncfs(fd))
		rc = rc ? rc : -errno;
	return rc;
}

void effect_probe(struct stage *s)
{
	const json_t *barrier = json_object_get(s->settings, "fs.barrier");
	const char *outcome = json_text(json_object_get(s->report_knobs, "fs.barrier"), "outcome", "");
	bool cache = all_write_back(s);
	/*
	 * With barriers each fsync flushes every disk below the file system. Without them nothing does, but for md, which flushes now
	 * and then on its own account (superblock and bitmap): fewer than one an fsync and disk.
	 */
	const long long with_barriers = PROBE_WRITES * (s->has_array ? (long long)s->n : 1);
	const long long without = s->has_array ? with_barriers - 1 : 0;
	long long before = flushes(s), after;
	int rc = write_synchronously(s);

	after = flushes(s);
	if (rc) {
		stage_note(s, NULL, STAGE_FAILED, "the fresh file system does not take %d synchronous writes: %s", PROBE_WRITES, strerror(-rc));
		return;
	}
	if (before < 0 || after < before)
		return;
	json_decref(s->effect);
	s->effect = json_pack("{s:i,s:I,s:b}", "fsyncs", PROBE_WRITES, "flushes", (json_int_t)(after - before), "write_back_cache", cache);
	if (!barrier || strcmp(outcome, "ok"))
		return;
	if (json_is_true(barrier) && cache && after - before < with_barriers)
		stage_note(s, "fs.barrier", STAGE_NOT_APPLIED, "%d fsyncs sent %lld flushes to the disks: something suppresses them", PROBE_WRITES,
			   after - before);
	if (json_is_false(barrier) && after - before > without)
		stage_note(s, "fs.barrier", STAGE_NOT_APPLIED, "%d fsyncs still sent %lld flushes to the disks", PROBE_WRITES, after - before);
}
