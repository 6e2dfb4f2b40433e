#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/ops.h"

/*
 * The trace: what a production host's programs did to their files. Metadata only, never data. docs/iorig-trace.5 is the file format;
 * this header is the model that every stage shares. Events are stored in the order in which they *ended* (begin + duration);
 * within one thread that is program order.
 */

/* ---- operations ------------------------------------------------------------------------------------------------------------ */

/*
 * Which members of struct trace_event an operation uses. The others are not stored: whatever the writer was given, a reader gets -1
 * for descriptors and offsets and 0 for the rest.
 */
enum trace_field {
	TRACE_F_FD = 1 << 0,
	TRACE_F_FD2 = 1 << 1,
	TRACE_F_FILE = 1 << 2,
	TRACE_F_FILE2 = 1 << 3,
	TRACE_F_PATH = 1 << 4,
	TRACE_F_PATH2 = 1 << 5,
	TRACE_F_OFFSET = 1 << 6,
	TRACE_F_OFFSET2 = 1 << 7,
	TRACE_F_LENGTH = 1 << 8,
	TRACE_F_FLAGS = 1 << 9,
	TRACE_F_MODE = 1 << 10,
	TRACE_F_ARG = 1 << 11,
};

enum trace_op {
#define X(code, id, name, class, fields) TRACE_OP_##id = code,
	TRACE_OPS(X)
#undef X
		TRACE_OP_MAX = 256
};

enum trace_class {
#define X(id, name) TRACE_CLASS_##id,
	TRACE_CLASSES(X)
#undef X
		TRACE_CLASS_COUNT
};

struct trace_op_info {
	const char *name; /* NULL: no such operation */
	uint8_t class;
	uint16_t fields;
};

extern const struct trace_op_info trace_ops[TRACE_OP_MAX];
extern const char *const trace_class_names[TRACE_CLASS_COUNT];
/* The operation of that name, 0 when there is none. */
enum trace_op trace_op_by_name(const char *name);

/* ---- records --------------------------------------------------------------------------------------------------------------- */

enum trace_via { TRACE_VIA_SYSCALL, TRACE_VIA_URING, TRACE_VIA_AIO, TRACE_VIA_FAULT };

enum trace_event_bits {
	TRACE_EV_NO_DURATION = 1 << 0,    /* begin is unknown: recorded at its end only */
	TRACE_EV_PATH_TRUNCATED = 1 << 1, /* the path is longer than the recorder could read */
	TRACE_EV_PATH_UNRESOLVED = 1 << 2, /* the base directory of a relative path is unknown */
	TRACE_EV_COMPAT = 1 << 3,         /* a 32-bit system call */
	TRACE_EV_CREATED = 1 << 4,        /* an open that created the file */
	/*
	 * Of asynchronous requests. The order in which a ring's requests were handed in is that of their begins. How the program asked for
	 * it (IOSQE_*): the ring's next request waits for this one and is cancelled when it fails or is short; waits, whatever the result;
	 * this one waits for all before it; always by a kernel thread; descriptor and buffer are registered ones.
	 */
	TRACE_EV_LINK = 1 << 5,
	TRACE_EV_HARDLINK = 1 << 6,
	TRACE_EV_DRAIN = 1 << 7,
	TRACE_EV_ASYNC = 1 << 8,
	TRACE_EV_FIXED_FILE = 1 << 9,
	TRACE_EV_FIXED_BUFFER = 1 << 10,
	TRACE_EV_BATCH = 1 << 11,         /* handed in by the same call as the ring's request before it */
	TRACE_EV_SQPOLL = 1 << 12,        /* taken by the kernel's thread that polls the ring, not by a call */
	TRACE_EV_END_LATE = 1 << 13,      /* the end is when it was noticed, and the result the usual one: nobody saw the true ones */
	TRACE_EV_UNFINISHED = 1 << 14,    /* went on when the recording ended: no result. Of system calls, too */
};

