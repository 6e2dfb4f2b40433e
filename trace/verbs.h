#pragma once
#include "lib/command.h"
#include "lib/exitcode.h"
#include "trace/trace.h"

/* What the verbs of `iorig trace` share. */
extern const struct command cmd_trace_info, cmd_trace_stat, cmd_trace_dump, cmd_trace_build, cmd_trace_check, cmd_trace_cut, cmd_trace_anonymize;

/* options_parse, and exactly one argument, which is returned; NULL with *exit_code after help or a usage error. */
const char *trace_verb_file(const struct command *self, int argc, char **argv, int *exit_code);
/* Opens, or says why not and gives NULL. */
struct trace_reader *trace_verb_open(const char *path, int *exit_code);
/*
 * Says in one line how reading ended unless it ended well. EXIT_DONE; EXIT_INCOMPLETE for a trace that is cut short (all that is
 * there was good and was used); EXIT_FAILED for the rest.
 */
int trace_verb_end(const char *path, const struct trace_error *error);
