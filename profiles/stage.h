#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/knobs.h"
#include "profiles/undo.h"

/*
 * The machine part that one cell runs on: array, device queues, file system, mount and host settings made as the settings ask, each read
 * back, and put back afterwards.
 *
 *	struct stage_options o = {knobs, devices, n, "/run/iorig/mnt", settings, undo};
 *	struct stage *stage;
 *	json_t *report;
 *	enum stage_outcome got = stage_apply(&o, &stage, &report);   // report is apply.json, always there; write it whatever `got` is
 *	if (got == STAGE_OK) {
 *		... replay --prepare-only, stage_remount, replay --prepared ...
 *		json_t *after;
 *		got = stage_verify(stage, &after);                   // still true? otherwise the run is no number
 *	}
 *	rc = stage_undo(stage, &why);                                // always, whatever happened before; also frees it
 *
 * The devices are destroyed: the caller has proven with profiles/disk.h that they may be. Whole disks, partitions or loop devices; with
 * raid.level "none" (or absent) only the first one carries the file system, but leaf knobs are set on all. fs.type "none": no mkfs and no
 * mount, for raw-device baselines on stage_top().
 */
enum stage_outcome {
	STAGE_OK,
	STAGE_NOT_APPLIED, /* accepted, but what is in force differs from what was asked */
	STAGE_UNSUPPORTED, /* the kernel or the tool refused; the reason has its message */
	STAGE_FAILED       /* our problem: a tool is missing, a device is busy, ... */
};
/* "ok", "not-applied", "unsupported", "failed" as in apply.json and the journal. */
const char *stage_outcome_name(enum stage_outcome outcome);

struct stage_options {
	const struct knobs *knobs;
	const char *const *devices; /* "/dev/sdb1", ... */
	size_t device_count;
	const char *mount_point;    /* absolute; made when missing; nothing may be mounted there by others */
	const json_t *settings;     /* validated (knobs_validate); knobs that do not apply are ignored */
	struct undo *undo;          /* every change is journalled there before it is made */
};
struct stage;

/*
 * *stage is set in every case (for stage_undo); *report is a new apply.json object (docs/architecture.md). Before the first change the host's
 * block-queue, vm and file-system settings are noted, for "nothing else moved".
 */
enum stage_outcome stage_apply(const struct stage_options *options, struct stage **stage, json_t **report);

/*
 * Reads every requested setting again, and compares the queue settings of all disks and all of /proc/sys/vm with the time right after
 * stage_apply: a setting that moved by itself is "not-applied" when it was requested, and named in report.moved when it was not.
 */
enum stage_outcome stage_verify(struct stage *stage, json_t **report);

/* Unmounts and mounts again with the same options (a cold cache for this file system) and sets what a mount resets. 0, or -errno and *why. */
int stage_remount(struct stage *stage, char **why);

/* The device under the file system ("/dev/md127", "/dev/loop0"), the mount point, and the kernel names of the leaf disks. Borrowed. */
const char *stage_top(const struct stage *stage);
const char *stage_mount_point(const struct stage *stage);
size_t stage_leaves(const struct stage *stage, const char *const **names);

/*
 * Puts everything back in reverse order (unmounts, stops the array, writes the old values) and frees the stage. stage NULL: nothing.
 * 0, or -errno with what could not be put back; those steps stay in the undo journal.
 */
int stage_undo(struct stage *stage, char **why);
