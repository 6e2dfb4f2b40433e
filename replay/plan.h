#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/hist.h"
#include "replay/gaps.h"
#include "replay/spool.h"
#include "trace/trace.h"

/*
 * The plan: a trace compiled for replay. One lane per recorded thread, a list of 32-byte operations in program order, and one per
 * recorded ring (io_uring, or a context of libaio), whose requests stand in the order in which they ended. Descriptors have become handle slots, addresses of
 * mappings map slots, names texts below the sandbox's root. Nothing is parsed, allocated or locked while it runs.
 * Big parts (operations, arguments, edges) lie in unlinked files and are mapped; the rest grows with the number of names and lanes.
 */

#define PLAN_NONE UINT32_MAX

enum plan_bits {
	PLAN_WIDE = 1 << 0,   /* offset is an index of struct plan_args, which has everything but handle and expect */
	PLAN_WOKEN = 1 << 3,  /* another thread ended its pause */
	PLAN_BY_SLOT = 1 << 2, /* a path operation that was called with a descriptor and an empty path */
	PLAN_FIRST = 1 << 4,  /* opens a file that the recorder had not met: it told its name then */
	PLAN_AT = 1 << 5,     /* the path was given as a name in an open directory; offset: slot of that, and << 32 the name's text */
	PLAN_HIDDEN = 1 << 1, /* put in by the compiler (a close at exit, a seek): executed, but no operation of the recording */
};

/* What result is expected; below 4096: that errno. */
enum plan_expect {
	PLAN_EXPECT_FULL = 0,         /* length bytes, or 0 where there is no length */
	PLAN_EXPECT_VALUE = 0xfffd,   /* exactly args.result */
	PLAN_EXPECT_SUCCESS = 0xfffe, /* any result >= 0 */
	PLAN_EXPECT_ANY = 0xffff,     /* not compared */
};

struct plan_op {
	uint64_t offset;      /* bytes; or index of arguments */
	uint32_t length;      /* bytes; or flags or mode of a one-path operation */
	uint32_t think_ns;    /* from the completion before it in the lane to its begin */
	uint32_t recorded_ns; /* how long it took in the recording */
	uint32_t handle;      /* handle slot, or the path (index into strings) of a path operation */
	uint32_t edges;       /* 0: none; else index + 1 of the first */
	uint8_t op;           /* enum trace_op */
	uint8_t bits;
	uint16_t expect;
};
_Static_assert(sizeof(struct plan_op) == 32, "plan_op is laid out for the cache");

struct plan_args {
	uint64_t offset, offset2, length, flags, arg;
	int64_t result;
	uint64_t think_ns, recorded_ns;
	uint64_t woken_ns; /* PLAN_WOKEN: the pause since what it waits for had ended */
	uint64_t begin_ns; /* of a ring's request, since the start of the recording: the order of handing in */
	uint64_t waited_ns; /* of a ring's request: up to then its program had seen what was complete when it handed it in; 0: not known */
	uint32_t path, path2;
	uint32_t mode, handle2;
	uint32_t request; /* of a ring's request: its enum trace_event_bits */
};

/* In waited_ns: and one request more that was complete later (io_getevents began then, and asked for one at least). */
#define PLAN_WAITED_FOR_ONE (1ULL << 63)

/* Wait until lane has completed its first `sequence` operations. */
struct plan_edge {
	uint32_t lane; /* top bit: another one follows */
	uint32_t sequence;
};
#define PLAN_EDGE_MORE 0x80000000u

struct plan_chunk { /* a run of operations of one lane */
	uint64_t first, first_event; /* number in the trace */
	uint32_t count;
};

struct plan_lane {
	uint32_t thread;      /* id in the trace; of a ring the first that used it */
	uint32_t ring;        /* its number in the trace */
	uint8_t via;          /* TRACE_VIA_SYSCALL: a thread; TRACE_VIA_URING, TRACE_VIA_AIO: a ring, its operations are all wide */
	uint32_t operations;  /* hidden ones included */
	uint32_t classes;     /* bit set of the classes in it */
	bool shares_handles;  /* with another lane; else it can have a descriptor table of its own */
	uint64_t first_begin_ns; /* of the recording */
	struct plan_edge creator; /* the pause before its first operation counts from there; lane PLAN_NONE: from the begin of the recording */
	uint64_t longest_read, longest_write;
	struct plan_chunk *chunk;
	uint32_t chunks, chunks_room;
};

enum plan_entry_bits {
	PLAN_ENTRY_NAMELESS = 1 << 0, /* open, but unlinked before the recording began: exists only as a handle */
	PLAN_ENTRY_SPARSE = 1 << 1,   /* nothing reads it: it has its size and no data */
	PLAN_ENTRY_CHANGED = 1 << 2,  /* the replay writes it, moves it or removes it, or another name of it */
};

