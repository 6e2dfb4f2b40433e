#pragma once
#include <stdbool.h>
#include <stddef.h>

/*
 * Waits until the disks have been idle (no write completed, nothing in flight, by /proc/diskstats) for idle_s seconds, but no longer than
 * limit_s. names are kernel names ("loop0"). Returns the seconds waited; *idle says which it was. Ends early on a stop.
 */
double settle(const char *const *names, size_t n, double idle_s, double limit_s, bool *idle);

/* The kernel log from now on. Returns a descriptor, or -1 where it may not be read (then kernel_log_save does nothing). */
int kernel_log_mark(void);
/* Writes what was logged since the mark to path, closes the descriptor. Returns the number of lines, or -errno. */
int kernel_log_save(int mark, const char *path);
