#include "lib/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/outfile.h"

json_t *json_read(const char *path, const char *schema, char **why)
{
	json_error_t error;
	json_t *doc;
	const char *found;

	errno = 0;
	doc = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
	if (!doc) {
		if (json_error_code(&error) == json_error_cannot_open_file) {
			if (asprintf(why, "cannot read '%s': %s", path, strerror(errno)) < 0)
				*why = NULL;
		} else if (asprintf(why, "%s:%d:%d: no valid JSON: %s", path, error.line, error.column, error.text) < 0) {
			*why = NULL;
		}
		return NULL;
	}
	found = json_text(doc, "schema", "none");
	if (schema && strcmp(found, schema)) {
		if (asprintf(why, "'%s' is no %s document (its schema is %s)", path, schema, found) < 0)
			*why = NULL;
		json_decref(doc);
		return NULL;
	}
	return doc;
}

int json_write(const char *path, const json_t *doc)
{
	struct outfile out;
	int rc = outfile_open(&out, path);

	if (rc)
		return rc;
	if (json_dumpf(doc, out.stream, JSON_INDENT(1) | JSON_REAL_PRECISION(15))) {
		outfile_abandon(&out);
		return -EIO;
	}
	fputc('\n', out.stream);
	return outfile_commit(&out);
}

json_t *json_at(const json_t *doc, const char *dotted)
{
	char key[128];

	while (doc && *dotted) {
		size_t n = strcspn(dotted, ".");

		if (n >= sizeof(key))
			return NULL;
		memcpy(key, dotted, n);
		key[n] = 0;
		doc = json_object_get(doc, key);
		dotted += n + (dotted[n] == '.');
	}
	return (json_t *)doc;
}

const char *json_text(const json_t *object, const char *key, const char *otherwise)
{
	const json_t *v = json_object_get(object, key);

	return json_is_string(v) ? json_string_value(v) : otherwise;
}

double json_number(const json_t *object, const char *key, double otherwise)
{
	const json_t *v = json_object_get(object, key);

	return json_is_number(v) ? json_number_value(v) : otherwise;
}

int64_t json_int(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *v = json_object_get(object, key);

	return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

bool json_flag(const json_t *object, const char *key, bool otherwise)
{
	const json_t *v = json_object_get(object, key);

	return json_is_boolean(v) ? json_is_true(v) : otherwise;
}

json_t *json_any_text(const char *text)
{
	json_t *value = json_string(text);
	_cleanup_free_ char *plain = value ? NULL : malloc(4 * strlen(text) + 1);
	char *to = plain;

	if (!plain)
		return value;
	for (; *text; text++) {
		if (*text & 0x80)
			to += sprintf(to, "\\x%02x", (unsigned char)*text);
		else
			*to++ = *text;
	}
	*to = 0;
	return json_string(plain);
}

char *json_canonical(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

int json_append_line(const char *path, const json_t *doc)
{
	_cleanup_free_ char *line = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(15));

	return line ? append_line_synced(path, line) : -ENOMEM;
}
