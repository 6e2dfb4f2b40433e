#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "replay/map.h"
#include "replay/texts.h"
#include "trace/trace.h"

/*
 * What the recorded host's file system looked like: walks through the events once, learns from each result what must have existed
 * before (the starting state) and keeps what exists now (the final tree in the end).
 *
 * A *name* is an entry of a directory; an *object* is what a name leads to. Directories are objects, so that a renamed directory
 * keeps what is in it. What a name led to at the start and leads to now are kept apart; each is unknown until an event says it.
 */
enum { OBJECT_UNKNOWN = 0, OBJECT_ABSENT = UINT32_MAX, OBJECT_ROOT = 1 };

enum object_kind { OBJECT_FILE, OBJECT_DIRECTORY, OBJECT_LINK };

enum object_bits {
	OBJECT_AT_START = 1 << 0, /* belongs to the starting state */
	OBJECT_SPECIAL = 1 << 1,  /* a device, FIFO or socket: nothing is read or written in it; a device stands as an empty file */
	OBJECT_CHANGED = 1 << 5,  /* its data or attributes are changed by the recording */
	OBJECT_LISTED = 1 << 4,   /* only known from the listing of its directory: nothing reads it */
	OBJECT_GUESSED = 1 << 3,  /* nothing is known but that it exists: its kind, mode and size come with its file id */
	OBJECT_MODE_GUESSED = 1 << 6, /* of a directory that paths led through: its mode comes with its file id */
	OBJECT_SIZE_SET = 1 << 2, /* its size was changed by the recording: reads say nothing about the start any more */
};

enum { OBJECT_MODE_KNOWN = 01000 };

struct object {
	uint8_t kind, bits;
	uint32_t mode; /* permissions at first sight or creation */
	uint32_t type; /* of what is OBJECT_SPECIAL: S_IFIFO, S_IFSOCK, or 0 */
	uint32_t mode_set; /* by the recording since, with OBJECT_MODE_KNOWN; 0: not */
	uint32_t target; /* text of a symbolic link */
	uint32_t name; /* a name that leads or led to it */
	uint32_t names; /* how many lead to it, as far as is known */
	uint32_t start_name; /* of the starting state; 0 when it had none */
	uint32_t file; /* the trace's newest id of it; 0: none */
	uint64_t start_size, size;
	uint64_t low_size; /* the smallest that it ever was */
	uint64_t changed_ns; /* end of the operation that changed its size last */
	/* resources of replay/order.h */
	uint32_t r_size, r_cut, r_end, r_children, r_lock; /* r_cut: what made it shorter; r_end: who met its end */
};

struct name {
	uint32_t directory, text;
	uint32_t start, now; /* object, OBJECT_UNKNOWN or OBJECT_ABSENT */
	uint32_t next;       /* another name in the same directory, 0 ends */
	uint32_t resource;   /* of replay/order.h */
};

struct model_file { /* what the trace says about a file id */
	uint32_t object; /* 0: not placed yet */
	uint32_t path;   /* canonical, of the first sight */
	uint32_t target;
	uint32_t mode, nlink, bits;
	uint32_t inode, generation; /* a hash of the device and the number; 0: not told */
	uint64_t size;
};

enum { MODEL_WALK_MAX = 256 };

/* Where a path leads. way is filled in before: the id of the path's text in the trace, so that the walk is remembered; 0: it has none. */
struct where {
	uint32_t way;
	uint32_t directory; /* that holds the last name; 0 when the way there is not known or does not exist */
	uint32_t name;      /* the last name; 0 when the path ends in "/", "." or ".." or the directory is missing */
	uint32_t object;    /* or OBJECT_UNKNOWN, OBJECT_ABSENT */
	bool missing;       /* the way to the directory is known not to exist */
	bool appeared;      /* model_exists: it was known not to exist, and nothing recorded made it; an object stands there now */
	uint32_t passed[MODEL_WALK_MAX]; /* names on the way, the last one excluded */
	uint32_t passed_n;
};

/* Learned from failures whose directory was not known then: paths (texts) that may not exist at the start. */
struct model_missing {
	uint32_t *path;
	size_t n, room;
	struct map seen;
};

enum { MODEL_CHANGES = 256 };

/* What names led to before the newest changes: a call that was under way may still have met it. */
struct model_change {
	uint32_t name, was;
	uint64_t end_ns; /* of the operation */
};

struct way { /* model_way.c */
	uint32_t name, epoch;
	uint32_t text; /* of the path in the plan; 0: not yet */
	const char *given; /* the text of the trace, when the compiler has found it fit; NULL: not yet */
};

