#include "trace/anonymize.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/sha256.h"
#include "trace/strings.h"

enum { DIGITS = 16, NAME_DIGITS = 14, LONGEST_NAME = 255 };

struct anonymizer {
	struct anonymizer_options options;
	char *key;
	struct strings component, pseudonym; /* of paths: the same ids in both */
	struct strings name;                 /* other names that were replaced */
	char *out;
	size_t out_bytes, out_room;
	char leak[LONGEST_NAME + 1];
	bool collided;
};

struct anonymizer *anonymizer_open(const struct anonymizer_options *options)
{
	struct anonymizer *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->options = *options;
	a->key = malloc(options->key_bytes + 1);
	if (!a->key) {
		free(a);
		return NULL;
	}
	memcpy(a->key, options->key, options->key_bytes);
	return a;
}

void anonymizer_close(struct anonymizer *a)
{
	if (!a)
		return;
	strings_release(&a->component);
	strings_release(&a->name);
	strings_release(&a->pseudonym);
	free(a->key);
	free(a->out);
	free(a);
}

bool anonymizer_collided(const struct anonymizer *a)
{
	return a->collided;
}

/* ---- what stays ---- */

static bool is_known(const char *name, size_t n)
{
	static const char *const known[] = {
		"bin", "boot", "cache", "data", "dev",  "etc", "home",  "lib",   "lib32", "lib64", "local", "log", "mail", "media", "mnt",
		"opt", "proc", "root",  "run",  "sbin", "share", "spool", "src", "srv",   "sys",   "tmp",   "usr", "var",  "www",   "x86_64-linux-gnu"};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strlen(known[i]) == n && !memcmp(known[i], name, n))
			return true;
	return false;
}

static bool stays(const struct anonymizer *a, const char *name, size_t n)
{
	if (!n || (n == 1 && name[0] == '.') || (n == 2 && name[0] == '.' && name[1] == '.'))
		return true;
	return a->options.keep_directories && is_known(name, n);
}

/* Bytes of the extension, its dot included; 0 when there is none that may stay. ".bashrc" is a name, no extension. */
static size_t extension_of(const struct anonymizer *a, const char *name, size_t n)
{
	size_t dot = n;

	if (!a->options.keep_extensions)
		return 0;
	while (dot && name[dot - 1] != '.') {
		if (!isalnum((unsigned char)name[dot - 1]) || n - dot >= 8)
			return 0;
		dot--;
	}
	return dot > 1 && dot < n ? n - dot + 1 : 0;
}

/* ---- pseudonyms ---- */

static void digest(const struct anonymizer *a, const char *name, size_t n, char hex[SHA256_HEX])
{
	struct sha256 s;
	char length[24];

	/* The length of the key in front: key and name cannot be shifted into each other. */
	sha256_init(&s);
	sha256_update(&s, length, (size_t)snprintf(length, sizeof(length), "%zu:", a->options.key_bytes));
	sha256_update(&s, a->key, a->options.key_bytes);
	sha256_update(&s, name, n);
	sha256_finish(&s, hex);
}

static bool out(struct anonymizer *a, const char *text, size_t n)
{
	if (a->out_bytes + n + 1 > a->out_room) {
		size_t room = 2 * (a->out_bytes + n + 1);
		char *bigger = realloc(a->out, room);

		if (!bigger)
			return false;
		a->out = bigger;
		a->out_room = room;
	}
	memcpy(a->out + a->out_bytes, text, n);
	a->out_bytes += n;
	a->out[a->out_bytes] = 0;
	return true;
}

/* Remembers the pair; false when another name has that pseudonym already. */
static bool remember(struct anonymizer *a, const char *name, size_t n, const char *pseudonym, size_t pseudonym_bytes)
{
	int is_new, is_unused;

	if (!strings_intern(&a->component, name, n, &is_new))
		return false;
	if (!is_new)
		return true;
	if (!strings_intern(&a->pseudonym, pseudonym, pseudonym_bytes, &is_unused))
		return false;
	a->collided |= !is_unused;
	return is_unused;
}

static bool out_component(struct anonymizer *a, const char *name, size_t n, size_t digits)
{
	size_t extension = extension_of(a, name, n), start = a->out_bytes;
	char hex[SHA256_HEX];

	if (stays(a, name, n))
		return out(a, name, n);
	digest(a, name, n, hex);
	if (!out(a, hex, digits))
		return false;
	/* A name that is too long for every file system must stay so, or its error would not come back. */
	while (n > LONGEST_NAME && a->out_bytes - start < n)
		if (!out(a, "x", 1))
			return false;
	return out(a, name + n - extension, extension) && remember(a, name, n, a->out + start, a->out_bytes - start);
}

static void begin(struct anonymizer *a)
{
	a->out_bytes = 0;
}

