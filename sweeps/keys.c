#include "sweeps/keys.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/why.h"

static int check_object(const struct key *table, const json_t *object, const char *path, char **why);

static int bad(char **why, const char *path, const char *wanted)
{
	return why_set(why, -EINVAL, "'%s' must be %s", path, wanted);
}

static int check_choice(const struct key *key, const json_t *value, const char *path, char **why)
{
	const char *text = json_string_value(value);
	size_t n = strlen(text);

	if (!*text)
		return bad(why, path, "no empty text");
	for (const char *c = key->choices; c && *c; c += strcspn(c, " "), c += *c == ' ')
		if (strcspn(c, " ") == n && !strncmp(c, text, n))
			return 0;
	if (!key->choices)
		return 0;
	return why_set(why, -EINVAL, "'%s' cannot be '%s'; possible: %s", path, text, key->choices);
}

static int check_number(const struct key *key, const json_t *value, const char *path, char **why)
{
	double number = json_number_value(value);

	if (key->type == 'i' ? !json_is_integer(value) : !json_is_number(value))
		return bad(why, path, key->type == 'i' ? "a whole number" : "a number");
	if (key->min == 0 && key->max == 0 ? number < 0 : number < key->min || number > key->max)
		return key->max ? why_set(why, -EINVAL, "'%s' must be between %g and %g", path, key->min, key->max)
				: why_set(why, -EINVAL, "'%s' must not be negative", path);
	return 0;
}

static int check_items(const struct key *table, const struct key *key, const json_t *value, const char *path, char **why)
{
	char item_path[164];
	json_t *item;
	size_t i;
	int rc = 0;

	if (!json_is_array(value))
		return bad(why, path, key->type == 'S' ? "a list of texts" : "a list of objects");
	snprintf(item_path, sizeof(item_path), "%s[]", path);
	json_array_foreach(value, i, item) {
		if (key->type == 'S')
			rc = json_is_string(item) ? check_choice(key, item, path, why) : bad(why, path, "a list of texts");
		else
			rc = json_is_object(item) ? check_object(table, item, item_path, why) : bad(why, path, "a list of objects");
		if (rc)
			return rc;
	}
	return 0;
}

static int check_value(const struct key *table, const struct key *key, const json_t *value, const char *path, char **why)
{
	switch (key->type) {
	case 's':
		return json_is_string(value) ? check_choice(key, value, path, why) : bad(why, path, "a text");
	case 'i':
	case 'n':
		return check_number(key, value, path, why);
	case 'b':
		return json_is_boolean(value) ? 0 : bad(why, path, "true or false");
	case 'm':
		return json_is_object(value) ? 0 : bad(why, path, "an object");
	case 'o':
		return json_is_object(value) ? check_object(table, value, path, why) : bad(why, path, "an object");
	case 'S':
	case 'A':
		return check_items(table, key, value, path, why);
	default:
		return 0;
	}
}

/* "name, question, trace": the keys that stand directly below path. */
static char *known_below(const struct key *table, const char *path)
{
	size_t n = strlen(path), size;
	char *text = NULL;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (const struct key *k = table; k->path; k++) {
		const char *rest = k->path + n + (n > 0);

		if (strncmp(k->path, path, n) || (n && k->path[n] != '.') || strpbrk(rest, ".["))
			continue;
		fprintf(out, "%s%s", ftell(out) ? ", " : "", rest);
	}
	fclose(out);
	return text;
}

static int check_object(const struct key *table, const json_t *object, const char *path, char **why)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)object, name, value) {
		const struct key *key = table;
		char full[160];
		int rc;

		snprintf(full, sizeof(full), "%s%s%.80s", path, *path ? "." : "", name);
		while (key->path && strcmp(key->path, full))
			key++;
		if (!key->path) {
			_cleanup_free_ char *known = known_below(table, path);

			return why_set(why, -EINVAL, "unknown key '%s'; known here: %s", full, known ? known : "");
		}
		rc = check_value(table, key, value, full, why);
		if (rc)
			return rc;
	}
	return 0;
}

int keys_check(const struct key *table, const json_t *doc, char **why)
{
	return json_is_object(doc) ? check_object(table, doc, "", why) : why_set(why, -EINVAL, "the document must be an object");
}
