#pragma once
#include "trace/trace.h"

/* How each operation of a trace is replayed: the table drives the compiler and docs/iorig-replay.1 is checked against it. */

enum replay_how {
	REPLAY_NOT = 0, /* counted in coverage.skipped */
	REPLAY_SAME,    /* by the same system call */
	REPLAY_AS,      /* by another one, see the text */
	REPLAY_BOOKS,   /* its effect is compiled in; nothing is executed */
};

enum replay_kind { /* which part of the compiler */
	KIND_NONE,
	KIND_PATH,    /* looks at one path, or at a descriptor where there is none */
	KIND_CHANGE,  /* makes, removes or moves names */
	KIND_FD,      /* works on an open file */
	KIND_HANDLE,  /* opens, closes, copies descriptors */
	KIND_MAP,     /* works on mapped memory */
	KIND_PROCESS,
};

enum replay_narrow { /* what a 32-byte operation without arguments holds in `length` */
	NARROW_NOT,
	NARROW_LENGTH,
	NARROW_FLAGS,
	NARROW_MODE,
};

/*
 * What the engines do with it. traced: as a request when a ring did it, else as a call.
 *             psync                uring                       mmap                                    --direct
 *   DATA      a call, of a thread  a request                   a copy from or to a mapping             a call on a descriptor with O_DIRECT
 *   SYNC      a call, of a thread  a request                   msync of the mapping, if there is one   as traced
 *   CALL      as traced in every engine
 */
enum replay_method { METHOD_CALL, METHOD_DATA, METHOD_SYNC };

struct replay_op {
	uint8_t kind, how, narrow, method;
	bool by_path; /* handle is a path */
	const char *text;
};

extern const struct replay_op replay_ops[TRACE_OP_MAX];

enum { XATTR_ACL_BYTES = 28 }; /* of an access control list that says no more than a mode */
