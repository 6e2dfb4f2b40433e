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

struct replay_op {
	uint8_t kind, how, narrow;
	bool by_path; /* handle is a path */
	const char *text;
};

extern const struct replay_op replay_ops[TRACE_OP_MAX];

enum { XATTR_ACL_BYTES = 28 }; /* of an access control list that says no more than a mode */