struct trace_event {
	uint64_t begin_ns; /* since the start of the recording, CLOCK_MONOTONIC */
	uint64_t duration_ns;
	uint32_t thread; /* id of a struct trace_thread */
	uint8_t op;      /* enum trace_op */
	uint8_t via;     /* enum trace_via */
	uint16_t bits;   /* enum trace_event_bits */
	int32_t fd, fd2; /* descriptor numbers as the program used them; AT_FDCWD is -100; -1 = none */
	uint32_t file, file2; /* ids of a struct trace_file: what the descriptors or paths led to; 0 = not known or nothing */
	uint32_t path, path2; /* string ids: absolute, base directory + '/' + the name as given; 0 = none */
	int64_t offset, offset2; /* bytes; for read and write the position at which they happened; -1 = none */
	uint64_t length;      /* requested bytes */
	uint64_t flags, arg;
	uint32_t mode;
	uint32_t ring;    /* io_uring or aio context of an asynchronous request, from 1; 0 = none */
	int64_t result;   /* as the system call returned it: >= 0 or -errno */
};

enum trace_file_bits {
	TRACE_FILE_CREATED = 1 << 0,  /* came into being during the recording: not part of the starting state */
	TRACE_FILE_SIZE_LATE = 1 << 1, /* size was taken after an operation that may have changed it */
	TRACE_FILE_ALLOCATION = 1 << 2, /* allocated_bytes is known */
};

/* A file at its first sight. Identity is (dev, ino, generation); the path is a label. */
struct trace_file {
	uint32_t id; /* from 1, dense, in order of appearance */
	uint32_t path; /* string id, 0 = never had a name (unlinked before it was seen) */
	uint64_t dev, ino; /* kernel s_dev as major << 20 | minor */
	uint32_t generation;
	uint32_t mode; /* type and permissions, as st_mode; 0 = unknown */
	uint32_t nlink; /* 0 = unknown */
	uint32_t bits; /* enum trace_file_bits */
	uint64_t size; /* bytes */
	uint32_t target; /* symbolic link: string id of its text */
	uint64_t seen_ns;
	uint64_t user_dev; /* st_dev, where programs see another one than dev (btrfs: one a subvolume); 0: the same, or not known */
	uint64_t allocated_bytes; /* on the disk, as st_blocks tells; less than size: a sparse file (or a compressing file system) */
};

struct trace_thread {
	uint32_t id; /* from 1, dense */
	uint32_t tid, pid; /* of the recorded host's initial namespace; pid = thread group */
	uint32_t parent; /* id of the thread that created it, 0 = existed before the recording */
	uint32_t comm, cwd; /* string ids, 0 = unknown */
	uint64_t seen_ns;
	uint32_t mount_namespace; /* its number when the thread was seen first, 0 = unknown; the recorder's own is in the header */
};

/* An entry of a process's descriptor table that existed when the recording began. */
struct trace_fd {
	uint32_t pid;
	int32_t fd;
	uint32_t file;
	uint32_t flags; /* O_*, O_CLOEXEC included */
	int64_t position;
	uint64_t description; /* equal for descriptors that share one open file description */
};

struct trace_wake { /* waker made wakee runnable */
	uint64_t at_ns;
	uint32_t waker, wakee; /* thread ids */
};

enum trace_residency_bits {
	TRACE_RESIDENCY_END = 1 << 0, /* as the recording left it; otherwise as a file was when it was seen first */
};

/* What of a file was in the page cache. Several runs a file; one of no pages: looked, and nothing was there. */
struct trace_residency {
	uint32_t file;
	uint64_t first_page, pages; /* one run of 4 KiB pages */
	uint64_t absent_pages;	    /* so many of them were not there, it is not known which; 0: all were */
	uint64_t at_ns;
	uint32_t bits; /* enum trace_residency_bits */
};

