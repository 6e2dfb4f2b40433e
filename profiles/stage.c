/* The stage: everything one cell needs of the machine, in the order in which nothing later undoes anything earlier. */
#include "profiles/stage.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/block.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/why.h"
#include "profiles/kernelfile.h"
#include "profiles/machine.h"
#include "profiles/mounts.h"
#include "profiles/tool.h"

static const char *const outcome_names[] = {"ok", "not-applied", "unsupported", "failed"};
_Static_assert(ARRAY_SIZE(outcome_names) == STAGE_FAILED + 1, "a name for every outcome");

const char *stage_outcome_name(enum stage_outcome outcome)
{
	return outcome_names[outcome];
}

enum stage_outcome outcome_of_errno(int rc)
{
	switch (-rc) {
	case EINVAL:
	case ENOENT:
	case ENODEV:
	case ENOSYS:
	case EOPNOTSUPP:
	case ERANGE:
	case EROFS:
		return STAGE_UNSUPPORTED;
	default:
		return STAGE_FAILED;
	}
}

enum stage_outcome outcome_of_tool(int rc, const char *message)
{
	static const char *const in_the_way[] = {"busy", "in use", "is mounted", "Input/output error", "annot open", "No space", "Permission"};

	if (rc != -EPROTO)
		return STAGE_FAILED;
	for (size_t i = 0; i < ARRAY_SIZE(in_the_way); i++)
		if (strstr(message, in_the_way[i]))
			return STAGE_FAILED;
	return STAGE_UNSUPPORTED;
}

void stage_note(struct stage *s, const char *knob, enum stage_outcome outcome, const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	json_t *row = knob ? json_object_get(s->report_knobs, knob) : NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	if (knob && !row) {
		row = json_object();
		json_object_set_new(s->report_knobs, knob, row);
	}
	if (row) {
		json_object_set_new(row, "outcome", json_string(stage_outcome_name(outcome)));
		json_object_set_new(row, "reason", outcome == STAGE_OK || !text ? json_null() : json_string(text));
	}
	if (outcome > s->outcome) {
		s->outcome = outcome;
		if (knob)
			why_set(&s->reason, 0, "%s: %s", knob, text ? text : "");
		else
			why_set(&s->reason, 0, "%s", text ? text : "");
	}
}

static bool take_devices(struct stage *s, const struct stage_options *o)
{
	s->devices = calloc(o->device_count + 1, sizeof(*s->devices));
	s->leaves = calloc(o->device_count + 1, sizeof(*s->leaves));
	for (size_t i = 0; s->devices && s->leaves && i < o->device_count; i++) {
		/* exclusive: not while it is mounted, an array's member, or swap, whatever the caller believes */
		_cleanup_close_ int fd = open(o->devices[i], O_RDONLY | O_EXCL | O_CLOEXEC);
		int error = errno;

		s->devices[i] = strdup(o->devices[i]);
		s->leaves[i] = block_whole_disk(o->devices[i]);
		s->n = i + 1;
		if (fd < 0 || !s->leaves[i] || !s->devices[i]) {
			stage_note(s, NULL, STAGE_FAILED, "cannot use '%s': %s", o->devices[i], fd < 0 ? strerror(error) : "it is no block device");
			return false;
		}
	}
	return s->n > 0;
}

static bool wipe(struct stage *s)
{
	_cleanup_free_ char *why = NULL;

	for (size_t i = 0; i < s->n; i++) {
		const char *const argv[] = {"wipefs", "--all", "--quiet", s->devices[i], NULL};
		int rc = tool_run(argv, s->commands, NULL, &why);

		if (rc)
			stage_note(s, NULL, STAGE_FAILED, "cannot clear %s: %s", s->devices[i], why);
		if (rc)
			return false;
	}
	return true;
}

/* {top} owns the queue under the file system, {fsdev} carries it: they differ on a partition. */
static void name_things(struct stage *s)
{
	_cleanup_free_ char *owner = block_whole_disk(s->top), *real = realpath(s->top, NULL);
	char bdi[32], path[64];
	struct stat st;

	json_object_set_new(s->vars, "top", json_string(owner ? owner : ""));
	json_object_set_new(s->vars, "fsdev", json_string(real ? basename(real) : ""));
	json_object_set_new(s->vars, "dev", json_string(s->top));
	json_object_set_new(s->vars, "mount", json_string(s->mount_point));
	snprintf(path, sizeof(path), "/dev/%s", owner ? owner : "");
	if (!stat(path, &st)) {
		snprintf(bdi, sizeof(bdi), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
		json_object_set_new(s->vars, "bdi", json_string(bdi));
	}
}

static void name_btrfs(struct stage *s)
{
	char pattern[128];
	glob_t g;

	snprintf(pattern, sizeof(pattern), "/sys/fs/btrfs/*/devices/%s", json_text(s->vars, "fsdev", ""));
	if (glob(pattern, 0, NULL, &g))
		return;
	dirname(dirname(g.gl_pathv[0]));
	json_object_set_new(s->vars, "fsid", json_string(strrchr(g.gl_pathv[0], '/') + 1));
	globfree(&g);
}

/* From the bottom up; false when a layer could not be made, and so nothing above it. */
static bool build(struct stage *s)
{
	bool raw = !strcmp(s->fs, "none");

	if (!*s->fs) {
		stage_note(s, "fs.type", STAGE_FAILED, "it is not set; 'none' is a raw device");
		return false;
	}
	if (mounts_at(s->mount_point, NULL)) {
		stage_note(s, NULL, STAGE_FAILED, "something is mounted on '%s' already", s->mount_point);
		return false;
	}
	if (!wipe(s) || !array_make(s))
		return false;
	name_things(s);
	live_set(s, 0, ORDER_MKFS, true);
	if (!raw && (!filesystem_make(s) || !filesystem_mount(s)))
		return false;
	name_btrfs(s);
	live_set(s, ORDER_MOUNTED, ORDER_END, true);
	return true;
}

static json_t *disks_report(const struct stage *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++) {
		char path[128];

		snprintf(path, sizeof(path), "/sys/class/block/%s/size", s->leaves[i]);
		json_array_append_new(list, json_pack("{s:s,s:s,s:I}", "device", s->devices[i], "disk", s->leaves[i], "disk_bytes",
						      (json_int_t)kernel_number(path, 0) * 512));
	}
	return list;
}

