#pragma once
#include "lib/options.h"
#include "trace/trace.h"

/* Whose events are meant, and on what. Of one kind any is enough, different kinds must all hold; none given: everybody's, on everything. */
struct who {
	struct option_list pid, comm, path;
};

bool who_chosen(const struct who *w);
/* An exit code; the one line has been said. */
int who_check(const struct who *w);
bool who_thread(const struct who *w, const struct trace_thread *thread, const struct trace_reader *reader);
/* Calls that are about no file (fork, exec, exit, sync) belong to their thread whatever the path. */
bool who_event(const struct who *w, const struct trace_event *event, const struct trace_reader *reader);
