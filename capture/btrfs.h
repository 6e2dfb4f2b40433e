#pragma once
#include "capture/record.h"

/* Finds out where btrfs keeps the device number of a subvolume, from the kernel's type information or its module's. Nothing when there is no btrfs. */
void btrfs_configure(struct config *config);
