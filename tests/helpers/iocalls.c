/*
 * Issues every file system call that iorig records, in its forms and with its failures, and says afterwards on stdout what a recorder
 * must have seen: one line a call, in the text form of a trace, without times and with paths instead of file numbers.
 *
 *	iocalls DIR     (an empty directory on a file system that is recorded)
 *
 * Everything goes through syscall(2): no library decides which call it becomes. Calls that must leave no trace (pipes, /proc) are made too.
 */
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "want.h"

#ifndef __NR_fchmodat2
#define __NR_fchmodat2 452
#endif

static void opens(void)
{
	struct open_how how = {.flags = O_RDWR, .mode = 0, .resolve = RESOLVE_NO_MAGICLINKS};
	char path[8192];
	long r;

	r = CALL2(creat, "a", 0644);
	want(r, "creat file=<%s/a> path=\"%s/a\" mode=0644 bits=created", dir, dir);
	want(CALL1(close, r), "close fd=%ld file=<%s/a>", r, dir);
	r = CALL3(open, "b", O_RDWR | O_CREAT | O_EXCL, 0600);
	want(r, "open file=<%s/b> path=\"%s/b\" flags=O_RDWR|O_CREAT|O_EXCL mode=0600 bits=created", dir, dir);
	want(CALL1(close, r), "close fd=%ld file=<%s/b>", r, dir);
	want(CALL3(open, "b", O_RDWR | O_CREAT | O_EXCL, 0600), "open file=<%s/b> path=\"%s/b\" flags=O_RDWR|O_CREAT|O_EXCL mode=0600", dir, dir);
	snprintf(path, sizeof(path), "%s/b", dir);
	r = CALL4(openat, 77, path, O_WRONLY | O_APPEND | O_CLOEXEC, 0); /* an absolute path: the base does not matter */
	want(r, "openat fd=77 file=<%s/b> path=\"%s/b\" flags=O_WRONLY|O_APPEND|O_CLOEXEC", dir, dir);
	want(CALL1(close, r), "close fd=%ld file=<%s/b>", r, dir);
	r = CALL4(openat2, AT_FDCWD, "./b", &how, sizeof(how));
	want(r, "openat2 fd=AT_FDCWD file=<%s/b> path=\"%s/./b\" flags=O_RDWR arg=%d", dir, dir, RESOLVE_NO_MAGICLINKS);
	want(CALL1(close, r), "close fd=%ld file=<%s/b>", r, dir);
	want(CALL4(openat, AT_FDCWD, "missing/x", O_RDONLY, 0), "openat fd=AT_FDCWD path=\"%s/missing/x\"", dir);
	want(CALL4(openat, AT_FDCWD, "a/x", O_RDONLY, 0), "openat fd=AT_FDCWD path=\"%s/a/x\"", dir);
	want(CALL4(openat, 99, "x", O_RDONLY, 0), "openat fd=99 path=\"x\" bits=path-unresolved");
	want(CALL4(openat, AT_FDCWD, NULL, O_RDONLY, 0), "openat fd=AT_FDCWD");
	want(CALL1(close, 99), "close fd=99");
	memset(path, 'n', 300);
	path[300] = 0;
	want(CALL4(openat, AT_FDCWD, path, O_RDONLY, 0), "openat fd=AT_FDCWD path=\"%s/%s\"", dir, path);
	path[250] = 0; /* long, with a space, a quote and a newline */
	memcpy(path, "a b\"c\nd", 7);
	r = CALL4(openat, AT_FDCWD, path, O_RDWR | O_CREAT, 0644);
	want(r, "openat fd=AT_FDCWD file=<%s/a b\\\"c\\nd%s> path=\"%s/a b\\\"c\\nd%s\" flags=O_RDWR|O_CREAT mode=0644 bits=created", dir, path + 7, dir, path + 7);
	want(CALL1(close, r), "close fd=%ld file=<%s/a b\\\"c\\nd%s>", r, dir, path + 7);
	r = CALL4(openat, AT_FDCWD, ".", O_TMPFILE | O_RDWR, 0600);
	want(r, "openat fd=AT_FDCWD file=<> path=\"%s/.\" flags=O_RDWR|O_TMPFILE mode=0600 bits=created", dir);
	want(CALL3(write, r, buffer, 10), "write fd=%ld file=<> offset=0 length=10", r);
	want(CALL1(close, r), "close fd=%ld file=<>", r);
	r = open("/proc/self/status", O_RDONLY); /* not recorded, like what is done with it */
	(void)!read((int)r, buffer, 100);
	close((int)r);
	access("/proc/self/nothing", F_OK);
	access("/sys", F_OK);
}

