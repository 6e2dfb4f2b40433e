#pragma once
/*
 * The whole disk of a block device, as its kernel name: "sdb" for "/dev/sdb1", "sdb1", or a link to either such as
 * "/dev/disk/by-id/..."; a whole disk is its own. Allocated, the caller frees it; NULL when sysfs knows no such device. Any thread.
 */
char *block_whole_disk(const char *device);
