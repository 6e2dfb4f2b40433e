/* What is really in force: every setting is read at the place that tells the truth and compared with what was asked. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "profiles/kernelfile.h"
#include "profiles/machine.h"
#include "profiles/mounts.h"
#include "profiles/tool.h"
#include "profiles/values.h"

#define SEPARATORS ", \t\n"

/* "commit" in "rw,commit=5,data=ordered" -> "5"; with value NULL: is the bare word there? */
static bool find_option(const char *text, const char *word, char *value, size_t room)
{
	size_t n = strlen(word);

	for (const char *p = text; *p;) {
		size_t len = strcspn(p, SEPARATORS);

		if (value && len > n && !strncmp(p, word, n) && p[n] == '=') {
			snprintf(value, room, "%.*s", (int)(len - n - 1), p + n + 1);
			return true;
		}
		if (!value && len == n && !strncmp(p, word, n))
			return true;
		p += len;
		p += strspn(p, SEPARATORS);
	}
	return false;
}

static void parse_object(const json_t *parse, const char *text, char *out, size_t room)
{
	const char *option = json_text(parse, "option", NULL), *after = json_text(parse, "after", NULL), *at;
	const json_t *pair;
	size_t i;

	snprintf(out, room, "%s", json_text(parse, "otherwise", ""));
	if (option) {
		find_option(text, option, out, room);
	} else if (after) {
		at = strstr(text, after);
		if (at) {
			at += strlen(after);
			at += strspn(at, " \t");
			snprintf(out, room, "%.*s", (int)strcspn(at, SEPARATORS), at);
		}
	}
	json_array_foreach(json_object_get(parse, "flags"), i, pair) {
		if (!find_option(text, json_string_value(json_array_get(pair, 0)), NULL, 0))
			continue;
		snprintf(out, room, "%s", json_string_value(json_array_get(pair, 1)));
		break;
	}
}

/* Raw text -> the text of a value, as the catalogue's parse, divide and map say. */
static void interpret(const json_t *read, char *text, char *out, size_t room)
{
	const json_t *parse = json_object_get(read, "parse"), *map = json_object_get(read, "map");
	const char *word = json_is_string(parse) ? json_string_value(parse) : "line";
	json_int_t divide = json_int(read, "divide", 1);

	if (json_is_object(parse))
		parse_object(parse, text, out, room);
	else if (!strcmp(word, "bracket"))
		snprintf(out, room, "%s", kernel_bracket(text));
	else if (!strcmp(word, "word"))
		snprintf(out, room, "%.*s", (int)strcspn(text, SEPARATORS), text);
	else
		snprintf(out, room, "%.*s", (int)strcspn(text, "\n"), text);
	if (divide > 1)
		snprintf(out, room, "%lld", strtoll(out, NULL, 10) / divide);
	if (map) {
		const json_t *meant = value_map(map, NULL, out);

		if (meant)
			snprintf(out, room, "%s", json_string_value(meant));
	}
}

static bool equals(const json_t *entry, const json_t *wanted, const char *text)
{
	const char *type = json_text(entry, "type", "");
	char want[128], *end;

	if (!strcmp(type, "int")) {
		long long got = strtoll(text, &end, 10);

		return end != text && got == json_integer_value(wanted);
	}
	if (!strcmp(type, "bool")) {
		bool yes = !strcmp(text, "true") || !strcmp(text, "1") || !strcasecmp(text, "y");
		bool no = !strcmp(text, "false") || !strcmp(text, "0") || !strcasecmp(text, "n");

		return json_is_true(wanted) ? yes : no;
	}
	return !strcmp(value_text(wanted, want, sizeof(want)), text);
}

static json_t *typed(const json_t *entry, const json_t *wanted, const char *text)
{
	const char *type = json_text(entry, "type", "");
	char *end;
	long long number = strtoll(text, &end, 10);

	if (equals(entry, wanted, text))
		return json_incref((json_t *)wanted);
	if (!strcmp(type, "int") && end != text)
		return json_integer(number);
	if (!strcmp(type, "bool") && (equals(entry, json_true(), text) || equals(entry, json_false(), text)))
		return json_boolean(equals(entry, json_true(), text));
	return json_string(text);
}

