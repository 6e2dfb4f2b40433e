/*
 * Issues the calls of 32-bit programs, by int 0x80 from memory below 4 GiB, and says what a recorder must have seen: the same as of the 64-bit ones,
 * marked. With -x those of the x32 interface, which few kernels have switched on (syscall.x32=y).
 *
 *	iocompat [-x] DIR     (an empty directory on a file system that is recorded)
 *
 * Exit 77: this kernel has no such calls.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdint.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "want.h"

static char *low, *low_at; /* memory that 32 bits can name */

static uint32_t low_copy(const void *data, size_t n)
{
	char *at = low_at;

	memcpy(at, data, n);
	low_at += (n + 15) & ~15UL;
	if (low_at > low + (1 << 20))
		exit(1);
	return (uint32_t)(uintptr_t)at;
}

static uint32_t text(const char *s)
{
	return low_copy(s, strlen(s) + 1);
}

static long int80(uint32_t nr, uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t e, uint32_t f)
{
	long result;
	register long sixth __asm__("r12") = f;

	__asm__ volatile("push %%rbp\n\tmov %%r12, %%rbp\n\tint $0x80\n\tpop %%rbp"
			 : "=a"(result)
			 : "a"((long)nr), "b"((long)a), "c"((long)b), "d"((long)c), "S"((long)d), "D"((long)e), "r"(sixth)
			 : "memory", "r8", "r9", "r10", "r11");
	return result; /* all of it, though a 32-bit program would see the lower half */
}
#define I(nr, ...) I_(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define I_(nr, a, b, c, d, e, f, ...) \
	int80(nr, (uint32_t)(uintptr_t)(a), (uint32_t)(uintptr_t)(b), (uint32_t)(uintptr_t)(c), (uint32_t)(uintptr_t)(d), (uint32_t)(uintptr_t)(e), (uint32_t)(uintptr_t)(f))
#define LO(v) ((uint64_t)(v) & 0xffffffff)
#define HI(v) ((uint64_t)(v) >> 32)
#define FAR ((1L << 32) + 4096) /* what needs both halves */

static void opens(void)
{
	struct open_how how = {.flags = O_RDWR, .resolve = RESOLVE_NO_MAGICLINKS};
	long r;

	r = I(8, text("a"), 0644);
	want(r, "creat file=<%s/a> path=\"%s/a\" mode=0644 bits=compat|created", dir, dir);
	want(I(6, r), "close fd=%ld file=<%s/a> bits=compat", r, dir);
	r = I(5, text("a"), O_RDWR, 0);
	want(r, "open file=<%s/a> path=\"%s/a\" flags=O_RDWR bits=compat", dir, dir);
	want(I(6, r), "close fd=%ld file=<%s/a> bits=compat", r, dir);
	r = I(295, AT_FDCWD, text("b"), O_RDWR | O_CREAT, 0600);
	want(r, "openat fd=AT_FDCWD file=<%s/b> path=\"%s/b\" flags=O_RDWR|O_CREAT mode=0600 bits=compat|created", dir, dir);
	want(I(6, r), "close fd=%ld file=<%s/b> bits=compat", r, dir);
	r = I(437, AT_FDCWD, text("b"), low_copy(&how, sizeof(how)), sizeof(how));
	want(r, "openat2 fd=AT_FDCWD file=<%s/b> path=\"%s/b\" flags=O_RDWR arg=%d bits=compat", dir, dir, RESOLVE_NO_MAGICLINKS);
	want(I(436, r, r, 0), "close_range fd=%ld fd2=%ld bits=compat", r, r);
	want(I(5, text("none"), O_RDONLY, 0), "open path=\"%s/none\" bits=compat", dir);
	want(I(6, 99), "close fd=99 bits=compat");
}

