#include <asm/unistd.h>

#include "capture/calls.h"
#include "capture/foreign.h"

#ifndef __NR_cachestat
#define __NR_cachestat 451
#endif
#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

#define FROM_ALL FROM_U(0), FROM_U(1), FROM_U(2), FROM_U(3), FROM_U(4), FROM_U(5)
#define ROW(number, name, native, what, ...) \
	[number] = {name, {.nr = __NR_##native, .special = FOREIGN_##what, .from = {__VA_ARGS__}}}
#define SAME(number, name, native) ROW(number, name, native, PLAIN, FROM_ALL)

/* clang-format off */
const struct foreign_call foreign_ia32[CALL_MAX] = {
	SAME(2, "fork", fork),
	SAME(3, "read", read),
	SAME(4, "write", write),
	SAME(5, "open", open),
	SAME(6, "close", close),
	SAME(8, "creat", creat),
	SAME(9, "link", link),
	SAME(10, "unlink", unlink),
	SAME(11, "execve", execve),
	SAME(12, "chdir", chdir),
	SAME(14, "mknod", mknod),
	SAME(15, "chmod", chmod),
	ROW(16, "lchown", lchown, PLAIN, FROM_U(0), FROM_ID(1), FROM_ID(2)),
	SAME(18, "oldstat", stat),
	ROW(19, "lseek", lseek, PLAIN, FROM_U(0), FROM_S(1), FROM_U(2)),
	SAME(28, "oldfstat", fstat),
	SAME(30, "utime", utime),
	SAME(33, "access", access),
	SAME(36, "sync", sync),
	SAME(38, "rename", rename),
	SAME(39, "mkdir", mkdir),
	SAME(40, "rmdir", rmdir),
	SAME(41, "dup", dup),
	ROW(55, "fcntl", fcntl, FLOCK, FROM_ALL),
	SAME(63, "dup2", dup2),
	SAME(83, "symlink", symlink),
	SAME(84, "oldlstat", lstat),
	SAME(85, "readlink", readlink),
	[89] = {"readdir", {.special = FOREIGN_COUNTED}},
	ROW(90, "mmap", mmap, OLD_MMAP, FROM_ALL),
	SAME(91, "munmap", munmap),
	ROW(92, "truncate", truncate, PLAIN, FROM_U(0), FROM_S(1)),
	ROW(93, "ftruncate", ftruncate, PLAIN, FROM_U(0), FROM_S(1)),
	SAME(94, "fchmod", fchmod),
	ROW(95, "fchown", fchown, PLAIN, FROM_U(0), FROM_ID(1), FROM_ID(2)),
	SAME(99, "statfs", statfs),
	SAME(100, "fstatfs", fstatfs),
	ROW(102, "socketcall", recvmsg, SOCKETCALL, FROM_ALL),
	SAME(106, "stat", stat),
	SAME(107, "lstat", lstat),
	SAME(108, "fstat", fstat),
	SAME(118, "fsync", fsync),
	SAME(120, "clone", clone),
	SAME(133, "fchdir", fchdir),
	ROW(140, "_llseek", lseek, LLSEEK, FROM_U(0), FROM_HL(1), FROM_U(4)),
	SAME(141, "getdents", getdents),
	SAME(143, "flock", flock),
	SAME(144, "msync", msync),
	SAME(145, "readv", readv),
	SAME(146, "writev", writev),
	SAME(148, "fdatasync", fdatasync),
	SAME(163, "mremap", mremap),
	ROW(180, "pread64", pread64, PLAIN, FROM_U(0), FROM_U(1), FROM_U(2), FROM_LH(3)),
	ROW(181, "pwrite64", pwrite64, PLAIN, FROM_U(0), FROM_U(1), FROM_U(2), FROM_LH(3)),
	ROW(182, "chown", chown, PLAIN, FROM_U(0), FROM_ID(1), FROM_ID(2)),
	ROW(187, "sendfile", sendfile, SENDFILE, FROM_ALL),
	SAME(190, "vfork", vfork),
	ROW(192, "mmap2", mmap, PLAIN, FROM_U(0), FROM_U(1), FROM_U(2), FROM_U(3), FROM_U(4), FROM_PAGES(5)),
	ROW(193, "truncate64", truncate, PLAIN, FROM_U(0), FROM_LH(1)),
	ROW(194, "ftruncate64", ftruncate, PLAIN, FROM_U(0), FROM_LH(1)),
	ROW(195, "stat64", stat, STAT64, FROM_ALL),
	ROW(196, "lstat64", lstat, STAT64, FROM_ALL),
	SAME(197, "fstat64", fstat),
	SAME(198, "lchown32", lchown),
	SAME(207, "fchown32", fchown),
	SAME(212, "chown32", chown),
	SAME(219, "madvise", madvise),
	SAME(220, "getdents64", getdents64),
	ROW(221, "fcntl64", fcntl, FLOCK64, FROM_ALL),
	ROW(225, "readahead", readahead, PLAIN, FROM_U(0), FROM_LH(1), FROM_U(3)),
	SAME(226, "setxattr", setxattr),
	SAME(227, "lsetxattr", lsetxattr),
	SAME(228, "fsetxattr", fsetxattr),
	SAME(229, "getxattr", getxattr),
	SAME(230, "lgetxattr", lgetxattr),
	SAME(231, "fgetxattr", fgetxattr),
	SAME(232, "listxattr", listxattr),
	SAME(233, "llistxattr", llistxattr),
	SAME(234, "flistxattr", flistxattr),
	SAME(235, "removexattr", removexattr),
	SAME(236, "lremovexattr", lremovexattr),
	SAME(237, "fremovexattr", fremovexattr),
	SAME(239, "sendfile64", sendfile),
	SAME(245, "io_setup", io_setup),
	SAME(246, "io_destroy", io_destroy),
	SAME(247, "io_getevents", io_getevents),
	SAME(248, "io_submit", io_submit),
	ROW(250, "fadvise64", fadvise64, PLAIN, FROM_U(0), FROM_LH(1), FROM_U(3), FROM_U(4)),
	SAME(268, "statfs64", statfs),
	SAME(269, "fstatfs64", fstatfs),
	SAME(271, "utimes", utimes),
	ROW(272, "fadvise64_64", fadvise64, PLAIN, FROM_U(0), FROM_LH(1), FROM_LH(3), FROM_U(5)),
	SAME(295, "openat", openat),
	SAME(296, "mkdirat", mkdirat),
	SAME(297, "mknodat", mknodat),
	SAME(298, "fchownat", fchownat),
	SAME(299, "futimesat", futimesat),
	ROW(300, "fstatat64", newfstatat, STAT64, FROM_ALL),
	SAME(301, "unlinkat", unlinkat),
	SAME(302, "renameat", renameat),
	SAME(303, "linkat", linkat),
	SAME(304, "symlinkat", symlinkat),
	SAME(305, "readlinkat", readlinkat),
	SAME(306, "fchmodat", fchmodat),
	SAME(307, "faccessat", faccessat),
	SAME(310, "unshare", unshare),
	SAME(313, "splice", splice),
	ROW(314, "sync_file_range", sync_file_range, PLAIN, FROM_U(0), FROM_LH(1), FROM_LH(3), FROM_U(5)),
	SAME(320, "utimensat", utimensat),
	ROW(324, "fallocate", fallocate, PLAIN, FROM_U(0), FROM_U(1), FROM_LH(2), FROM_LH(4)),
	SAME(330, "dup3", dup3),
	ROW(333, "preadv", preadv, PLAIN, FROM_U(0), FROM_U(1), FROM_U(2), FROM_LH(3)),
	ROW(334, "pwritev", pwritev, PLAIN, FROM_U(0), FROM_U(1), FROM_U(2), FROM_LH(3)),
	SAME(337, "recvmmsg", recvmmsg),
	SAME(344, "syncfs", syncfs),
	SAME(353, "renameat2", renameat2),
	SAME(358, "execveat", execveat),
	SAME(372, "recvmsg", recvmsg),
	SAME(377, "copy_file_range", copy_file_range),
	ROW(378, "preadv2", preadv2, PLAIN, FROM_U(0), FROM_U(1), FROM_U(2), FROM_LH(3), FROM_NONE, FROM_U(5)),
	ROW(379, "pwritev2", pwritev2, PLAIN, FROM_U(0), FROM_U(1), FROM_U(2), FROM_LH(3), FROM_NONE, FROM_U(5)),
	SAME(383, "statx", statx),
	SAME(385, "io_pgetevents", io_pgetevents),
	SAME(412, "utimensat_time64", utimensat),
	SAME(416, "io_pgetevents_time64", io_pgetevents),
	SAME(417, "recvmmsg_time64", recvmmsg),
	SAME(425, "io_uring_setup", io_uring_setup),
	SAME(426, "io_uring_enter", io_uring_enter),
	SAME(427, "io_uring_register", io_uring_register),
	SAME(435, "clone3", clone3),
	SAME(436, "close_range", close_range),
	SAME(437, "openat2", openat2),
	SAME(438, "pidfd_getfd", pidfd_getfd),
	SAME(439, "faccessat2", faccessat2),
	SAME(451, "cachestat", cachestat),
	SAME(452, "fchmodat2", fchmodat2),
};

#define X32(number, name, native) [number - X32_FIRST] = {name, {.nr = __NR_##native, .special = FOREIGN_PLAIN}}
const struct foreign_call foreign_x32[X32_CALLS] = {
	X32(515, "readv", readv),
	X32(516, "writev", writev),
	X32(519, "recvmsg", recvmsg),
	X32(520, "execve", execve),
	X32(534, "preadv", preadv),
	X32(535, "pwritev", pwritev),
	X32(537, "recvmmsg", recvmmsg),
	X32(543, "io_setup", io_setup),
	X32(544, "io_submit", io_submit),
	X32(545, "execveat", execveat),
	X32(546, "preadv2", preadv2),
	X32(547, "pwritev2", pwritev2),
};
/* clang-format on */

void foreign_configure(struct config *config)
{
	for (int nr = 0; nr < CALL_MAX; nr++) {
		config->ia32[nr] = foreign_ia32[nr].config;
		/* The number is looked up before it is known whose it is. */
		if (foreign_ia32[nr].name && config->call[nr].shape == SHAPE_IGNORE)
			config->call[nr].shape = SHAPE_FOREIGN;
	}
	for (int i = 0; i < X32_CALLS; i++)
		config->x32[i] = foreign_x32[i].config;
}
