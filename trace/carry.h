#pragma once
#include "trace/trace.h"

/*
 * What a trace's events have left behind: descriptor tables, files with their names and sizes, current directories. For `trace cut`: whoever
 * begins in the middle begins with this. Follows what events tell; writes through mappings and sizes after them are not seen.
 *
 *	carry_init(&c, reader); carry_record(&c, &record)... in the trace's order
 */
struct carry_description { /* an open file description */
	uint32_t file, flags;
	int64_t position;
};

struct carry_process {
	uint32_t pid;
	struct carry_fd {
		uint32_t description; /* number + 1; 0: closed */
		bool cloexec;
	} *fd;
	uint32_t room;
	const char *directory; /* of the last chdir; NULL: none */
	bool met;
};

struct carry_file {
	struct trace_file told; /* path and target are not kept here */
	const char *path, *target, *other; /* NULL: none; other: a further link's name */
	bool gone; /* no name any more */
};

struct carry {
	const struct trace_reader *reader; /* texts are its */
	struct carry_description *description;
	uint32_t descriptions, description_room;
	struct carry_process *process; /* open addressing by pid, 0: free */
	uint32_t processes, process_room;
	struct carry_file *file; /* by id; those behind the last id of the trace were made by mkdir or symlink and never told */
	uint32_t files, file_room;
	struct carry_file *made;
	uint32_t mades, made_room;
	char **text; /* of new names */
	uint32_t texts, text_room;
	int error; /* -ENOMEM */
};

int carry_init(struct carry *c, const struct trace_reader *reader);
/* Definitions and descriptors. */
void carry_definition(struct carry *c, const struct trace_record *record);
void carry_event(struct carry *c, const struct trace_event *event);
/* NULL: nothing is known of it. */
struct carry_process *carry_process(const struct carry *c, uint32_t pid);
/* True for the first time that it is asked of that process. */
bool carry_meet(struct carry *c, uint32_t pid);
void carry_release(struct carry *c);
