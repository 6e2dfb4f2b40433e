#pragma once
#include <stdbool.h>

/*
 * The directory that `iorig serve` serves (docs/iorig-serve.1): boot box sweeps traces results status are what a box sees, conf is not
 * (generated configuration, tokens/BOX/TOKEN, temporary files). Local to rootfs/.
 */

/*
 * Makes what is missing of it, owned by the owner of dir, whom the servers run as. 0 or -errno; on failure *why is one line that the
 * caller frees.
 */
int layout_make(const char *dir, char **why);

/* Gives path to the owner of dir when we are root; otherwise does nothing. 0 or -errno. */
int layout_give(const char *dir, const char *path);

/* A box id: a MAC with hyphens or another name of letters, digits, '_', '.', '-', at most 64, not beginning with a dot. */
bool layout_box_valid(const char *box);
/* A token: 16 to 64 letters, digits, '_', '-'. */
bool layout_token_valid(const char *token);
