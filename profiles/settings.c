/* Questions about a settings object: is it valid, which knobs of it mean something, what is known to be impossible. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/why.h"
#include "profiles/catalogue.h"
#include "profiles/values.h"

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t m = a < b ? a : b;

	return m < c ? m : c;
}

/* Levenshtein distance, names cut at 63 characters. */
static size_t distance(const char *a, const char *b)
{
	size_t row[64], n = strnlen(b, 63);

	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 1; i <= strnlen(a, 63); i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			size_t above = row[j];

			row[j] = smallest(row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[n];
}

/* People leave out or guess the area ("scheduler", "disk.scheduler"), so the last part alone counts too. */
static const char *nearest(const struct knobs *k, const char *name)
{
	const char *best = NULL, *tail = strrchr(name, '.');
	size_t least = 1000;

	tail = tail ? tail + 1 : name;
	for (size_t i = 0; i < k->n; i++) {
		const char *dot = strchr(k->order[i], '.');
		size_t d = distance(name, k->order[i]), t = dot ? distance(tail, dot + 1) + 1 : d;

		if (t < d)
			d = t;
		if (d < least) {
			least = d;
			best = k->order[i];
		}
	}
	return best;
}

static int wrong(const char *name, const json_t *e, const json_t *value, char **why)
{
	_cleanup_free_ char *values = json_dumps(json_object_get(e, "values"), JSON_COMPACT);
	char text[128], range[160] = "";

	value_text(value, text, sizeof(text));
	if (values)
		return why_set(why, -EINVAL, "%s=%s: it takes one of %s", name, text, values);
	if (!strcmp(json_text(e, "type", ""), "bool"))
		return why_set(why, -EINVAL, "%s=%s: it takes true or false", name, text);
	snprintf(range, sizeof(range), "a whole number from %lld to %lld", (long long)json_int(e, "min", INT64_MIN / 1024),
		 (long long)json_int(e, "max", 1LL << 53));
	if (json_object_get(e, "multiple_of"))
		snprintf(range + strlen(range), sizeof(range) - strlen(range), ", a multiple of %lld",
			 (long long)json_int(e, "multiple_of", 1));
	return why_set(why, -EINVAL, "%s=%s: it takes %s%s%s", name, text, range, json_text(e, "unit", NULL) ? ", in " : "",
		       json_text(e, "unit", ""));
}

static bool value_fits(const json_t *e, const json_t *value)
{
	const char *type = json_text(e, "type", "");
	json_int_t number = json_integer_value(value);

	if (!strcmp(type, "enum"))
		return value_listed(value, json_object_get(e, "values"));
	if (!strcmp(type, "bool"))
		return json_is_boolean(value);
	return json_is_integer(value) && number >= json_int(e, "min", INT64_MIN) && number <= json_int(e, "max", 1LL << 53) &&
	       number % json_int(e, "multiple_of", 1) == 0;
}

int knobs_validate(const struct knobs *k, const json_t *settings, char **why)
{
	const char *name;
	json_t *value;

	if (!json_is_object(settings))
		return why_set(why, -EINVAL, "settings are an object: {\"block.scheduler\": \"bfq\", ...}");
	json_object_foreach((json_t *)settings, name, value) {
		const json_t *e = knobs_entry(k, name);

		if (!e)
			return why_set(why, -EINVAL, "there is no knob '%s'; the nearest is '%s'", name, nearest(k, name));
		if (!json_is_null(value) && !value_fits(e, value))
			return wrong(name, e, value, why);
	}
	return 0;
}

static const json_t *value_of(const struct knobs *k, const char *name, const json_t *settings)
{
	const json_t *value = json_object_get(settings, name);

	return value && !json_is_null(value) ? value : json_object_get(knobs_entry(k, name), "default");
}

static bool conditions_hold(const struct knobs *k, const json_t *conditions, const json_t *settings)
{
	const char *other;
	json_t *list;

	json_object_foreach((json_t *)conditions, other, list) {
		if (!value_listed(value_of(k, other, settings), list))
			return false;
	}
	return true;
}

bool knobs_applies(const struct knobs *k, const char *name, const json_t *settings)
{
	const json_t *e = knobs_entry(k, name), *rival;
	size_t i;

	if (!e || !conditions_hold(k, json_object_get(e, "applies"), settings))
		return false;
	json_array_foreach(json_object_get(e, "yields_to"), i, rival) {
		const json_t *value = json_object_get(settings, json_string_value(rival));

		if (value && !json_is_null(value))
			return false;
	}
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

json_t *knobs_resolve(const struct knobs *k, const json_t *settings)
{
	_cleanup_free_ const char **names = calloc(k->n + 1, sizeof(*names));
	json_t *resolved = json_object();

	if (!names || !resolved) {
		json_decref(resolved);
		return NULL;
	}
	memcpy(names, k->order, k->n * sizeof(*names));
	qsort(names, k->n, sizeof(*names), by_name);
	for (size_t i = 0; i < k->n; i++) {
		json_t *value = json_object_get(settings, names[i]);

		if (value && !json_is_null(value) && knobs_applies(k, names[i], settings))
			json_object_set(resolved, names[i], value);
	}
	return resolved;
}

static bool value_matches(const json_t *rule, const json_t *value)
{
	json_int_t number = json_integer_value(value);

	if (!strcmp(json_text(rule, "value", ""), "not-power-of-two"))
		return number <= 0 || (number & (number - 1));
	return value_listed(value, json_object_get(rule, "value"));
}

char *knobs_unsupported(const struct knobs *k, const json_t *settings)
{
	for (size_t i = 0; i < k->n; i++) {
		const char *name = k->order[i];
		const json_t *value = json_object_get(settings, name), *rule;
		size_t r;

		if (!value || json_is_null(value) || !knobs_applies(k, name, settings))
			continue;
		json_array_foreach(json_object_get(knobs_entry(k, name), "impossible"), r, rule) {
			char text[128], *why = NULL;

			if (!value_matches(rule, value) || !conditions_hold(k, json_object_get(rule, "if"), settings))
				continue;
			why_set(&why, 0, "%s=%s: %s", name, value_text(value, text, sizeof(text)), json_text(rule, "why", "impossible"));
			return why;
		}
	}
	return NULL;
}
