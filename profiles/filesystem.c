/* The file system of a stage: mkfs aligned to the array, mount with the options asked for. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/outfile.h"
#include "lib/why.h"
#include "profiles/catalogue.h"
#include "profiles/kernelfile.h"
#include "profiles/machine.h"
#include "profiles/mounts.h"
#include "profiles/tool.h"
#include "profiles/values.h"

#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif

/* "-E stride=16" and "-E stripe_width=32" become "-E stride=16,stripe_width=32": tools take such an option once. */
static void add_option(json_t *options, const char *text)
{
	const char *space = strchr(text, ' ');
	_cleanup_free_ char *flag = strndup(text, space ? (size_t)(space - text) : strlen(text));
	const char *have = flag ? json_text(options, flag, NULL) : NULL;
	char joined[512];

	if (!flag)
		return;
	snprintf(joined, sizeof(joined), "%s%s%s", have ? have : "", have && space ? "," : "", space ? space + 1 : "");
	json_object_set_new(options, flag, json_string(joined));
}

static void add_options(json_t *options, const json_t *list, const json_t *vars)
{
	const json_t *item;
	size_t i;

	if (json_is_string(list)) {
		_cleanup_free_ char *text = value_expand(json_string_value(list), vars);

		add_option(options, text ? text : "");
	}
	json_array_foreach(list, i, item) {
		add_options(options, item, vars);
	}
}

static json_t *mkfs_options(struct stage *s, const json_t *fs)
{
	json_t *options = json_object();
	_cleanup_json_ json_t *vars = json_copy(s->vars);
	long long chunk_kb, data_disks;
	const char *name;
	char text[128];

	add_options(options, json_object_get(fs, "options"), vars);
	if (array_geometry(s, &chunk_kb, &data_disks)) {
		long long stride = chunk_kb / 4;

		json_object_set_new(vars, "chunk_kb", json_string(value_text(json_integer(chunk_kb), text, sizeof(text))));
		json_object_set_new(vars, "data_disks", json_string(value_text(json_integer(data_disks), text, sizeof(text))));
		json_object_set_new(vars, "stride_blocks", json_string(value_text(json_integer(stride), text, sizeof(text))));
		json_object_set_new(vars, "stripe_blocks", json_string(value_text(json_integer(stride * data_disks), text, sizeof(text))));
		add_options(options, json_object_get(fs, "aligned"), vars);
	}
	for (size_t i = 0; (name = knobs_nth(s->knobs, i)); i++) {
		const json_t *value = json_object_get(s->settings, name);
		const json_t *template = json_object_get(json_object_get(knobs_entry(s->knobs, name), "set"), "mkfs");

		if (!value || !template)
			continue;
		value_text(value, text, sizeof(text));
		json_object_set_new(vars, "v", json_string(text));
		add_options(options, value_map(template, s->fs, text), vars);
	}
	return options;
}

bool filesystem_make(struct stage *s)
{
	const json_t *fs = json_object_get(s->knobs->filesystems, s->fs), *word;
	_cleanup_json_ json_t *options = NULL;
	_cleanup_free_ char *why = NULL;
	const char *argv[64] = {0}, *flag;
	json_t *value;
	size_t n = 0, i;
	int rc;

	if (!fs) {
		stage_note(s, "fs.type", STAGE_FAILED, "the catalogue does not say how to make a file system '%s'", s->fs);
		return false;
	}
	options = mkfs_options(s, fs);
	json_array_foreach(json_object_get(fs, "mkfs"), i, word) {
		if (n < 8)
			argv[n++] = json_string_value(word);
	}
	json_object_foreach(options, flag, value) {
		if (n > 58)
			break;
		argv[n++] = flag;
		if (*json_string_value(value))
			argv[n++] = json_string_value(value);
	}
	argv[n++] = s->top;
	rc = tool_run(argv, s->commands, NULL, &why);
	if (rc)
		stage_note(s, "fs.type", outcome_of_tool(rc, why), "%s: %s", argv[0], why);
	return rc == 0;
}

static const struct {
	const char *word;
	unsigned long flag;
} mount_flags[] = {{"noatime", MS_NOATIME}, {"relatime", MS_RELATIME}, {"strictatime", MS_STRICTATIME}, {"nodiratime", MS_NODIRATIME},
		   {"lazytime", MS_LAZYTIME}, {"sync", MS_SYNCHRONOUS}, {"dirsync", MS_DIRSYNC}};

