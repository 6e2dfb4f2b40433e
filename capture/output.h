#pragma once
#include <pthread.h>
#include <stdbool.h>

#include "capture/mountinfo.h"
#include "trace/anonymous.h"
#include "trace/trace.h"

/*
 * Where the recording goes: one file, or with rotation one after the other, each a trace of its own: db.iotrace becomes db.0001.iotrace,
 * db.0002.iotrace and so on, of which the newest are kept. One thread at a time.
 *
 *	struct output out = {.path = "db.iotrace"};
 *	rc = output_parse_rotate(&out, "100M,5");
 *	writer = output_open(&out, header, max_bytes);       // the first, or the next one; errno
 *	output_close(&out, writer, trailer);                 // in the background: a slow disk is not waited for
 *	rc = output_finish(&out);                            // what closing said
 */
struct output {
	const char *path; /* as it was given; borrowed */
	struct anonymizer *anonymizer; /* NULL: names stay; borrowed */
	uint64_t rotate_bytes, keep; /* 0: no rotation; keep 0: all */
	uint32_t part;
	uint64_t bytes_before; /* in the files before this one */
	char current[4096]; /* the file that was opened last */
	pthread_t closer;
	bool closing;
	struct trace_writer *closed;
	json_t *trailer;
	int error; /* of closing */
};

/* SIZE[,KEEP]. 0 or -EINVAL. */
int output_parse_rotate(struct output *o, const char *text);
/* With an anonymizer the header, and in output_close the trailer, get pseudonyms like the names in the records. */
struct trace_writer *output_open(struct output *o, const json_t *header, uint64_t max_bytes);
/* The trace is to be ended and synced; takes both. What was to be closed before has been closed when it returns. */
void output_close(struct output *o, struct trace_writer *writer, json_t *trailer);
int output_finish(struct output *o);
/* After output_finish: no original name may be in any of the files. EXIT_DONE, or the exit code after a line. */
int output_check_names(const struct output *o);
/* The mount that the trace would be written to, NULL: not known. */
const struct mountinfo_entry *output_mount(const struct output *o, const struct mountinfo *mounts);
