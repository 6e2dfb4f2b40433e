#pragma once
#include <stdint.h>

#include "trace/trace.h"

/*
 * Format version 1 in numbers; docs/iorig-trace.5 is the description in words, and a test holds one against the other.
 * Internal to trace/: writer, reader and nobody else.
 *
 *	preamble  24 bytes  magic, version, size of the header document, XXH3 of these 16 bytes
 *	header    JSON, then its XXH3
 *	block...  frame head (80 bytes) and payload
 *	index     frame head and payload: where the blocks are, and the trailer document
 *	end       16 bytes  offset of the index frame, end magic
 *
 * All integers little endian.
 */
#define TRACE_MAGIC "\217iotrace"
#define TRACE_END_MAGIC "ecarto\217\n"
#define TRACE_VERSION 1u
#define TRACE_SCHEMA "iorig.trace/1"

enum {
	TRACE_PREAMBLE_BYTES = 24,
	TRACE_FRAME_BYTES = 80,
	TRACE_END_BYTES = 16,

	/* Limits that the writer keeps and the reader enforces before it believes a size. */
	TRACE_HEADER_MAX = 16 << 20,
	TRACE_BLOCK_RECORDS = 1 << 16,
	TRACE_COLUMN_FLUSH = 256 << 10, /* so many bytes of STRING_BYTES end the block */
	TRACE_COLUMN_MAX = 16 << 20,
	TRACE_PAYLOAD_MAX = 64 << 20,
	TRACE_STRING_MAX = 64 << 10,
	TRACE_TEXT_FLUSH = 16 << 20, /* so much text ends the block; prefixes are shared, so that its column may be far smaller */
	TRACE_VARINT_MAX = 10,

	TRACE_BASIC_TYPES = 8, /* record types below it stand in the three bits of a run; others behind it */
};

#define TRACE_TAG_BLOCK 0x4b4f4c42u /* "BLOK" */
#define TRACE_TAG_INDEX 0x58444e49u /* "INDX" */

struct trace_frame {
	uint32_t tag, stored_bytes;
	uint32_t events, records;          /* in this block */
	uint32_t strings, files, threads;  /* defined before this block: its first new id, less 1 */
	uint32_t reserved;                 /* 0 */
	uint64_t events_before;
	uint64_t first_ns, last_ns;        /* earliest begin and latest end of its events; 0 without events */
	uint64_t lost;                     /* events lost up to the end of this block */
	uint64_t payload_hash;             /* XXH3 of the stored payload */
	uint64_t head_hash;                /* XXH3 of all the above, seeded with the frame's offset in the file */
};
_Static_assert(sizeof(struct trace_frame) == TRACE_FRAME_BYTES, "a frame head has no padding");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "frame heads are stored as they are in memory");

/* How a member of a definition is stored in its column. */
enum trace_coding {
	TRACE_PLAIN,  /* varint */
	TRACE_SIGNED, /* zigzag varint */
	TRACE_DELTA,  /* zigzag varint of the difference to the record of that type before it in this block */
	TRACE_STRING, /* id of a string, relative to the newest that was used (see predict.h) */
};

/* What the reader checks of it. */
enum trace_check { TRACE_ANY, TRACE_IS_STRING, TRACE_IS_FILE, TRACE_IS_THREAD, TRACE_IS_OLDER_THREAD };

/* Columns of a block: X(number, id). Numbers are part of the format. */
#define TRACE_EVENT_COLUMNS(X) \
	X(0, ORDER) \
	X(1, STRING_LENGTHS) \
	X(2, STRING_BYTES) \
	X(3, SHAPES) \
	X(4, MASK) \
	X(5, SHAPE) \
	X(6, EVENT_THREAD) \
	X(7, TIME_CLASS) \
	X(8, TIME_BITS) \
	X(9, DURATION_CLASS) \
	X(10, DURATION_BITS) \
	X(11, EVENT_FD) \
	X(12, EVENT_FILE) \
	X(13, EVENT_PATH) \
	X(14, OFFSET_CLASS) \
	X(15, OFFSET_BITS) \
	X(16, LENGTH) \
	X(17, RESULT) \
	X(18, FD2) \
	X(19, FILE2) \
	X(20, PATH2) \
	X(21, OFFSET2)