static void reads_and_writes(void)
{
	struct iovec parts[3] = {{buffer, 100}, {buffer + 100, 0}, {buffer + 200, 3000}};
	struct iovec many[40];
	long fd = open("a", O_RDWR), flags = 0;

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" flags=O_RDWR", dir, dir);
	want(CALL3(write, fd, buffer, 5000), "write fd=%ld file=<%s/a> offset=0 length=5000", fd, dir);
	want(CALL4(pwrite64, fd, buffer, 1000, 8000), "pwrite64 fd=%ld file=<%s/a> offset=8000 length=1000", fd, dir);
	want(CALL3(writev, fd, parts, 3), "writev fd=%ld file=<%s/a> offset=5000 length=3100 arg=3", fd, dir);
	want(CALL4(pwritev, fd, parts, 3, 20), "pwritev fd=%ld file=<%s/a> offset=20 length=3100 arg=3", fd, dir);
	want(CALL6(pwritev2, fd, parts, 3, -1, 0, RWF_DSYNC), "pwritev2 fd=%ld file=<%s/a> flags=0x2 offset=8100 length=3100 arg=3", fd, dir);
	want(CALL6(pwritev2, fd, parts, 1, 40, 0, 0), "pwritev2 fd=%ld file=<%s/a> offset=40 length=100 arg=1", fd, dir);
	want(CALL3(lseek, fd, 10, SEEK_SET), "lseek fd=%ld file=<%s/a> offset=10", fd, dir);
	want(CALL3(read, fd, buffer, 4096), "read fd=%ld file=<%s/a> offset=10 length=4096", fd, dir);
	want(CALL3(lseek, fd, -6, SEEK_CUR), "lseek fd=%ld file=<%s/a> offset=-6 arg=1", fd, dir);
	want(CALL3(read, fd, buffer, 100000), "read fd=%ld file=<%s/a> offset=4100 length=100000", fd, dir); /* short */
	want(CALL3(read, fd, buffer, 10), "read fd=%ld file=<%s/a> offset=11200 length=10", fd, dir); /* at the end */
	want(CALL3(lseek, fd, -11, SEEK_SET), "lseek fd=%ld file=<%s/a> offset=-11", fd, dir);
	want(CALL4(pread64, fd, buffer, 4096, 4096), "pread64 fd=%ld file=<%s/a> offset=4096 length=4096", fd, dir);
	want(CALL4(pread64, fd, buffer, 4096, 1L << 40), "pread64 fd=%ld file=<%s/a> offset=%ld length=4096", fd, dir, 1L << 40);
	want(CALL4(preadv, fd, parts, 3, 30), "preadv fd=%ld file=<%s/a> offset=30 length=3100 arg=3", fd, dir);
	want(CALL6(preadv2, fd, parts, 3, 30, 0, flags), "preadv2 fd=%ld file=<%s/a> offset=30 length=3100 arg=3", fd, dir);
	for (int i = 0; i < 40; i++)
		many[i] = (struct iovec){buffer, 7 + (size_t)i};
	CALL3(lseek, fd, 0, SEEK_SET);
	want(0, "lseek fd=%ld file=<%s/a> offset=0", fd, dir);
	want(CALL3(readv, fd, many, 40), "readv fd=%ld file=<%s/a> offset=0 length=1060 arg=40", fd, dir);
	want(CALL3(read, fd, NULL, 10), "read fd=%ld file=<%s/a> offset=1060 length=10", fd, dir); /* EFAULT */
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
	fd = open("b", O_WRONLY | O_APPEND);
	want(fd, "openat fd=AT_FDCWD file=<%s/b> path=\"%s/b\" flags=O_WRONLY|O_APPEND", dir, dir);
	want(CALL3(write, fd, buffer, 300), "write fd=%ld file=<%s/b> offset=0 length=300", fd, dir);
	CALL3(lseek, fd, 7, SEEK_SET);
	want(7, "lseek fd=%ld file=<%s/b> offset=7", fd, dir);
	want(CALL3(write, fd, buffer, 300), "write fd=%ld file=<%s/b> offset=300 length=300", fd, dir);
	want(CALL3(read, fd, buffer, 1), "read fd=%ld file=<%s/b> offset=600 length=1", fd, dir); /* EBADF */
	want(CALL1(close, fd), "close fd=%ld file=<%s/b>", fd, dir);
}

