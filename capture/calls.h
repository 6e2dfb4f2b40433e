#pragma once
#include <asm/unistd.h>
#include <stdint.h>

#include "capture/record.h"
#include "trace/trace.h"

/* Newer than Debian 12's headers. */
#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

/*
 * The table of system calls (x86-64): which operation of trace/ops.h each is, how the kernel program records it, and where its
 * arguments stand. One row a number; a number without a row is not recorded.
 */
enum call_argument { NOT, A0, A1, A2, A3, A4, A5 };

enum call_special { /* what the row cannot say; drain.c does it */
	CALL_PLAIN,
	CALL_AT_POSITION,  /* offset is the descriptor's position before the call */
	CALL_SPLIT_OFFSET, /* preadv and pwritev: offset in two registers of which the first is enough on 64 bits */
	CALL_MKDIR,
	CALL_MKNOD,
	CALL_BIND,
	CALL_UNLINK,
	CALL_RMDIR,
	CALL_RENAME,
	CALL_LINK,
	CALL_SYMLINK,
	CALL_CHDIR,
	CALL_MMAP,
	CALL_MUNMAP,
	CALL_MREMAP,
	CALL_MAPPED, /* msync, madvise: an address in a mapping */
	CALL_COPY,
	CALL_SENDFILE,
	CALL_CLONE_FILE,
	CALL_FORK,
	CALL_CLONE3,
	CALL_OWNER,
	CALL_DUP,
	CALL_FCNTL,
	CALL_CLOSE_RANGE,
	CALL_LIST, /* getdents */
	CALL_CONTEXT, /* an io context of libaio, good in its process only */
};

struct call {
	uint8_t op;    /* enum trace_op, 0: not recorded */
	uint8_t shape; /* enum call_shape */
	uint8_t stat;  /* enum call_stat */
	uint8_t special;
	/* enum call_argument */
	uint8_t fd, fd2, offset, length, flags, mode, arg;
	uint8_t ring; /* what names the ring: an address of the kernel, or of libaio an io context */
	const char *since; /* kernel, when it is newer than the oldest that can be recorded on */
	uint8_t no_follow; /* a symbolic link at the end of the path is not followed: 1 always, 2 with AT_SYMLINK_NOFOLLOW in flags */
};

extern const struct call calls[CALL_MAX];

/* Where a request of io_uring has what its system call has in an argument. */
enum request_field {
	REQ_NONE,
	REQ_FD,
	REQ_OFF,
	REQ_ADDR,
	REQ_LEN,
	REQ_SUM, /* of a vector */
	REQ_FLAGS,
	REQ_FILE_INDEX,
	REQ_ADDR3,
	REQ_HOW_FLAGS, /* of struct open_how */
	REQ_HOW_MODE,
	REQ_HOW_RESOLVE,
};

/* By opcode of io_uring: which system call it is, and that call's arguments. */
struct request {
	const char *name; /* NULL: newer than this table */
	uint16_t call;	  /* 0: not about files */
	uint8_t form;	  /* enum request_form */
	uint8_t field[6]; /* enum request_field */
	const char *since; /* kernel */
};

extern const struct request requests[REQUEST_MAX];

/* The kernel program's part of the table. */
void calls_configure(struct config *config);
/* Number of system calls that are recorded. */
int calls_count(void);
