#pragma once
#include "capture/drain.h"

/* Paths of threads that have another root directory or mount namespace than the recorder: chroots and containers. */

/* The mount namespace that a record tells of; NULL: our own. What paths lead to is asked anew when mounts have changed. */
struct space *elsewhere_space(struct drain *d, uint32_t number, uint32_t pid, uint64_t events);
/*
 * The path of that length in d->text[0], as the space has it, becomes the name that it has here. Returns its length. ino: of the file that it leads to.
 * space NULL: it is ours.
 */
size_t elsewhere_label(struct drain *d, struct space *space, size_t length, uint64_t ino);
/*
 * Follows a path from a directory of another space, or an absolute one from another root; links are followed as they are there. The string is the
 * canonical name here, since the text as it was given means something else here. False: on a file system that is not recorded.
 */
bool elsewhere_path(struct drain *d, const struct place *place, const char *text, size_t length, bool follow, uint32_t *string, struct name **name);