/*
 * Members of the other records, a column each: X(number, id, record type, struct, member, coding, check).
 * A column that came after the others of its record is left out when it holds nothing but zeros (trace_may_miss): a trace without such things is
 * what it was before.
 */
#define TRACE_MEMBERS(X) \
	X(32, FILE_PATH, FILE, trace_file, path, STRING, IS_STRING) \
	X(33, FILE_DEV, FILE, trace_file, dev, PLAIN, ANY) \
	X(34, FILE_INO, FILE, trace_file, ino, DELTA, ANY) \
	X(35, FILE_GENERATION, FILE, trace_file, generation, PLAIN, ANY) \
	X(36, FILE_MODE, FILE, trace_file, mode, PLAIN, ANY) \
	X(37, FILE_NLINK, FILE, trace_file, nlink, PLAIN, ANY) \
	X(38, FILE_BITS, FILE, trace_file, bits, PLAIN, ANY) \
	X(39, FILE_SIZE, FILE, trace_file, size, PLAIN, ANY) \
	X(40, FILE_TARGET, FILE, trace_file, target, STRING, IS_STRING) \
	X(41, FILE_SEEN, FILE, trace_file, seen_ns, DELTA, ANY) \
	X(42, FILE_ALLOCATED, FILE, trace_file, allocated_bytes, PLAIN, ANY) \
	X(43, FILE_USER_DEV, FILE, trace_file, user_dev, PLAIN, ANY) \
	X(48, THREAD_TID, THREAD, trace_thread, tid, PLAIN, ANY) \
	X(49, THREAD_PID, THREAD, trace_thread, pid, PLAIN, ANY) \
	X(50, THREAD_PARENT, THREAD, trace_thread, parent, PLAIN, IS_OLDER_THREAD) \
	X(51, THREAD_COMM, THREAD, trace_thread, comm, STRING, IS_STRING) \
	X(52, THREAD_CWD, THREAD, trace_thread, cwd, STRING, IS_STRING) \
	X(53, THREAD_SEEN, THREAD, trace_thread, seen_ns, DELTA, ANY) \
	X(54, THREAD_MOUNT_NAMESPACE, THREAD, trace_thread, mount_namespace, PLAIN, ANY) \
	X(56, FD_PID, FD, trace_fd, pid, PLAIN, ANY) \
	X(57, FD_FD, FD, trace_fd, fd, SIGNED, ANY) \
	X(58, FD_FILE, FD, trace_fd, file, PLAIN, IS_FILE) \
	X(59, FD_FLAGS, FD, trace_fd, flags, PLAIN, ANY) \
	X(60, FD_POSITION, FD, trace_fd, position, SIGNED, ANY) \
	X(61, FD_DESCRIPTION, FD, trace_fd, description, DELTA, ANY) \
	X(64, WAKE_AT, WAKE, trace_wake, at_ns, DELTA, ANY) \
	X(65, WAKE_WAKER, WAKE, trace_wake, waker, PLAIN, IS_THREAD) \
	X(66, WAKE_WAKEE, WAKE, trace_wake, wakee, PLAIN, IS_THREAD) \
	X(72, RESIDENCY_FILE, RESIDENCY, trace_residency, file, PLAIN, IS_FILE) \
	X(73, RESIDENCY_FIRST, RESIDENCY, trace_residency, first_page, PLAIN, ANY) \
	X(74, RESIDENCY_PAGES, RESIDENCY, trace_residency, pages, PLAIN, ANY) \
	X(75, RESIDENCY_ABSENT, RESIDENCY, trace_residency, absent_pages, PLAIN, ANY) \
	X(76, RESIDENCY_AT, RESIDENCY, trace_residency, at_ns, DELTA, ANY) \
	X(77, RESIDENCY_BITS, RESIDENCY, trace_residency, bits, PLAIN, ANY) \
	X(80, LOSS_COUNT, LOSS, trace_loss, count, PLAIN, ANY) \
	X(81, LOSS_FIRST, LOSS, trace_loss, first_ns, DELTA, ANY) \
	X(82, LOSS_LAST, LOSS, trace_loss, last_ns, DELTA, ANY) \
	X(83, LOSS_CAUSE, LOSS, trace_loss, cause, PLAIN, ANY) \
	X(84, LOSS_CPU, LOSS, trace_loss, cpu, PLAIN, ANY) \
	X(85, CONTENT_FILE, CONTENT, trace_content, file, PLAIN, IS_FILE) \
	X(86, CONTENT_SAMPLED, CONTENT, trace_content, sampled_bytes, PLAIN, ANY) \
	X(87, CONTENT_ZERO, CONTENT, trace_content, zero_bytes, PLAIN, ANY) \
	X(88, CONTENT_STORED, CONTENT, trace_content, stored_bytes, PLAIN, ANY) \
	X(89, CONTENT_AT, CONTENT, trace_content, at_ns, DELTA, ANY) \
	X(90, HOLE_FILE, HOLE, trace_hole, file, PLAIN, IS_FILE) \
	X(91, HOLE_OFFSET, HOLE, trace_hole, offset, DELTA, ANY) \
	X(92, HOLE_BYTES, HOLE, trace_hole, bytes, PLAIN, ANY) \
	X(93, HOLE_DATA, HOLE, trace_hole, data_bytes, PLAIN, ANY)

