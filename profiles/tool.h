#pragma once
#include <jansson.h>

/*
 * Runs a system tool (mkfs, mdadm, ...) with a fixed PATH and in English, at most two minutes. log (may be NULL) is a JSON array that gets the
 * command line as text. out (may be NULL) gets what it printed, allocated, also on failure.
 * 0; -ENOENT: there is no such program; -EPROTO: it ran and refused, *why has what it said in one line; other -errno: it could not run.
 */
int tool_run(const char *const argv[], json_t *log, char **out, char **why);

/* The environment that tools get: a full PATH (they live in sbin), and English. */
extern const char *const tool_environment[];
