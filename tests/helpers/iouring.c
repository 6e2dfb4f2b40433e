/*
 * Issues every request of io_uring that is about files, one after the other, in its forms and with failures, and says what a recorder must have seen.
 *
 *	iouring DIR     (an empty directory on a file system that is recorded)
 *
 * Requests that this kernel does not know are left out, and so are those of which a recorder need not say anything (network, polls).
 */
#include <fcntl.h>
#include <liburing.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "want.h"

#define OP_FIXED_FD_INSTALL 54
#define OP_FTRUNCATE 55

static struct io_uring ring;
static bool known[256];
static unsigned bits; /* flags of the next requests */

/* Ends one request: hands it in, waits for it. */
static long submit(struct io_uring_sqe *sqe)
{
	struct io_uring_cqe *cqe;
	long result;

	io_uring_sqe_set_flags(sqe, bits);
	if (io_uring_submit_and_wait(&ring, 1) != 1 || io_uring_peek_cqe(&ring, &cqe))
		exit(1);
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

static void entered(void)
{
	want(1, "io_uring_enter fd=%d flags=0x1 length=1 arg=1 ring=1", ring.ring_fd);
}

#define REQUEST(prepare, ...) \
	do { \
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring); \
		long r_; \
		prepare; \
		r_ = submit(sqe); \
		want(r_, __VA_ARGS__); \
		entered(); \
	} while (0)

static void raw_request(struct io_uring_sqe *sqe, int op, int fd, unsigned long off, const void *addr, unsigned len, unsigned flags)
{
	io_uring_prep_rw(op, sqe, fd, addr, len, off);
	sqe->rw_flags = (int)flags;
}

static void start(void)
{
	struct io_uring_probe *probe;

	if (io_uring_queue_init(8, &ring, 0))
		exit(77);
	want(ring.ring_fd, "io_uring_setup length=8 ring=1");
	probe = io_uring_get_probe_ring(&ring);
	if (!probe)
		exit(77);
	want(0, "io_uring_register fd=%d length=256 arg=8 ring=1", ring.ring_fd);
	for (int i = 0; i < probe->ops_len && i < 256; i++)
		known[i] = probe->ops[i].flags & IO_URING_OP_SUPPORTED;
	io_uring_free_probe(probe);
}

static int open_file(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	want(fd, "openat fd=AT_FDCWD file=<%s/%s> path=\"%s/%s\" flags=O_RDWR|O_CREAT mode=0644 bits=created", dir, name, dir, name);
	return fd;
}

