#include <asm/unistd.h>

#include "capture/calls.h"
#include "capture/foreign.h"

_Static_assert((int)TRACE_CLASS_COUNT <= CLASS_MAX, "counters have room for every class of operations");
_Static_assert(__NR_fchmodat2 < CALL_MAX, "the table has room for every system call");

#define ROW(name, operation, form, ...) [__NR_##name] = {.op = TRACE_OP_##operation, .shape = SHAPE_##form, __VA_ARGS__}

/* clang-format off */
const struct call calls[CALL_MAX] = {
	ROW(open,            OPEN,            OPEN,            .flags = A1, .mode = A2),
	ROW(openat,          OPENAT,          OPENAT,          .fd = A0, .flags = A2, .mode = A3),
	ROW(openat2,         OPENAT2,         OPENAT2,         .fd = A0, .flags = A2, .mode = A3, .arg = A4),
	ROW(creat,           CREAT,           CREAT,           .mode = A1),
	ROW(close,           CLOSE,           CLOSE,           .fd = A0),
	ROW(close_range,     CLOSE_RANGE,     NONE,            .fd = A0, .fd2 = A1, .flags = A2, .special = CALL_CLOSE_RANGE, .since = "5.9"),

	ROW(read,            READ,            FD,              .fd = A0, .length = A2, .special = CALL_AT_POSITION),
	ROW(pread64,         PREAD64,         FD,              .fd = A0, .length = A2, .offset = A3),
	ROW(readv,           READV,           IOVEC,           .fd = A0, .length = A1, .arg = A2, .special = CALL_AT_POSITION),
	ROW(preadv,          PREADV,          IOVEC,           .fd = A0, .length = A1, .arg = A2, .offset = A3),
	ROW(preadv2,         PREADV2,         IOVEC_WIDE,      .fd = A0, .length = A1, .arg = A2, .offset = A3, .flags = A5, .special = CALL_SPLIT_OFFSET),
	ROW(write,           WRITE,           FD,              .fd = A0, .length = A2, .special = CALL_AT_POSITION),
	ROW(pwrite64,        PWRITE64,        FD,              .fd = A0, .length = A2, .offset = A3),
	ROW(writev,          WRITEV,          IOVEC,           .fd = A0, .length = A1, .arg = A2, .special = CALL_AT_POSITION),
	ROW(pwritev,         PWRITEV,         IOVEC,           .fd = A0, .length = A1, .arg = A2, .offset = A3),
	ROW(pwritev2,        PWRITEV2,        IOVEC_WIDE,      .fd = A0, .length = A1, .arg = A2, .offset = A3, .flags = A5, .special = CALL_SPLIT_OFFSET),
	ROW(lseek,           LSEEK,           FD,              .fd = A0, .offset = A1, .arg = A2),
	ROW(fsync,           FSYNC,           FD,              .fd = A0),
	ROW(fdatasync,       FDATASYNC,       FD,              .fd = A0),
	ROW(sync_file_range, SYNC_FILE_RANGE, FD,              .fd = A0, .offset = A1, .length = A2, .flags = A3),
	ROW(sync,            SYNC,            NONE),
	ROW(syncfs,          SYNCFS,          FD,              .fd = A0),
	ROW(msync,           MSYNC,           ADDRESS,         .offset = A0, .length = A1, .flags = A2, .special = CALL_MAPPED),
	ROW(mmap,            MMAP,            MMAP,            .fd = A4, .offset = A5, .length = A1, .flags = A3, .arg = A2, .special = CALL_MMAP),
	ROW(munmap,          MUNMAP,          ADDRESS,         .length = A1, .special = CALL_MUNMAP),
	ROW(mremap,          MREMAP,          ADDRESS,         .length = A2, .flags = A3, .arg = A1, .special = CALL_MREMAP),
	ROW(madvise,         MADVISE,         ADDRESS,         .length = A1, .arg = A2, .special = CALL_MAPPED),

	ROW(truncate,        TRUNCATE,        PATH,            .length = A1),
	ROW(ftruncate,       FTRUNCATE,       FD,              .fd = A0, .length = A1),
	ROW(fallocate,       FALLOCATE,       FD,              .fd = A0, .flags = A1, .offset = A2, .length = A3),
	ROW(copy_file_range, COPY_FILE_RANGE, COPY,            .fd = A0, .fd2 = A2, .length = A4, .flags = A5, .special = CALL_COPY),
	ROW(ioctl,           FICLONERANGE,    CLONE_FILE,      .fd = A0, .fd2 = A2, .length = A4, .special = CALL_CLONE_FILE),
	ROW(sendfile,        SENDFILE,        SENDFILE,        .fd = A1, .fd2 = A0, .length = A3, .special = CALL_SENDFILE),
	ROW(splice,          SPLICE,          COPY,            .fd = A0, .fd2 = A2, .length = A4, .flags = A5, .special = CALL_COPY),

	ROW(stat,            STAT,            PATH,            .stat = CALL_STAT_1),
	ROW(lstat,           LSTAT,           PATH,            .stat = CALL_STAT_1, .no_follow = 1),
	ROW(fstat,           FSTAT,           FD,              .fd = A0),
	ROW(newfstatat,      NEWFSTATAT,      PATHAT,          .fd = A0, .flags = A3, .stat = CALL_STAT_2, .no_follow = 2),
	ROW(statx,           STATX,           PATHAT,          .fd = A0, .flags = A2, .arg = A3, .stat = CALL_STATX_4, .no_follow = 2),
	ROW(access,          ACCESS,          PATH,            .mode = A1),
	ROW(faccessat,       FACCESSAT,       PATHAT,          .fd = A0, .mode = A2),
	ROW(faccessat2,      FACCESSAT2,      PATHAT,          .fd = A0, .mode = A2, .flags = A3, .no_follow = 2),
	ROW(statfs,          STATFS,          PATH),
	ROW(fstatfs,         FSTATFS,         FD,              .fd = A0),
	ROW(getdents,        GETDENTS,        FD,              .fd = A0, .length = A2, .special = CALL_LIST),
	ROW(getdents64,      GETDENTS64,      FD,              .fd = A0, .length = A2, .special = CALL_LIST),
	ROW(readlink,        READLINK,        PATH,            .length = A2, .no_follow = 1),
	ROW(readlinkat,      READLINKAT,      PATHAT,          .fd = A0, .length = A3, .no_follow = 1),

	ROW(mkdir,           MKDIR,           PATH,            .mode = A1, .special = CALL_MKDIR),
	ROW(mkdirat,         MKDIRAT,         PATHAT,          .fd = A0, .mode = A2, .special = CALL_MKDIR),
	ROW(rmdir,           RMDIR,           PATH,            .special = CALL_RMDIR, .no_follow = 1),
	ROW(rename,          RENAME,          PATH_PATH,       .special = CALL_RENAME, .no_follow = 1),
	ROW(renameat,        RENAMEAT,        PATHAT_PATHAT,   .fd = A0, .fd2 = A2, .special = CALL_RENAME, .no_follow = 1),
	ROW(renameat2,       RENAMEAT2,       PATHAT_PATHAT,   .fd = A0, .fd2 = A2, .flags = A4, .special = CALL_RENAME, .no_follow = 1),
	ROW(link,            LINK,            PATH_PATH,       .special = CALL_LINK, .no_follow = 1),
	ROW(linkat,          LINKAT,          PATHAT_PATHAT,   .fd = A0, .fd2 = A2, .flags = A4, .special = CALL_LINK, .no_follow = 1),
	ROW(symlink,         SYMLINK,         TEXT_PATH,       .special = CALL_SYMLINK, .no_follow = 1),
	ROW(symlinkat,       SYMLINKAT,       TEXT_PATHAT,     .fd2 = A1, .special = CALL_SYMLINK, .no_follow = 1),
	ROW(unlink,          UNLINK,          PATH,            .special = CALL_UNLINK, .no_follow = 1),
	ROW(unlinkat,        UNLINKAT,        PATHAT,          .fd = A0, .flags = A2, .special = CALL_UNLINK, .no_follow = 1),
	ROW(mknod,           MKNOD,           PATH,            .mode = A1, .arg = A2, .special = CALL_MKNOD, .no_follow = 1),
	ROW(mknodat,         MKNODAT,         PATHAT,          .fd = A0, .mode = A2, .arg = A3, .special = CALL_MKNOD, .no_follow = 1),
	ROW(bind,            BIND,            BIND,            .fd = A0, .special = CALL_BIND, .no_follow = 1),

	ROW(chmod,           CHMOD,           PATH,            .mode = A1),
	ROW(fchmod,          FCHMOD,          FD,              .fd = A0, .mode = A1),
	ROW(fchmodat,        FCHMODAT,        PATHAT,          .fd = A0, .mode = A2),
	ROW(fchmodat2,       FCHMODAT2,       PATHAT,          .fd = A0, .mode = A2, .flags = A3, .no_follow = 2, .since = "6.6"),
	ROW(chown,           CHOWN,           PATH,            .arg = A1, .special = CALL_OWNER),
	ROW(lchown,          LCHOWN,          PATH,            .arg = A1, .special = CALL_OWNER, .no_follow = 1),
	ROW(fchown,          FCHOWN,          FD,              .fd = A0, .arg = A1, .special = CALL_OWNER),
	ROW(fchownat,        FCHOWNAT,        PATHAT,          .fd = A0, .flags = A4, .arg = A2, .special = CALL_OWNER, .no_follow = 2),
	ROW(utime,           UTIME,           PATH),
	ROW(utimes,          UTIMES,          PATH),
	ROW(futimesat,       FUTIMESAT,       PATHAT,          .fd = A0),
	ROW(utimensat,       UTIMENSAT,       PATHAT,          .fd = A0, .flags = A3, .no_follow = 2),

	ROW(setxattr,        SETXATTR,        PATH_NAME,       .length = A3, .flags = A4, .mode = A2),
	ROW(lsetxattr,       LSETXATTR,       PATH_NAME,       .length = A3, .flags = A4, .mode = A2, .no_follow = 1),
	ROW(fsetxattr,       FSETXATTR,       FD_NAME,         .fd = A0, .length = A3, .flags = A4, .mode = A2),
	ROW(getxattr,        GETXATTR,        PATH_NAME,       .length = A3),
	ROW(lgetxattr,       LGETXATTR,       PATH_NAME,       .length = A3, .no_follow = 1),
	ROW(fgetxattr,       FGETXATTR,       FD_NAME,         .fd = A0, .length = A3),
	ROW(listxattr,       LISTXATTR,       PATH,            .length = A2),
	ROW(llistxattr,      LLISTXATTR,      PATH,            .length = A2, .no_follow = 1),
	ROW(flistxattr,      FLISTXATTR,      FD,              .fd = A0, .length = A2),
	ROW(removexattr,     REMOVEXATTR,     PATH_NAME),
	ROW(lremovexattr,    LREMOVEXATTR,    PATH_NAME,       .no_follow = 1),
	ROW(fremovexattr,    FREMOVEXATTR,    FD_NAME,         .fd = A0),

	ROW(fadvise64,       FADVISE64,       FD,              .fd = A0, .offset = A1, .length = A2, .arg = A3),
	ROW(readahead,       READAHEAD,       FD,              .fd = A0, .offset = A1, .length = A2),
	ROW(fcntl,           FCNTL,           FCNTL,           .fd = A0, .flags = A1, .arg = A2, .special = CALL_FCNTL),
	ROW(flock,           FLOCK,           FD,              .fd = A0, .flags = A1),
	ROW(dup,             DUP,             FD,              .fd = A0, .special = CALL_DUP),
	ROW(dup2,            DUP2,            DUP2,            .fd = A0, .fd2 = A1, .special = CALL_DUP),
	ROW(dup3,            DUP3,            DUP2,            .fd = A0, .fd2 = A1, .flags = A2, .special = CALL_DUP),
	ROW(chdir,           CHDIR,           CHDIR,           .special = CALL_CHDIR),
	ROW(fchdir,          FCHDIR,          FD,              .fd = A0, .special = CALL_CHDIR),
	ROW(io_setup,        IO_SETUP,        IO_SETUP,        .length = A0, .ring = A5, .special = CALL_CONTEXT),
	ROW(io_destroy,      IO_DESTROY,      NONE,            .ring = A0, .special = CALL_CONTEXT),
	ROW(io_submit,       IO_SUBMIT,       IO_SUBMIT,       .length = A1, .ring = A0, .special = CALL_CONTEXT),
	ROW(io_getevents,    IO_GETEVENTS,    IO_GETEVENTS,    .length = A2, .arg = A1, .ring = A0, .special = CALL_CONTEXT),
	ROW(io_pgetevents,   IO_PGETEVENTS,   IO_GETEVENTS,    .length = A2, .arg = A1, .ring = A0, .special = CALL_CONTEXT),
	ROW(io_uring_setup,  IO_URING_SETUP,  RING_SETUP,      .length = A0, .flags = A2, .ring = A5),
	ROW(io_uring_enter,  IO_URING_ENTER,  RING,            .fd = A0, .length = A1, .arg = A2, .flags = A3, .ring = A5),
	ROW(io_uring_register, IO_URING_REGISTER, RING,        .fd = A0, .arg = A1, .length = A3, .ring = A5),

	ROW(recvmsg,         RECV_FD,         RECVMSG,         .flags = A1),
	ROW(recvmmsg,        RECV_FD,         RECVMMSG,        .flags = A1),
	ROW(open_by_handle_at, OPEN_BY_HANDLE_AT, NEW_DESCRIPTOR, .fd = A0, .flags = A2),
	ROW(pidfd_getfd,     PIDFD_GETFD,     NEW_DESCRIPTOR,  .fd = A0, .fd2 = A1, .flags = A2),
	ROW(cachestat,       CACHESTAT,       FD,              .fd = A0, .since = "6.5"),

	ROW(clone,           CLONE,           FORK,            .flags = A0, .special = CALL_FORK),
	ROW(clone3,          CLONE3,          FORK,            .flags = A0, .special = CALL_CLONE3),
	ROW(fork,            FORK,            FORK,            .special = CALL_FORK),
	ROW(vfork,           VFORK,           FORK,            .special = CALL_FORK),
	ROW(unshare,         UNSHARE,         NONE,            .flags = A0),
	ROW(execve,          EXECVE,          EXEC),
	ROW(execveat,        EXECVEAT,        EXECAT,          .fd = A0, .flags = A4),
};
/* clang-format on */

