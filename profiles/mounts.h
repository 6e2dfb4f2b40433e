#pragma once
#include <jansson.h>
#include <stdbool.h>

/* What is mounted, from /proc/self/mountinfo. Paths are compared as the kernel prints them (octal escapes resolved). */
struct mount_entry {
	char *mount_point, *type, *source, *options; /* options: those of the mount, a comma, those of the super block */
	unsigned major, minor;
};

/* The topmost mount at exactly this place. entry may be NULL, otherwise mounts_release it when true is returned. */
bool mounts_at(const char *mount_point, struct mount_entry *entry);
void mounts_release(struct mount_entry *entry);

/* Calls each() for every mount until it returns non-zero, which is returned; 0 at the end; -errno. */
int mounts_each(int (*each)(const struct mount_entry *entry, void *arg), void *arg);
