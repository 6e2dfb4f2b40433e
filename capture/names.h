#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/files.h"

/*
 * What the drainer knows of names: canonical path -> what is there now, as the recorded calls have left it. Directories and symbolic links on
 * the way to a name are looked at (lstat, readlink) when a path leads through them for the first time, and told to the trace, so that
 * a replay can rebuild the tree that the paths were resolved in.
 */
enum name_kind { NAME_UNKNOWN, NAME_ABSENT, NAME_DIRECTORY, NAME_LINK, NAME_OTHER };

struct name {
	char *target; /* of a link */
	uint32_t string, file, length;
	uint32_t hash; /* trace_text_hash of the text */
	uint8_t kind;
	bool created; /* came into being during the recording */
	bool looked;  /* its kind was asked from the file system or told by a call */
	bool made;    /* by a recorded call, which told kind and target; not in the trace yet */
	bool listed;  /* a directory: its entries have been told */
	bool peeked;  /* asked whether it is a link */
	bool followed; /* a path led through it, or would have if it was a link */
	char text[];
};

enum { NAMES_WAYS = 256 };

struct names {
	struct trace_writer *writer;
	struct files *files;
	struct names_slot { /* hash beside the name: most that are passed over need no look at it */
		struct name *name;
		uint32_t hash;
	} *slot;
	size_t count, room; /* room is a power of two */
	struct name *root;
	struct names_chunk *chunk; /* where names live; the newest first */
	size_t chunk_left;
	/* A symbolic link has come, gone or moved where paths led: what they lead to may have changed. Who does that to a name raises it. */
	uint32_t epoch;
	struct names_way { /* follow.c: where the text of a directory led in that epoch */
		char *text;
		size_t length;
		struct name *directory;
		uint32_t epoch;
	} way[NAMES_WAYS];
	/* The caller keeps these: when the call ended that leads here (since the start), and when the recording started by the wall clock. */
	uint64_t now_ns, start_realtime_ns;
	const struct spaces *spaces; /* how names that are no paths of ours can be looked at */
};

/* From where a path is followed: another root directory, or another namespace than ours. */
struct names_view {
	const struct spaces *spaces;
	const struct space *space; /* NULL: our own */
	const char *root;    /* the root directory, as that space has it; without a final '/' */
	size_t root_length;
};

int names_init(struct names *names, struct trace_writer *writer, struct files *files);
/* The name of that canonical text; made when it is new. NULL: out of memory. */
struct name *names_get(struct names *names, const char *text, size_t length);
/* A name whose text has that hash (trace_text_hash) is about to be asked for: the memory is asked for it meanwhile. */
void names_fetch(const struct names *names, uint32_t hash);
/*
 * Follows an absolute path as the kernel would: '.', '..', links on the way and, if follow, at the end. Tells the trace about every directory and
 * link on the way. NULL: no such place (too many links, too long).
 */
struct name *names_resolve(struct names *names, const char *path, size_t length, bool follow);
/* The same from another point of view; the names are ours. view NULL: our own. An empty path is the root. */
struct name *names_resolve_in(struct names *names, const struct names_view *view, const char *path, size_t length, bool follow);
/* What is there, asked from the file system (late: after the call). Tells the trace when it is new. Asked once. */
void names_look(struct names *names, struct name *name);
/* The same for a name that was renamed to now since, and seen under neither. */
void names_look_moved(struct names *names, struct name *name, const struct name *now);
/* The same for links only: whatever else stands at the end of a path, the call itself says more about it. */
void names_peek(struct names *names, const struct name *directory, struct name *name);
/* Tells the trace what is in a directory, once: somebody has read it. Late, like names_look; huge ones in part. */
void names_list(struct names *names, struct name *directory);
/* String id of the text, 0 for NULL. */
uint32_t names_string(struct names *names, struct name *name);
/* rename(2) has succeeded: everything below a directory moves too. */
void names_move(struct names *names, struct name *from, struct name *to, bool exchange);
/* Nothing is there any more; what comes there later is new. */
void names_forget(struct name *name);
void names_release(struct names *names);
