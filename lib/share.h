#pragma once

/*
 * Where the data files are (profiles/knobs.json, the ready-made sweeps, rootfs/...): $IORIG_SHARE, else the source tree that the
 * running program stands in (bin/..), else /usr/share/iorig or /usr/local/share/iorig.
 * Returns the absolute name of a file in there, which exists, or NULL. The caller frees it.
 */
char *share_path(const char *relative);
