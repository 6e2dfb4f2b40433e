#pragma once
#include "replay/compile.h"
#include "replay/handles.h"
#include "replay/model.h"
#include "replay/ops.h"

/* What the parts of the plan compiler share (compile*.c). */

enum { PATH_ROOM = 4096 };

struct build_lane {
	struct plan_op *op; /* the chunk being filled */
	uint32_t *event;
	uint64_t first_event;
	uint32_t n, room;
	uint64_t last_end_ns;
	struct ring_waits *waits; /* of a ring; NULL: none yet */
};

/* Who ended a thread's pause: it goes on after what that one had done. */
struct waker {
	uint64_t at_ns, end_ns; /* when; end of the newest operation of the waker */
	uint32_t lane;          /* PLAN_NONE: nobody */
	uint32_t sequence;      /* the waker's newest operation then */
	bool is_child;          /* not seen waking: its process ended then, and whoever was silent until then has waited for it */
};

struct origin { /* what a thread's creation came after */
	uint32_t lane, sequence; /* the creator's newest operation; lane PLAN_NONE: not known */
	struct plan_edge since;  /* what its first pause is measured from: that, or what somebody had done who woke the creator later */
	uint64_t since_ns;       /* when that had ended */
};

struct thread {
	uint32_t tid, pid;
	uint32_t lane; /* PLAN_NONE: no operation yet */
	struct origin origin;
	uint32_t parent; /* 0: not known */
	bool alive;
	struct waker waker;
};

struct mapping {
	uint32_t pid, map, object; /* map: slot of the plan */
	uint64_t address, low, high; /* low and high: what is still mapped, relative to address */
	uint64_t offset;             /* in the file */
	uint32_t r_map;
	bool writable;
};

struct content { /* of a file */
	float zero_ratio, stored_ratio;
	bool known;
};

struct start_open {
	uint32_t slot, object, flags;
	int64_t position;
};

struct compiler {
	struct plan *plan;
	const struct record_source *source;
	struct texts strings;
	struct model model;
	struct handles handles;
	struct order *order;
	struct build_lane *lane;
	size_t lanes_room, plan_lanes_room;
	uint32_t *slot_lane; /* the first lane that uses a slot + 1 */
	size_t slot_lanes_room;
	struct thread *thread;
	size_t threads_room;
	struct map clones;     /* child's tid -> index of clone + 1 */
	struct origin *clone;  /* seen before the child's first sign */
	size_t clones_n, clones_room;
	struct map by_tid;     /* -> newest thread of that number */
	struct map living;     /* pid -> threads */
	struct map rings;      /* via, its number -> lane + 1 */
	struct map rings_of;   /* thread << 32 | k -> lane + 1 of the rings that it used */
	struct map fds_by_description;
	struct map xattrs;     /* object << 32 | name -> 1 */
	struct mapping *mapping;
	size_t mappings, mappings_room;
	struct start_open *start_open;
	size_t start_opens, start_opens_room;
	struct plan_xattr *xattr; /* path holds the object until the end */
	size_t xattrs_n, xattrs_room;
	struct plan_resident *resident; /* path holds the object until the end */
	size_t resident_n, resident_room;
	struct plan_hole *hole; /* entry holds the file until the end */
	size_t holes_n, holes_room;
	struct content *content; /* by file */
	size_t contents_room;
	uint64_t number; /* of the event */
	uint32_t instead; /* of link: the name that it is replayed from (ahead_search.c); 0: its own */
	uint64_t first_begin_ns, last_end_ns;
	/* the current event */
	const struct trace_event *ev;
	uint32_t pid, current_lane;
	uint64_t woken_since_ns; /* its pause ended with what ended then; 0: nobody woke its thread */
	const char *path, *path2; /* texts of the trace, or copies of others */
	char path_copy[PATH_ROOM], path2_copy[PATH_ROOM];
	struct where where, where2;
	uint8_t bits; /* more enum plan_bits for its operation */
	bool size_changes; /* an event that overlaps with this read and ends later changes the file's size */
	int error;
};

/* The lane of the current event, made when it is the first one. */
uint32_t compile_lane(struct compiler *c);

/* The key in c->rings of the ring of the current event, which need not have come via it itself. */
uint64_t compile_ring_key(const struct compiler *c, uint8_t via);
/* The current event is an io_uring_enter or an io_getevents: when it waited for completions, that is noted. */
void compile_ring_waited(struct compiler *c);
/* When the last such wait in the ring of this lane ended that was over at begin_ns; 0: there was none; begin_ns: that is not known any more. */
uint64_t compile_waited_before(const struct build_lane *b, uint64_t begin_ns);

