#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The mounted file systems, from /proc/self/mountinfo. A snapshot. */
struct mountinfo {
	struct mountinfo_entry {
		char *path, *type, *source, *options, *root;
		size_t path_bytes; /* 0 for the root */
		uint64_t dev; /* major << 20 | minor */
		bool pseudo;  /* no storage behind it: never recorded */
		bool makes_devs; /* its files may have an st_dev of their own */
	} *entry;
	size_t n, longest; /* of path_bytes: what a path has behind as many bytes and one does not matter to where it is */
};

int mountinfo_read(struct mountinfo *mounts);
/* Those that another process sees. */
int mountinfo_read_of(struct mountinfo *mounts, uint32_t pid);
/* The file system that holds an absolute path, by its text. NULL only when nothing is mounted. */
const struct mountinfo_entry *mountinfo_of(const struct mountinfo *mounts, const char *path, size_t length);
/* Is dev known, and a pseudo file system? */
bool mountinfo_pseudo_dev(const struct mountinfo *mounts, uint64_t dev);
/* May stat(2) give its files another device number? So it is as well when dev is not known. */
bool mountinfo_makes_devs(const struct mountinfo *mounts, uint64_t dev);
/* For the trace's header; the caller's reference. */
json_t *mountinfo_json(const struct mountinfo *mounts);
void mountinfo_release(struct mountinfo *mounts);
