#include "profiles/values.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

char *value_text(const json_t *value, char *text, size_t room)
{
	if (json_is_string(value))
		snprintf(text, room, "%s", json_string_value(value));
	else if (json_is_integer(value))
		snprintf(text, room, "%lld", (long long)json_integer_value(value));
	else if (json_is_boolean(value))
		snprintf(text, room, "%s", json_is_true(value) ? "true" : "false");
	else if (json_is_real(value))
		snprintf(text, room, "%g", json_real_value(value));
	else
		snprintf(text, room, "%s", json_is_null(value) || !value ? "null" : "(no plain value)");
	return text;
}

bool value_listed(const json_t *value, const json_t *list)
{
	const json_t *not = json_object_get(list, "not"), *member;
	size_t i;

	if (not)
		return !value_listed(value, not);
	if (!value)
		return false;
	json_array_foreach(list, i, member) {
		if (json_equal(member, value))
			return true;
	}
	return false;
}

const json_t *value_map(const json_t *template, const char *fs, const char *value)
{
	const char *const form[][2] = {{fs, value}, {fs, "*"}, {NULL, value}, {NULL, "*"}};
	char key[192];

	if (!json_is_object(template))
		return json_is_null(template) ? NULL : template;
	for (size_t i = 0; i < ARRAY_SIZE(form); i++) {
		const json_t *found;

		if (i < 2 && !fs)
			continue;
		snprintf(key, sizeof(key), "%s%s%s", form[i][0] ? fs : "", form[i][0] ? ":" : "", form[i][1]);
		found = json_object_get(template, key);
		if (found)
			return json_is_null(found) ? NULL : found;
	}
	return NULL;
}

const json_t *value_by_fs(const json_t *node, const char *fs)
{
	const json_t *by_fs = json_object_get(node, "by_fs"), *found;

	if (!by_fs)
		return node;
	found = fs ? json_object_get(by_fs, fs) : NULL;
	return found ? found : json_object_get(by_fs, "*");
}

char *value_expand(const char *template, const json_t *vars)
{
	char *out = NULL;
	size_t n = 0;
	FILE *to = open_memstream(&out, &n);

	if (!to)
		return NULL;
	for (const char *p = template; *p;) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;
		char name[64] = "";
		const char *value;

		if (end && (size_t)(end - p) <= sizeof(name))
			snprintf(name, (size_t)(end - p), "%s", p + 1);
		value = *name ? json_text(vars, name, NULL) : NULL;
		if (value) {
			fputs(value, to);
			p = end + 1;
		} else {
			fputc(*p++, to);
		}
	}
	if (fclose(to)) {
		free(out);
		return NULL;
	}
	return out;
}
