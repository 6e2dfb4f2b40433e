#pragma once
#include <jansson.h>

/*
 * box.json: facts about this machine that a reader of the results needs (iorig-sweepdir.5): kernel, CPU, memory, disks, versions of the
 * tools. names are the kernel names of the disks that the sweep uses. A new object; what cannot be found out is null.
 */
json_t *box_facts(const char *const *names, size_t n);
