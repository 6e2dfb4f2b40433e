#pragma once
/* What the fuzz targets share: a file in memory that has a path, and a comparison of two dumps. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct memory_file {
	int fd;
	char path[32];
};

static inline struct memory_file memory_file(const void *data, size_t n)
{
	struct memory_file f = {.fd = memfd_create("fuzz", MFD_CLOEXEC)};

	if (f.fd < 0 || (n && write(f.fd, data, n) != (ssize_t)n))
		abort();
	snprintf(f.path, sizeof(f.path), "/proc/self/fd/%d", f.fd);
	return f;
}

/* The text of all that can be read; *status is how reading ended. The caller frees it. */
static inline char *dump(const char *path, size_t *n, enum trace_status *status)
{
	struct trace_error error;
	struct trace_reader *r = trace_reader_open(path, &error);
	struct trace_record record;
	char *text = NULL;
	FILE *to = open_memstream(&text, n);

	if (r) {
		text_print_json(to, "header", trace_reader_header(r));
		while (trace_reader_next(r, &record))
			text_print(to, r, &record);
		if (trace_reader_trailer(r))
			text_print_json(to, "trailer", trace_reader_trailer(r));
		error = *trace_reader_error(r);
		trace_reader_close(r);
	}
	fclose(to);
	*status = error.status;
	return text;
}

/* build(text) must succeed, and its dump be text again. Dumps hold no NUL. */
static inline void must_round_trip(const char *text, size_t n)
{
	struct memory_file f = memory_file(NULL, 0);
	struct text_error error;
	enum trace_status status;
	FILE *from = fmemopen((void *)text, n, "r");
	size_t again_bytes;
	char *again;

	if (text_build(from, f.path, NULL, &error)) {
		fprintf(stderr, "line %llu: %s\n", (unsigned long long)error.line, error.text);
		abort();
	}
	again = dump(f.path, &again_bytes, &status);
	/* All but the header, in which the writer puts schema and version in front. */
	if (status != TRACE_OK || strcmp(strchr(again, '\n'), strchr(text, '\n')) != 0) {
		fprintf(stderr, "--- one\n%.*s--- two\n%.*s", (int)n, text, (int)again_bytes, again);
		abort();
	}
	free(again);
	fclose(from);
	close(f.fd);
}
