#pragma once
#include <jansson.h>
#include <stdint.h>

/* What the box itself did during a replay: the devices under the root, CPU, dirty pages. */
enum { SYSTEM_DISKS = 64 };

struct system_sample {
	struct {
		char name[32];
		uint64_t reads, read_sectors, writes, write_sectors, flushes;
	} disk[SYSTEM_DISKS];
	uint32_t disks;
	uint64_t user_ticks, system_ticks, iowait_ticks;
};

struct system_disks { /* names in /proc/diskstats: the file system's device and everything below it */
	char name[SYSTEM_DISKS][32];
	char whole[SYSTEM_DISKS][32]; /* the disk that a partition is on, else the same: flushes are counted there only */
	uint32_t n;
};

void system_disks_find(struct system_disks *disks, int root_fd);
void system_sample(struct system_sample *s, const struct system_disks *disks);
/* This process's resident memory at its highest: in all, by the kernel's mark; of its own, and of files and shared memory, by samples. */
struct system_memory {
	uint64_t peak_bytes, anonymous_bytes, mapped_bytes;
};
void system_memory_begin(struct system_memory *m); /* resets the kernel's mark */
void system_memory_peak(struct system_memory *m);
/* Dirty + Writeback of /proc/meminfo. */
uint64_t system_dirty_bytes(void);
/* {disk, cpu_s, peak_dirty_bytes, kernel} */
json_t *system_document(const struct system_sample *before, const struct system_sample *after, uint64_t peak_dirty_bytes);
