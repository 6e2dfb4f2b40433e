#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"
#include "profiles/catalogue.h"
#include "profiles/values.h"

int durability_parse(const char *text, struct durability *d)
{
	size_t n = text ? strlen(text) : 0;
	char *end;

	*d = (struct durability){0};
	if (n < 2 || text[0] != 'D' || text[1] < '0' || text[1] > '3')
		return -EINVAL;
	d->level = text[1] - '0';
	text += 2;
	if (d->level == 1 && !strncmp(text, ":unbounded", 10)) {
		d->exposed_s = INFINITY;
		text += 10;
	} else if (d->level == 1 && *text == ':') {
		d->exposed_s = strtod(text + 1, &end);
		if (end == text + 1 || *end != 's' || !(d->exposed_s >= 0) || text[1] == '+' || text[1] == '-')
			return -EINVAL;
		text = end + 1;
	}
	if (!strcmp(text, "+D4")) {
		d->single_device = true;
		text += 3;
	}
	return *text ? -EINVAL : 0;
}

char *durability_text(const struct durability *d, char text[32])
{
	if (d->level == 1 && isinf(d->exposed_s))
		snprintf(text, 32, "D1:unbounded");
	else if (d->level == 1 && d->exposed_s > 0)
		snprintf(text, 32, "D1:%.10gs", d->exposed_s);
	else
		snprintf(text, 32, "D%d", d->level);
	return text;
}

int durability_compare(const struct durability *a, const struct durability *b)
{
	if (a->level != b->level)
		return a->level < b->level ? -1 : 1;
	if (a->level != 1 || a->exposed_s == b->exposed_s)
		return 0;
	return a->exposed_s < b->exposed_s ? -1 : 1;
}

int durability_of_rule(const char *rule, double value, struct durability *d)
{
	const char *open = strchr(rule, '{'), *close = open ? strchr(open, '}') : NULL;
	double divisor = 1;
	char text[96];

	if (!open)
		return durability_parse(rule, d);
	if (!close || strncmp(open, "{v", 2) || (open[2] == '/' && (divisor = atof(open + 3)) <= 0) || (open[2] != '/' && open[2] != '}'))
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*s%.10g%s", (int)(open - rule), rule, value / divisor, close + 1);
	return durability_parse(text, d);
}

/* Is `key` of a durability map ("writeback", "true", "<=5", ">5", "*") about this value? */
static bool key_holds(const char *key, const json_t *value)
{
	double number = json_number_value(value);
	char text[128];

	if (!strcmp(key, "*"))
		return true;
	if (json_is_number(value) && (*key == '<' || *key == '>')) {
		double bound = atof(key + 1 + (key[1] == '='));

		if (number == bound)
			return key[1] == '=';
		return *key == '<' ? number < bound : number > bound;
	}
	return !strcmp(key, value_text(value, text, sizeof(text)));
}

/* The first key that holds decides. A value that no key names is D0 only if the catalogue says so with "*"; without, it is D3. */
static struct durability class_of(const json_t *entry, const json_t *value)
{
	struct durability d = {.level = 3};
	const char *key;
	json_t *rule;

	json_object_foreach(json_object_get(entry, "durability"), key, rule) {
		if (!key_holds(key, value))
			continue;
		if (durability_of_rule(json_string_value(rule), json_number_value(value), &d))
			d = (struct durability){.level = 3};
		break;
	}
	return d;
}

void knobs_durability(const struct knobs *k, const json_t *settings, struct durability *worst, json_t **because)
{
	*worst = (struct durability){0};
	if (because)
		*because = json_object();
	for (size_t i = 0; i < k->n; i++) {
		const json_t *entry = knobs_entry(k, k->order[i]), *value = json_object_get(settings, k->order[i]);
		struct durability d;
		char text[128], key[256], level[32];
		bool flag = worst->single_device;

		/* A default counts too: no array at all is a single device. */
		if (!value || json_is_null(value))
			value = json_object_get(entry, "default");
		if (!value || !knobs_applies(k, k->order[i], settings))
			continue;
		d = class_of(entry, value);
		flag = flag || d.single_device;
		if (because && (d.level || d.single_device)) {
			snprintf(key, sizeof(key), "%s=%s", k->order[i], value_text(value, text, sizeof(text)));
			durability_text(&d, level);
			snprintf(text, sizeof(text), "%s%s", level, d.single_device ? "+D4" : "");
			json_object_set_new(*because, key, json_string(text));
		}
		if (durability_compare(&d, worst) > 0)
			*worst = d;
		worst->single_device = flag;
	}
}