static void syncs_and_sizes(void)
{
	long fd = open("a", O_RDWR);
	loff_t from = 100, to = 200;
	long fd2 = open("b", O_RDWR);
	struct file_clone_range range = {.src_fd = fd, .src_offset = 4096, .src_length = 4096, .dest_offset = 8192};
	int some;

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" flags=O_RDWR", dir, dir);
	want(fd2, "openat fd=AT_FDCWD file=<%s/b> path=\"%s/b\" flags=O_RDWR", dir, dir);
	want(CALL1(fsync, fd), "fsync fd=%ld file=<%s/a>", fd, dir);
	want(CALL1(fdatasync, fd), "fdatasync fd=%ld file=<%s/a>", fd, dir);
	want(CALL4(sync_file_range, fd, 4096, 8192, SYNC_FILE_RANGE_WRITE), "sync_file_range fd=%ld file=<%s/a> flags=0x2 offset=4096 length=8192", fd, dir);
	want(CALL1(syncfs, fd), "syncfs fd=%ld file=<%s/a>", fd, dir);
	want(CALL2(ftruncate, fd, 6000), "ftruncate fd=%ld file=<%s/a> length=6000", fd, dir);
	want(CALL2(truncate, "a", 12000), "truncate file=<%s/a> path=\"%s/a\" length=12000", dir, dir);
	want(CALL2(truncate, "none", 1), "truncate path=\"%s/none\" length=1", dir);
	want(CALL4(fallocate, fd, FALLOC_FL_KEEP_SIZE, 0, 65536), "fallocate fd=%ld file=<%s/a> flags=0x1 offset=0 length=65536", fd, dir);
	want(CALL4(fallocate, fd, 0, -5, 10), "fallocate fd=%ld file=<%s/a> offset=-5 length=10", fd, dir);
	want(CALL4(fadvise64, fd, 0, 4096, POSIX_FADV_DONTNEED), "fadvise64 fd=%ld file=<%s/a> offset=0 length=4096 arg=4", fd, dir);
	want(CALL3(readahead, fd, 0, 8192), "readahead fd=%ld file=<%s/a> offset=0 length=8192", fd, dir);
	want(CALL6(copy_file_range, fd, &from, fd2, &to, 1000, 0),
	     "copy_file_range fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=100 offset2=200 length=1000", fd, fd2, dir, dir);
	want(CALL3(ioctl, fd2, FICLONE, fd), "ficlonerange fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=0 offset2=0", fd, fd2, dir, dir);
	want(CALL3(ioctl, fd2, FICLONERANGE, &range),
	     "ficlonerange fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=4096 offset2=8192 length=4096", fd, fd2, dir, dir);
	CALL3(ioctl, fd2, FIONREAD, &some); /* none of ours */
	want(CALL6(copy_file_range, fd, NULL, fd2, NULL, 50, 0),
	     "copy_file_range fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=0 offset2=0 length=50", fd, fd2, dir, dir);
	from = 5;
	want(CALL4(sendfile, fd2, fd, &from, 70), "sendfile fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=5 length=70", fd, fd2, dir, dir);
	want(CALL4(sendfile, fd2, fd, NULL, 70), "sendfile fd=%ld fd2=%ld file=<%s/a> file2=<%s/b> offset=50 length=70", fd, fd2, dir, dir);
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
	want(CALL1(close, fd2), "close fd=%ld file=<%s/b>", fd2, dir);
}

static void stats(void)
{
	struct stat st;
	struct statx stx;
	long fd = open("a", O_RDONLY), d = open(".", O_RDONLY | O_DIRECTORY);

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\"", dir, dir);
	want(d, "openat fd=AT_FDCWD file=<%s> path=\"%s/.\" flags=O_DIRECTORY", dir, dir);
	want(CALL2(stat, "a", &st), "stat file=<%s/a> path=\"%s/a\"", dir, dir);
	want(CALL2(stat, "none", &st), "stat path=\"%s/none\"", dir);
	want(CALL2(lstat, "a", &st), "lstat file=<%s/a> path=\"%s/a\"", dir, dir);
	want(CALL2(fstat, fd, &st), "fstat fd=%ld file=<%s/a>", fd, dir);
	want(CALL4(newfstatat, d, "a", &st, AT_SYMLINK_NOFOLLOW), "newfstatat fd=%ld file=<%s/a> path=\"%s/a\" flags=AT_SYMLINK_NOFOLLOW", d, dir, dir);
	want(CALL4(newfstatat, fd, "", &st, AT_EMPTY_PATH), "newfstatat fd=%ld file=<%s/a> flags=AT_EMPTY_PATH", fd, dir);
	want(CALL4(newfstatat, AT_FDCWD, "..", &st, 0), "newfstatat fd=AT_FDCWD file=<%.*s> path=\"%s/..\"", (int)(strrchr(dir, '/') - dir), dir, dir);
	want(CALL5(statx, AT_FDCWD, "a", 0, STATX_SIZE, &stx), "statx fd=AT_FDCWD file=<%s/a> path=\"%s/a\" arg=%d", dir, dir, STATX_SIZE);
	want(CALL2(access, "a", R_OK | W_OK), "access file=<%s/a> path=\"%s/a\" mode=06", dir, dir);
	want(CALL2(access, "none", F_OK), "access path=\"%s/none\"", dir);
	want(CALL3(faccessat, d, "a", R_OK), "faccessat fd=%ld file=<%s/a> path=\"%s/a\" mode=04", d, dir, dir);
	want(CALL4(faccessat2, d, "a", R_OK, AT_EACCESS), "faccessat2 fd=%ld file=<%s/a> path=\"%s/a\" flags=AT_REMOVEDIR mode=04", d, dir, dir);
	want(CALL2(statfs, ".", buffer), "statfs file=<%s> path=\"%s/.\"", dir, dir);
	want(CALL2(fstatfs, fd, buffer), "fstatfs fd=%ld file=<%s/a>", fd, dir);
	want(CALL3(getdents64, d, buffer, 32768), "getdents64 fd=%ld file=<%s> length=32768", d, dir);
	want(CALL3(getdents64, d, buffer, 32768), "getdents64 fd=%ld file=<%s> length=32768", d, dir);
	want(CALL3(getdents, d, buffer, 32768), "getdents fd=%ld file=<%s> length=32768", d, dir);
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
	want(CALL1(close, d), "close fd=%ld file=<%s>", d, dir);
	stat("/proc/self", &st);
	fstat(0, &st); /* a pipe, or the null device */
}

