/* Settings that are written to a file of /sys or /proc, each journalled before it is changed. */
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "profiles/kernelfile.h"
#include "profiles/machine.h"
#include "profiles/values.h"

static void add_matches(json_t *files, const char *pattern)
{
	glob_t g;

	if (!glob(pattern, 0, NULL, &g)) {
		for (size_t i = 0; i < g.gl_pathc; i++)
			json_array_append_new(files, json_string(g.gl_pathv[i]));
		globfree(&g);
	}
}

/* A pattern with {leaf} is one pattern for each member disk. */
static void add_files(const struct stage *s, json_t *files, const char *pattern)
{
	_cleanup_json_ json_t *vars = json_copy(s->vars);
	bool each_leaf = strstr(pattern, "{leaf}");

	for (size_t i = 0; i < (each_leaf ? s->n : 1); i++) {
		_cleanup_free_ char *expanded = NULL;

		json_object_set_new(vars, "leaf", json_string(s->leaves[i]));
		expanded = value_expand(pattern, vars);
		if (expanded)
			add_matches(files, expanded);
	}
}

json_t *live_files(const struct stage *s, const json_t *source)
{
	json_t *files = json_array();
	const json_t *file = json_object_get(source, "file"), *alternative;
	const char *sysctl = json_text(source, "sysctl", NULL);
	char path[256];
	size_t i;

	if (sysctl) {
		snprintf(path, sizeof(path), "/proc/sys/%s", sysctl);
		for (char *p = path; *p; p++)
			*p = *p == '.' ? '/' : *p;
		add_matches(files, path);
	} else if (json_is_string(file)) {
		add_files(s, files, json_string_value(file));
	}
	json_array_foreach(file, i, alternative) {
		if (!json_array_size(files))
			add_files(s, files, json_string_value(alternative));
	}
	return files;
}

/* What this write resets must come back after it: its steps are journalled first, because undo goes backwards. */
static int journal_disturbed(struct stage *s, const json_t *entry, char **why)
{
	const json_t *pattern;
	size_t i, f;

	json_array_foreach(json_object_get(entry, "disturbs"), i, pattern) {
		_cleanup_json_ json_t *files = json_array();
		const json_t *file;

		add_files(s, files, json_string_value(pattern));
		json_array_foreach(files, f, file) {
			_cleanup_free_ char *readable = NULL;
			int rc;

			json_object_set_new(s->touched, json_string_value(file), json_true());
			if (kernel_read(json_string_value(file), &readable)) /* a queue without wbt answers EINVAL: nothing to keep */
				continue;
			rc = undo_write(s->undo, json_string_value(file), "line", NULL, why);
			if (rc)
				return rc;
		}
	}
	return 0;
}

static int journal_one(struct stage *s, const json_t *entry, const char *file, char **why)
{
	const json_t *parse = json_object_get(json_object_get(entry, "read"), "parse");
	const char *pair = json_text(entry, "pair", NULL);
	const json_t *other = pair ? knobs_entry(s->knobs, pair) : NULL;
	_cleanup_json_ json_t *siblings = other ? live_files(s, json_object_get(other, "set")) : NULL;
	const char *sibling = json_string_value(json_array_get(siblings, 0));

	json_object_set_new(s->touched, file, json_true());
	if (sibling)
		json_object_set_new(s->touched, sibling, json_true());
	return undo_write(s->undo, file, json_is_string(parse) && !strcmp(json_string_value(parse), "bracket") ? "bracket" : "line", sibling,
			  why);
}

static void write_all(struct stage *s, const char *name, const json_t *files, const char *text)
{
	const json_t *file;
	size_t i;

	json_array_foreach(files, i, file) {
		const char *path = json_string_value(file);
		int fd = kernel_log_open(), rc = kernel_write(path, text);
		_cleanup_free_ char *said = kernel_log_since(fd), *now = NULL;
		char line[512];

		snprintf(line, sizeof(line), "echo '%s' >%s", text, path);
		json_array_append_new(s->commands, json_string(line));
		if (!rc)
			continue;
		/* for a choice, what there is to choose from says more than "Invalid argument" */
		if (kernel_read(path, &now) || !strchr(now, '['))
			stage_note(s, name, outcome_of_errno(rc), "the kernel refused '%s' for %s: %s%s%s", text, path, strerror(-rc),
				   said && *said ? "; it says: " : "", said ? said : "");
		else
			stage_note(s, name, outcome_of_errno(rc), "the kernel refused '%s' for %s: %s (it offers: %s)", text, path,
				   strerror(-rc), now);
		return;
	}
}

static void set_one(struct stage *s, const char *name, const json_t *value, bool journal)
{
	const json_t *entry = knobs_entry(s->knobs, name), *source = value_by_fs(json_object_get(entry, "set"), s->fs), *file;
	_cleanup_json_ json_t *files = live_files(s, source);
	_cleanup_free_ char *why = NULL;
	char text[128];
	size_t i;
	int rc;

	value_text(value, text, sizeof(text));
	if (json_is_boolean(value))
		snprintf(text, sizeof(text), "%d", json_is_true(value));
	if (!json_array_size(files)) {
		const json_t *place = json_object_get(source, "sysctl") ? json_object_get(source, "sysctl") : json_object_get(source, "file");
		_cleanup_free_ char *expanded = NULL;

		while (json_is_array(place))
			place = json_array_get(place, 0);
		json_object_set_new(s->vars, "leaf", json_string(s->leaves[0]));
		expanded = value_expand(json_string_value(place), s->vars);
		stage_note(s, name, STAGE_UNSUPPORTED, "this kernel or device has no %s", expanded ? expanded : "such setting");
		return;
	}
	rc = journal ? journal_disturbed(s, entry, &why) : 0;
	json_array_foreach(files, i, file) {
		if (!rc && journal)
			rc = journal_one(s, entry, json_string_value(file), &why);
	}
	if (rc)
		stage_note(s, name, outcome_of_errno(rc), "%s", why ? why : strerror(-rc));
	else
		write_all(s, name, files, text);
}

void live_set(struct stage *s, json_int_t from, json_int_t to, bool journal)
{
	const char *name;

	for (size_t i = 0; (name = knobs_nth(s->knobs, i)); i++) {
		const json_t *entry = knobs_entry(s->knobs, name), *value = json_object_get(s->settings, name);
		const json_t *set = json_object_get(entry, "set");
		json_int_t order = json_int(entry, "order", 0);

		if (!value || order < from || order >= to)
			continue;
		if (json_object_get(set, "file") || json_object_get(set, "sysctl") || json_object_get(set, "by_fs"))
			set_one(s, name, value, journal);
	}
}
