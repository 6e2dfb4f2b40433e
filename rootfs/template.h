#pragma once
#include <stddef.h>

/*
 * Configuration files with @name@ in them. Local to rootfs/.
 */
struct template_value {
	const char *name, *value;
};

/*
 * Reads the file at from, replaces every @name@ and writes the result to the file at to (lib/outfile.h). A name that is not among the
 * n values is an error, as is a value with a control byte, so that a value cannot add a line. Returns 0 or -errno; on failure *why is
 * one line that the caller frees.
 */
int template_write(const char *from, const char *to, const struct template_value *values, size_t n, char **why);