/* One place that was read: text is the value, where the place. Both allocated. */
struct reading {
	char text[256];
	char *where;
	int rc;
};

static void read_files(struct stage *s, const json_t *entry, const json_t *read, const json_t *source, const json_t *wanted,
		       struct reading *r)
{
	_cleanup_json_ json_t *files = live_files(s, source);
	const char *absent = json_text(read, "absent", NULL);
	const json_t *file;
	size_t i;

	r->rc = -ENOENT;
	json_array_foreach(files, i, file) {
		_cleanup_free_ char *raw = NULL;

		free(r->where);
		r->where = strdup(json_string_value(file));
		r->rc = kernel_read(r->where, &raw);
		if (r->rc)
			return;
		interpret(read, raw, r->text, sizeof(r->text));
		if (!equals(entry, wanted, r->text)) /* of several disks the one that differs is shown */
			return;
	}
	if (r->rc == -ENOENT && absent) {
		snprintf(r->text, sizeof(r->text), "%s", absent);
		r->rc = 0;
	}
}

static void read_mount(struct stage *s, const json_t *read, struct reading *r)
{
	struct mount_entry e = {0};

	r->where = strdup("/proc/self/mountinfo");
	if (!mounts_at(s->mount_point, &e)) {
		snprintf(r->text, sizeof(r->text), "%s", json_text(read, "absent", "not mounted"));
		return;
	}
	if (!strcmp(json_text(read, "mount", ""), "type"))
		snprintf(r->text, sizeof(r->text), "%s", e.type);
	else
		interpret(read, e.options, r->text, sizeof(r->text));
	mounts_release(&e);
}

static void read_command(struct stage *s, const json_t *read, struct reading *r)
{
	_cleanup_free_ char *out = NULL, *why = NULL;
	char *words[16] = {0};
	const json_t *word;
	size_t i, n = 0;

	json_array_foreach(json_object_get(read, "command"), i, word) {
		if (n < 15)
			words[n++] = value_expand(json_string_value(word), s->vars);
	}
	r->rc = tool_run((const char *const *)words, NULL, &out, &why);
	if (!r->rc)
		interpret(read, out, r->text, sizeof(r->text));
	else
		snprintf(r->text, sizeof(r->text), "%s", why ? why : "");
	if (asprintf(&r->where, "%s", words[0]) < 0)
		r->where = NULL;
	for (i = 0; i < n; i++)
		free(words[i]);
}

static long long vmstat(const char *name)
{
	_cleanup_free_ char *text = NULL;
	char key[80], *at;

	snprintf(key, sizeof(key), "\n%s ", name);
	if (kernel_read("/proc/vmstat", &text) || !(at = strstr(text, key)))
		return -1;
	return strtoll(at + strlen(key), NULL, 10);
}

/*
 * Some values are stored as written and used otherwise. The dirty limits: the kernel shows in /proc/vmstat, in pages, what it goes by.
 * A share is computed back from the ratio of two limits, because "available memory" itself is not shown.
 */
static void read_effective(const json_t *entry, const json_t *wanted, struct reading *r)
{
	const json_t *spec = json_object_get(json_object_get(entry, "read"), "effective");
	const char *per = json_text(spec, "per", NULL), *times = json_text(spec, "times", NULL);
	long long pages, of = 1, factor, value;
	char path[128];

	if (!spec || r->rc || !equals(entry, wanted, r->text))
		return;
	pages = vmstat(json_text(spec, "vmstat", ""));
	if (pages < 0)
		return;
	if (per) {
		snprintf(path, sizeof(path), "/proc/sys/%s", times);
		for (char *p = path; *p; p++)
			*p = *p == '.' ? '/' : *p;
		of = vmstat(per);
		factor = kernel_number(path, 0);
		if (of <= 0 || factor <= 0) /* the limit is an amount just now, not a share */
			return;
		value = llround((double)pages / (double)of * (double)factor);
	} else {
		value = pages * sysconf(_SC_PAGESIZE);
	}
	snprintf(r->text, sizeof(r->text), "%lld", value);
	free(r->where);
	if (asprintf(&r->where, "/proc/vmstat %s", json_text(spec, "vmstat", "")) < 0)
		r->where = NULL;
}

