#pragma once
/*
 * JSON documents as a fuzzer's input: one object whose members are the files of a folder ("runs.ndjson" is an array of its lines). What
 * is mutated are values of the documents, so that every input is JSON. A target includes this once.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned int seed);

static unsigned mutation_seed;

static inline unsigned mutation_pick(unsigned n)
{
	mutation_seed = mutation_seed * 1103515245u + 12345u;
	return n ? (mutation_seed >> 8) % n : 0;
}

/* A random value somewhere in the document, the document itself excepted; where it hangs. */
struct place {
	json_t *in;
	const char *key; /* of an object; NULL: at */
	size_t at;
};

static inline struct place pick_place(json_t *doc)
{
	struct place p = {.in = doc};

	for (;;) {
		size_t n = json_is_object(p.in) ? json_object_size(p.in) : json_array_size(p.in);
		json_t *value;

		if (!n)
			return p;
		p.at = mutation_pick((unsigned)n);
		p.key = NULL;
		if (json_is_object(p.in)) {
			void *it = json_object_iter(p.in);

			for (size_t i = 0; i < p.at; i++)
				it = json_object_iter_next(p.in, it);
			p.key = json_object_iter_key(it);
			value = json_object_iter_value(it);
		} else {
			value = json_array_get(p.in, p.at);
		}
		if ((!json_is_object(value) && !json_is_array(value)) || !mutation_pick(6))
			return p;
		if (json_is_object(value) ? !json_object_size(value) : !json_array_size(value))
			return p;
		p.in = value;
	}
}

static inline json_t *value_at(const struct place *p)
{
	return p->key ? json_object_get(p->in, p->key) : json_array_get(p->in, p->at);
}

static inline json_t *strange_value(void)
{
	static const char *const texts[] = {"", "ok", "failed", "done", "armed", "D1:30s", "D0+D4", "D1:-1s", "none", "/", "..", "\033[31m\n", "2026-02-31T25:61:61Z",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
	static const int64_t integers[] = {0, 1, -1, 2, 3, 63, 64, 4096, INT32_MAX, INT32_MIN, UINT32_MAX, 1LL << 53, INT64_MAX, INT64_MIN};
	static const double reals[] = {0.0, -0.5, 1e-300, 1e300, -1e308, 0.1, 1.5};

	switch (mutation_pick(8)) {
	case 0: return json_null();
	case 1: return json_boolean(mutation_pick(2));
	case 2: return json_array();
	case 3: return json_object();
	case 4: return json_string(texts[mutation_pick(sizeof(texts) / sizeof(texts[0]))]);
	case 5: return json_real(reals[mutation_pick(sizeof(reals) / sizeof(reals[0]))]);
	default: return json_integer(integers[mutation_pick(sizeof(integers) / sizeof(integers[0]))]);
	}
}

static inline void mutate_document(json_t *doc)
{
	struct place p = pick_place(doc);
	json_t *other, *value;

	if (json_is_object(p.in) ? !json_object_size(p.in) : !json_array_size(p.in))
		return;
	switch (mutation_pick(6)) {
	case 0:
		if (p.key)
			json_object_del(p.in, p.key);
		else
			json_array_remove(p.in, p.at);
		return;
	case 1: /* another value of the document, or of its own array once more */
		if (p.key) {
			struct place q = pick_place(doc);

			other = json_deep_copy(value_at(&q));
		} else {
			json_array_insert_new(p.in, p.at, json_deep_copy(value_at(&p)));
			return;
		}
		break;
	case 2: /* a number near it */
		value = value_at(&p);
		if (json_is_integer(value)) {
			other = json_integer((json_int_t)((uint64_t)json_integer_value(value) + mutation_pick(3) - 1));
			break;
		}
		other = strange_value();
		break;
	default: other = strange_value();
	}
	if (!other)
		return;
	if (p.key)
		json_object_set_new(p.in, p.key, other);
	else
		json_array_set_new(p.in, p.at, other);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned int seed)
{
	json_t *doc = json_loadb((const char *)data, n, 0, NULL);
	char *text;
	size_t bytes;

	mutation_seed = seed;
	if (!doc || !mutation_pick(200)) {
		json_decref(doc);
		return LLVMFuzzerMutate(data, n, max);
	}
	for (unsigned i = 1 + mutation_pick(3); i; i--)
		mutate_document(doc);
	text = json_dumps(doc, JSON_COMPACT);
	json_decref(doc);
	bytes = text ? strlen(text) : 0;
	if (bytes && bytes <= max) {
		memcpy(data, text, bytes);
		n = bytes;
	}
	free(text);
	return n;
}

/* ---- files ------------------------------------------------------------------------------------------------------------------- */

/* A folder of this process in memory, made once. */
static inline const char *scratch_folder(void)
{
	static char path[64];

	if (!path[0]) {
		snprintf(path, sizeof(path), "/dev/shm/iorig-fuzz.%d", getpid());
		if (mkdir(path, 0700) && errno != EEXIST)
			abort();
	}
	return path;
}

static inline void write_document(const char *path, const json_t *doc)
{
	FILE *f = fopen(path, "we");
	const json_t *line;
	size_t i;

	if (!f)
		return;
	if (strstr(path, ".ndjson"))
		json_array_foreach(doc, i, line) {
			json_dumpf(line, f, JSON_COMPACT | JSON_ENCODE_ANY);
			fputc('\n', f);
		}
	else if (json_is_string(doc))
		fputs(json_string_value(doc), f);
	else
		json_dumpf(doc, f, JSON_COMPACT | JSON_ENCODE_ANY);
	fclose(f);
}

/* Only files that the target knows are written: names come from the fuzzer. */
static inline void write_documents(const json_t *files, const char *const *known)
{
	char path[256];

	for (; *known; known++) {
		snprintf(path, sizeof(path), "%s/%s", scratch_folder(), *known);
		if (json_object_get(files, *known))
			write_document(path, json_object_get(files, *known));
		else
			unlink(path);
	}
}