/* What kind of data a regular file holds, from samples. Only counts: sampled = zero + compressed to stored. */
struct trace_content {
	uint32_t file;
	uint64_t sampled_bytes; /* of the file's data (not of its holes), looked at in pieces of up to 128 KiB */
	uint64_t zero_bytes;	/* of these, in 4 KiB pages that hold nothing but zeros */
	uint64_t stored_bytes;	/* what the other pages come to with zstd -1, piece by piece */
	uint64_t at_ns;
};

/* A part of a regular file without storage behind it (SEEK_HOLE), at first sight. */
struct trace_hole {
	uint32_t file;
	uint64_t offset, bytes;
	uint64_t data_bytes; /* about so many of them are no hole: the last one of a file with too many holes tells of the rest; 0: all are */
};

enum trace_loss_cause { TRACE_LOSS_RING_FULL, TRACE_LOSS_SKIPPED, TRACE_LOSS_UNPAIRED, TRACE_LOSS_OTHER };

struct trace_loss { /* events that happened and are not in the trace */
	uint64_t count, first_ns, last_ns;
	uint32_t cause; /* enum trace_loss_cause */
	uint32_t cpu;
};

enum trace_record_type {
	TRACE_END, /* no more records */
	TRACE_FILE,
	TRACE_THREAD,
	TRACE_FD,
	TRACE_EVENT,
	TRACE_WAKE,
	TRACE_RESIDENCY,
	TRACE_LOSS,
	TRACE_CONTENT,
	TRACE_HOLE,
};
#define TRACE_RECORD_TYPES (TRACE_HOLE + 1)

struct trace_record {
	enum trace_record_type type;
	union {
		struct trace_file file;
		struct trace_thread thread;
		struct trace_fd fd;
		struct trace_event event;
		struct trace_wake wake;
		struct trace_residency residency;
		struct trace_loss loss;
		struct trace_content content;
		struct trace_hole hole;
	};
};

/* ---- writing --------------------------------------------------------------------------------------------------------------- */

/*
 * A stream: what was given to the writer is on its way to the disk a block later, and a file whose writer was killed is readable up
 * to its last whole block. One thread at a time. Errors stick: every later call returns the first one (-errno), so that a
 * caller may look only at trace_writer_close. Ids that the writer never gave (a parent thread's too) are -EINVAL.
 *
 *	struct trace_writer *w = trace_writer_open(path, header, &options);   // NULL and errno
 *	uint32_t p = trace_writer_string(w, "/srv/db", 7);                      // the same text gives the same id
 *	struct trace_file f = {.path = p, ...}; uint32_t id = trace_writer_file(w, &f);   // id is given by the writer
 *	trace_writer_event(w, &event);
 *	rc = trace_writer_close(w, trailer);
 */
struct trace_writer;

/* What a string is, for those who give it another text. */
enum rewrite_role { REWRITE_PATH, REWRITE_NAME, REWRITE_XATTR, REWRITE_ROLES };

struct trace_writer_options {
	int level;             /* zstd level, 0: 1, and 3 for blocks of few events a second */
	/* 0 = none. A writer that reached it returns -EFBIG, also from close, but the file is whole and within the limit. */
	uint64_t max_bytes;
	/* With it no string reaches the file as it was given: trace/rewrite.h, trace/anonymous.h. NULL: as they are given. */
	const char *(*rename)(void *context, enum rewrite_role role, const char *text);
	void *rename_context;
};

