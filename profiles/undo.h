#pragma once
#include <jansson.h>
#include <stddef.h>

/*
 * The undo journal: what must be set back on this machine, written and synced BEFORE each change, so that any process can put the machine
 * back after this one was killed. File format (docs/iorig-knobs.5): one JSON object a line; a line with "undo" is a step, a line with "done" says that
 * the step of that id was set back. A torn last line is ignored (its change was not made yet).
 *
 *	struct undo *undo;
 *	rc = undo_open(path, &undo, &why);         // steps still pending in the file stay pending
 *	size_t mark = undo_mark(undo);
 *	rc = undo_write(undo, "/sys/block/sda/queue/scheduler", "bracket", NULL, &why);  // remembers the value that is there now
 *	... make the change ...
 *	rc = undo_back(undo, mark, &why);          // sets back, newest first, everything added since the mark
 *	undo_close(undo);                          // the steps that are still pending stay in the file
 *
 * Every step is idempotent and looks before it acts: a value that is already back, a mount or array or loop device that is gone (or is
 * now somebody else's) is left alone. Steps of an earlier boot are dropped: the reboot undid them.
 * undo_open also takes the machine: only one process at a time may change it (it waits 30 s for another one), and not while changes of a killed
 * one are pending in another journal; both are -EBUSY with the journal's name. undo_close and the end of the process give it back.
 * Errors: 0 or -errno, one line in *why. A step that fails does not stop the older ones; it stays pending.
 */
struct undo;

int undo_open(const char *path, struct undo **undo, char **why);
void undo_close(struct undo *undo);
size_t undo_mark(const struct undo *undo);
/* Number of pending steps. */
size_t undo_pending(const struct undo *undo);
int undo_back(struct undo *undo, size_t mark, char **why);

/* For another process, before anything else is done on the machine: everything pending in the file. No file: nothing to do, 0. */
int undo_replay(const char *path, char **why);

/*
 * The steps. A file's value is read through `parse` ("line" or "bracket"), because sysfs does not accept its own "[x] y z" back.
 * sibling: the other file of a pair where writing one zeroes the other (vm.dirty_ratio and vm.dirty_bytes): the one that is not 0
 * now is the one that will be written back. NULL: none.
 */
int undo_write(struct undo *undo, const char *file, const char *parse, const char *sibling, char **why);
int undo_umount(struct undo *undo, const char *mount_point, char **why);
int undo_md_stop(struct undo *undo, const char *device, const char *uuid, char **why);
int undo_loop_detach(struct undo *undo, const char *device, const char *backing_file, char **why);
int undo_unlink(struct undo *undo, const char *file, char **why);
int undo_command(struct undo *undo, const char *const argv[], char **why);
