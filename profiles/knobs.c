/* The catalogue: loading, and the checks that every entry of it must pass. */
#include "profiles/knobs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/share.h"
#include "lib/why.h"
#include "profiles/catalogue.h"

static const char *const entry_keys[] = {"doc", "type", "values", "min", "max", "multiple_of", "unit", "default", "scope", "order", "applies",
					 "yields_to", "set", "read", "impossible", "requires", "pair", "resets", "disturbs", "couples",
					 "clamps", "latched", "note", "durability", NULL};
static const char *const set_keys[] = {"file", "sysctl", "mount", "mkfs", "mdadm", "by_fs", NULL};
static const char *const read_keys[] = {"file", "sysctl", "mount", "command", "by_fs", "parse", "absent", "divide", "map", "effective", NULL};
static const char *const parse_words[] = {"line", "int", "word", "bracket", NULL};
static const char *const types[] = {"bool", "int", "enum", NULL};
static const char *const scopes[] = {"leaf", "top", "array", "fs", "host", NULL};

static bool among(const char *word, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(word, *list))
			return true;
	return false;
}

static const char *first_unknown_key(const json_t *object, const char *const *known)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value) {
		if (!among(key, known))
			return key;
	}
	return NULL;
}

static bool plain_name(const char *name)
{
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.") == strlen(name) && strchr(name, '.');
}

static int check_durability(const char *name, const json_t *classes, char **why)
{
	const char *key;
	json_t *text;
	bool total = false;

	json_object_foreach((json_t *)classes, key, text) {
		struct durability d;

		/* "D1:{v/100}s" is tried with a number in the place of the value */
		if (!json_is_string(text) || durability_of_rule(json_string_value(text), 1, &d))
			return why_set(why, -EINVAL, "knob '%s': '%s' is no durability class", name, json_string_value(text));
		total = total || !strcmp(key, "*");
	}
	if (!total && json_object_size(classes) < 2)
		return why_set(why, -EINVAL, "knob '%s': durability says nothing about all values (\"*\")", name);
	return 0;
}

static int check_source(const char *name, const json_t *node, const char *const *keys, char **why)
{
	const json_t *by_fs = json_object_get(node, "by_fs");
	const json_t *parse = json_object_get(node, "parse");
	const char *key = first_unknown_key(node, keys);
	json_t *member;

	if (!json_is_object(node) || key)
		return why_set(why, -EINVAL, "knob '%s': '%s' is no way to set or read a knob", name, key ? key : "(no object)");
	if (json_is_string(parse) && !among(json_string_value(parse), parse_words))
		return why_set(why, -EINVAL, "knob '%s': unknown parse '%s'", name, json_string_value(parse));
	json_object_foreach((json_t *)by_fs, key, member) {
		int rc = check_source(name, member, keys, why);

		if (rc)
			return rc;
	}
	return 0;
}

static int check_conditions(const struct knobs *k, const char *name, const json_t *cond, char **why)
{
	const char *other;
	json_t *list;

	json_object_foreach((json_t *)cond, other, list) {
		if (!knobs_entry(k, other) || !(json_is_array(list) || json_is_array(json_object_get(list, "not"))))
			return why_set(why, -EINVAL, "knob '%s': its condition on '%s' is no list of values of a knob", name, other);
	}
	return 0;
}

