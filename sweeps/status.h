#pragma once
#include <stdbool.h>

/* How far a sweep directory is; reads only, also while a runner is at work there. Returns an enum exit_code. */
int status_print(const char *folder, bool json);

/* EXIT_DONE, or EXIT_INCOMPLETE when runs have no number, of a sweep directory that is complete. */
int status_code(const char *folder);
