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

static const struct text_flag map_flags[] = {
	{"MAP_SHARED_VALIDATE", 3}, {"MAP_SHARED", 1},        {"MAP_PRIVATE", 2},       {"MAP_FIXED", 0x10},
	{"MAP_ANONYMOUS", 0x20},    {"MAP_DENYWRITE", 0x800}, {"MAP_LOCKED", 0x2000},   {"MAP_NORESERVE", 0x4000},
	{"MAP_POPULATE", 0x8000},   {"MAP_SYNC", 0x80000},    {"MAP_FIXED_NOREPLACE", 0x100000}, {0},
};

static const struct text_flag rwf_flags[] = {{"RWF_HIPRI", 1}, {"RWF_DSYNC", 2}, {"RWF_SYNC", 4}, {"RWF_NOWAIT", 8}, {"RWF_APPEND", 16}, {0}};

static const struct text_flag rename_flags[] = {{"RENAME_NOREPLACE", 1}, {"RENAME_EXCHANGE", 2}, {"RENAME_WHITEOUT", 4}, {0}};

static const struct text_flag falloc_flags[] = {
	{"FALLOC_FL_KEEP_SIZE", 1},     {"FALLOC_FL_PUNCH_HOLE", 2},      {"FALLOC_FL_COLLAPSE_RANGE", 8},
	{"FALLOC_FL_ZERO_RANGE", 0x10}, {"FALLOC_FL_INSERT_RANGE", 0x20}, {"FALLOC_FL_UNSHARE_RANGE", 0x40}, {0},
};

static const struct text_flag sync_range_flags[] = {
	{"SYNC_FILE_RANGE_WAIT_BEFORE", 1}, {"SYNC_FILE_RANGE_WRITE", 2}, {"SYNC_FILE_RANGE_WAIT_AFTER", 4}, {0}};

static const struct text_flag msync_flags[] = {{"MS_ASYNC", 1}, {"MS_INVALIDATE", 2}, {"MS_SYNC", 4}, {0}};

static const struct text_flag lock_flags[] = {{"LOCK_SH", 1}, {"LOCK_EX", 2}, {"LOCK_NB", 4}, {"LOCK_UN", 8}, {0}};

const struct text_flag text_event_bits[] = {
	{"no-duration", TRACE_EV_NO_DURATION}, {"path-truncated", TRACE_EV_PATH_TRUNCATED}, {"path-unresolved", TRACE_EV_PATH_UNRESOLVED},
	{"compat", TRACE_EV_COMPAT},           {"created", TRACE_EV_CREATED},               {0},
};

const struct text_flag text_file_bits[] = {{"created", TRACE_FILE_CREATED}, {"size-late", TRACE_FILE_SIZE_LATE}, {0}};

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
	case TRACE_OP_MMAP: return map_flags;
	case TRACE_OP_PREADV2:
	case TRACE_OP_PWRITEV2: return rwf_flags;
	case TRACE_OP_RENAMEAT2: return rename_flags;
	case TRACE_OP_FALLOCATE: return falloc_flags;
	case TRACE_OP_SYNC_FILE_RANGE: return sync_range_flags;
	case TRACE_OP_MSYNC: return msync_flags;
	case TRACE_OP_FLOCK: return lock_flags;
	default: return NULL;
	}
}
