#pragma once
#include <jansson.h>

#include "sweeps/file.h"

/*
 * fio baselines: the job files of sweeps/fio/ (data), each run as a program of its own. target is the file or block device that it may
 * fill (the sweep's size), out the folder for PREFIX-<job>.json (fio's json+). 0 when all jobs ended well; otherwise -errno with
 * one line in *why naming the job; the documents of the jobs before it are there.
 */
int fio_run(const struct sweep *sweep, const json_t *jobs, const char *target, const char *out, const char *prefix, char **why);