static int check_entry(const struct knobs *k, const char *name, const json_t *e, char **why)
{
	const char *unknown = first_unknown_key(e, entry_keys);
	const json_t *impossible = json_object_get(e, "impossible"), *rule;
	size_t i;
	int rc;

	if (!plain_name(name) || !json_is_object(e))
		return why_set(why, -EINVAL, "'%s' is no name of a knob: area.name in small letters", name);
	if (unknown)
		return why_set(why, -EINVAL, "knob '%s': unknown key '%s'", name, unknown);
	if (!among(json_text(e, "type", ""), types) || !among(json_text(e, "scope", ""), scopes) || !*json_text(e, "doc", ""))
		return why_set(why, -EINVAL, "knob '%s': doc, type (bool, int, enum) or scope (leaf, top, array, fs, host) is missing or wrong", name);
	if (!strcmp(json_text(e, "type", ""), "enum") && !json_array_size(json_object_get(e, "values")))
		return why_set(why, -EINVAL, "knob '%s': an enum needs values", name);
	if (json_int(e, "order", -1) < 0)
		return why_set(why, -EINVAL, "knob '%s': order is missing", name);
	rc = check_source(name, json_object_get(e, "set"), set_keys, why);
	if (!rc)
		rc = check_source(name, json_object_get(e, "read"), read_keys, why);
	if (!rc)
		rc = check_durability(name, json_object_get(e, "durability"), why);
	if (!rc)
		rc = check_conditions(k, name, json_object_get(e, "applies"), why);
	json_array_foreach(impossible, i, rule) {
		if (!rc)
			rc = check_conditions(k, name, json_object_get(rule, "if"), why);
	}
	return rc;
}

struct position {
	const char *name;
	json_int_t order;
};

static int by_order(const void *a, const void *b)
{
	const struct position *x = a, *y = b;

	return x->order != y->order ? (x->order < y->order ? -1 : 1) : strcmp(x->name, y->name);
}

static int sort_entries(struct knobs *k)
{
	size_t n = json_object_size(k->entries), i = 0;
	_cleanup_free_ struct position *list = calloc(n + 1, sizeof(*list));
	const char *name;
	json_t *e;

	k->order = calloc(n + 1, sizeof(*k->order));
	if (!list || !k->order)
		return -ENOMEM;
	json_object_foreach(k->entries, name, e) {
		list[i++] = (struct position){name, json_int(e, "order", 0)};
	}
	qsort(list, n, sizeof(*list), by_order);
	for (i = 0; i < n; i++)
		k->order[i] = list[i].name;
	k->n = n;
	return 0;
}

int knobs_load(const char *path, struct knobs **knobs, char **why)
{
	_cleanup_free_ char *shipped = path ? NULL : share_path("profiles/knobs.json");
	_cleanup_free_ char *reason = NULL;
	struct knobs *k = calloc(1, sizeof(*k));
	const char *name;
	json_t *e;
	int rc = 0;

	*knobs = NULL;
	if (!path && !shipped) {
		free(k);
		return why_set(why, -ENOENT, "profiles/knobs.json is not there: set IORIG_SHARE to the directory that has profiles/ in it");
	}
	if (!k)
		return why_set(why, -ENOMEM, "out of memory");
	k->doc = json_read(path ? path : shipped, "iorig.knobs/1", &reason);
	k->entries = json_object_get(k->doc, "knobs");
	k->filesystems = json_object_get(k->doc, "filesystems");
	if (!k->doc)
		rc = why_set(why, -EINVAL, "%s", reason);
	else if (!json_is_object(k->entries) || !json_is_object(k->filesystems))
		rc = why_set(why, -EINVAL, "'%s' has no \"knobs\" or no \"filesystems\"", path ? path : shipped);
	json_object_foreach(k->entries, name, e) {
		rc = rc ? rc : check_entry(k, name, e, &reason);
		if (rc && reason)
			why_set(why, rc, "%s: %s", path ? path : shipped, reason);
		if (rc)
			break;
	}
	if (!rc)
		rc = sort_entries(k);
	if (rc)
		knobs_free(k);
	else
		*knobs = k;
	return rc;
}

void knobs_free(struct knobs *k)
{
	if (!k)
		return;
	json_decref(k->doc);
	free(k->order);
	free(k);
}

const json_t *knobs_entry(const struct knobs *k, const char *name)
{
	return json_object_get(k->entries, name);
}

const char *knobs_nth(const struct knobs *k, size_t n)
{
	return n < k->n ? k->order[n] : NULL;
}
