#pragma once

/*
 * The one table of operations: code in the file, name (the system call's), class (the rows of a results matrix) and which fields
 * of struct trace_event mean something. Recording, text form, replay and docs/iorig-syscalls.5 follow it. Codes are part of the
 * file format: never reuse one.
 *
 * What is special:
 *   symlink, symlinkat  path is the target text, path2 the new name
 *   dup, dup2, dup3     result is the new descriptor; dup2 and dup3 carry it in fd2 too
 *   mkdir, mknod and the like  mode is what the process's umask left of it
 *   bind                only of AF_UNIX addresses that are paths: makes a socket there
 *   sendfile            fd and file are the input, fd2 and file2 the output
 *   ficlonerange        ioctl(2) with FICLONE or FICLONERANGE: fd and file are the input, fd2 and file2 the output; length 0: to the end
 *   *chown*             arg = uid << 32 | gid
 *   *xattr              path2 is the attribute's name; mode what the smallest access control list says, with 01000 beside it, else 0
 *   mmap                offset2 is the address that it returned, arg the protection; munmap, msync, madvise find the file by offset2
 *   readv and the like  length is the sum of the vector, arg the number of its parts
 *   lseek               offset is the requested offset, arg the whence
 *   clone, fork, vfork  result is the child's tid; recorded once, in the parent
 *   recv_fd             a descriptor that arrived over a socket (SCM_RIGHTS); result is its number
 *   fcntl               flags is the command; of record locks offset2 is where the range begins and arg = length << 8 | whence << 4 | type, length 0
 *                       meaning all the rest (of F_GETLK as the kernel answered)
 *   fault_*, cache_fill memory-mapped access seen by tracepoints; not system calls
 */