const char *anonymizer_path(struct anonymizer *a, const char *path)
{
	begin(a);
	if (!out(a, "", 0))
		return NULL;
	for (const char *p = path;;) {
		size_t n = strcspn(p, "/");

		if (!out_component(a, p, n, DIGITS))
			return NULL;
		p += n;
		if (!*p)
			return a->out;
		if (!out(a, p++, 1))
			return NULL;
	}
}

const char *anonymizer_name(struct anonymizer *a, const char *name)
{
	char hex[SHA256_HEX];
	size_t n = strlen(name);
	int is_new;

	begin(a);
	if (!n)
		return out(a, "", 0) ? a->out : NULL;
	digest(a, name, n, hex);
	return out(a, hex, NAME_DIGITS) && strings_intern(&a->name, name, n, &is_new) ? a->out : NULL;
}

const char *anonymizer_xattr(struct anonymizer *a, const char *name)
{
	const char *dot = strchr(name, '.');
	size_t space = dot ? (size_t)(dot - name) + 1 : 0;

	begin(a);
	return out(a, name, space) && out_component(a, name + space, strlen(name + space), DIGITS) ? a->out : NULL;
}

/* ---- documents ---- */

static bool is_fact(const char *key)
{
	static const char *const facts[] = {"schema", "recorder", "kernel", "machine", "started", "id", "type", "dev", "scheduler",
					    "write_cache", "anonymized", "cpu_model", "mitigations", "invisible",
					    "transparent_hugepage", "ended_by"};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
		if (!strcmp(facts[i], key))
			return true;
	return false;
}

/* Digits and what stands between them, as device numbers and sizes. */
static bool is_number(const char *text)
{
	return *text && strspn(text, "0123456789.:") == strlen(text);
}

/* Mount options without those that may hold a name: what remains is words, and words with a number. */
static json_t *options_json(struct anonymizer *a, const char *text)
{
	begin(a);
	if (!out(a, "", 0))
		return NULL;
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, ",;"), word = strspn(p, "abcdefghijklmnopqrstuvwxyz_0123456789"), end = word;

		if (word < n && p[word] == '=')
			end += 1 + strspn(p + word + 1, "0123456789km%");
		if (n && end == n && (!out(a, ",", a->out_bytes != 0) || !out(a, p, n)))
			return NULL;
		p += n + (p[n] != 0);
	}
	return json_string(a->out);
}

static json_t *text_json(struct anonymizer *a, const char *key, const char *text)
{
	const char *pseudonym;

	if (is_fact(key) || is_number(text))
		return json_string(text);
	if (!strcmp(key, "options"))
		return options_json(a, text);
	pseudonym = anonymizer_path(a, text);
	return pseudonym ? json_string(pseudonym) : NULL;
}

static json_t *value_json(struct anonymizer *a, const char *key, const json_t *value)
{
	const char *name;
	json_t *member, *copy;
	size_t i;

	if (json_is_string(value))
		return text_json(a, key, json_string_value(value));
	if (json_is_object(value)) {
		copy = json_object();
		json_object_foreach((json_t *)value, name, member)
			if (json_object_set_new(copy, name, value_json(a, name, member))) {
				json_decref(copy);
				return NULL;
			}
		return copy;
	}
	if (json_is_array(value)) {
		copy = json_array();
		json_array_foreach(value, i, member)
			if (json_array_append_new(copy, value_json(a, key, member))) {
				json_decref(copy);
				return NULL;
			}
		return copy;
	}
	return json_incref((json_t *)value);
}

json_t *anonymizer_json(struct anonymizer *a, const json_t *doc)
{
	return value_json(a, "", doc);
}

/* ---- self-check ---- */

static bool is_original(const struct anonymizer *a, const char *name, size_t n)
{
	if (n <= 3 || stays(a, name, n))
		return false;
	return strings_find(&a->component, name, n) || strings_find(&a->name, name, n);
}

const char *anonymizer_leak(struct anonymizer *a, const char *text)
{
	for (const char *p = text;; p++) {
		size_t n = strcspn(p, "/");

		if (n <= LONGEST_NAME && is_original(a, p, n)) {
			memcpy(a->leak, p, n);
			a->leak[n] = 0;
			return a->leak;
		}
		p += n;
		if (!*p)
			return NULL;
	}
}

static const char *leak_in(struct anonymizer *a, const char *key, const json_t *value)
{
	const char *name, *leak = NULL;
	json_t *member;
	size_t i;

	if (json_is_string(value) && !is_fact(key) && strcmp(key, "options") != 0 && !is_number(json_string_value(value)))
		return anonymizer_leak(a, json_string_value(value));
	if (json_is_object(value))
		json_object_foreach((json_t *)value, name, member)
			if ((leak = leak_in(a, name, member)) != NULL)
				break;
	if (json_is_array(value))
		json_array_foreach(value, i, member)
			if ((leak = leak_in(a, key, member)) != NULL)
				break;
	return leak;
}

const char *anonymizer_leak_json(struct anonymizer *a, const json_t *doc)
{
	return leak_in(a, "", doc);
}