/* Only addresses that are paths are files. */
static void bind_paths(void)
{
	struct sockaddr_un path = {AF_UNIX, "bound"}, abstract = {AF_UNIX, "\0iocalls"};
	long fd = socket(AF_UNIX, SOCK_DGRAM, 0), other = socket(AF_UNIX, SOCK_DGRAM, 0);

	CALL3(bind, other, &abstract, sizeof(sa_family_t) + 8);
	/* Not all of the path is told, and nothing ends it. */
	want(CALL3(bind, fd, &path, sizeof(sa_family_t) + 4), "bind fd=%ld path=\"%s/boun\" mode=0140755", fd, dir);
	close((int)other);
	other = socket(AF_UNIX, SOCK_STREAM, 0);
	strcpy(path.sun_path, "boun");
	want(CALL3(bind, other, &path, sizeof(path)), "bind fd=%ld path=\"%s/boun\" mode=0140755", other, dir);
	want(CALL1(unlink, "boun"), "unlink file=<%s/boun> path=\"%s/boun\"", dir, dir);
	close((int)fd);
	close((int)other);
}

static void names(void)
{
	long d;
	struct stat st;

	want(CALL2(mkdir, "d", 0755), "mkdir path=\"%s/d\" mode=0755", dir);
	want(CALL2(mkdir, "d", 0755), "mkdir path=\"%s/d\" mode=0755", dir);
	d = open("d", O_PATH | O_DIRECTORY);
	want(d, "openat fd=AT_FDCWD file=<%s/d> path=\"%s/d\" flags=O_DIRECTORY|O_PATH", dir, dir);
	want(CALL3(mkdirat, d, "e", 0700), "mkdirat fd=%ld path=\"%s/d/e\" mode=0700", d, dir);
	want(CALL2(link, "a", "d/hard"), "link file=<%s/a> path=\"%s/a\" path2=\"%s/d/hard\"", dir, dir, dir);
	want(CALL5(linkat, AT_FDCWD, "a", d, "hard2", AT_SYMLINK_FOLLOW), "linkat fd=AT_FDCWD fd2=%ld file=<%s/a> path=\"%s/a\" path2=\"%s/d/hard2\" flags=AT_SYMLINK_FOLLOW", d, dir, dir, dir);
	want(CALL2(symlink, "d", "s"), "symlink path=\"d\" path2=\"%s/s\"", dir);
	want(CALL3(symlinkat, "nowhere/at all", d, "dangling"), "symlinkat fd2=%ld path=\"nowhere/at all\" path2=\"%s/d/dangling\"", d, dir);
	want(CALL3(readlink, "s", buffer, 100), "readlink file=<%s/s> path=\"%s/s\" length=100", dir, dir);
	want(CALL4(readlinkat, d, "dangling", buffer, 4), "readlinkat fd=%ld file=<%s/d/dangling> path=\"%s/d/dangling\" length=4", d, dir, dir);
	want(CALL3(readlink, "a", buffer, 100), "readlink file=<%s/a> path=\"%s/a\" length=100", dir, dir);
	want(CALL2(stat, "s/hard", &st), "stat file=<%s/a> path=\"%s/s/hard\"", dir, dir);
	want(CALL2(lstat, "s", &st), "lstat file=<%s/s> path=\"%s/s\"", dir, dir);
	want(CALL2(rename, "d/hard", "r"), "rename file=<%s/a> path=\"%s/d/hard\" path2=\"%s/r\"", dir, dir, dir);
	want(CALL4(renameat, AT_FDCWD, "r", d, "r2"), "renameat fd=AT_FDCWD fd2=%ld file=<%s/a> path=\"%s/r\" path2=\"%s/d/r2\"", d, dir, dir, dir);
	want(CALL5(renameat2, d, "r2", AT_FDCWD, "b", RENAME_NOREPLACE), "renameat2 fd=%ld fd2=AT_FDCWD file=<%s/a> file2=<%s/b> path=\"%s/d/r2\" path2=\"%s/b\" flags=0x1", d, dir, dir, dir, dir);
	want(CALL5(renameat2, d, "r2", AT_FDCWD, "b", RENAME_EXCHANGE), "renameat2 fd=%ld fd2=AT_FDCWD file=<%s/a> file2=<%s/b> path=\"%s/d/r2\" path2=\"%s/b\" flags=0x2", d, dir, dir, dir, dir);
	want(CALL2(stat, "d/r2", &st), "stat file=<%s/b> path=\"%s/d/r2\"", dir, dir);
	want(CALL1(unlink, "d/r2"), "unlink file=<%s/b> path=\"%s/d/r2\"", dir, dir);
	want(CALL3(unlinkat, d, "hard2", 0), "unlinkat fd=%ld file=<%s/a> path=\"%s/d/hard2\"", d, dir, dir);
	want(CALL3(unlinkat, d, "e", AT_REMOVEDIR), "unlinkat fd=%ld file=<%s/d/e> path=\"%s/d/e\" flags=AT_REMOVEDIR", d, dir, dir);
	want(CALL1(unlink, "d/r2"), "unlink path=\"%s/d/r2\"", dir);
	want(CALL1(rmdir, "d"), "rmdir file=<%s/d> path=\"%s/d\"", dir, dir); /* not empty */
	want(CALL1(unlink, "d/dangling"), "unlink file=<%s/d/dangling> path=\"%s/d/dangling\"", dir, dir);
	want(CALL1(rmdir, "d"), "rmdir file=<%s/d> path=\"%s/d\"", dir, dir);
	want(CALL1(close, d), "close fd=%ld file=<%s/d>", d, dir);
	want(CALL3(mknod, "fifo", S_IFIFO | 0600, 0), "mknod path=\"%s/fifo\" mode=010600", dir);
	want(CALL4(mknodat, AT_FDCWD, "sock", S_IFSOCK | 0600, 0), "mknodat fd=AT_FDCWD path=\"%s/sock\" mode=0140600", dir);
	bind_paths();
	want(CALL1(unlink, "fifo"), "unlink file=<%s/fifo> path=\"%s/fifo\"", dir, dir);
}

