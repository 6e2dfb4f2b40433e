#pragma once
#include <limits.h>
#include <stddef.h>

#include "capture/mountinfo.h"

/*
 * Mount namespaces other than the recorder's: containers, services with a private /tmp, unshare(1). The kernel tells paths as a thread's own namespace has
 * them, and there /etc/passwd may be another file than here. A trace has one tree of names, the recorder's: a path of another namespace becomes
 *
 *	what the recorder's own mounts call that place of that file system, if any of them shows it;
 *	/.mnt-NUMBER and the path, otherwise (a file system that is mounted only there).
 *
 * Such names are labels; where one can really be looked at, spaces_where says.
 */
#define SPACES_PATH (PATH_MAX + 64)

struct space {
	uint32_t number; /* of the namespace: the inode of /proc/PID/ns/mnt */
	uint32_t pid[8]; /* processes that were seen in it last */
	uint64_t events; /* as the kernel counts changes of mounts; what it was for these */
	bool known;	 /* they could be read since: no process of it was gone already */
	bool sought;	 /* all processes were looked at for one of it, for these */
	struct mountinfo mounts;
};

struct spaces {
	struct mountinfo *own; /* the caller's */
	uint32_t own_number;
	uint64_t own_events;
	bool subvolumes; /* files of btrfs are known by their subvolume's device, as programs see it */
	struct space **space;
	size_t n;
};

void spaces_init(struct spaces *spaces, struct mountinfo *own);
void spaces_release(struct spaces *spaces);
/* The number of a process's mount namespace, 0: not known. pid 0: our own. */
uint32_t spaces_number(uint32_t pid);
/*
 * The namespace with that number, seen with that process when its mounts had changed so often: they are read when that is news (*changed).
 * NULL: it is the recorder's own, or not known.
 */
struct space *spaces_get(struct spaces *spaces, uint32_t number, uint32_t pid, uint64_t events, bool *changed);
/* The name, here, of a path there (without a final '/'; "" is the root). */
size_t spaces_label(const struct spaces *spaces, const struct space *space, const char *path, size_t length, char label[SPACES_PATH]);
/* The same for a file that was there a moment ago: it gets no name where something else is as long as mounts may have changed since. */
size_t spaces_label_of(const struct spaces *spaces, const struct space *space, const char *path, size_t length, uint64_t ino, char label[SPACES_PATH]);
/* The other way: a path there of a name here. */
size_t spaces_inside(const struct spaces *spaces, const struct space *space, const char *label, size_t length, char path[SPACES_PATH]);
/*
 * The kernel's number of the file system that holds a name, from the st_dev that programs see. Not the same on overlayfs, and on
 * btrfs only if the recorder could not find out where the subvolumes are.
 */
uint64_t spaces_kernel_dev(const struct spaces *spaces, const char *label, size_t length, uint64_t st_dev);
/* What to give to system calls for that name: the text itself, or a way through /proc in buffer. */
const char *spaces_where(const struct spaces *spaces, const char *label, char buffer[SPACES_PATH]);
