/* The md array of a stage. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "profiles/kernelfile.h"
#include "profiles/machine.h"
#include "profiles/tool.h"
#include "profiles/values.h"

#define ARGS_MAX 96

/* mdadm's way to write a UUID: four groups of eight hex digits. */
static int new_uuid(char uuid[40])
{
	_cleanup_free_ char *text = NULL;
	size_t n = 0;

	if (kernel_read("/proc/sys/kernel/random/uuid", &text))
		return -EIO;
	for (const char *p = text; *p && n < 35; p++) {
		if (*p == '-')
			continue;
		if (n == 8 || n == 17 || n == 26)
			uuid[n++] = ':';
		uuid[n++] = *p;
	}
	uuid[n] = 0;
	return n == 35 ? 0 : -EIO;
}

static bool free_name(char name[24])
{
	char path[64];

	for (int i = 127; i >= 0; i--) {
		snprintf(path, sizeof(path), "/sys/block/md%d", i);
		snprintf(name, 24, "/dev/md%d", i);
		if (access(path, F_OK) && access(name, F_OK))
			return true;
	}
	return false;
}

/* Initial resync, if any, would be measured with the run. */
static bool wait_idle(const struct stage *s)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/block/%s/md/sync_action", s->top + 5);
	for (int i = 0; i < 600; i++) {
		_cleanup_free_ char *action = NULL;

		if (kernel_read(path, &action) || !strcmp(action, "idle")) /* raid0 has none */
			return true;
		usleep(100000);
	}
	return false;
}

/* The settings that are arguments of mdadm --create, each to be freed. */
static size_t add_settings(const struct stage *s, char **argv, size_t n)
{
	const char *name;

	for (size_t i = 0; (name = knobs_nth(s->knobs, i)) && n < ARGS_MAX / 2; i++) {
		const json_t *value = json_object_get(s->settings, name);
		const json_t *template = json_object_get(json_object_get(knobs_entry(s->knobs, name), "set"), "mdadm"), *arg;
		_cleanup_json_ json_t *vars = json_object();
		char text[128];

		if (!value || !template)
			continue;
		arg = value_map(template, NULL, value_text(value, text, sizeof(text)));
		json_object_set_new(vars, "v", json_string(text));
		if (arg)
			argv[n++] = value_expand(json_string_value(arg), vars);
	}
	return n;
}

static bool create(struct stage *s, const char *device, const char *uuid)
{
	char *argv[ARGS_MAX + 1] = {0}, count[32], id[64];
	const char *const fixed[] = {"mdadm", "--create", device, "--run", "--name=iorig", "--homehost=any", id, count};
	_cleanup_free_ char *why = NULL, *out = NULL;
	size_t n = 0, from, to;
	int rc;

	snprintf(count, sizeof(count), "--raid-devices=%zu", s->n);
	snprintf(id, sizeof(id), "--uuid=%s", uuid);
	for (; n < ARRAY_SIZE(fixed); n++)
		argv[n] = (char *)fixed[n];
	from = n;
	to = n = add_settings(s, argv, n);
	/* Nothing is on the disks that a first resync could protect; it would run during the measurement. */
	if (strcmp(json_text(s->settings, "raid.level", ""), "raid0"))
		argv[n++] = "--assume-clean";
	for (size_t i = 0; i < s->n && n < ARGS_MAX; i++)
		argv[n++] = s->devices[i];
	rc = tool_run((const char *const *)argv, s->commands, &out, &why);
	for (size_t i = from; i < to; i++)
		free(argv[i]);
	if (rc)
		stage_note(s, "raid.level", outcome_of_tool(rc, why), "mdadm: %s", why);
	return rc == 0;
}

/* Fewer make no such array; mdadm would say so at length. */
static size_t fewest_disks(const char *level)
{
	return !strcmp(level, "raid6") ? 4 : !strcmp(level, "raid5") || !strcmp(level, "raid4") ? 3 : 2;
}

bool array_make(struct stage *s)
{
	const char *level = json_text(s->settings, "raid.level", "none");
	_cleanup_free_ char *why = NULL;
	char device[24], uuid[40];

	if (!strcmp(level, "none")) {
		s->top = strdup(s->devices[0]);
		return true;
	}
	if (s->n < fewest_disks(level)) {
		stage_note(s, "raid.level", STAGE_UNSUPPORTED, "%s needs %zu disks, here are %zu", level, fewest_disks(level), s->n);
		return false;
	}
	if (s->n > ARGS_MAX / 2 - 10 || !free_name(device) || new_uuid(uuid)) {
		stage_note(s, "raid.level", STAGE_FAILED, "no free md device, or too many disks (%zu)", s->n);
		return false;
	}
	if (undo_md_stop(s->undo, device, uuid, &why)) {
		stage_note(s, NULL, STAGE_FAILED, "%s", why);
		return false;
	}
	s->top = strdup(device);
	s->has_array = true;
	if (!create(s, device, uuid))
		return false;
	if (wait_idle(s))
		return true;
	stage_note(s, "raid.level", STAGE_FAILED, "%s still resyncs after a minute", device);
	return false;
}

bool array_geometry(const struct stage *s, long long *chunk_kb, long long *data_disks)
{
	const char *level = json_text(s->settings, "raid.level", "none");
	long long disks, layout, near;
	char path[96];

	if (!s->has_array || !strcmp(level, "raid1"))
		return false;
	snprintf(path, sizeof(path), "/sys/block/%s/md/chunk_size", s->top + 5);
	*chunk_kb = kernel_number(path, 0) / 1024;
	snprintf(path, sizeof(path), "/sys/block/%s/md/raid_disks", s->top + 5);
	disks = kernel_number(path, 0);
	snprintf(path, sizeof(path), "/sys/block/%s/md/layout", s->top + 5);
	layout = kernel_number(path, 0);
	*data_disks = disks;
	if (!strcmp(level, "raid4") || !strcmp(level, "raid5"))
		*data_disks = disks - 1;
	else if (!strcmp(level, "raid6"))
		*data_disks = disks - 2;
	near = layout & 0xff;
	if (!strcmp(level, "raid10") && near > 1 && disks % near == 0) /* as md itself computes its optimal I/O size */
		*data_disks = disks / near;
	return *chunk_kb > 0 && *data_disks > 0;
}
