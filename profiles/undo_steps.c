#include "profiles/undo_steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/why.h"
#include "profiles/disk.h"
#include "profiles/kernelfile.h"
#include "profiles/mounts.h"
#include "profiles/tool.h"

static int read_value(const char *file, const char *parse, char **value)
{
	int rc = kernel_read(file, value);

	if (!rc && !strcmp(parse, "bracket"))
		kernel_bracket(*value);
	return rc;
}

int undo_write(struct undo *undo, const char *file, const char *parse, const char *sibling, char **why)
{
	_cleanup_free_ char *value = NULL, *other = NULL;
	int rc = read_value(file, parse, &value);

	if (rc)
		return why_set(why, rc, "cannot read '%s' before changing it: %s", file, strerror(-rc));
	/* Writing the 0 of such a pair back is EINVAL or does nothing: it comes back by writing the one that counts. */
	if (sibling && !strcmp(value, "0") && !read_value(sibling, parse, &other) && strcmp(other, "0"))
		return undo_add(undo, json_pack("{s:s,s:s,s:s,s:s}", "undo", "write", "file", sibling, "value", other, "parse", parse),
				why);
	return undo_add(undo, json_pack("{s:s,s:s,s:s,s:s}", "undo", "write", "file", file, "value", value, "parse", parse), why);
}

int undo_umount(struct undo *undo, const char *mount_point, char **why)
{
	return undo_add(undo, json_pack("{s:s,s:s}", "undo", "umount", "mount_point", mount_point), why);
}

int undo_md_stop(struct undo *undo, const char *device, const char *uuid, char **why)
{
	return undo_add(undo, json_pack("{s:s,s:s,s:s}", "undo", "md-stop", "device", device, "uuid", uuid), why);
}

int undo_loop_detach(struct undo *undo, const char *device, const char *backing_file, char **why)
{
	return undo_add(undo, json_pack("{s:s,s:s,s:s}", "undo", "loop-detach", "device", device, "file", backing_file), why);
}

int undo_unlink(struct undo *undo, const char *file, char **why)
{
	return undo_add(undo, json_pack("{s:s,s:s}", "undo", "unlink", "file", file), why);
}

int undo_command(struct undo *undo, const char *const argv[], char **why)
{
	json_t *list = json_array();

	for (size_t i = 0; list && argv[i]; i++)
		json_array_append_new(list, json_string(argv[i]));
	return undo_add(undo, json_pack("{s:s,s:o}", "undo", "command", "argv", list), why);
}

static int back_write(const json_t *step, char **why)
{
	const char *file = json_text(step, "file", ""), *value = json_text(step, "value", "");
	_cleanup_free_ char *now = NULL, *after = NULL;
	int rc = read_value(file, json_text(step, "parse", "line"), &now);

	if (rc == -ENOENT) /* the device or the tunable is gone, and its value with it */
		return 0;
	if (!rc && !strcmp(now, value))
		return 0;
	rc = kernel_write(file, value);
	if (rc)
		return why_set(why, rc, "cannot set %s back to '%s': %s; do it by hand", file, value, strerror(-rc));
	if (read_value(file, json_text(step, "parse", "line"), &after) || strcmp(after, value))
		return why_set(why, -EIO, "%s was set back to '%s' but shows '%s'; look at it by hand", file, value, after ? after : "");
	return 0;
}

static int back_umount(const json_t *step, char **why)
{
	const char *where = json_text(step, "mount_point", "");

	/* A process that is just ending (a killed replay) may hold it for a moment. */
	for (int try = 0; try < 50; try++) {
		if (!mounts_at(where, NULL))
			return 0;
		if (umount2(where, UMOUNT_NOFOLLOW) && errno != EBUSY)
			return why_set(why, -errno, "cannot unmount '%s': %s", where, strerror(errno));
		if (mounts_at(where, NULL))
			usleep(100000);
	}
	return why_set(why, -EBUSY, "cannot unmount '%s': it is in use; end what uses it (fuser -m), then run again", where);
}

static int back_md_stop(const json_t *step, char **why)
{
	const char *device = json_text(step, "device", "");
	_cleanup_free_ char *detail = NULL, *path = NULL;
	const char *is[] = {"mdadm", "--detail", "--export", device, NULL}, *stop[] = {"mdadm", "--stop", device, NULL};

	if (strncmp(device, "/dev/md", 7) || asprintf(&path, "/sys/block/%s/md", device + 5) < 0)
		return why_set(why, -EINVAL, "'%s' is no array", device);
	if (access(path, F_OK))
		return 0;
	/* Under this name there may by now be an array that is not ours; then ours is gone. */
	if (!tool_run(is, NULL, &detail, NULL) && !strstr(detail, json_text(step, "uuid", "?")))
		return 0;
	for (int try = 0; try < 20; try++) {
		if (access(path, F_OK) || !tool_run(stop, NULL, NULL, why))
			return 0;
		usleep(100000);
	}
	return -EBUSY;
}

static int back_command(const json_t *step, char **why)
{
	const json_t *list = json_object_get(step, "argv");
	const char *argv[32] = {0};

	for (size_t i = 0; i < json_array_size(list) && i < 31; i++)
		argv[i] = json_string_value(json_array_get(list, i));
	return argv[0] ? tool_run(argv, NULL, NULL, why) : 0;
}

bool undo_step_survives_reboot(const json_t *step)
{
	return !strcmp(json_text(step, "undo", ""), "unlink");
}

int undo_step_run(const json_t *step, char **why)
{
	const char *kind = json_text(step, "undo", ""), *file = json_text(step, "file", "");
	int rc;

	if (!strcmp(kind, "write"))
		return back_write(step, why);
	if (!strcmp(kind, "umount"))
		return back_umount(step, why);
	if (!strcmp(kind, "md-stop"))
		return back_md_stop(step, why);
	if (!strcmp(kind, "command"))
		return back_command(step, why);
	if (!strcmp(kind, "loop-detach")) {
		rc = disk_loop_detach(json_text(step, "device", ""), file);
		return rc ? why_set(why, rc, "cannot detach %s from '%s': %s", json_text(step, "device", ""), file, strerror(-rc)) : 0;
	}
	if (!strcmp(kind, "unlink")) {
		if (!unlink(file) || errno == ENOENT)
			return 0;
		return why_set(why, -errno, "cannot delete '%s': %s", file, strerror(errno));
	}
	return why_set(why, -EINVAL, "the undo journal has a step '%s' that this version does not know", kind);
}
