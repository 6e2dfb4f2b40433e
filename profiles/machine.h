#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "profiles/stage.h"

/* Inside of the stage: what its parts (array, file system, live settings, read-back, snapshot) share. */
struct stage {
	const struct knobs *knobs;
	struct undo *undo;
	size_t mark;        /* of the undo journal when we began */
	json_t *settings;   /* resolved */
	char *mount_point, *fs; /* fs: "ext4", "none", ... */
	bool made_mount_point, has_array, built;
	char **devices;     /* "/dev/sdb1" */
	const char **leaves; /* "sdb": the disk that owns the queue */
	size_t n;
	char *top;          /* "/dev/md127", or the first device */
	char *mount_options;
	json_t *vars;       /* what {top}, {fsdev}, {bdi}, ... stand for in the catalogue */
	json_t *commands, *report_knobs, *kernel_log, *moved;
	json_t *effect;     /* what effect_probe saw, or NULL */
	json_t *touched;    /* files that we wrote or that a write of ours resets: {path: true} */
	json_t *before, *after; /* snapshots: {path: text} */
	enum stage_outcome outcome;
	char *reason;
};

/* Notes what became of a knob; a worse outcome also becomes the stage's. knob NULL: the stage as a whole. Keeps the first reason of a kind. */
void stage_note(struct stage *s, const char *knob, enum stage_outcome outcome, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A tool's or system call's failure as outcome: what refuses is "unsupported", what stands in the way is "failed". */
enum stage_outcome outcome_of_tool(int rc, const char *message);
enum stage_outcome outcome_of_errno(int rc);

/* array.c: makes the array of raid.level (or none) and sets s->top. False when there is none; then the reason is noted in s. */
bool array_make(struct stage *s);
/* Chunk in KiB and the number of disks that carry data of one stripe; false when there is nothing to align to. */
bool array_geometry(const struct stage *s, long long *chunk_kb, long long *data_disks);

/* filesystem.c: the same for the file system and the mount. */
bool filesystem_make(struct stage *s);
bool filesystem_mount(struct stage *s);
int filesystem_remount(struct stage *s, char **why);

/* live.c: writes the sysfs and sysctl knobs whose order is in [from, to); journal: false writes without undo steps (they exist already). */
void live_set(struct stage *s, json_int_t from, json_int_t to, bool journal);
/* The files of a source ({"file"} or {"sysctl"}) on this machine: a new array of paths; empty when there is none. */
json_t *live_files(const struct stage *s, const json_t *source);

/* readback.c: reads every setting back into s->report_knobs and s->outcome. */
void readback_all(struct stage *s);

/* effect.c: a few fsyncs on the fresh mount and the flushes they caused, into s->effect; judges fs.barrier by them. */
void effect_probe(struct stage *s);

/* snapshot.c: queue settings of the disks and all of /proc/sys/vm. */
json_t *snapshot_take(const struct stage *s);
/* [{"file", "was", "is"}] of what differs, without the files in `except` (may be NULL). */
json_t *snapshot_compare(const json_t *was, const json_t *is, const json_t *except);

#define ORDER_MKFS 60
#define ORDER_MOUNTED 80
#define ORDER_END 1000
