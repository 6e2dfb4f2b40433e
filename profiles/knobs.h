#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * The catalogue of what can be tuned, profiles/knobs.json (format: iorig-knobs.5). It is data: an ordinary knob is added there and
 * takes no C. This header answers questions about settings; it changes nothing on the machine (that is profiles/stage.h).
 *
 * "Settings" is a flat JSON object, {"block.scheduler": "bfq", "fs.atime": "noatime", ...}. A null value means "as if absent".
 *
 * Errors: functions that can be given bad input return 0 or -errno and, on failure, leave one line in *why (which knob, what is wrong,
 * what would be right); the caller frees it. On success *why is untouched. Threads: a loaded catalogue is read-only, any thread.
 */
struct knobs;

/* path NULL: the shipped catalogue (share_path "profiles/knobs.json"). Also checks every entry of it. */
int knobs_load(const char *path, struct knobs **knobs, char **why);
void knobs_free(struct knobs *knobs);

/* The entry of a knob or NULL; the entries in order of application, NULL at the end. Borrowed. */
const json_t *knobs_entry(const struct knobs *knobs, const char *name);
const char *knobs_nth(const struct knobs *knobs, size_t n);

/* Is every name a knob and every value one that it can have? An unknown name is answered with the nearest one. */
int knobs_validate(const struct knobs *knobs, const json_t *settings, char **why);

/*
 * Has the knob a meaning under these settings? (ext4.commit_s has none on xfs, raid.chunk_kb none on raid1, mq-deadline's tunables none
 * under bfq, vm.dirty_ratio none beside vm.dirty_bytes.) False also for an unknown knob.
 */
bool knobs_applies(const struct knobs *knobs, const char *name, const json_t *settings);

/*
 * What is really asked for: a new object without nulls and without knobs that do not apply, sorted by name. Cells whose resolved
 * settings are equal are the same cell. NULL only when out of memory.
 */
json_t *knobs_resolve(const struct knobs *knobs, const json_t *settings);

/*
 * Combinations that no current kernel or tool accepts, known beforehand (xfs without barriers, a chunk that is no power of two):
 * returns one line, "fs.barrier=false: xfs removed nobarrier in Linux 4.19", that the caller frees, or NULL when nothing is known
 * against it. Such a cell is "unsupported". NULL is no promise: stage_apply finds out what the kernel says.
 */
char *knobs_unsupported(const struct knobs *knobs, const json_t *settings);

/*
 * What a setting may cost when the power fails (design.md section 5). Levels: 0 D0 nothing changes; 1 D1 more un-synced data is at risk,
 * for up to exposed_s more seconds (0: more bytes, not longer; INFINITY: without bound); 2 D2 files may hold old or wrong data;
 * 3 D3 an acknowledged fsync may be lost. single_device is the D4 flag: one failing device loses data; it stands beside the level.
 */
struct durability {
	int level;
	double exposed_s;
	bool single_device;
};

/* "D0", "D1", "D1:30s", "D1:unbounded", "D2", "D3", each optionally followed by "+D4". 0 or -EINVAL. */
int durability_parse(const char *text, struct durability *d);
/* The level without the flag ("D1:30s"); text needs 32 bytes. Returns text. */
char *durability_text(const struct durability *d, char text[32]);
/* <0, 0, >0: a is safer than, as safe as, riskier than b by level and seconds. The flag is not compared. */
int durability_compare(const struct durability *a, const struct durability *b);
/*
 * The class of a whole settings object: the worst of its knobs. because (may be NULL) gets a new object
 * {"fs.barrier=false": "D3", ...} of every knob above D0.
 */
void knobs_durability(const struct knobs *knobs, const json_t *settings, struct durability *d, json_t **because);