static void reads_and_writes(long fd)
{
	uint32_t vector[4] = {0, 100, 0, 3000}, parts, data = (uint32_t)(uintptr_t)low_at;
	int64_t there = 0;
	uint32_t result = low_copy(&there, 8);

	low_at += 8192;
	vector[0] = vector[2] = data;
	parts = low_copy(vector, sizeof(vector));
	want(I(4, fd, data, 5000), "write fd=%ld file=<%s/a> offset=0 length=5000 bits=compat", fd, dir);
	want(I(3, fd, data, 100), "read fd=%ld file=<%s/a> offset=5000 length=100 bits=compat", fd, dir);
	want(I(181, fd, data, 100, LO(FAR), HI(FAR)), "pwrite64 fd=%ld file=<%s/a> offset=%ld length=100 bits=compat", fd, dir, FAR);
	want(I(180, fd, data, 200, LO(FAR), HI(FAR)), "pread64 fd=%ld file=<%s/a> offset=%ld length=200 bits=compat", fd, dir, FAR);
	want(I(334, fd, parts, 2, LO(FAR), HI(FAR)), "pwritev fd=%ld file=<%s/a> offset=%ld length=3100 arg=2 bits=compat", fd, dir, FAR);
	want(I(333, fd, parts, 2, LO(FAR), HI(FAR)), "preadv fd=%ld file=<%s/a> offset=%ld length=3100 arg=2 bits=compat", fd, dir, FAR);
	want(I(379, fd, parts, 2, LO(FAR), HI(FAR), 2), "pwritev2 fd=%ld file=<%s/a> flags=0x2 offset=%ld length=3100 arg=2 bits=compat", fd, dir, FAR);
	want(I(378, fd, parts, 1, LO(FAR), HI(FAR), 0), "preadv2 fd=%ld file=<%s/a> offset=%ld length=100 arg=1 bits=compat", fd, dir, FAR);
	want(I(19, fd, -10, SEEK_END), "lseek fd=%ld file=<%s/a> offset=-10 arg=2 bits=compat", fd, dir);
	I(140, fd, HI(FAR), LO(FAR), result, SEEK_SET);
	want(FAR, "lseek fd=%ld file=<%s/a> offset=%ld bits=compat", fd, dir, FAR);
	want(I(19, fd, 20, SEEK_SET), "lseek fd=%ld file=<%s/a> offset=20 bits=compat", fd, dir);
	want(I(145, fd, parts, 2), "readv fd=%ld file=<%s/a> offset=20 length=3100 arg=2 bits=compat", fd, dir);
	want(I(146, fd, parts, 2), "writev fd=%ld file=<%s/a> offset=3120 length=3100 arg=2 bits=compat", fd, dir);
	want(I(118, fd), "fsync fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(148, fd), "fdatasync fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(344, fd), "syncfs fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(314, fd, LO(FAR), HI(FAR), 8192, 0, 2), "sync_file_range fd=%ld file=<%s/a> flags=0x2 offset=%ld length=8192 bits=compat", fd, dir, FAR);
	want(I(225, fd, LO(FAR), HI(FAR), 4096), "readahead fd=%ld file=<%s/a> offset=%ld length=4096 bits=compat", fd, dir, FAR);
	want(I(250, fd, LO(FAR), HI(FAR), 4096, 4), "fadvise64 fd=%ld file=<%s/a> offset=%ld length=4096 arg=4 bits=compat", fd, dir, FAR);
	want(I(272, fd, LO(FAR), HI(FAR), LO(FAR), HI(FAR), 4), "fadvise64 fd=%ld file=<%s/a> offset=%ld length=%ld arg=4 bits=compat", fd, dir, FAR, FAR);
	want(I(324, fd, 1, LO(FAR), HI(FAR), 4096, 0), "fallocate fd=%ld file=<%s/a> flags=0x1 offset=%ld length=4096 bits=compat", fd, dir, FAR);
	want(I(194, fd, LO(FAR), HI(FAR)), "ftruncate fd=%ld file=<%s/a> length=%ld bits=compat", fd, dir, FAR);
	want(I(193, text("a"), LO(FAR), HI(FAR)), "truncate file=<%s/a> path=\"%s/a\" length=%ld bits=compat", dir, dir, FAR);
	want(I(93, fd, 9000), "ftruncate fd=%ld file=<%s/a> length=9000 bits=compat", fd, dir);
	want(I(92, text("a"), 8192), "truncate file=<%s/a> path=\"%s/a\" length=8192 bits=compat", dir, dir);
}

static void copies(long fd, long fd2)
{
	int64_t from = 100, to = 200;
	int32_t short_from = 5;

	want(I(377, fd, low_copy(&from, 8), fd2, low_copy(&to, 8), 1000, 0),
	     "copy_file_range fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=100 offset2=200 length=1000 bits=compat", fd, fd2, dir, dir);
	want(I(187, fd2, fd, low_copy(&short_from, 4), 70), "sendfile fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=5 length=70 bits=compat", fd, fd2, dir, dir);
	want(I(239, fd2, fd, low_copy(&from, 8), 70), "sendfile fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=100 length=70 bits=compat", fd, fd2, dir, dir);
}

static void stats(long fd)
{
	uint32_t out = (uint32_t)(uintptr_t)low_at;

	low_at += 4096;
	want(I(106, text("a"), out), "stat file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(107, text("none"), out), "lstat path=\"%s/none\" bits=compat", dir);
	want(I(108, fd, out), "fstat fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(195, text("a"), out), "stat file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(196, text("b"), out), "lstat file=<%s/b> path=\"%s/b\" bits=compat", dir, dir);
	want(I(197, fd, out), "fstat fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(300, AT_FDCWD, text("a"), out, AT_SYMLINK_NOFOLLOW), "newfstatat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" flags=AT_SYMLINK_NOFOLLOW bits=compat", dir, dir);
	want(I(383, AT_FDCWD, text("a"), 0, STATX_SIZE, out), "statx fd=AT_FDCWD file=<%s/a> path=\"%s/a\" arg=%d bits=compat", dir, dir, STATX_SIZE);
	want(I(18, text("a"), out), "stat file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(33, text("a"), R_OK), "access file=<%s/a> path=\"%s/a\" mode=04 bits=compat", dir, dir);
	want(I(307, AT_FDCWD, text("a"), R_OK), "faccessat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" mode=04 bits=compat", dir, dir);
	want(I(439, AT_FDCWD, text("a"), R_OK, 0), "faccessat2 fd=AT_FDCWD file=<%s/a> path=\"%s/a\" mode=04 bits=compat", dir, dir);
	want(I(99, text("a"), out), "statfs file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(268, text("a"), 84, out), "statfs file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(100, fd, out), "fstatfs fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(269, fd, 84, out), "fstatfs fd=%ld file=<%s/a> bits=compat", fd, dir);
}

static void names(void)
{
	uint32_t out = (uint32_t)(uintptr_t)low_at;
	long d;

	low_at += 8192;
	want(I(39, text("d"), 0755), "mkdir path=\"%s/d\" mode=0755 bits=compat", dir);
	d = I(295, AT_FDCWD, text("d"), O_DIRECTORY, 0);
	want(d, "openat fd=AT_FDCWD file=<%s/d> path=\"%s/d\" flags=O_DIRECTORY bits=compat", dir, dir);
	want(I(296, d, text("e"), 0700), "mkdirat fd=%ld path=\"%s/d/e\" mode=0700 bits=compat", d, dir);
	want(I(141, d, out, 4096), "getdents fd=%ld file=<%s/d> length=4096 bits=compat", d, dir);
	want(I(220, d, out, 4096), "getdents64 fd=%ld file=<%s/d> length=4096 bits=compat", d, dir);
	want(I(9, text("a"), text("h")), "link file=<%s/a> path=\"%s/a\" path2=\"%s/h\" bits=compat", dir, dir, dir);
	want(I(303, AT_FDCWD, text("a"), d, text("h"), 0), "linkat fd=AT_FDCWD fd2=%ld file=<%s/a> path=\"%s/a\" path2=\"%s/d/h\" bits=compat", d, dir, dir, dir);
	want(I(83, text("to"), text("l")), "symlink path=\"to\" path2=\"%s/l\" bits=compat", dir);
	want(I(304, text("to"), d, text("l")), "symlinkat fd2=%ld path=\"to\" path2=\"%s/d/l\" bits=compat", d, dir);
	want(I(85, text("l"), out, 100), "readlink file=<%s/l> path=\"%s/l\" length=100 bits=compat", dir, dir);
	want(I(305, d, text("l"), out, 100), "readlinkat fd=%ld file=<%s/d/l> path=\"%s/d/l\" length=100 bits=compat", d, dir, dir);
	want(I(38, text("h"), text("h2")), "rename file=<%s/a> path=\"%s/h\" path2=\"%s/h2\" bits=compat", dir, dir, dir);
	want(I(302, AT_FDCWD, text("h2"), AT_FDCWD, text("h3")), "renameat fd=AT_FDCWD fd2=AT_FDCWD file=<%s/a> path=\"%s/h2\" path2=\"%s/h3\" bits=compat", dir, dir, dir);
	want(I(353, AT_FDCWD, text("h3"), AT_FDCWD, text("h"), 1), "renameat2 fd=AT_FDCWD fd2=AT_FDCWD file=<%s/a> path=\"%s/h3\" path2=\"%s/h\" flags=0x1 bits=compat", dir, dir, dir);
	want(I(10, text("h")), "unlink file=<%s/a> path=\"%s/h\" bits=compat", dir, dir);
	want(I(301, d, text("e"), AT_REMOVEDIR), "unlinkat fd=%ld file=<%s/d/e> path=\"%s/d/e\" flags=AT_REMOVEDIR bits=compat", d, dir, dir);
	want(I(40, text("d")), "rmdir file=<%s/d> path=\"%s/d\" bits=compat", dir, dir); /* not empty */
	want(I(14, text("fifo"), S_IFIFO | 0600, 0), "mknod path=\"%s/fifo\" mode=010600 bits=compat", dir);
	want(I(297, d, text("fifo"), S_IFIFO | 0600, 0), "mknodat fd=%ld path=\"%s/d/fifo\" mode=010600 bits=compat", d, dir);
	want(I(133, d), "fchdir fd=%ld file=<%s/d> bits=compat", d, dir);
	want(I(12, text("..")), "chdir file=<%s> path=\"%s\" bits=compat", dir, dir);
	want(I(6, d), "close fd=%ld file=<%s/d> bits=compat", d, dir);
}

static void attributes(long fd)
{
	int32_t times[4] = {1000, 5, 2000, 6};

	want(I(15, text("a"), 0640), "chmod file=<%s/a> path=\"%s/a\" mode=0640 bits=compat", dir, dir);
	want(I(94, fd, 0600), "fchmod fd=%ld file=<%s/a> mode=0600 bits=compat", fd, dir);
	want(I(306, AT_FDCWD, text("a"), 0644), "fchmodat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" mode=0644 bits=compat", dir, dir);
	want(I(182, text("a"), 0xffff, 2), "chown file=<%s/a> path=\"%s/a\" arg=0x%llx bits=compat", dir, dir, 0xffffffffULL << 32 | 2);
	want(I(16, text("a"), 1, 2), "lchown file=<%s/a> path=\"%s/a\" arg=0x%llx bits=compat", dir, dir, 1ULL << 32 | 2);
	want(I(95, fd, 0, 0), "fchown fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(212, text("a"), -1, 3), "chown file=<%s/a> path=\"%s/a\" arg=0x%llx bits=compat", dir, dir, 0xffffffffULL << 32 | 3);
	want(I(198, text("a"), 70000, 3), "lchown file=<%s/a> path=\"%s/a\" arg=0x%llx bits=compat", dir, dir, 70000ULL << 32 | 3);
	want(I(207, fd, 0, 0), "fchown fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(298, AT_FDCWD, text("a"), 4, 5, 0), "fchownat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" arg=0x%llx bits=compat", dir, dir, 4ULL << 32 | 5);
	want(I(30, text("a"), 0), "utime file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(271, text("a"), 0), "utimes file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(299, AT_FDCWD, text("a"), 0), "futimesat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(320, AT_FDCWD, text("a"), low_copy(times, sizeof(times)), 0), "utimensat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(412, AT_FDCWD, text("a"), 0, 0), "utimensat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(226, text("a"), text("user.x"), text("123"), 3, 0), "setxattr file=<%s/a> path=\"%s/a\" path2=\"user.x\" length=3 bits=compat", dir, dir);
	want(I(228, fd, text("user.z"), text("12"), 2, 0), "fsetxattr fd=%ld file=<%s/a> path2=\"user.z\" length=2 bits=compat", fd, dir);
	want(I(229, text("a"), text("user.x"), text("    "), 4), "getxattr file=<%s/a> path=\"%s/a\" path2=\"user.x\" length=4 bits=compat", dir, dir);
	want(I(232, text("a"), 0, 0), "listxattr file=<%s/a> path=\"%s/a\" bits=compat", dir, dir);
	want(I(235, text("a"), text("user.x")), "removexattr file=<%s/a> path=\"%s/a\" path2=\"user.x\" bits=compat", dir, dir);
	want(I(237, fd, text("user.z")), "fremovexattr fd=%ld file=<%s/a> path2=\"user.z\" bits=compat", fd, dir);
}

static void descriptors(long fd)
{
	struct {
		int16_t type, whence;
		int32_t start, length, pid;
	} lock = {F_RDLCK, SEEK_SET, 100, 50, 0};
	struct {
		int16_t type, whence;
		int64_t start, length;
		int32_t pid;
	} __attribute__((packed)) lock64 = {F_WRLCK, SEEK_SET, FAR, 10, 0};
	long r = I(41, fd);

	want(r, "dup fd=%ld file=<%s/a> bits=compat", fd, dir);
	want(I(63, fd, r), "dup2 fd=%ld fd2=%ld file=<%s/a> bits=compat", fd, r, dir);
	want(I(330, fd, r, O_CLOEXEC), "dup3 fd=%ld fd2=%ld file=<%s/a> flags=O_CLOEXEC bits=compat", fd, r, dir);
	want(I(6, r), "close fd=%ld file=<%s/a> bits=compat", r, dir);
	want(I(55, fd, F_GETFL), "fcntl fd=%ld file=<%s/a> flags=0x3 bits=compat", fd, dir);
	want(I(55, fd, F_SETLK, low_copy(&lock, sizeof(lock))), "fcntl fd=%ld file=<%s/a> flags=0x6 offset2=100 arg=%d bits=compat", fd, dir, 50 << 8);
	want(I(221, fd, 13, low_copy(&lock64, sizeof(lock64))), "fcntl fd=%ld file=<%s/a> flags=0x6 offset2=%ld arg=%d bits=compat", fd, dir, FAR, 10 << 8 | 1);
	lock64.start += 100;
	want(I(221, fd, F_OFD_SETLKW, low_copy(&lock64, sizeof(lock64))), "fcntl fd=%ld file=<%s/a> flags=0x26 offset2=%ld arg=%d bits=compat", fd, dir, FAR + 100, 10 << 8 | 1);
	want(I(143, fd, 1), "flock fd=%ld file=<%s/a> flags=0x1 bits=compat", fd, dir);
}

static void mappings(long fd)
{
	uint32_t old[6] = {0, 8192, PROT_READ, MAP_SHARED, (uint32_t)fd, 4096};
	long r = I(192, 0, 8192, PROT_READ, MAP_SHARED, fd, 1) & 0xffffffff;

	want(r, "mmap fd=%ld file=<%s/a> flags=0x1 offset=4096 offset2=%ld length=8192 arg=1 bits=compat", fd, dir, r);
	want(I(219, r, 8192, MADV_RANDOM), "madvise file=<%s/a> offset2=%ld length=8192 arg=1 bits=compat", dir, r);
	want(I(144, r, 4096, MS_SYNC), "msync file=<%s/a> flags=0x4 offset2=%ld length=4096 bits=compat", dir, r);
	want(I(91, r, 8192), "munmap file=<%s/a> offset2=%ld length=8192 bits=compat", dir, r);
	r = I(90, low_copy(old, sizeof(old))) & 0xffffffff;
	want(r, "mmap fd=%ld file=<%s/a> flags=0x1 offset=4096 offset2=%ld length=8192 arg=1 bits=compat", fd, dir, r);
	want(I(91, r, 8192), "munmap file=<%s/a> offset2=%ld length=8192 bits=compat", dir, r);
}

/* A descriptor arrives: once by a call of its own, once by the one that is for all calls on sockets. */
static void arrivals(long fd)
{
	for (int all = 0; all < 2; all++) {
		int pair[2], got;
		char byte = 'x';
		struct iovec part = {&byte, 1};
		union {
			struct cmsghdr head;
			char room[CMSG_SPACE(sizeof(int))];
		} control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
		struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
		uint32_t data = text(" "), vector[2] = {data, 1}, room[8] = {0}, message[7] = {0}, arguments[3];

		memcpy(CMSG_DATA(&control.head), (int[]){(int)fd}, sizeof(int));
		if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || sendmsg(pair[0], &m, 0) != 1)
			exit(1);
		message[2] = low_copy(vector, sizeof(vector));
		message[3] = 1;
		message[4] = low_copy(room, sizeof(room));
		message[5] = sizeof(room);
		arguments[0] = (uint32_t)pair[1];
		arguments[1] = low_copy(message, sizeof(message));
		arguments[2] = 0;
		if ((all ? I(102, 17, low_copy(arguments, sizeof(arguments))) : I(372, pair[1], arguments[1], 0)) != 1)
			exit(1);
		got = *(int *)(uintptr_t)(message[4] + 12);
		want(got, "recv_fd file=<%s/a> bits=compat", dir);
		want(I(6, got), "close fd=%d file=<%s/a> bits=compat", got, dir);
		close(pair[0]);
		close(pair[1]);
	}
}

static void aio(long fd)
{
	uint32_t context = 0, at = low_copy(&context, 4), data = (uint32_t)(uintptr_t)low_at, list[2], events;
	struct iocb request = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd, .aio_buf = data, .aio_nbytes = 512};

	low_at += 4096;
	events = (uint32_t)(uintptr_t)low_at;
	low_at += 128;
	want(I(245, 4, at), "io_setup length=4 ring=1 bits=compat");
	context = *(uint32_t *)(uintptr_t)at;
	list[0] = low_copy(&request, sizeof(request));
	request.aio_offset = 512;
	list[1] = low_copy(&request, sizeof(request));
	want(I(248, context, 2, low_copy(list, sizeof(list))), "io_submit length=2 ring=1 bits=compat");
	if (I(247, context, 2, 2, events, 0) != 2)
		exit(1);
	for (int i = 0; i < 2; i++) {
		bool second = ((struct io_event *)(uintptr_t)events)[i].obj == list[1];

		want(512, "pread64 fd=%ld file=<%s/a> offset=%d length=512 via=aio ring=1 bits=compat%s", fd, dir, second ? 512 : 0, second ? "|batch" : "");
	}
	want(2, "io_getevents length=2 arg=2 ring=1 bits=compat");
	want(I(246, context), "io_destroy ring=1 bits=compat");
}

/* Numbers that mean a file to a 64-bit program, and here something else: they leave no trace. */
static void others(void)
{
	I(20, 0);  /* getpid; writev */
	I(0, 0);   /* restart_syscall; read */
	I(45, 0);  /* brk */
	I(257, 0, 0, 0, 0, 0); /* remap_file_pages; openat */
	I(262, 0);             /* timer_getoverrun; newfstatat */
	I(73, 0);              /* sigpending; flock */
}

static void ia32(void)
{
	long fd, fd2;

	if (I(20, 0) != getpid())
		exit(77);
	opens();
	fd = I(5, text("a"), O_RDWR, 0);
	want(fd, "open file=<%s/a> path=\"%s/a\" flags=O_RDWR bits=compat", dir, dir);
	fd2 = I(5, text("b"), O_RDWR, 0);
	want(fd2, "open file=<%s/b> path=\"%s/b\" flags=O_RDWR bits=compat", dir, dir);
	want(I(5, text("a"), O_RDWR | 0100000, 0), "open file=<%s/a> path=\"%s/a\" flags=O_RDWR|O_LARGEFILE bits=compat", dir, dir);
	reads_and_writes(fd2 + 1);
	copies(fd, fd2);
	stats(fd);
	names();
	attributes(fd);
	descriptors(fd);
	mappings(fd);
	arrivals(fd);
	aio(fd);
	others();
	want(I(310, 0x400), "unshare flags=0x400 bits=compat");
	want(I(6, fd), "close fd=%ld file=<%s/a> bits=compat", fd, dir);
}

#define X(nr, ...) X_(nr, __VA_ARGS__, 0, 0, 0, 0, 0)
#define X_(nr, a, b, c, d, e, f, ...) raw(0x40000000 + (nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

static void x32(void)
{
	uint32_t data = text("0123456789"), vector[2] = {data, 10}, parts = low_copy(vector, sizeof(vector));
	long fd = X(__NR_openat, AT_FDCWD, text("a"), O_RDWR | O_CREAT, 0644);

	if (fd == -ENOSYS)
		exit(77);
	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" flags=O_RDWR|O_CREAT mode=0644 bits=created", dir, dir);
	want(X(__NR_write, fd, data, 10), "write fd=%ld file=<%s/a> offset=0 length=10", fd, dir);
	want(X(__NR_pread64, fd, data, 10, 1L << 33), "pread64 fd=%ld file=<%s/a> offset=%ld length=10", fd, dir, 1L << 33);
	want(X(516, fd, parts, 1), "writev fd=%ld file=<%s/a> offset=10 length=10 arg=1 bits=compat", fd, dir);
	want(X(534, fd, parts, 1, 5, 0), "preadv fd=%ld file=<%s/a> offset=5 length=10 arg=1 bits=compat", fd, dir);
	want(X(__NR_unlink, text("a")), "unlink file=<%s/a> path=\"%s/a\"", dir, dir);
	want(X(__NR_close, fd), "close fd=%ld file=<%s/a>", fd, dir);
}

int main(int argc, char **argv)
{
	bool x = argc > 1 && !strcmp(argv[1], "-x");

	begin(argc - x, argv + x);
	low = low_at = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	if (low == MAP_FAILED)
		return 1;
	if (x)
		x32();
	else
		ia32();
	return end();
}
