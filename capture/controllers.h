#pragma once
#include <stdint.h>

/*
 * The kernel's number of the first controller among a cgroup mount's options ("rw,memory"), and 1; 0: none of them is one. From the kernel's type
 * information: which controllers there are depends on how it was built.
 */
uint32_t controller_of(const char *mount_options);
