#pragma once
#include "profiles/disk.h"

/* Inside of the disk guard. */

/* Decides verdict, why and scratch of a disk whose other members are filled in. Only reads. */
void disk_judge(struct disk *d);

/* Writes the mark to a blank disk (looks at it once more before) and fills in verdict and scratch. 0 or -errno. */
int disk_mark(struct disk *d, char **why);