#define TRACE_OPS(X) \
	X(1, OPEN, "open", OPEN, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS | TRACE_F_MODE) \
	X(2, OPENAT, "openat", OPEN, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS | TRACE_F_MODE) \
	X(3, OPENAT2, "openat2", OPEN, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS | TRACE_F_MODE | TRACE_F_ARG) \
	X(4, CREAT, "creat", OPEN, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_MODE) \
	X(5, CLOSE, "close", CLOSE, TRACE_F_FD | TRACE_F_FILE) \
	X(6, CLOSE_RANGE, "close_range", CLOSE, TRACE_F_FD | TRACE_F_FD2 | TRACE_F_FLAGS) \
	X(10, READ, "read", READ, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(11, PREAD64, "pread64", READ, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(12, READV, "readv", READ, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_ARG) \
	X(13, PREADV, "preadv", READ, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_ARG) \
	X(14, PREADV2, "preadv2", READ, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(15, WRITE, "write", WRITE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(16, PWRITE64, "pwrite64", WRITE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(17, WRITEV, "writev", WRITE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_ARG) \
	X(18, PWRITEV, "pwritev", WRITE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_ARG) \
	X(19, PWRITEV2, "pwritev2", WRITE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(20, LSEEK, "lseek", SEEK, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_ARG) \
	X(21, FSYNC, "fsync", FSYNC, TRACE_F_FD | TRACE_F_FILE) \
	X(22, FDATASYNC, "fdatasync", FSYNC, TRACE_F_FD | TRACE_F_FILE) \
	X(23, SYNC_FILE_RANGE, "sync_file_range", FSYNC, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_FLAGS) \
	X(24, SYNC, "sync", FSYNC, 0) \
	X(25, SYNCFS, "syncfs", FSYNC, TRACE_F_FD | TRACE_F_FILE) \
	X(26, MSYNC, "msync", FSYNC, TRACE_F_FILE | TRACE_F_OFFSET2 | TRACE_F_LENGTH | TRACE_F_FLAGS) \
	X(30, MMAP, "mmap", MMAP, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_OFFSET2 | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(31, MUNMAP, "munmap", MMAP, TRACE_F_FILE | TRACE_F_OFFSET2 | TRACE_F_LENGTH) \
	X(32, MREMAP, "mremap", MMAP, TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_OFFSET2 | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(33, MADVISE, "madvise", MMAP, TRACE_F_FILE | TRACE_F_OFFSET2 | TRACE_F_LENGTH | TRACE_F_ARG) \
	X(34, FAULT_READ, "fault_read", MMAP, TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(35, FAULT_WRITE, "fault_write", MMAP, TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(36, CACHE_FILL, "cache_fill", MMAP, TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(40, TRUNCATE, "truncate", TRUNCATE, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(41, FTRUNCATE, "ftruncate", TRUNCATE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(42, FALLOCATE, "fallocate", ALLOCATE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_FLAGS) \
	X(43, COPY_FILE_RANGE, "copy_file_range", COPY, TRACE_F_FD | TRACE_F_FILE | TRACE_F_FD2 | TRACE_F_FILE2 | TRACE_F_OFFSET | TRACE_F_OFFSET2 | TRACE_F_LENGTH | TRACE_F_FLAGS) \
	X(44, SENDFILE, "sendfile", COPY, TRACE_F_FD | TRACE_F_FILE | TRACE_F_FD2 | TRACE_F_FILE2 | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(45, SPLICE, "splice", COPY, TRACE_F_FD | TRACE_F_FILE | TRACE_F_FD2 | TRACE_F_FILE2 | TRACE_F_OFFSET | TRACE_F_OFFSET2 | TRACE_F_LENGTH | TRACE_F_FLAGS) \
	X(46, FICLONERANGE, "ficlonerange", COPY, TRACE_F_FD | TRACE_F_FILE | TRACE_F_FD2 | TRACE_F_FILE2 | TRACE_F_OFFSET | TRACE_F_OFFSET2 | TRACE_F_LENGTH) \
	X(50, STAT, "stat", STAT, TRACE_F_PATH | TRACE_F_FILE) \
	X(51, LSTAT, "lstat", STAT, TRACE_F_PATH | TRACE_F_FILE) \
	X(52, FSTAT, "fstat", STAT, TRACE_F_FD | TRACE_F_FILE) \
	X(53, NEWFSTATAT, "newfstatat", STAT, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(54, STATX, "statx", STAT, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(55, ACCESS, "access", STAT, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_MODE) \
	X(56, FACCESSAT, "faccessat", STAT, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_MODE) \
	X(57, FACCESSAT2, "faccessat2", STAT, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_MODE | TRACE_F_FLAGS) \
	X(58, STATFS, "statfs", STAT, TRACE_F_PATH | TRACE_F_FILE) \
	X(59, FSTATFS, "fstatfs", STAT, TRACE_F_FD | TRACE_F_FILE) \
	X(60, GETDENTS, "getdents", READDIR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(61, GETDENTS64, "getdents64", READDIR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(62, READLINK, "readlink", STAT, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(63, READLINKAT, "readlinkat", STAT, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(70, MKDIR, "mkdir", CREATE, TRACE_F_PATH | TRACE_F_MODE) \
	X(71, MKDIRAT, "mkdirat", CREATE, TRACE_F_FD | TRACE_F_PATH | TRACE_F_MODE) \
	X(72, RMDIR, "rmdir", UNLINK, TRACE_F_PATH | TRACE_F_FILE) \
	X(73, RENAME, "rename", RENAME, TRACE_F_PATH | TRACE_F_PATH2 | TRACE_F_FILE | TRACE_F_FILE2) \
	X(74, RENAMEAT, "renameat", RENAME, TRACE_F_FD | TRACE_F_FD2 | TRACE_F_PATH | TRACE_F_PATH2 | TRACE_F_FILE | TRACE_F_FILE2) \
	X(75, RENAMEAT2, "renameat2", RENAME, TRACE_F_FD | TRACE_F_FD2 | TRACE_F_PATH | TRACE_F_PATH2 | TRACE_F_FILE | TRACE_F_FILE2 | TRACE_F_FLAGS) \
	X(76, LINK, "link", CREATE, TRACE_F_PATH | TRACE_F_PATH2 | TRACE_F_FILE) \
	X(77, LINKAT, "linkat", CREATE, TRACE_F_FD | TRACE_F_FD2 | TRACE_F_PATH | TRACE_F_PATH2 | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(78, SYMLINK, "symlink", CREATE, TRACE_F_PATH | TRACE_F_PATH2) \
	X(79, SYMLINKAT, "symlinkat", CREATE, TRACE_F_FD2 | TRACE_F_PATH | TRACE_F_PATH2) \
	X(80, UNLINK, "unlink", UNLINK, TRACE_F_PATH | TRACE_F_FILE) \
	X(81, UNLINKAT, "unlinkat", UNLINK, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(82, MKNOD, "mknod", CREATE, TRACE_F_PATH | TRACE_F_MODE | TRACE_F_ARG) \
	X(83, MKNODAT, "mknodat", CREATE, TRACE_F_FD | TRACE_F_PATH | TRACE_F_MODE | TRACE_F_ARG) \
	X(84, BIND, "bind", CREATE, TRACE_F_FD | TRACE_F_PATH | TRACE_F_MODE) \
	X(90, CHMOD, "chmod", ATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_MODE) \
	X(91, FCHMOD, "fchmod", ATTR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_MODE) \
	X(92, FCHMODAT, "fchmodat", ATTR, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_MODE) \
	X(93, FCHMODAT2, "fchmodat2", ATTR, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_MODE | TRACE_F_FLAGS) \
	X(94, CHOWN, "chown", ATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_ARG) \
	X(95, LCHOWN, "lchown", ATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_ARG) \
	X(96, FCHOWN, "fchown", ATTR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_ARG) \
	X(97, FCHOWNAT, "fchownat", ATTR, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(98, UTIME, "utime", ATTR, TRACE_F_PATH | TRACE_F_FILE) \
	X(99, UTIMES, "utimes", ATTR, TRACE_F_PATH | TRACE_F_FILE) \
	X(100, FUTIMESAT, "futimesat", ATTR, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE) \
	X(101, UTIMENSAT, "utimensat", ATTR, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(110, SETXATTR, "setxattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_PATH2 | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_MODE) \
	X(111, LSETXATTR, "lsetxattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_PATH2 | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_MODE) \
	X(112, FSETXATTR, "fsetxattr", XATTR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_PATH2 | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_MODE) \
	X(113, GETXATTR, "getxattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_PATH2 | TRACE_F_LENGTH) \
	X(114, LGETXATTR, "lgetxattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_PATH2 | TRACE_F_LENGTH) \
	X(115, FGETXATTR, "fgetxattr", XATTR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_PATH2 | TRACE_F_LENGTH) \
	X(116, LISTXATTR, "listxattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(117, LLISTXATTR, "llistxattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(118, FLISTXATTR, "flistxattr", XATTR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_LENGTH) \
	X(119, REMOVEXATTR, "removexattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_PATH2) \
	X(120, LREMOVEXATTR, "lremovexattr", XATTR, TRACE_F_PATH | TRACE_F_FILE | TRACE_F_PATH2) \
	X(121, FREMOVEXATTR, "fremovexattr", XATTR, TRACE_F_FD | TRACE_F_FILE | TRACE_F_PATH2) \
	X(130, FADVISE64, "fadvise64", ADVISE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH | TRACE_F_ARG) \
	X(131, READAHEAD, "readahead", ADVISE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH) \
	X(132, FCNTL, "fcntl", HANDLE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET2 | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(133, FLOCK, "flock", LOCK, TRACE_F_FD | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(134, DUP, "dup", HANDLE, TRACE_F_FD | TRACE_F_FILE) \
	X(135, DUP2, "dup2", HANDLE, TRACE_F_FD | TRACE_F_FD2 | TRACE_F_FILE) \
	X(136, DUP3, "dup3", HANDLE, TRACE_F_FD | TRACE_F_FD2 | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(137, CHDIR, "chdir", HANDLE, TRACE_F_PATH | TRACE_F_FILE) \
	X(138, FCHDIR, "fchdir", HANDLE, TRACE_F_FD | TRACE_F_FILE) \
	X(139, RECV_FD, "recv_fd", HANDLE, TRACE_F_FILE | TRACE_F_FLAGS) \
	X(140, PIDFD_GETFD, "pidfd_getfd", HANDLE, TRACE_F_FD | TRACE_F_FD2 | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(141, OPEN_BY_HANDLE_AT, "open_by_handle_at", HANDLE, TRACE_F_FD | TRACE_F_FILE | TRACE_F_FLAGS) \
	X(150, IO_SETUP, "io_setup", ASYNC, TRACE_F_LENGTH) \
	X(151, IO_DESTROY, "io_destroy", ASYNC, TRACE_F_ARG) \
	X(152, IO_SUBMIT, "io_submit", ASYNC, TRACE_F_LENGTH | TRACE_F_ARG) \
	X(153, IO_GETEVENTS, "io_getevents", ASYNC, TRACE_F_LENGTH | TRACE_F_ARG) \
	X(154, IO_PGETEVENTS, "io_pgetevents", ASYNC, TRACE_F_LENGTH | TRACE_F_ARG) \
	X(155, IO_URING_SETUP, "io_uring_setup", ASYNC, TRACE_F_LENGTH | TRACE_F_FLAGS) \
	X(156, IO_URING_ENTER, "io_uring_enter", ASYNC, TRACE_F_FD | TRACE_F_LENGTH | TRACE_F_FLAGS | TRACE_F_ARG) \
	X(157, IO_URING_REGISTER, "io_uring_register", ASYNC, TRACE_F_FD | TRACE_F_LENGTH | TRACE_F_ARG) \
	X(170, CLONE, "clone", PROCESS, TRACE_F_FLAGS) \
	X(171, CLONE3, "clone3", PROCESS, TRACE_F_FLAGS) \
	X(172, FORK, "fork", PROCESS, 0) \
	X(173, VFORK, "vfork", PROCESS, 0) \
	X(174, EXECVE, "execve", PROCESS, TRACE_F_PATH) \
	X(175, EXECVEAT, "execveat", PROCESS, TRACE_F_FD | TRACE_F_PATH | TRACE_F_FLAGS) \
	X(176, EXIT, "exit", PROCESS, TRACE_F_ARG) \
	X(178, UNSHARE, "unshare", PROCESS, TRACE_F_FLAGS) \
	X(177, CACHESTAT, "cachestat", STAT, TRACE_F_FD | TRACE_F_FILE | TRACE_F_OFFSET | TRACE_F_LENGTH)

#define TRACE_CLASSES(X) \
	X(OPEN, "open") \
	X(CLOSE, "close") \
	X(READ, "read") \
	X(WRITE, "write") \
	X(SEEK, "seek") \
	X(FSYNC, "fsync") \
	X(MMAP, "mmap") \
	X(TRUNCATE, "truncate") \
	X(ALLOCATE, "allocate") \
	X(COPY, "copy") \
	X(STAT, "stat") \
	X(READDIR, "readdir") \
	X(CREATE, "create") \
	X(UNLINK, "unlink") \
	X(RENAME, "rename") \
	X(ATTR, "attr") \
	X(XATTR, "xattr") \
	X(ADVISE, "advise") \
	X(HANDLE, "handle") \
	X(LOCK, "lock") \
	X(ASYNC, "async") \
	X(PROCESS, "process")
