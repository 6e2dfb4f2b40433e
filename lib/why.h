#pragma once

/*
 * How library code says why it failed: one line for the person, the code for the caller. Replaces what *why held (freeing it); why may be
 * NULL. Returns rc, so that `return why_set(why, -EINVAL, "...")` is one statement.
 */
int why_set(char **why, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
