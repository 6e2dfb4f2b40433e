/*
 * Names of flags in the text form. The values are those of the recorded system calls on x86-64, whatever machine prints them, so
 * they are written down here instead of taken from this machine's headers.
 */
#include "trace/text.h"

const struct text_flag text_open_flags[] = {
	{"O_WRONLY", 01},           {"O_RDWR", 02},          {"O_CREAT", 0100},        {"O_EXCL", 0200},
	{"O_NOCTTY", 0400},         {"O_TRUNC", 01000},      {"O_APPEND", 02000},      {"O_NONBLOCK", 04000},
	{"O_SYNC", 04010000},       {"O_DSYNC", 010000},     {"O_ASYNC", 020000},      {"O_DIRECT", 040000},
	{"O_LARGEFILE", 0100000},   {"O_TMPFILE", 020200000}, {"O_DIRECTORY", 0200000}, {"O_NOFOLLOW", 0400000},
	{"O_NOATIME", 01000000},    {"O_CLOEXEC", 02000000}, {"O_PATH", 010000000},    {"O_RDONLY", 0},
	{0},
};

const struct text_flag text_at_flags[] = {
	{"AT_SYMLINK_NOFOLLOW", 0x100},
	{"AT_REMOVEDIR", 0x200}, /* of unlinkat; the same bit is AT_EACCESS of faccessat2 */
	{"AT_SYMLINK_FOLLOW", 0x400},
	{"AT_NO_AUTOMOUNT", 0x800},
	{"AT_EMPTY_PATH", 0x1000},
	{"AT_EACCESS", 0x200},
	{0},
};

const struct text_flag text_event_bits[] = {
	{"no-duration", TRACE_EV_NO_DURATION}, {"path-truncated", TRACE_EV_PATH_TRUNCATED}, {"path-unresolved", TRACE_EV_PATH_UNRESOLVED},
	{"compat", TRACE_EV_COMPAT},           {"created", TRACE_EV_CREATED},               {"link", TRACE_EV_LINK},
	{"hardlink", TRACE_EV_HARDLINK},       {"drain", TRACE_EV_DRAIN},                   {"async", TRACE_EV_ASYNC},
	{"fixed-file", TRACE_EV_FIXED_FILE},   {"fixed-buffer", TRACE_EV_FIXED_BUFFER},     {"batch", TRACE_EV_BATCH},
	{"sqpoll", TRACE_EV_SQPOLL},           {"end-late", TRACE_EV_END_LATE},             {"unfinished", TRACE_EV_UNFINISHED},
	{0},
};

const struct text_flag text_file_bits[] = {{"created", TRACE_FILE_CREATED}, {"size-late", TRACE_FILE_SIZE_LATE}, {"allocation", TRACE_FILE_ALLOCATION}, {0}};

const struct text_flag text_residency_bits[] = {{"end", TRACE_RESIDENCY_END}, {0}};

/* The next two are values, not bits; each value has its name, so that combining does not occur. */
const struct text_flag text_via[] = {{"fault", TRACE_VIA_FAULT}, {"uring", TRACE_VIA_URING}, {"aio", TRACE_VIA_AIO}, {"syscall", 0}, {0}};

const struct text_flag text_causes[] = {
	{"other", TRACE_LOSS_OTHER}, {"skipped", TRACE_LOSS_SKIPPED}, {"unpaired", TRACE_LOSS_UNPAIRED}, {"ring-full", TRACE_LOSS_RING_FULL}, {0}};
_Static_assert(TRACE_LOSS_RING_FULL == 0 && TRACE_LOSS_OTHER == 3, "names of causes are combined like bits");

const struct text_flag *text_flags_of(unsigned op)
{
	switch (op) {
	case TRACE_OP_OPEN:
	case TRACE_OP_OPENAT:
	case TRACE_OP_OPENAT2:
	case TRACE_OP_OPEN_BY_HANDLE_AT:
	case TRACE_OP_DUP3: return text_open_flags;
	case TRACE_OP_NEWFSTATAT:
	case TRACE_OP_STATX:
	case TRACE_OP_FACCESSAT2:
	case TRACE_OP_LINKAT:
	case TRACE_OP_UNLINKAT:
	case TRACE_OP_FCHMODAT2:
	case TRACE_OP_FCHOWNAT:
	case TRACE_OP_UTIMENSAT:
	case TRACE_OP_EXECVEAT: return text_at_flags;
	default: return NULL;
	}
}