/* A value that the kernel keeps but cannot act on: "discard" on a device that has none. */
static const char *missing_requirement(struct stage *s, const json_t *entry, const json_t *wanted)
{
	const json_t *rule;
	size_t i;

	json_array_foreach(json_object_get(entry, "requires"), i, rule) {
		_cleanup_json_ json_t *files = NULL;
		_cleanup_free_ char *text = NULL;

		if (!value_listed(wanted, json_object_get(rule, "value")))
			continue;
		files = live_files(s, rule);
		if (!json_array_size(files) || kernel_read(json_string_value(json_array_get(files, 0)), &text) ||
		    !strcmp(text, json_text(rule, "not", "")))
			return json_text(rule, "why", "a requirement is missing");
	}
	return NULL;
}

static void compare(struct stage *s, const char *name, const json_t *entry, const json_t *wanted, const struct reading *r)
{
	const char *hint = json_text(entry, "clamps", json_text(entry, "note", NULL)), *missing = missing_requirement(s, entry, wanted);
	char want[128];

	value_text(wanted, want, sizeof(want));
	if (r->rc)
		stage_note(s, name, r->rc == -ENOENT ? STAGE_UNSUPPORTED : STAGE_FAILED, "cannot be read back%s%s: %s",
			   r->where ? " at " : "", r->where ? r->where : "", r->rc == -EPROTO ? r->text : strerror(-r->rc));
	else if (!equals(entry, wanted, r->text))
		stage_note(s, name, STAGE_NOT_APPLIED, "asked for %s, in force is %s (%s)%s%s", want, *r->text ? r->text : "nothing",
			   r->where ? r->where : "", hint ? ": " : "", hint ? hint : "");
	else if (missing)
		stage_note(s, name, STAGE_NOT_APPLIED, "%s", missing);
	else
		stage_note(s, name, STAGE_OK, "%s", "");
}

static void read_one(struct stage *s, const char *name, const json_t *wanted)
{
	const json_t *entry = knobs_entry(s->knobs, name), *spec = json_object_get(entry, "read"), *read = value_by_fs(spec, s->fs);
	const json_t *source = read;
	json_t *row = json_object_get(s->report_knobs, name);
	struct reading r = {.rc = 0};

	if (!s->built) { /* a layer is missing: what would be read says nothing about this knob */
		if (!json_object_get(row, "outcome"))
			json_object_set_new(row, "outcome", json_string("not-reached"));
		return;
	}
	if (json_object_get(read, "mount")) {
		read_mount(s, read, &r);
	} else if (json_object_get(read, "command")) {
		read_command(s, read, &r);
	} else {
		if (!json_object_get(read, "file") && !json_object_get(read, "sysctl"))
			source = value_by_fs(json_object_get(entry, "set"), s->fs);
		read_files(s, entry, read, source, wanted, &r);
		read_effective(entry, wanted, &r);
	}
	json_object_set_new(row, "effective", r.rc ? json_null() : typed(entry, wanted, r.text));
	json_object_set_new(row, "where", json_string(r.where ? r.where : ""));
	if (!json_object_get(row, "outcome")) /* else it was refused when it was set */
		compare(s, name, entry, wanted, &r);
	free(r.where);
}

void readback_all(struct stage *s)
{
	const char *name;

	for (size_t i = 0; (name = knobs_nth(s->knobs, i)); i++) {
		const json_t *wanted = json_object_get(s->settings, name);

		if (wanted)
			read_one(s, name, wanted);
	}
}