static void attributes(void)
{
	struct timespec times[2] = {{1000, 5}, {2000, 6}};
	long fd = open("a", O_RDONLY);

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\"", dir, dir);
	want(CALL2(chmod, "a", 0640), "chmod file=<%s/a> path=\"%s/a\" mode=0640", dir, dir);
	want(CALL2(fchmod, fd, 0600), "fchmod fd=%ld file=<%s/a> mode=0600", fd, dir);
	want(CALL3(fchmodat, AT_FDCWD, "a", 0644), "fchmodat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" mode=0644", dir, dir);
	want(CALL3(chown, "a", 1, 2), "chown file=<%s/a> path=\"%s/a\" arg=0x%llx", dir, dir, 1ULL << 32 | 2);
	want(CALL3(lchown, "a", -1, 3), "lchown file=<%s/a> path=\"%s/a\" arg=0x%llx", dir, dir, 0xffffffffULL << 32 | 3);
	want(CALL3(fchown, fd, 0, 0), "fchown fd=%ld file=<%s/a>", fd, dir);
	want(CALL5(fchownat, fd, "", 4, 5, AT_EMPTY_PATH), "fchownat fd=%ld file=<%s/a> flags=AT_EMPTY_PATH arg=0x%llx", fd, dir, 4ULL << 32 | 5);
	want(CALL4(utimensat, AT_FDCWD, "a", times, 0), "utimensat fd=AT_FDCWD file=<%s/a> path=\"%s/a\"", dir, dir);
	want(CALL4(utimensat, fd, NULL, NULL, 0), "utimensat fd=%ld file=<%s/a>", fd, dir);
	want(CALL2(utime, "a", NULL), "utime file=<%s/a> path=\"%s/a\"", dir, dir);
	want(CALL2(utimes, "none", NULL), "utimes path=\"%s/none\"", dir);
	want(CALL3(futimesat, AT_FDCWD, "a", NULL), "futimesat fd=AT_FDCWD file=<%s/a> path=\"%s/a\"", dir, dir);
	want(CALL5(setxattr, "a", "user.x", "123", 3, 0), "setxattr file=<%s/a> path=\"%s/a\" path2=\"user.x\" length=3", dir, dir);
	want(CALL5(lsetxattr, "a", "user.y", "1", 1, 1), "lsetxattr file=<%s/a> path=\"%s/a\" path2=\"user.y\" flags=0x1 length=1", dir, dir);
	want(CALL5(fsetxattr, fd, "user.z", "12", 2, 0), "fsetxattr fd=%ld file=<%s/a> path2=\"user.z\" length=2", fd, dir);
	want(CALL4(getxattr, "a", "user.x", buffer, 100), "getxattr file=<%s/a> path=\"%s/a\" path2=\"user.x\" length=100", dir, dir);
	want(CALL4(lgetxattr, "a", "user.none", buffer, 100), "lgetxattr file=<%s/a> path=\"%s/a\" path2=\"user.none\" length=100", dir, dir);
	want(CALL4(fgetxattr, fd, "user.z", NULL, 0), "fgetxattr fd=%ld file=<%s/a> path2=\"user.z\"", fd, dir);
	want(CALL3(listxattr, "a", buffer, 1000), "listxattr file=<%s/a> path=\"%s/a\" length=1000", dir, dir);
	want(CALL3(llistxattr, "a", buffer, 1), "llistxattr file=<%s/a> path=\"%s/a\" length=1", dir, dir);
	want(CALL3(flistxattr, fd, buffer, 1000), "flistxattr fd=%ld file=<%s/a> length=1000", fd, dir);
	want(CALL2(removexattr, "a", "user.x"), "removexattr file=<%s/a> path=\"%s/a\" path2=\"user.x\"", dir, dir);
	want(CALL2(lremovexattr, "a", "user.y"), "lremovexattr file=<%s/a> path=\"%s/a\" path2=\"user.y\"", dir, dir);
	want(CALL2(fremovexattr, fd, "user.z"), "fremovexattr fd=%ld file=<%s/a> path2=\"user.z\"", fd, dir);
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
}

