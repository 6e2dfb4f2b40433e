#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "profiles/knobs.h"
#include "profiles/undo.h"
#include "sweeps/devices.h"
#include "sweeps/file.h"
#include "sweeps/journal.h"

/*
 * A sweep directory that this process alone works on: its frozen documents, its journal, its disks and everything that must be put back.
 *
 *	rc = session_create(&s, &options, &why);      // sweep run: expand, freeze, lock
 *	rc = session_resume(&s, &options, &why);      // sweep resume: lock, put back what a dead runner left, check the frozen documents
 *	rc = session_begin(&s, &why);                 // take the disks
 *	... runner_run(&s) ...
 *	rc = session_end(&s, &why);                   // always; gives everything back
 */
struct session_options {
	const char *sweep;  /* file, for create */
	const char *folder; /* DIR */
	const char *trace;  /* --trace or NULL */
	const char *program; /* --on-journal or NULL */
	bool erase;
};

struct session {
	struct session_options options;
	struct knobs *knobs;
	struct sweep sweep;
	json_t *plan;
	char plan_sha256[SHA256_HEX];
	struct journal journal;
	struct undo *undo;
	struct devices devices;
	char *folder, *mount_point; /* absolute */
	int lock;                   /* the folder's descriptor, flocked */
	int machine_lock;           /* the same for this machine: two sweeps would change each other's settings */
};

/* Errors: 0 or -errno and *why; -EPERM: refused for safety, nothing was written; -EBUSY: another runner is at work there. */
int session_create(struct session *s, const struct session_options *options, char **why);
int session_resume(struct session *s, const struct session_options *options, char **why);
int session_begin(struct session *s, char **why);
int session_end(struct session *s, char **why);