/* mount(2) with the words that are flags taken out of the option text, as mount(8) does. */
static int do_mount(const struct stage *s)
{
	_cleanup_free_ char *words = strdup(s->mount_options), *data = calloc(1, strlen(s->mount_options) + 1);
	unsigned long flags = 0;
	char *save = NULL;

	if (!words || !data)
		return -ENOMEM;
	for (char *w = strtok_r(words, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		bool found = false;

		for (size_t i = 0; i < ARRAY_SIZE(mount_flags); i++) {
			if (strcmp(w, mount_flags[i].word))
				continue;
			flags |= mount_flags[i].flag;
			found = true;
		}
		if (!found)
			sprintf(data + strlen(data), "%s%s", *data ? "," : "", w);
	}
	return mount(s->top, s->mount_point, s->fs, flags, data) ? -errno : 0;
}

static void gather_mount_options(struct stage *s)
{
	char options[1024] = "", text[128];
	const char *name;

	for (size_t i = 0; (name = knobs_nth(s->knobs, i)); i++) {
		const json_t *value = json_object_get(s->settings, name), *option;
		const json_t *template = json_object_get(json_object_get(knobs_entry(s->knobs, name), "set"), "mount");
		_cleanup_json_ json_t *vars = json_object();
		_cleanup_free_ char *expanded = NULL;

		option = value && template ? value_map(template, s->fs, value_text(value, text, sizeof(text))) : NULL;
		if (!option)
			continue;
		json_object_set_new(vars, "v", json_string(text));
		expanded = value_expand(json_string_value(option), vars);
		if (expanded)
			snprintf(options + strlen(options), sizeof(options) - strlen(options), "%s%s", *options ? "," : "", expanded);
	}
	s->mount_options = strdup(options);
}

/* Is word in text, and not as a part of a longer word? */
static bool says_word(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word)) {
		bool starts = p == text || (!isalnum((unsigned char)p[-1]) && p[-1] != '_');

		if (starts && !isalnum((unsigned char)p[n]) && p[n] != '_')
			return true;
	}
	return false;
}

/* The knob whose mount option the kernel complained about, or NULL. */
static const char *blamed(const struct stage *s, const char *kernel_says)
{
	const char *name;
	char text[128], word[64];

	for (size_t i = 0; (name = knobs_nth(s->knobs, i)); i++) {
		const json_t *value = json_object_get(s->settings, name), *option;
		const json_t *template = json_object_get(json_object_get(knobs_entry(s->knobs, name), "set"), "mount");

		option = value && template ? value_map(template, s->fs, value_text(value, text, sizeof(text))) : NULL;
		if (!option)
			continue;
		snprintf(word, sizeof(word), "%.*s", (int)strcspn(json_string_value(option), "={"), json_string_value(option));
		if (*word && says_word(kernel_says, word))
			return name;
	}
	return NULL;
}

/* Our own knowledge of why, behind the kernel's. */
static void note_refusal(struct stage *s, int rc, const char *said)
{
	_cleanup_free_ char *known = knobs_unsupported(s->knobs, s->settings), *suspect = NULL;
	const char *knob = blamed(s, said), *last = strrchr(said, '\n');

	if (known) { /* "fs.barrier=false: xfs removed ..." names the knob better than the kernel can */
		suspect = strndup(known, strcspn(known, "="));
		knob = suspect;
	}
	stage_note(s, knob ? knob : "fs.type", outcome_of_errno(rc), "mount -t %s -o '%s': %s%s%s%s%s%s", s->fs, s->mount_options,
		   strerror(-rc), *said ? "; the kernel says: " : "", last ? last + 1 : said, known ? " (" : "", known ? known : "",
		   known ? ")" : "");
}

static void add_lines(json_t *list, char *text)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		json_array_append_new(list, json_string(line));
}

bool filesystem_mount(struct stage *s)
{
	_cleanup_free_ char *why = NULL, *said = NULL;
	char line[1400];
	int rc, fd;

	gather_mount_options(s);
	if (!s->mount_options || undo_umount(s->undo, s->mount_point, &why)) {
		stage_note(s, NULL, STAGE_FAILED, "%s", why ? why : "out of memory");
		return false;
	}
	s->made_mount_point = access(s->mount_point, F_OK) != 0;
	rc = make_directories(s->mount_point);
	if (rc) {
		stage_note(s, NULL, STAGE_FAILED, "cannot make the mount point '%s': %s", s->mount_point, strerror(-rc));
		return false;
	}
	snprintf(line, sizeof(line), "mount -t %s -o '%s' %s %s", s->fs, s->mount_options, s->top, s->mount_point);
	json_array_append_new(s->commands, json_string(line));
	fd = kernel_log_open();
	rc = do_mount(s);
	said = kernel_log_since(fd);
	if (rc)
		note_refusal(s, rc, said ? said : "");
	add_lines(s->kernel_log, said);
	return rc == 0;
}

int filesystem_remount(struct stage *s, char **why)
{
	int rc;

	for (int try = 0; try < 50 && mounts_at(s->mount_point, NULL); try++) {
		if (umount2(s->mount_point, UMOUNT_NOFOLLOW) && errno != EBUSY)
			return why_set(why, -errno, "cannot unmount '%s': %s", s->mount_point, strerror(errno));
		if (mounts_at(s->mount_point, NULL))
			usleep(100000);
	}
	if (mounts_at(s->mount_point, NULL))
		return why_set(why, -EBUSY, "cannot unmount '%s' for a cold start: something uses it", s->mount_point);
	rc = do_mount(s);
	return rc ? why_set(why, rc, "cannot mount %s on '%s' again: %s", s->top, s->mount_point, strerror(-rc)) : 0;
}