static void descriptors(void)
{
	struct {
		int command, type;
		const char *begin;
		long length;
		struct flock lock;
	} locks[] = {{F_SETLK, F_RDLCK, "100", 50, {F_RDLCK, SEEK_SET, 100, 50, 0}},
		     {F_SETLKW, F_RDLCK, "100", 50, {F_RDLCK, SEEK_SET, 150, -50, 0}}, /* what lies before */
		     {F_SETLK, F_WRLCK, "0", 0, {F_WRLCK, SEEK_SET, 0, 0, 0}},	       /* EBADF: not open for writing */
		     {F_GETLK, F_UNLCK, "1073741824", 1, {F_WRLCK, SEEK_SET, 1 << 30, 1, 0}}, /* as answered: free */
		     {F_OFD_SETLK, F_RDLCK, "7", 1, {F_RDLCK, SEEK_CUR, 7, 1, 0}},
		     {F_SETLK, F_UNLCK, "0", 0, {F_UNLCK, SEEK_SET, 0, 0, 0}}};
	long fd = open("a", O_RDONLY), r;
	int p[2];

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\"", dir, dir);
	r = CALL1(dup, fd);
	want(r, "dup fd=%ld file=<%s/a>", fd, dir);
	want(CALL2(dup2, fd, 50), "dup2 fd=%ld fd2=50 file=<%s/a>", fd, dir);
	want(CALL3(dup3, fd, 51, O_CLOEXEC), "dup3 fd=%ld fd2=51 file=<%s/a> flags=O_CLOEXEC", fd, dir);
	want(CALL3(fcntl, fd, F_DUPFD, 60), "fcntl fd=%ld file=<%s/a> arg=60", fd, dir);
	want(CALL3(fcntl, fd, F_DUPFD_CLOEXEC, 61), "fcntl fd=%ld file=<%s/a> flags=0x406 arg=61", fd, dir);
	want(CALL3(fcntl, fd, F_SETFL, O_NONBLOCK), "fcntl fd=%ld file=<%s/a> flags=0x4 arg=%d", fd, dir, O_NONBLOCK);
	for (unsigned i = 0; i < sizeof(locks) / sizeof(locks[0]); i++)
		want(CALL3(fcntl, fd, locks[i].command, &locks[i].lock), "fcntl fd=%ld file=<%s/a> flags=0x%x%s%s arg=%ld", fd, dir, (unsigned)locks[i].command,
		     locks[i].begin ? " offset2=" : "", locks[i].begin ? locks[i].begin : "", locks[i].length << 8 | locks[i].lock.l_whence << 4 | locks[i].type);
	want(CALL3(fcntl, fd, F_SETLK, 8), "fcntl fd=%ld file=<%s/a> flags=0x6 offset2=0 arg=15", fd, dir); /* EFAULT */
	want(CALL2(flock, fd, LOCK_SH), "flock fd=%ld file=<%s/a> flags=0x1", fd, dir);
	if (pipe(p))
		exit(1);
	want(CALL2(dup2, p[0], 51), "dup2 fd=%d fd2=51", p[0]); /* closes a file: recorded although it is a pipe */
	CALL2(dup2, p[0], 52);
	CALL3(write, p[1], buffer, 10);
	close(p[0]);
	close(p[1]);
	want(CALL1(close, 50), "close fd=50 file=<%s/a>", dir);
	want(CALL3(close_range, 51, 70, 0), "close_range fd=51 fd2=70");
	want(CALL1(close, r), "close fd=%ld file=<%s/a>", r, dir);
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
}