enum trace_column {
#define X(number, id) TRACE_COL_##id = number,
	TRACE_EVENT_COLUMNS(X)
#undef X
#define X(number, id, type, record, member, coding, check) TRACE_COL_##id = number,
	TRACE_MEMBERS(X)
#undef X
	TRACE_COL_INDEX = 96,   /* of the index frame: per block offset, events, first and last time */
	TRACE_COL_TRAILER = 97, /* of the index frame: JSON, absent without a trailer */
	TRACE_COLUMNS
};

struct trace_member {
	uint8_t column, type, offset, bytes, coding, check;
};
/* All members, grouped by record type, ends with column 0. */
extern const struct trace_member trace_members[];
/* Members that came later: where all are zero, the column is missing. */
static inline bool trace_may_miss(const struct trace_member *m)
{
	return m->column == TRACE_COL_FILE_ALLOCATED || m->column == TRACE_COL_FILE_USER_DEV || m->column == TRACE_COL_THREAD_MOUNT_NAMESPACE ||
	       (m->column >= TRACE_COL_RESIDENCY_ABSENT && m->column <= TRACE_COL_RESIDENCY_BITS);
}

/* The first member of a record type in there. */
const struct trace_member *trace_members_of(enum trace_record_type type);

/* Bits of the mask column, one byte an event: what was predicted rightly and therefore is not stored. */
enum trace_mask {
	TRACE_M_THREAD = 1 << 0, /* the thread of the event before */
	TRACE_M_GAP = 1 << 1,    /* time column: begin after the end before; otherwise: end after the end before */
	TRACE_M_FD = 1 << 2,     /* the descriptor of this thread's event before */
	TRACE_M_FILE = 1 << 3,
	TRACE_M_OFFSET = 1 << 4,
	TRACE_M_PAGES = 1 << 5,  /* offset column counts 4096 bytes */
	TRACE_M_LENGTH = 1 << 6,
	TRACE_M_RESULT = 1 << 7,
};

/* The members of an event that its operation does not use are not stored; readers get these. */
static inline void trace_event_clear(struct trace_event *e)
{
	*e = (struct trace_event){.fd = -1, .fd2 = -1, .offset = -1, .offset2 = -1};
}

/* One line of a text column sizes and such are reported with: "TIME_CLASS". NULL when there is no such column. */
const char *trace_column_name(unsigned column);

/* Bytes that a column has taken in all blocks read so far: stored (returned) and before compression. */
uint64_t trace_reader_column_bytes(const struct trace_reader *r, unsigned column, uint64_t *raw);
