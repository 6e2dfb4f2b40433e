#pragma once
#include <jansson.h>

#include "profiles/knobs.h"

/*
 * Profiles: named settings with their reasons, *.profile.json (format: iorig-profile.5), each built on others by "inherits".
 *
 * Loads by name (shipped, share_path "profiles/NAME.profile.json") or by file (anything with a slash or ending in .json; what it inherits is
 * looked for beside it first). Parents come first, left to right, then the profile's own "set"; null removes a knob. Cycles, unknown
 * knobs and wrong values are errors.
 *
 * *resolved is a new object: {"name", "summary", "chain": ["base-quiet", "ext4-safe"], "set": {knob: value}, "why": {knob: text},
 * "from": {knob: name of the profile that set it}, "needs": {"kernel": ">=5.10", "disks": 4}}.
 * 0 or -errno with one line in *why (the caller frees it).
 */
int profile_load(const struct knobs *knobs, const char *name_or_file, json_t **resolved, char **why);

/* Does this machine with that many disks have what the profile needs (running kernel, number of disks)? 0, or -ENOTSUP with *why. */
int profile_needs(const json_t *resolved, size_t disks, char **why);
