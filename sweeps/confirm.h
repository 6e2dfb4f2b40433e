#pragma once
#include <stdint.h>

/*
 * Fresh runs for the leaders: the best of many cells looks better than it is, even when all are equal, so only a second round with its own
 * seed may be quoted. Writes OUT/confirm.sweep.json, a sweep of the control and the `top` fastest cells (by median, within the allowed
 * durability) of the finished sweep directory. top 0: as its sweep file says. 0, or -errno and *why.
 */
int confirm_write_sweep(const char *folder, const char *out, int64_t top, char **why);