struct model {
	struct texts *strings;
	struct object *object;
	size_t objects, objects_room;
	struct name *name;
	size_t names, names_room;
	uint32_t *first_name; /* of each object that is a directory */
	size_t first_room;
	struct map by_name; /* directory << 32 | text -> name */
	struct model_file *file;
	size_t files_room;
	struct model_missing missing;
	struct way *way; /* by id of the path's text in the trace */
	size_t ways_room;
	uint32_t epoch; /* how often directories moved */
	struct model_change change[MODEL_CHANGES];
	uint64_t changes; /* the newest stands before the place of this number */
	uint64_t now_ns;  /* end of the operation that is compiled */
	uint64_t conflicts;
};

void model_init(struct model *m, struct texts *strings);
void model_release(struct model *m);

/* Learns a file definition. path and target are texts of the trace; they are copied. */
void model_define(struct model *m, const struct trace_file *file, const char *path, const char *target);
/* Of a definition only which file it is of, for who looks ahead. */
void model_tell_inode(struct model *m, const struct trace_file *file);

/* For the parts of the model: the name existed at the start and leads to object; unknown directories on the way are made with must_exist. */
void model_existed(struct model *m, uint32_t name, uint32_t object);
void model_walk_existing(struct model *m, const char *path, bool follow, bool must_exist, struct where *where);

/* Remembered walks, for the parts of the model: one that may be kept; one that still holds; what they rest on has changed. */
void model_way_keep(struct model *m, const struct where *where);
bool model_way_take(struct model *m, bool follow, struct where *where);
void model_ways_change(struct model *m);
struct way *model_way(struct model *m, uint32_t id);
/* The path as a text, by its id in the trace where it has one. */
uint32_t model_way_text(struct model *m, const char *path, uint32_t way);

/* Walks the path through what is known, following symbolic links (the last one only with follow). Creates unknown names on its way. */
void model_walk(struct model *m, const char *path, bool follow, struct where *where);

/* The same, but an operation succeeded there: whatever was unknown existed. file may be 0; kind is used when the trace does not say. */
void model_exists(struct model *m, const char *path, bool follow, uint32_t file, enum object_kind kind, struct where *where);

/*
 * Something is made, replaced or looked for there: the way to it existed, the last name stays as it is. file: what is there
 * afterwards, whose own path may show that the way goes through a symbolic link; may be 0.
 */
void model_reach(struct model *m, const char *path, bool follow, uint32_t file, struct where *where);

/* An operation said ENOENT or ENOTDIR. */
void model_absent(struct model *m, const char *path, bool follow, int error, struct where *where);

/* Something could not be made there: ENOENT, for want of a directory. The one that it was to stand in is missing when the way to that is there. */
void model_absent_directory(struct model *m, const char *path, bool follow, struct where *where);

/* The object of a file id, placed at its own path when no event has led there yet. 0 when it has no name. */
uint32_t model_object_of(struct model *m, uint32_t file);
/* An object for a file that has no name any more but was open at the start. */
uint32_t model_nameless(struct model *m, uint32_t file);

uint32_t model_new_object(struct model *m, enum object_kind kind, uint32_t mode);
/* Changes of the name space by the recording. */
void model_bind(struct model *m, uint32_t name, uint32_t object);
void model_unbind(struct model *m, uint32_t name);
void model_tie(struct model *m, uint32_t file, uint32_t object);
/* May both ids be of one file? One that was only looked at has no generation: it may be the file of that number that is known already. */
bool model_same_file(const struct model *m, uint32_t a, uint32_t b);

/* It is of that type, which is no regular file. */
void model_set_special(struct model *m, uint32_t object, uint32_t mode);
/* Its permissions were changed. */
void model_set_mode(struct model *m, uint32_t object, uint32_t mode);

/* A read at offset returned that many bytes: the file was that long. */
void model_saw_bytes(struct model *m, uint32_t object, uint64_t offset, uint64_t result);
/* Its size was seen to be exactly that. */
void model_saw_size(struct model *m, uint32_t object, uint64_t size);
void model_resize(struct model *m, uint32_t object, uint64_t size);
/* An operation that ended then changed the size, or may have. */
static inline void model_changed(struct model *m, uint32_t object, uint64_t end_ns)
{
	if (m->object[object].changed_ns < end_ns)
		m->object[object].changed_ns = end_ns;
}
/* A write or fallocate reached so far. */
void model_extend(struct model *m, uint32_t object, uint64_t end);

/* After the last event: files that were told but never used, such as the rest of a directory that was read, existed as well. */
void model_place_rest(struct model *m);

/* An entry so that the directory is not empty, for ENOTEMPTY. */
void model_populate(struct model *m, uint32_t directory);

/* The full path of a name of the starting state, or of now, as an index into strings. 0 when it hangs loose. */
uint32_t model_path(struct model *m, uint32_t name, bool start);
