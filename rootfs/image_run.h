#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What `iorig image run` was asked for. Local to rootfs/. */
struct image_run {
	const char *image, *net, *dir, *disk_dir, *accel, *mac, *append;
	uint64_t disks, disk_gib, memory_mib, cpus, timeout_ns;
	bool uefi;
};

/*
 * Boots the image in qemu, serial console on stdout, until the box powers off. Everything runs in network, process and mount namespaces
 * of its own, so that nothing survives the end, however it comes. Returns an exit code.
 */
int image_run(const struct image_run *run);