/* A name of the starting state or of the final tree. Sorted so that a directory comes before what is in it. */
struct plan_entry {
	uint32_t path;   /* index into strings, starts with '/' */
	uint32_t target; /* text of a symbolic link */
	uint32_t same_as; /* entry that this is a hard link to; PLAN_NONE */
	uint32_t bits;
	uint32_t mode; /* type and permissions; type is S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO or S_IFSOCK */
	uint64_t size;
	uint32_t first_hole, holes; /* of plan.hole */
	float zero_ratio;   /* of its data: pages of zeros */
	float stored_ratio; /* what the other pages compress to; 1: cannot be compressed */
};

enum { PLAN_ERRORS = 134 }; /* EHWPOISON is the last */

struct plan_hole { /* a part of a file without storage */
	uint32_t entry; /* of the starting state */
	uint64_t offset, bytes;
	uint64_t data_bytes; /* so many of them have storage, it is not known which */
};

/* A descriptor that is open when the clock starts. */
struct plan_open {
	uint32_t slot;
	uint32_t path;
	uint32_t flags;
	uint32_t same_as; /* slot whose description it shares (dup); PLAN_NONE */
	int64_t position;
};

struct plan_resident { /* pages that were cached when the recording began */
	uint32_t path;
	uint64_t first_page, pages;
	uint64_t absent_pages; /* so many of them were not, it is not known which */
};

struct plan_xattr { /* an extended attribute of the starting state */
	uint32_t path, name;
	uint64_t size;
};

struct plan_array { /* a growing array */
	void *item;
	size_t n, room;
};

struct plan {
	/* mapped */
	const struct plan_op *op;
	const uint32_t *event; /* of each operation: its number in the trace after its chunk's first_event, for messages */
	const struct plan_args *args;
	const struct plan_edge *edge;
	uint64_t ops, args_n, edges_n;
	/* in memory */
	struct plan_lane *lane;
	uint32_t lanes;
	const char *strings;
	size_t strings_n;
	struct plan_entry *start, *final;
	uint32_t start_n, final_n;
	uint32_t *absent; /* paths that must not exist at the start */
	uint32_t absent_n;
	struct plan_open *open;
	uint32_t open_n;
	struct plan_xattr *xattr;
	uint32_t xattr_n;
	struct plan_resident *resident;
	uint32_t resident_n;
	struct plan_hole *hole; /* by entry */
	uint32_t holes_n;
	uint32_t slots, maps;
	/* facts of the recording */
	uint64_t events, first_begin_ns, recorded_elapsed_ns, lost;
	uint64_t gap_ns[GAP_KINDS]; /* between calls without a pause between them, as the recorder saw them; 0: not known */
	uint64_t replayed, kept_books; /* events that become operations; that only the compiler needed */
	uint64_t bytes, bytes_replayed; /* read and written */
	bool fifos; /* there are some, or it makes some */
	uint64_t fallbacks;             /* descriptors that the trace could not explain */
	uint64_t conflicts;             /* events that contradict what the trace said before */
	uint64_t skipped[TRACE_OP_MAX];
	uint64_t refused[PLAN_ERRORS]; /* of them: what failed for a reason of the recorded host, by errno */
	struct hist *recorded[TRACE_CLASS_COUNT]; /* NULL: no operation of that class */
	struct spool spool_op, spool_event, spool_args, spool_edge;
};

static inline const char *plan_text(const struct plan *p, uint32_t index)
{
	return p->strings + index;
}

/* Which share of the recording can be replayed. */
static inline double plan_ops_ratio(const struct plan *p)
{
	return p->events ? (double)(p->replayed + p->kept_books) / (double)p->events : 1;
}

static inline double plan_bytes_ratio(const struct plan *p)
{
	return p->bytes ? (double)p->bytes_replayed / (double)p->bytes : 1;
}

/* Of the big parts, which lie in files. */
static inline uint64_t plan_bytes(const struct plan *p)
{
	return p->spool_op.map_bytes + p->spool_event.map_bytes + p->spool_args.map_bytes + p->spool_edge.map_bytes;
}

/* The number in the trace of an operation of that lane. */
uint64_t plan_event(const struct plan *p, const struct plan_lane *lane, const struct plan_op *op);

/*
 * A plan may be larger than memory. A small one is mapped for good before the clock starts; of a larger one the page cache holds what
 * it can, and only a window is mapped: a lane fetches a chunk before it begins it, and what was passed is forgotten from time to time.
 */
#define PLAN_SMALL_BYTES (24ULL << 20)
#define PLAN_WINDOW_BYTES (8ULL << 20)
bool plan_is_small(const struct plan *plan);
void plan_keep(const struct plan *plan);
/* Unmaps all pages; those that are still needed come back from the page cache. */
void plan_forget(const struct plan *plan);
/* Maps the pages of a lane's chunk, and of those after it that lie behind it, up to a limit. Returns how many chunks they are. */
uint32_t plan_fetch(const struct plan *plan, const struct plan_lane *lane, uint32_t chunk);

void plan_release(struct plan *plan);