static void reads_and_writes(int fd)
{
	struct iovec parts[2] = {{buffer, 4096}, {buffer + 4096, 100}};

	REQUEST(io_uring_prep_write(sqe, fd, buffer, 8192, 0), "pwrite64 fd=%d file=<%s/a> offset=0 length=8192 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_write(sqe, fd, buffer, 100, -1), "write fd=%d file=<%s/a> offset=0 length=100 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_read(sqe, fd, buffer, 300, -1), "read fd=%d file=<%s/a> offset=100 length=300 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_read(sqe, fd, buffer, 4096, 6000), "pread64 fd=%d file=<%s/a> offset=6000 length=4096 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_writev(sqe, fd, parts, 2, 8192), "pwritev2 fd=%d file=<%s/a> offset=8192 length=4196 arg=2 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_readv2(sqe, fd, parts, 2, 0, RWF_DSYNC), "preadv2 fd=%d file=<%s/a> flags=0x2 offset=0 length=4196 arg=2 via=uring ring=1", fd, dir);
	REQUEST((io_uring_prep_write(sqe, fd, buffer, 10, 20), sqe->rw_flags = 2), "pwritev2 fd=%d file=<%s/a> flags=0x2 offset=20 length=10 arg=1 via=uring ring=1", fd, dir);
	if (known[IORING_OP_SETXATTR]) /* 5.19: before, what is refused at once is told by no tracepoint */
		REQUEST(io_uring_prep_read(sqe, 99, buffer, 10, 0), "pread64 fd=99 offset=0 length=10 via=uring ring=1"); /* EBADF */
	REQUEST(io_uring_prep_read(sqe, fd, (void *)8, 10, 0), "pread64 fd=%d file=<%s/a> offset=0 length=10 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_fsync(sqe, fd, 0), "fsync fd=%d file=<%s/a> via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_fsync(sqe, fd, IORING_FSYNC_DATASYNC), "fdatasync fd=%d file=<%s/a> via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_sync_file_range(sqe, fd, 4096, 4096, 2), "sync_file_range fd=%d file=<%s/a> flags=0x2 offset=4096 length=4096 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_fallocate(sqe, fd, 1, 0, 65536), "fallocate fd=%d file=<%s/a> flags=0x1 offset=0 length=65536 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_fadvise(sqe, fd, 0, 8192, 4), "fadvise64 fd=%d file=<%s/a> offset=0 length=8192 arg=4 via=uring ring=1", fd, dir);
	if (known[OP_FTRUNCATE])
		REQUEST(raw_request(sqe, OP_FTRUNCATE, fd, 5000, NULL, 0, 0), "ftruncate fd=%d file=<%s/a> length=5000 via=uring ring=1", fd, dir);
}

static void registered(int fd)
{
	struct iovec memory = {buffer, 8192};
	int slots[2] = {fd, -1};

	if (io_uring_register_files(&ring, slots, 2) || io_uring_register_buffers(&ring, &memory, 1))
		exit(1);
	want(0, "io_uring_register fd=%d length=2 arg=2 ring=1", ring.ring_fd);
	want(0, "io_uring_register fd=%d length=1 ring=1", ring.ring_fd);
	bits = IOSQE_FIXED_FILE;
	REQUEST(io_uring_prep_read_fixed(sqe, 0, buffer, 4096, 0, 0), "pread64 fd=0 file=<%s/a> offset=0 length=4096 via=uring ring=1 bits=fixed-file|fixed-buffer", dir);
	REQUEST(io_uring_prep_write_fixed(sqe, 0, buffer, 4096, 4096, 0), "pwrite64 fd=0 file=<%s/a> offset=4096 length=4096 via=uring ring=1 bits=fixed-file|fixed-buffer", dir);
	bits = IOSQE_FIXED_FILE | IOSQE_ASYNC;
	REQUEST(io_uring_prep_read(sqe, 0, buffer, 100, 0), "pread64 fd=0 file=<%s/a> offset=0 length=100 via=uring ring=1 bits=async|fixed-file", dir);
	bits = IOSQE_IO_DRAIN;
	REQUEST(io_uring_prep_fsync(sqe, fd, 0), "fsync fd=%d file=<%s/a> via=uring ring=1 bits=drain", fd, dir);
	bits = 0;
	if (known[OP_FIXED_FD_INSTALL]) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
		int copy;

		raw_request(sqe, OP_FIXED_FD_INSTALL, 0, 0, NULL, 0, 0);
		bits = IOSQE_FIXED_FILE;
		copy = (int)submit(sqe);
		bits = 0;
		want(copy, "recv_fd file=<%s/a> flags=0x%x via=uring ring=1 bits=fixed-file", dir, O_CLOEXEC);
		entered();
		want(CALL1(close, copy), "close fd=%d file=<%s/a>", copy, dir);
	}
	if (known[IORING_OP_MKDIRAT]) { /* 5.15: opens into the table */
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

		io_uring_prep_openat_direct(sqe, AT_FDCWD, "a", O_RDONLY, 0, 1);
		if (submit(sqe))
			exit(1);
		want(1, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\" via=uring ring=1 bits=fixed-file", dir, dir); /* the place in the table */
		entered();
		bits = IOSQE_FIXED_FILE;
		REQUEST(io_uring_prep_read(sqe, 1, buffer, 50, 0), "pread64 fd=1 file=<%s/a> offset=0 length=50 via=uring ring=1 bits=fixed-file", dir);
		bits = 0;
		REQUEST(io_uring_prep_close_direct(sqe, 1), "close fd=1 via=uring ring=1 bits=fixed-file");
	}
}

/* The second waits for the first, the third for the second, which is short. */
static void linked(int fd)
{
	struct io_uring_cqe *cqe;
	long result[3];
	struct io_uring_sqe *sqe;

	for (int i = 0; i < 3; i++) {
		sqe = io_uring_get_sqe(&ring);
		io_uring_prep_read(sqe, fd, buffer, 4096, i == 1 ? 1 << 20 : 0);
		io_uring_sqe_set_flags(sqe, i < 2 ? IOSQE_IO_LINK : 0);
		sqe->user_data = (unsigned)i;
	}
	if (io_uring_submit_and_wait(&ring, 3) != 3)
		exit(1);
	for (int i = 0; i < 3; i++) {
		if (io_uring_peek_cqe(&ring, &cqe))
			exit(1);
		result[cqe->user_data] = cqe->res;
		io_uring_cqe_seen(&ring, cqe);
	}
	want(result[0], "pread64 fd=%d file=<%s/a> offset=0 length=4096 via=uring ring=1 bits=link", fd, dir);
	want(result[1], "pread64 fd=%d file=<%s/a> offset=1048576 length=4096 via=uring ring=1 bits=link|batch", fd, dir);
	want(result[2], "pread64 fd=%d file=<%s/a> offset=0 length=4096 via=uring ring=1 bits=batch", fd, dir);
	want(3, "io_uring_enter fd=%d flags=0x1 length=3 arg=3 ring=1", ring.ring_fd);
}

static long ended(void)
{
	struct io_uring_cqe *cqe;
	long result;

	if (io_uring_wait_cqe(&ring, &cqe))
		exit(1);
	result = cqe->res;
	io_uring_cqe_seen(&ring, cqe);
	return result;
}

/* Prepared, not handed in. */
#define LINKED(prepare) \
	do { \
		struct io_uring_sqe *sqe = io_uring_get_sqe(&ring); \
		prepare; \
		io_uring_sqe_set_flags(sqe, IOSQE_IO_LINK); \
	} while (0)

/*
 * Chains of what is no read or write: all of one happens in its order; what comes after a failure is cancelled, but not by Linux 6.0 and newer; and one
 * that waits for all before it.
 */
static void linked_names(int fd)
{
	struct io_uring_sqe *sqe;

	if (!known[IORING_OP_MKDIRAT])
		return;
	LINKED(io_uring_prep_mkdirat(sqe, AT_FDCWD, "e", 0700));
	LINKED(io_uring_prep_renameat(sqe, AT_FDCWD, "e", AT_FDCWD, "f", 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_unlinkat(sqe, AT_FDCWD, "f", AT_REMOVEDIR);
	if (io_uring_submit_and_wait(&ring, 3) != 3)
		exit(1);
	want(ended(), "mkdirat fd=AT_FDCWD path=\"%s/e\" mode=0700 via=uring ring=1 bits=link", dir);
	want(ended(), "renameat2 fd=AT_FDCWD fd2=AT_FDCWD file=<%s/e> path=\"%s/e\" path2=\"%s/f\" via=uring ring=1 bits=link|batch", dir, dir, dir);
	want(ended(), "unlinkat fd=AT_FDCWD file=<%s/e> path=\"%s/f\" flags=AT_REMOVEDIR via=uring ring=1 bits=batch", dir, dir);
	want(3, "io_uring_enter fd=%d flags=0x1 length=3 arg=3 ring=1", ring.ring_fd);

	LINKED(io_uring_prep_unlinkat(sqe, AT_FDCWD, "none", 0));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_mkdirat(sqe, AT_FDCWD, "after", 0700);
	if (io_uring_submit_and_wait(&ring, 2) != 2)
		exit(1);
	want(ended(), "unlinkat fd=AT_FDCWD path=\"%s/none\" via=uring ring=1 bits=link", dir);
	want(ended(), "mkdirat fd=AT_FDCWD path=\"%s/after\" mode=0700 via=uring ring=1 bits=batch", dir);
	want(2, "io_uring_enter fd=%d flags=0x1 length=2 arg=2 ring=1", ring.ring_fd);

	bits = IOSQE_IO_DRAIN;
	REQUEST(io_uring_prep_fallocate(sqe, fd, 1, 0, 4096), "fallocate fd=%d file=<%s/a> flags=0x1 offset=0 length=4096 via=uring ring=1 bits=drain", fd, dir);
	bits = 0;
}

static void opens_and_names(void)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_NO_MAGICLINKS};
	struct io_uring_sqe *sqe;
	struct statx stx;
	int fd;

	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "b", O_RDWR | O_CREAT | O_TRUNC, 0600);
	fd = (int)submit(sqe);
	want(fd, "openat fd=AT_FDCWD file=<%s/b> path=\"%s/b\" flags=O_RDWR|O_CREAT|O_TRUNC mode=0600 via=uring ring=1 bits=created", dir, dir);
	entered();
	REQUEST(io_uring_prep_close(sqe, fd), "close fd=%d file=<%s/b> via=uring ring=1", fd, dir);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_openat2(sqe, AT_FDCWD, "b", &how);
	fd = (int)submit(sqe);
	want(fd, "openat2 fd=AT_FDCWD file=<%s/b> path=\"%s/b\" arg=%d via=uring ring=1", dir, dir, RESOLVE_NO_MAGICLINKS);
	entered();
	REQUEST(io_uring_prep_close(sqe, fd), "close fd=%d file=<%s/b> via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_openat(sqe, AT_FDCWD, "none", O_RDONLY, 0), "openat fd=AT_FDCWD path=\"%s/none\" via=uring ring=1", dir);
	REQUEST(io_uring_prep_statx(sqe, AT_FDCWD, "b", 0, STATX_SIZE, &stx), "statx fd=AT_FDCWD file=<%s/b> path=\"%s/b\" arg=%d via=uring ring=1", dir, dir, STATX_SIZE);
	REQUEST(io_uring_prep_statx(sqe, AT_FDCWD, "none", 0, STATX_SIZE, &stx), "statx fd=AT_FDCWD path=\"%s/none\" arg=%d via=uring ring=1", dir, STATX_SIZE);
	if (known[IORING_OP_RENAMEAT]) {
		REQUEST(io_uring_prep_renameat(sqe, AT_FDCWD, "b", AT_FDCWD, "c", 1), "renameat2 fd=AT_FDCWD fd2=AT_FDCWD file=<%s/b> path=\"%s/b\" path2=\"%s/c\" flags=0x1 via=uring ring=1", dir, dir, dir);
		REQUEST(io_uring_prep_unlinkat(sqe, AT_FDCWD, "c", 0), "unlinkat fd=AT_FDCWD file=<%s/b> path=\"%s/c\" via=uring ring=1", dir, dir);
		REQUEST(io_uring_prep_unlinkat(sqe, AT_FDCWD, "c", 0), "unlinkat fd=AT_FDCWD path=\"%s/c\" via=uring ring=1", dir);
	}
	if (known[IORING_OP_MKDIRAT]) {
		REQUEST(io_uring_prep_mkdirat(sqe, AT_FDCWD, "d", 0755), "mkdirat fd=AT_FDCWD path=\"%s/d\" mode=0755 via=uring ring=1", dir);
		REQUEST(io_uring_prep_symlinkat(sqe, "to", AT_FDCWD, "l"), "symlinkat fd2=AT_FDCWD path=\"to\" path2=\"%s/l\" via=uring ring=1", dir);
		REQUEST(io_uring_prep_linkat(sqe, AT_FDCWD, "a", AT_FDCWD, "h", 0), "linkat fd=AT_FDCWD fd2=AT_FDCWD file=<%s/a> path=\"%s/a\" path2=\"%s/h\" via=uring ring=1", dir, dir, dir);
		REQUEST(io_uring_prep_unlinkat(sqe, AT_FDCWD, "d", AT_REMOVEDIR), "unlinkat fd=AT_FDCWD file=<%s/d> path=\"%s/d\" flags=AT_REMOVEDIR via=uring ring=1", dir, dir);
	}
}

