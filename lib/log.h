#pragma once
#include "lib/exitcode.h"

/*
 * The only way a verb speaks to a person. Everything here goes to stderr: stdout is for data.
 * Library code does not call these; it returns an error and the verb prints the one line.
 * All functions are safe to call from several threads (one write(2) a line).
 */

/* "iorig: ..." and a newline. Control bytes in the text are shown as \xNN, so that a hostile name is harmless. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Says it and returns code, so that `return fail(EXIT_FAILED, "...")` is one statement. */
int fail(enum exit_code code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "iorig: warning: ..." */
void warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