/* header: any JSON object with facts of the recording (docs/iorig-trace.5 names the keys); schema and version are added. Borrowed. */
struct trace_writer *trace_writer_open(const char *path, const json_t *header, const struct trace_writer_options *options);
uint32_t trace_writer_string(struct trace_writer *w, const char *text, size_t n);
/* The same, for who has a use of his own for the hash of the text. */
uint32_t trace_text_hash(const char *text, size_t n);
uint32_t trace_writer_string_hashed(struct trace_writer *w, const char *text, size_t n, uint32_t hash);
uint32_t trace_writer_file(struct trace_writer *w, const struct trace_file *file);
uint32_t trace_writer_thread(struct trace_writer *w, const struct trace_thread *thread);
int trace_writer_fd(struct trace_writer *w, const struct trace_fd *fd);
int trace_writer_event(struct trace_writer *w, const struct trace_event *event);
int trace_writer_wake(struct trace_writer *w, const struct trace_wake *wake);
int trace_writer_residency(struct trace_writer *w, const struct trace_residency *residency);
int trace_writer_loss(struct trace_writer *w, const struct trace_loss *loss);
int trace_writer_content(struct trace_writer *w, const struct trace_content *content);
int trace_writer_hole(struct trace_writer *w, const struct trace_hole *hole);
/* Any record of them; TRACE_END writes nothing. */
int trace_writer_record(struct trace_writer *w, const struct trace_record *record);
/* Ends the current block now, so that all of it reaches the file. */
int trace_writer_flush(struct trace_writer *w);
/* In the file, without what is pending. */
uint64_t trace_writer_bytes(const struct trace_writer *w);
/* The first error, 0: none. */
int trace_writer_error(const struct trace_writer *w);
/* Events that were given and, since there was an error, will not be in the file. */
uint64_t trace_writer_refused(const struct trace_writer *w);
/*
 * Writes trailer (counters of the recording; may be NULL) and index, syncs, frees. 0 or the first error. After -ENOSPC or -EDQUOT the
 * file is whole: room for its end was kept, and the events that found none are told in it as lost.
 */
int trace_writer_close(struct trace_writer *w, const json_t *trailer);

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

enum trace_status {
	TRACE_OK,
	TRACE_NOT_A_TRACE,
	TRACE_UNSUPPORTED, /* a version that this program does not know */
	TRACE_CORRUPT,     /* at a byte offset */
	TRACE_TRUNCATED,   /* ends early; everything before is good */
	TRACE_IO,          /* read error; see error_number */
};

struct trace_error {
	enum trace_status status;
	uint64_t offset; /* byte in the file */
	uint64_t events; /* good events before it */
	int error_number;
	char text[256];  /* the one line for a person, without the file's name */
};

/*
 * Reads from the front, one block in memory at a time; string, file and thread tables grow with the number of distinct ones.
 * One thread at a time. A definition is delivered as a record, and usable by id from then on.
 *
 *	struct trace_error error;
 *	struct trace_reader *r = trace_reader_open(path, &error);     // NULL: error says why
 *	while (trace_reader_next(r, &record)) ...                     // false at the end, whole or not
 *	trace_reader_error(r)->status                                 // TRACE_OK: it was the end
 */
struct trace_reader;

struct trace_reader *trace_reader_open(const char *path, struct trace_error *error);
bool trace_reader_next(struct trace_reader *r, struct trace_record *record);
const struct trace_error *trace_reader_error(const struct trace_reader *r);
/* Borrowed. The trailer is NULL until the end was reached, or when the file has none (a killed recorder). */
const json_t *trace_reader_header(const struct trace_reader *r);
const json_t *trace_reader_trailer(const struct trace_reader *r);
/* "" for id 0; valid until close. Ids in delivered records are always in range: the reader has checked them. */
const char *trace_reader_string(const struct trace_reader *r, uint32_t id);
/* Before the first record, for who takes what he needs of a definition when it comes: the two below know nothing then. */
void trace_reader_forget_definitions(struct trace_reader *r);
const struct trace_file *trace_reader_file(const struct trace_reader *r, uint32_t id);
const struct trace_thread *trace_reader_thread(const struct trace_reader *r, uint32_t id);
/* Bytes of the file that have been read: for progress. */
uint64_t trace_reader_offset(const struct trace_reader *r);
void trace_reader_close(struct trace_reader *r);