/* By a handle instead of a name. */
static void opened_by_handle(void)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = {.head.handle_bytes = MAX_HANDLE_SZ};
	long mount = open(".", O_RDONLY | O_DIRECTORY), fd;
	int id;

	want(mount, "openat fd=AT_FDCWD file=<%s> path=\"%s/.\" flags=O_DIRECTORY", dir, dir);
	if (CALL5(name_to_handle_at, AT_FDCWD, "a", &handle, &id, 0))
		exit(77);
	fd = CALL3(open_by_handle_at, mount, &handle, O_RDWR);
	want(fd, "open_by_handle_at fd=%ld file=<%s/a> flags=O_RDWR", mount, dir);
	want(CALL4(pread64, fd, buffer, 10, 0), "pread64 fd=%ld file=<%s/a> offset=0 length=10", fd, dir);
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
	want(CALL1(close, mount), "close fd=%ld file=<%s>", mount, dir);
}

/* A descriptor goes through a socket, with another message in front of it. */
static void arrivals(void)
{
	int pair[2], fd = open("a", O_RDONLY), on = 1, fds[2] = {fd, -1}, got[8];
	char data = 'x', control[200] = {0};
	struct iovec part = {&data, 1};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(2 * sizeof(int))};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);
	long pidfd;

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\"", dir, dir);
	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)))
		exit(1);
	fds[1] = pair[0];
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(head), fds, sizeof(fds));
	if (sendmsg(pair[0], &m, 0) != 1)
		exit(1);
	m.msg_controllen = sizeof(control);
	if (recvmsg(pair[1], &m, MSG_CMSG_CLOEXEC) != 1)
		exit(1);
	for (head = CMSG_FIRSTHDR(&m); head && head->cmsg_type != SCM_RIGHTS; head = CMSG_NXTHDR(&m, head))
		;
	if (!head)
		exit(1);
	memcpy(got, CMSG_DATA(head), 2 * sizeof(int));
	want(got[0], "recv_fd file=<%s/a> flags=0x%x", dir, O_CLOEXEC); /* the socket that came with it is none of ours */
	want(CALL4(pread64, got[0], buffer, 10, 0), "pread64 fd=%d file=<%s/a> offset=0 length=10", got[0], dir);
	want(CALL1(close, got[0]), "close fd=%d file=<%s/a>", got[0], dir);
	close(got[1]);
	close(pair[0]);
	close(pair[1]);
	pidfd = CALL2(pidfd_open, getpid(), 0);
	got[0] = (int)CALL3(pidfd_getfd, pidfd, fd, 0);
	want(got[0], "pidfd_getfd fd=%ld fd2=%d file=<%s/a>", pidfd, fd, dir);
	want(CALL1(close, got[0]), "close fd=%d file=<%s/a>", got[0], dir);
	close((int)pidfd);
	opened_by_handle();
	want(CALL1(close, fd), "close fd=%d file=<%s/a>", fd, dir);
}

static void directories(void)
{
	long d = open(".", O_RDONLY), r;

	want(d, "openat fd=AT_FDCWD file=<%s> path=\"%s/.\"", dir, dir);
	want(CALL2(mkdir, "w", 0755), "mkdir path=\"%s/w\" mode=0755", dir);
	want(CALL1(chdir, "w"), "chdir file=<%s/w> path=\"%s/w\"", dir, dir);
	r = open("inside", O_WRONLY | O_CREAT, 0644);
	want(r, "openat fd=AT_FDCWD file=<%s/w/inside> path=\"%s/w/inside\" flags=O_WRONLY|O_CREAT mode=0644 bits=created", dir, dir);
	/* Everything is renamed below the feet of an open file and of the current directory. */
	want(CALL2(rename, "../w", "../w2"), "rename file=<%s/w> path=\"%s/w/../w\" path2=\"%s/w/../w2\"", dir, dir, dir);
	want(CALL3(write, r, buffer, 20), "write fd=%ld file=<%s/w/inside> offset=0 length=20", r, dir);
	want(CALL2(access, "inside", F_OK), "access file=<%s/w/inside> path=\"%s/w2/inside\"", dir, dir);
	want(CALL1(unlink, "inside"), "unlink file=<%s/w/inside> path=\"%s/w2/inside\"", dir, dir);
	want(CALL3(write, r, buffer, 20), "write fd=%ld file=<%s/w/inside> offset=20 length=20", r, dir);
	want(CALL1(close, r), "close fd=%ld file=<%s/w/inside>", r, dir);
	want(CALL1(fchdir, d), "fchdir fd=%ld file=<%s>", d, dir);
	want(CALL1(rmdir, "w2"), "rmdir file=<%s/w> path=\"%s/w2\"", dir, dir);
	want(CALL1(close, d), "close fd=%ld file=<%s>", d, dir);
}

