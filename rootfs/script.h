#pragma once

/*
 * The folder's shell scripts, found by lib/share.h and run as they are. Local to rootfs/.
 */

/* The folder that holds rootfs/, profiles/ and sweeps/ (the caller frees it); NULL when this installation lacks them, after saying so. */
char *script_share(void);

/*
 * Becomes `sh SHARE/rootfs/NAME ARG...`; args ends with NULL. Returns only on failure, an exit code after the one line was printed.
 */
int script_become(const char *name, const char *const args[]);

/* An absolute name for path, which need not exist. The caller frees it; NULL when out of memory. */
char *absolute_path(const char *path);