static json_t *report(const struct stage *s)
{
	struct mount_entry e = {0};
	bool mounted = mounts_at(s->mount_point, &e);
	json_t *doc = json_pack("{s:s,s:s,s:s?,s:O,s:o,s:s?,s:{s:s,s:s?},s:O,s:O,s:O,s:O?}", "schema", "iorig.apply/1", "outcome",
				stage_outcome_name(s->outcome), "reason", s->reason, "knobs", s->report_knobs, "disks", disks_report(s), "top",
				s->top, "fs", "type", s->fs, "mount_options", mounted ? e.options : NULL, "commands", s->commands, "kernel_log",
				s->kernel_log, "moved", s->moved, "effect", s->effect);

	mounts_release(&e);
	return doc;
}

static struct stage *begin(const struct stage_options *o)
{
	struct stage *s = calloc(1, sizeof(*s));
	const char *name;

	if (!s)
		abort();
	s->knobs = o->knobs;
	s->undo = o->undo;
	s->mark = undo_mark(o->undo);
	s->settings = knobs_resolve(o->knobs, o->settings);
	s->mount_point = strdup(o->mount_point);
	s->fs = strdup(json_text(s->settings, "fs.type", ""));
	s->vars = json_object();
	s->commands = json_array();
	s->report_knobs = json_object();
	s->kernel_log = json_array();
	s->moved = json_array();
	s->touched = json_object();
	for (size_t i = 0; (name = knobs_nth(s->knobs, i)); i++) {
		json_t *value = json_object_get(s->settings, name);

		if (value)
			json_object_set_new(s->report_knobs, name, json_pack("{s:O,s:n,s:s}", "wanted", value, "effective", "where", ""));
	}
	return s;
}

enum stage_outcome stage_apply(const struct stage_options *o, struct stage **stage, json_t **report_out)
{
	struct stage *s = begin(o);

	*stage = s;
	if (take_devices(s, o)) {
		s->before = snapshot_take(s);
		s->built = build(s);
		readback_all(s);
		if (s->built && strcmp(s->fs, "none"))
			effect_probe(s);
		s->after = snapshot_take(s);
		json_decref(s->moved);
		s->moved = snapshot_compare(s->before, s->after, s->touched);
	} else if (s->outcome == STAGE_OK) {
		stage_note(s, NULL, STAGE_FAILED, "no devices were given");
	}
	*report_out = report(s);
	return s->outcome;
}

enum stage_outcome stage_verify(struct stage *s, json_t **report_out)
{
	_cleanup_json_ json_t *now = snapshot_take(s);
	json_t *row;
	const char *knob;

	s->outcome = STAGE_OK;
	free(s->reason);
	s->reason = NULL;
	json_object_foreach(s->report_knobs, knob, row) {
		json_object_del(row, "outcome");
	}
	readback_all(s);
	json_decref(s->moved);
	s->moved = snapshot_compare(s->after, now, NULL);
	*report_out = report(s);
	return s->outcome;
}

int stage_remount(struct stage *s, char **why)
{
	int rc;

	if (!strcmp(s->fs, "none"))
		return 0;
	rc = filesystem_remount(s, why);
	if (!rc)
		live_set(s, ORDER_MOUNTED, ORDER_END, false);
	if (!rc && s->outcome != STAGE_OK)
		return why_set(why, -EIO, "after mounting again: %s", s->reason);
	return rc;
}

const char *stage_top(const struct stage *s)
{
	return s->top;
}

const char *stage_mount_point(const struct stage *s)
{
	return s->mount_point;
}

size_t stage_leaves(const struct stage *s, const char *const **names)
{
	*names = s->leaves;
	return s->n;
}

int stage_undo(struct stage *s, char **why)
{
	int rc;

	if (!s)
		return 0;
	rc = undo_back(s->undo, s->mark, why);
	if (!rc && s->made_mount_point)
		rmdir(s->mount_point);
	/* Members that still say "array" would be assembled by the next udev that sees them. */
	if (!rc && s->has_array)
		wipe(s);
	for (size_t i = 0; i < s->n; i++) {
		free(s->devices[i]);
		free((char *)s->leaves[i]);
	}
	free(s->devices);
	free(s->leaves);
	free(s->mount_point);
	free(s->fs);
	free(s->top);
	free(s->mount_options);
	free(s->reason);
	for (json_t **j = (json_t *[]){s->settings, s->vars, s->commands, s->report_knobs, s->kernel_log, s->moved, s->touched, s->before, s->after, s->effect},
		   **end = j + 10;
	     j < end; j++)
		json_decref(*j);
	free(s);
	return rc;
}
