#pragma once
/*
 * Traces in their text form as a fuzzer's input: whole lines and numbers are what is mutated, so that most inputs are traces. Lines that
 * the text form refuses are left out. A target includes this once; it brings its own LLVMFuzzerCustomMutator.
 */
#include <ctype.h>

#include "tests/fuzz/fuzz.h"
#include "trace/ops.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned int seed);

enum { REFUSED_LINES_MAX = 10 };

/* The trace of that text in memory. False: there is none. */
static inline bool build_trace(const uint8_t *data, size_t n, struct memory_file *file)
{
	char *text = malloc(n + 1);
	bool good = false;

	if (n)
		memcpy(text, data, n);
	for (int tries = 0; n && tries < REFUSED_LINES_MAX && !good; tries++) {
		FILE *from = fmemopen(text, n, "r");
		struct text_error error;
		char *line = text, *end;

		*file = memory_file(NULL, 0);
		good = !text_build(from, file->path, NULL, &error);
		fclose(from);
		if (good)
			break;
		close(file->fd);
		if (!error.line)
			break;
		for (uint64_t i = 1; i < error.line && line; i++)
			line = memchr(line, '\n', n - (size_t)(line - text)) ? (char *)memchr(line, '\n', n - (size_t)(line - text)) + 1 : NULL;
		if (!line)
			break;
		end = memchr(line, '\n', n - (size_t)(line - text));
		end = end ? end + 1 : text + n;
		memmove(line, end, n - (size_t)(end - text));
		n -= (size_t)(end - line);
	}
	free(text);
	return good;
}

/* ---- mutation ---------------------------------------------------------------------------------------------------------------- */

static unsigned mutation_seed;

static inline unsigned mutation_pick(unsigned n)
{
	mutation_seed = mutation_seed * 1103515245u + 12345u;
	return n ? (mutation_seed >> 8) % n : 0;
}

/* Begin and end of a random line. */
static inline void pick_line(const uint8_t *data, size_t n, size_t *from, size_t *to)
{
	size_t at = mutation_pick((unsigned)n);

	while (at && data[at - 1] != '\n')
		at--;
	*from = at;
	while (at < n && data[at] != '\n')
		at++;
	*to = at < n ? at + 1 : n;
}

/* [from, to) becomes those m bytes; what does not fit is not done. */
static inline size_t splice_bytes(uint8_t *data, size_t n, size_t max, size_t from, size_t to, const void *with, size_t m)
{
	if (n - (to - from) + m > max)
		return n;
	memmove(data + from + m, data + to, n - to);
	if (m)
		memcpy(data + from, with, m);
	return n - (to - from) + m;
}

static inline size_t mutate_number(uint8_t *data, size_t n, size_t max, size_t from, size_t to)
{
	static const char *const values[] = {"0", "1", "2", "3", "4", "5", "100", "101", "-1", "4096", "65536", "2147483647", "4294967295", "9223372036854775807",
		"18446744073709551615", "1125899906842624", "8192"};
	size_t at = from + mutation_pick((unsigned)(to - from)), end;
	const char *value = values[mutation_pick(sizeof(values) / sizeof(values[0]))];

	while (at < to && !isdigit(data[at]))
		at++;
	for (end = at; end < to && isdigit(data[end]);)
		end++;
	while (at > from && isdigit(data[at - 1]))
		at--;
	return at == end ? n : splice_bytes(data, n, max, at, end, value, strlen(value));
}

/* The word behind the thread of an event: another operation. */
static inline size_t mutate_operation(uint8_t *data, size_t n, size_t max, size_t from, size_t to)
{
	unsigned op = mutation_pick(TRACE_OP_MAX);
	size_t at = from, end;

	if (!isdigit(data[from]) || !trace_ops[op].name)
		return n;
	for (int blanks = 0; blanks < 2 && at < to; at++)
		blanks += data[at] == ' ';
	for (end = at; end < to && data[end] != ' ' && data[end] != '\n';)
		end++;
	return splice_bytes(data, n, max, at, end, trace_ops[op].name, strlen(trace_ops[op].name));
}

static inline size_t mutate_path(uint8_t *data, size_t n, size_t max, size_t from, size_t to)
{
	static const char *const paths[] = {"/", "/a", "/a/b", "/a/b/c", "/a/../..", "..", ".", "", "a", "/srv/x", "/a/./b//", "//", "/proc/self/fd/3"};
	const char *path = paths[mutation_pick(sizeof(paths) / sizeof(paths[0]))];
	uint8_t *quote = memchr(data + from, '"', to - from), *end;

	end = quote ? memchr(quote + 1, '"', to - (size_t)(quote + 1 - data)) : NULL;
	return end ? splice_bytes(data, n, max, (size_t)(quote + 1 - data), (size_t)(end - data), path, strlen(path)) : n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t max, unsigned int seed)
{
	uint8_t line[4096];
	size_t from, to, at, end;

	mutation_seed = seed;
	if (!n || !mutation_pick(8))
		return LLVMFuzzerMutate(data, n, max);
	pick_line(data, n, &from, &to);
	if (to == from || to - from > sizeof(line))
		return LLVMFuzzerMutate(data, n, max);
	switch (mutation_pick(7)) {
	case 0: return splice_bytes(data, n, max, from, to, NULL, 0);
	case 1: /* a copy elsewhere */
	case 2:
		memcpy(line, data + from, to - from);
		pick_line(data, n, &at, &end);
		return splice_bytes(data, n, max, at, at, line, to - from);
	case 3: return mutate_operation(data, n, max, from, to);
	case 4: return mutate_path(data, n, max, from, to);
	default: return mutate_number(data, n, max, from, to);
	}
}