#define OTHER(opcode, name_) [opcode] = {.name = name_, .form = REQUEST_OTHER}
#define REQUEST(opcode, name_, since_, form_, call_, ...) \
	[opcode] = {.name = name_, .since = since_, .form = REQUEST_##form_, .call = __NR_##call_, .field = {__VA_ARGS__}}

/* clang-format off */
const struct request requests[REQUEST_MAX] = {
	OTHER(0, "NOP"),
	REQUEST(1,  "READV",           "5.1",  VECTOR,    preadv2,         REQ_FD, REQ_SUM, REQ_LEN, REQ_OFF, REQ_NONE, REQ_FLAGS),
	REQUEST(2,  "WRITEV",          "5.1",  VECTOR,    pwritev2,        REQ_FD, REQ_SUM, REQ_LEN, REQ_OFF, REQ_NONE, REQ_FLAGS),
	REQUEST(3,  "FSYNC",           "5.1",  FD,        fsync,           REQ_FD),
	REQUEST(4,  "READ_FIXED",      "5.1",  FD,        pread64,         REQ_FD, REQ_ADDR, REQ_LEN, REQ_OFF),
	REQUEST(5,  "WRITE_FIXED",     "5.1",  FD,        pwrite64,        REQ_FD, REQ_ADDR, REQ_LEN, REQ_OFF),
	OTHER(6, "POLL_ADD"),
	OTHER(7, "POLL_REMOVE"),
	REQUEST(8,  "SYNC_FILE_RANGE", "5.2",  FD,        sync_file_range, REQ_FD, REQ_OFF, REQ_LEN, REQ_FLAGS),
	OTHER(9, "SENDMSG"),
	OTHER(10, "RECVMSG"),
	OTHER(11, "TIMEOUT"),
	OTHER(12, "TIMEOUT_REMOVE"),
	OTHER(13, "ACCEPT"),
	OTHER(14, "ASYNC_CANCEL"),
	OTHER(15, "LINK_TIMEOUT"),
	OTHER(16, "CONNECT"),
	REQUEST(17, "FALLOCATE",       "5.6",  FD,        fallocate,       REQ_FD, REQ_LEN, REQ_OFF, REQ_ADDR),
	REQUEST(18, "OPENAT",          "5.6",  OPEN,      openat,          REQ_FD, REQ_ADDR, REQ_FLAGS, REQ_LEN),
	REQUEST(19, "CLOSE",           "5.6",  CLOSE,     close,           REQ_FD),
	OTHER(20, "FILES_UPDATE"),
	REQUEST(21, "STATX",           "5.6",  PATH,      statx,           REQ_FD, REQ_ADDR, REQ_FLAGS, REQ_LEN),
	REQUEST(22, "READ",            "5.6",  FD,        pread64,         REQ_FD, REQ_ADDR, REQ_LEN, REQ_OFF),
	REQUEST(23, "WRITE",           "5.6",  FD,        pwrite64,        REQ_FD, REQ_ADDR, REQ_LEN, REQ_OFF),
	REQUEST(24, "FADVISE",         "5.6",  FD,        fadvise64,       REQ_FD, REQ_OFF, REQ_LEN, REQ_FLAGS),
	REQUEST(25, "MADVISE",         "5.6",  ADDRESS,   madvise,         REQ_ADDR, REQ_LEN, REQ_FLAGS),
	OTHER(26, "SEND"),
	OTHER(27, "RECV"),
	REQUEST(28, "OPENAT2",         "5.6",  OPEN_HOW,  openat2,         REQ_FD, REQ_ADDR, REQ_HOW_FLAGS, REQ_HOW_MODE, REQ_HOW_RESOLVE),
	OTHER(29, "EPOLL_CTL"),
	REQUEST(30, "SPLICE",          "5.7",  SPLICE,    splice,          REQ_FILE_INDEX, REQ_ADDR, REQ_FD, REQ_OFF, REQ_LEN, REQ_FLAGS),
	OTHER(31, "PROVIDE_BUFFERS"),
	OTHER(32, "REMOVE_BUFFERS"),
	OTHER(33, "TEE"),
	OTHER(34, "SHUTDOWN"),
	REQUEST(35, "RENAMEAT",        "5.11", PATHS,     renameat2,       REQ_FD, REQ_ADDR, REQ_LEN, REQ_OFF, REQ_FLAGS),
	REQUEST(36, "UNLINKAT",        "5.11", PATH,      unlinkat,        REQ_FD, REQ_ADDR, REQ_FLAGS),
	REQUEST(37, "MKDIRAT",         "5.15", PATH,      mkdirat,         REQ_FD, REQ_ADDR, REQ_LEN),
	REQUEST(38, "SYMLINKAT",       "5.15", TEXT_PATH, symlinkat,       REQ_ADDR, REQ_FD, REQ_OFF),
	REQUEST(39, "LINKAT",          "5.15", PATHS,     linkat,          REQ_FD, REQ_ADDR, REQ_LEN, REQ_OFF, REQ_FLAGS),
	OTHER(40, "MSG_RING"),
	REQUEST(41, "FSETXATTR",       "5.19", FD_NAME,   fsetxattr,       REQ_FD, REQ_ADDR, REQ_NONE, REQ_LEN, REQ_FLAGS),
	REQUEST(42, "SETXATTR",        "5.19", PATH_NAME, setxattr,        REQ_ADDR3, REQ_ADDR, REQ_NONE, REQ_LEN, REQ_FLAGS),
	REQUEST(43, "FGETXATTR",       "5.19", FD_NAME,   fgetxattr,       REQ_FD, REQ_ADDR, REQ_OFF, REQ_LEN),
	REQUEST(44, "GETXATTR",        "5.19", PATH_NAME, getxattr,        REQ_ADDR3, REQ_ADDR, REQ_OFF, REQ_LEN),
	OTHER(45, "SOCKET"),
	OTHER(46, "URING_CMD"),
	OTHER(47, "SEND_ZC"),
	OTHER(48, "SENDMSG_ZC"),
	OTHER(49, "READ_MULTISHOT"), /* never of files: only of what can be polled */
	OTHER(50, "WAITID"),
	OTHER(51, "FUTEX_WAIT"),
	OTHER(52, "FUTEX_WAKE"),
	OTHER(53, "FUTEX_WAITV"),
	REQUEST(54, "FIXED_FD_INSTALL", "6.8", FD,        recvmsg,         REQ_NONE, REQ_FLAGS),
	REQUEST(55, "FTRUNCATE",       "6.9",  FD,        ftruncate,       REQ_FD, REQ_OFF),
	OTHER(56, "BIND"),
	OTHER(57, "LISTEN"),
	OTHER(58, "RECV_ZC"),
	OTHER(59, "EPOLL_WAIT"),
	REQUEST(60, "READV_FIXED",     "6.15", VECTOR,    preadv2,         REQ_FD, REQ_SUM, REQ_LEN, REQ_OFF, REQ_NONE, REQ_FLAGS),
	REQUEST(61, "WRITEV_FIXED",    "6.15", VECTOR,    pwritev2,        REQ_FD, REQ_SUM, REQ_LEN, REQ_OFF, REQ_NONE, REQ_FLAGS),
	OTHER(62, "PIPE"),
};
/* clang-format on */

/* Of calls on one descriptor: whether what the row needs fits into struct rec_small. */
static enum small_form small_form(int nr)
{
	const struct call *c = &calls[nr];

	if ((c->shape != SHAPE_FD && c->shape != SHAPE_CLOSE) || nr > 255 || c->flags || c->mode)
		return SMALL_NOT;
	if (c->offset == A1 && c->arg == A2 && !c->length)
		return SMALL_SEEK;
	if (c->arg)
		return SMALL_NOT;
	if (!c->length && !c->offset)
		return c->special == CALL_AT_POSITION ? SMALL_POSITION : SMALL_DESCRIPTOR;
	if (c->length != A2 || (c->offset && c->offset != A3))
		return SMALL_NOT;
	return c->offset ? SMALL_OFFSET : SMALL_POSITION;
}

/* Calls that are about the descriptor itself when told so by AT_EMPTY_PATH (fstat of newer libraries), and whose arguments are the first four. */
static uint8_t at_flags(int nr)
{
	const struct call *c = &calls[nr];

	return c->shape == SHAPE_PATHAT && c->no_follow == 2 && (c->flags == A2 || c->flags == A3) ? c->flags - A0 : 0;
}

void calls_configure(struct config *config)
{
	config->async_class = TRACE_CLASS_ASYNC;
	config->pages_class = TRACE_CLASS_MMAP;
	for (int nr = 0; nr < CALL_MAX; nr++) {
		config->call[nr].shape = calls[nr].op ? calls[nr].shape : SHAPE_IGNORE;
		config->call[nr].class = calls[nr].op ? trace_ops[calls[nr].op].class : 0;
		config->call[nr].stat = calls[nr].stat;
		config->call[nr].small = calls[nr].op ? small_form(nr) : SMALL_NOT;
		config->call[nr].at_flags = calls[nr].op ? at_flags(nr) : 0;
	}
	for (int opcode = 0; opcode < REQUEST_MAX; opcode++)
		config->request[opcode] = requests[opcode].form;
	foreign_configure(config);
}

int calls_count(void)
{
	int n = 0;

	for (int nr = 0; nr < CALL_MAX; nr++)
		n += calls[nr].op != 0;
	return n;
}
