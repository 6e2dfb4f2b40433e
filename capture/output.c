#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/output.h"
#include "lib/cleanup.h"
#include "lib/exitcode.h"
#include "lib/json.h"
#include "lib/options.h"

int output_parse_rotate(struct output *o, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	char *comma = copy ? strchr(copy, ',') : NULL;

	if (!copy)
		return -ENOMEM;
	if (comma) {
		*comma = 0;
		if (parse_u64(comma + 1, &o->keep) || !o->keep)
			return -EINVAL; /* cppcheck-suppress memleak ; the cleanup attribute frees it */
	}
	return parse_size(copy, &o->rotate_bytes) || o->rotate_bytes < 1 << 16 ? -EINVAL : 0;
}

/* The number of a part stands before the extension. 0 or -ENAMETOOLONG. */
static int name_part(const struct output *o, uint32_t part, char name[sizeof(o->current)])
{
	const char *slash = strrchr(o->path, '/'), *leaf = slash ? slash + 1 : o->path, *dot = strrchr(leaf, '.');
	int n, stem = (int)(dot && dot != leaf ? dot - o->path : (ptrdiff_t)strlen(o->path));

	n = o->rotate_bytes ? snprintf(name, sizeof(o->current), "%.*s.%04u%s", stem, o->path, part, o->path + stem)
			    : snprintf(name, sizeof(o->current), "%s", o->path);
	return n < (int)sizeof(o->current) ? 0 : -ENAMETOOLONG;
}

struct trace_writer *output_open(struct output *o, const json_t *header, uint64_t max_bytes)
{
	struct trace_writer_options options = {.max_bytes = max_bytes};
	_cleanup_json_ json_t *anonymous = NULL;
	char old[sizeof(o->current)];

	if (name_part(o, o->part + 1, o->current)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	o->part++;
	if (o->keep && o->part > o->keep && !name_part(o, o->part - (uint32_t)o->keep, old))
		unlink(old);
	if (o->anonymizer) {
		options.rename = anonymous_rename;
		options.rename_context = o->anonymizer;
		header = anonymous = anonymous_header(o->anonymizer, header);
	}
	return header ? trace_writer_open(o->current, header, &options) : NULL;
}

static void *close_trace(void *data)
{
	struct output *o = data;
	int rc = trace_writer_close(o->closed, o->trailer);

	json_decref(o->trailer);
	if (rc && rc != -EFBIG && !o->error)
		o->error = rc;
	return NULL;
}

int output_finish(struct output *o)
{
	if (o->closing)
		pthread_join(o->closer, NULL);
	o->closing = false;
	return o->error;
}

void output_close(struct output *o, struct trace_writer *writer, json_t *trailer)
{
	output_finish(o);
	o->bytes_before += trace_writer_bytes(writer);
	o->closed = writer;
	o->trailer = trailer;
	if (o->anonymizer && trailer) {
		o->trailer = anonymizer_json(o->anonymizer, trailer);
		json_decref(trailer);
	}
	o->closing = !pthread_create(&o->closer, NULL, close_trace, o);
	if (!o->closing)
		close_trace(o);
}

int output_check_names(const struct output *o)
{
	char name[sizeof(o->current)];
	uint32_t first = o->keep && o->part > o->keep ? o->part - (uint32_t)o->keep + 1 : 1;
	int rc = EXIT_DONE;

	for (uint32_t part = first; part <= o->part && !rc; part++)
		rc = name_part(o, part, name) ? EXIT_FAILED : anonymous_check(o->anonymizer, name);
	return rc;
}

const struct mountinfo_entry *output_mount(const struct output *o, const struct mountinfo *mounts)
{
	_cleanup_free_ char *copy = strdup(o->path), *folder = NULL;
	char *slash = copy ? strrchr(copy, '/') : NULL;

	if (!copy)
		return NULL;
	if (slash)
		slash[slash == copy] = 0;
	folder = realpath(slash ? copy : ".", NULL);
	return folder ? mountinfo_of(mounts, folder, strlen(folder)) : NULL; /* cppcheck-suppress memleak ; the cleanup attribute frees it */
}
