#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profiles/undo.h"

/*
 * Which disks may be destroyed. Only a disk that is named by WWN or serial, and that is blank or carries our mark: a GPT with a
 * partition called "iorig-scratch", which then is the only thing ever written. Never one that is mounted, swapped on, held by md/dm/bcache, read-only,
 * carries the running system, has a serial that another disk has too, or has anything on it that we did not put there. There is no switch to
 * overrule this. Everything is read from sysfs, so no udev is needed.
 */
#define DISK_MARK "iorig-scratch"

enum disk_verdict {
	DISK_BLANK,  /* nothing on it; usable after disk_claim with erase */
	DISK_MARKED, /* carries our mark; usable */
	DISK_REFUSED /* why says the reason */
};

struct disk {
	char name[64];               /* "sda": the kernel's name of today, never to be stored */
	char *serial, *wwn, *model;  /* NULL when the disk does not tell */
	uint64_t size_bytes, sectors_512;
	bool rotational, read_only;
	enum disk_verdict verdict;
	char *why;                   /* one line when refused */
	char *scratch;               /* "/dev/sda1" when marked */
};

/*
 * All disks (no loop, ram, zram, md, dm devices), sorted by name, each with its verdict. *disks is released by disk_list_free.
 * 0 or -errno with one line in *why.
 */
int disk_list(struct disk **disks, size_t *n, char **why);
void disk_list_free(struct disk *disks, size_t n);

/* The verdict on one block device by kernel name ("sda", "loop3"): looks at everything above except the ambiguous serial. */
int disk_examine(const char *kernel_name, struct disk *disk, char **why);
void disk_release(struct disk *disk);

/*
 * The device to write to for a disk named by WWN or serial: its scratch partition. A blank disk gets a GPT with that partition when erase
 * is true. 0, *device is allocated; -EPERM: refused, nothing was written, *why says the reason (the caller exits with EXIT_REFUSED);
 * -ENODEV: no such disk (also to be treated as refused); other -errno: could not be done. Call it again right before each cell's first write.
 */
int disk_claim(const char *wwn_or_serial, bool erase, char **device, char **why);

/*
 * A disk made of a file: creates `file` (sparse, that size; must not exist), attaches it to a free loop device, with direct I/O where the
 * file system below allows. Both are journalled in undo before they are made (detach, then delete). *device is allocated ("/dev/loop3").
 * 0 or -errno with *why.
 */
int disk_loop_make(const char *file, uint64_t size_bytes, struct undo *undo, char **device, char **why);
/* Attaches an existing file again (after a crash or reboot). The detach, but not the deletion, is journalled. */
int disk_loop_attach(const char *file, struct undo *undo, char **device, char **why);
/* By hand, without a journal: detaches only when the device still belongs to that file. */
int disk_loop_detach(const char *device, const char *file);
