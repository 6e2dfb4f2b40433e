#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/undo.h"
#include "sweeps/file.h"

/*
 * The disks that a sweep destroys: loop files that it makes itself, or real disks named by WWN or serial (profiles/disk.h guards those).
 *
 *	rc = devices_check(sweep, erase, &why);                     // -EPERM: refuse, exit 5; nothing is written
 *	rc = devices_take(&d, sweep, folder, erase, undo, &why);     // from here on they are ours
 *	rc = devices_claim_again(&d, sweep, &why);                   // right before each cell's first write
 *	devices_release(&d);                                         // frees; the undo journal takes loop devices away
 */
struct devices {
	char **path; /* "/dev/sdb1", "/dev/loop3" */
	char **name; /* kernel names of the disks: "sdb", "loop3" */
	size_t n;
};

int devices_check(const struct sweep *sweep, bool erase, char **why);
int devices_take(struct devices *d, const struct sweep *sweep, const char *folder, bool erase, struct undo *undo, char **why);
int devices_claim_again(const struct devices *d, const struct sweep *sweep, char **why);
/*
 * Waits up to limit_s until nobody else has one of them: a program that made a mount namespace while a cell was mounted (a container that
 * started) keeps a copy of that mount, and the device busy, until it ends. Whether it helped, the next step finds out.
 */
void devices_wait_free(const struct devices *d, double limit_s);
void devices_release(struct devices *d);
