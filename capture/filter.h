#pragma once
#include "capture/drain.h"
#include "capture/record.h"
#include "capture/recorder.h"
#include "lib/options.h"

/* Who is recorded. Different kinds must all hold; of one kind any is enough. */
struct filter_options {
	struct option_list pid, comm, uid, cgroup, mount;
};

/* Turns the options into the kernel program's configuration. An exit code; the one line has been said. */
int filter_parse(const struct filter_options *options, struct config *config, bool has_command);
/* Is any of the processes that --pid names, or of their descendants, still running? */
bool filter_alive(const struct filter_options *options, const struct recorder *recorder);
/* What can only be told to a loaded program: the processes and their descendants; and to the drainer. May be called again. */
void filter_start(const struct filter_options *options, const struct config *config, struct recorder *recorder, struct drain *drain);