static void mappings(void)
{
	long fd = open("a", O_RDWR), r;

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" flags=O_RDWR", dir, dir);
	r = CALL6(mmap, 0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 4096);
	want(r, "mmap fd=%ld file=<%s/a> flags=0x1 offset=4096 offset2=%ld length=8192 arg=3", fd, dir, r);
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
	*(volatile char *)r = 1;
	want(CALL3(msync, r, 4096, MS_SYNC), "msync file=<%s/a> flags=0x4 offset2=%ld length=4096", dir, r);
	want(CALL3(madvise, r, 8192, MADV_RANDOM), "madvise file=<%s/a> offset2=%ld length=8192 arg=1", dir, r);
	want(CALL2(munmap, r, 4096), "munmap file=<%s/a> offset2=%ld length=4096", dir, r);
	want(CALL2(munmap, r + 4096, 4096), "munmap file=<%s/a> offset2=%ld length=4096", dir, r + 4096);
	r = CALL6(mmap, 0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CALL2(munmap, r, 8192);
	want(CALL6(mmap, 0, 0, PROT_READ, MAP_PRIVATE, 98, 0), "mmap fd=98 flags=0x2 offset=0 offset2=-9 arg=1");
}

/* Requests of libaio: each is told when io_getevents has brought its result. */
static void aio(void)
{
	struct iovec parts[2] = {{buffer, 100}, {buffer + 100, 412}};
	long fd = open("a", O_RDWR), context = 0, address;
	struct iocb requests[5] = {
		{.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)buffer, .aio_nbytes = 4096, .aio_offset = 512},
		{.aio_lio_opcode = IOCB_CMD_PWRITE, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)buffer, .aio_nbytes = 30, .aio_offset = 7, .aio_rw_flags = RWF_DSYNC},
		{.aio_lio_opcode = IOCB_CMD_PREADV, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)parts, .aio_nbytes = 2},
		{.aio_lio_opcode = IOCB_CMD_PWRITEV, .aio_fildes = (uint32_t)fd, .aio_buf = (uintptr_t)parts, .aio_nbytes = 2, .aio_offset = 4096},
		{.aio_lio_opcode = IOCB_CMD_FDSYNC, .aio_fildes = (uint32_t)fd}};
	struct iocb *list[5], *bad = NULL;
	struct io_event events[5];
	const char *told[5] = {"pread64 fd=%ld file=<%s/a> offset=512 length=4096 via=aio ring=1", "pwritev2 fd=%ld file=<%s/a> flags=0x2 offset=7 length=30 arg=1 via=aio ring=1 bits=batch",
			       "preadv fd=%ld file=<%s/a> offset=0 length=512 arg=2 via=aio ring=1 bits=batch", "pwritev fd=%ld file=<%s/a> offset=4096 length=512 arg=2 via=aio ring=1 bits=batch",
			       "fdatasync fd=%ld file=<%s/a> via=aio ring=1 bits=batch"};

	want(fd, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" flags=O_RDWR", dir, dir);
	want(CALL2(io_setup, 8, &context), "io_setup length=8 ring=1");
	for (int i = 0; i < 5; i++)
		list[i] = &requests[i];
	want(CALL3(io_submit, context, 5, list), "io_submit length=5 ring=1");
	if (CALL5(io_getevents, context, 5, 5, events, NULL) != 5)
		exit(1);
	for (int i = 0; i < 5; i++) {
		int which = (int)((struct iocb *)(uintptr_t)events[i].obj - requests);
		char line[512];

		snprintf(line, sizeof(line), told[which], fd, dir);
		want((long)events[i].res, "%s", line);
	}
	want(5, "io_getevents length=5 arg=5 ring=1");
	want(CALL3(io_submit, context, 1, &bad), "io_submit length=1 ring=1"); /* EFAULT */
	want(CALL6(io_pgetevents, context, 0, 5, events, NULL, NULL), "io_pgetevents length=5 ring=1");
	/* The program looks at the ring in its memory and asks nobody: that the request has ended is known when its place is used again. */
	want(CALL3(io_submit, context, 1, list), "io_submit length=1 ring=1");
	address = *(volatile unsigned *)(context + 12); /* tail of struct aio_ring */
	*(volatile unsigned *)(context + 8) = (unsigned)address;
	requests[0].aio_offset = 1024;
	want(4096, "pread64 fd=%ld file=<%s/a> offset=512 length=4096 via=aio ring=1 bits=end-late", fd, dir);
	want(CALL3(io_submit, context, 1, list), "io_submit length=1 ring=1");
	if (CALL5(io_getevents, context, 1, 1, events, NULL) != 1)
		exit(1);
	want((long)events[0].res, "pread64 fd=%ld file=<%s/a> offset=1024 length=4096 via=aio ring=1", fd, dir);
	want(1, "io_getevents length=1 arg=1 ring=1");
	want(CALL1(io_destroy, context), "io_destroy ring=1");
	want(CALL1(close, fd), "close fd=%ld file=<%s/a>", fd, dir);
}

int main(int argc, char **argv)
{
	begin(argc, argv);
	opens();
	reads_and_writes();
	syncs_and_sizes();
	stats();
	names();
	attributes();
	descriptors();
	arrivals();
	directories();
	mappings();
	aio();
	return end();
}