static void attributes(int fd)
{
	if (!known[IORING_OP_SETXATTR])
		return;
	REQUEST(io_uring_prep_setxattr(sqe, "user.u", "123", "a", 0, 3), "setxattr file=<%s/a> path=\"%s/a\" path2=\"user.u\" length=3 via=uring ring=1", dir, dir);
	REQUEST(io_uring_prep_getxattr(sqe, "user.u", buffer, "a", 100), "getxattr file=<%s/a> path=\"%s/a\" path2=\"user.u\" length=100 via=uring ring=1", dir, dir);
	REQUEST(io_uring_prep_fsetxattr(sqe, fd, "user.u", "1", 2, 1), "fsetxattr fd=%d file=<%s/a> path2=\"user.u\" flags=0x2 length=1 via=uring ring=1", fd, dir);
	REQUEST(io_uring_prep_fgetxattr(sqe, fd, "user.none", buffer, 100), "fgetxattr fd=%d file=<%s/a> path2=\"user.none\" length=100 via=uring ring=1", fd, dir);
}

static void moves(int fd)
{
	int p[2];
	long address;

	if (pipe(p))
		exit(1);
	REQUEST(io_uring_prep_splice(sqe, fd, 10, p[1], -1, 100, 0), "splice fd=%d fd2=%d file=<%s/a> offset=10 length=100 via=uring ring=1", fd, p[1], dir);
	REQUEST(io_uring_prep_splice(sqe, p[0], -1, fd, 20, 100, 0), "splice fd=%d fd2=%d file2=<%s/a> offset2=20 length=100 via=uring ring=1", p[0], fd, dir);
	address = CALL6(mmap, 0, 8192, PROT_READ, MAP_SHARED, fd, 0);
	want(address, "mmap fd=%d file=<%s/a> flags=0x1 offset=0 offset2=%ld length=8192 arg=1", fd, dir, address);
	REQUEST(io_uring_prep_madvise(sqe, (void *)address, 8192, 1), "madvise file=<%s/a> offset2=%ld length=8192 arg=1 via=uring ring=1", dir, address);
	want(CALL2(munmap, address, 8192), "munmap file=<%s/a> offset2=%ld length=8192", dir, address);
}

/* Not about files: leave no trace but the call that hands them in. */
static void others(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
	int p[2];

	io_uring_prep_nop(sqe);
	submit(sqe);
	entered();
	if (pipe(p))
		exit(1);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, p[1], buffer, 10, 0);
	submit(sqe);
	entered();
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_openat(sqe, AT_FDCWD, "/proc/self/status", O_RDONLY, 0);
	submit(sqe);
	entered();
}

int main(int argc, char **argv)
{
	int fd;

	begin(argc, argv);
	start();
	fd = open_file("a");
	reads_and_writes(fd);
	registered(fd);
	linked(fd);
	linked_names(fd);
	opens_and_names();
	attributes(fd);
	moves(fd);
	others();
	want(CALL1(close, fd), "close fd=%d file=<%s/a>", fd, dir);
	return end();
}