/*
 * Emits an operation for the current event. Between compile_begin and compile_emit the resources are touched. args holds everything;
 * handle is the slot, or the path of a one-path operation.
 */
void compile_begin(struct compiler *c);
void compile_emit(struct compiler *c, uint32_t handle, struct plan_args *args, uint16_t expect);
/* The same for an operation that the recording does not have, before or after the current one. */
void compile_hidden(struct compiler *c, enum trace_op op, uint32_t handle, struct plan_args *args);
void compile_skip(struct compiler *c);  /* cannot be replayed: counted and named */
void compile_books(struct compiler *c); /* its effect is in the plan; nothing to execute */

/* Texts of the event's paths into c->path and c->path2 as absolute paths; false: not known well enough. */
bool compile_paths(struct compiler *c, bool first, bool second);
/*
 * model_exists; and when the thing must have been made by somebody who was not recorded (a server's socket, a program outside the
 * filter), an operation that makes it.
 */
void compile_exists(struct compiler *c, const char *path, bool follow, uint32_t file, enum object_kind kind, struct where *where);
/* Something is about to be made there that the model thinks is there: somebody who was not recorded removed it. */
void compile_vanished(struct compiler *c, const char *path, const struct where *where);
/* A rename left a device there: as all devices, an empty file. */
void compile_whiteout(struct compiler *c, const char *path, const struct where *where);
/* The operation uses the name that was walked to, or changes what is behind it; also the links and directories on the way. */
void compile_touch_name(struct compiler *c, const struct where *w, bool change);
/* The operation makes the object's file shorter: after what others did to its length, also where they overlapped and ended before. */
void compile_touch_cut(struct compiler *c, uint32_t object);
/*
 * The path was given as a name in a directory that the program has open: the replay begins there as well, and not at its root, from where the way
 * may be several times as long. Between compile_begin and compile_emit.
 */
void compile_at(struct compiler *c, struct plan_args *args);
/* What is expected when the recording says `result`; full: it is a count that should equal `length`. */
uint16_t compile_expect(struct compiler *c, struct plan_args *args, bool full);
/* Results that say something about the recorded host and not about the file system: permissions, limits, signals. */
bool compile_environmental(int64_t result);

/*
 * The kernel said which file the call met. Of all other calls on paths the recorder tells what it believes to stand there, in the order
 * in which the calls ended.
 */
bool compile_tells_file(const struct trace_event *ev);

/* The slot of a descriptor of the current process; opens the file anew (counted) when the trace cannot explain it. */
uint32_t compile_slot(struct compiler *c, int fd, uint32_t file);
/* The current event's descriptor is a place in its ring's table of registered files: from now on it is one of a process with that table. */
void compile_registered(struct compiler *c);
void compile_close_slot(struct compiler *c, uint32_t slot);
bool compile_slot_is_dead(struct compiler *c, uint32_t slot);
#define DESCRIPTION_DEAD 0x80000000u /* leads to something that is not replayed: a device, a FIFO */

/* By kind of operation. */
void compile_path_event(struct compiler *c);
void compile_change_event(struct compiler *c);
void compile_fd_event(struct compiler *c);
void compile_handle_event(struct compiler *c);
void compile_map_event(struct compiler *c);
void compile_process_event(struct compiler *c);
/* Prepares an xattr operation; false: cannot be replayed. */
bool compile_xattr(struct compiler *c, uint32_t object, struct plan_args *a);
void compile_unmap_all(struct compiler *c, uint32_t pid);
/* Lanes that use one slot need one descriptor table. lane PLAN_NONE: whoever opens what is open at the start. */
void compile_use_slot(struct compiler *c, uint32_t lane, uint32_t slot);

/* Before an operation: it comes after what its thread's waker had done. */
void compile_after_waker(struct compiler *c);

void compile_record_thread(struct compiler *c, const struct trace_thread *thread);
void compile_record_fd(struct compiler *c, const struct trace_fd *fd);
void compile_record_wake(struct compiler *c, const struct trace_wake *wake);
void compile_record_residency(struct compiler *c, const struct trace_residency *residency);
void compile_record_hole(struct compiler *c, const struct trace_hole *hole);
void compile_record_content(struct compiler *c, const struct trace_content *content);
/* Gives the entries of the starting state their holes and contents. entry_of: object -> entry + 1. */
void compile_finish_contents(struct compiler *c, struct plan_entry *entry, const struct map *entry_of);

void compile_finish(struct compiler *c);
