/* One operation of a plan as a system call. How each is replayed: replay/ops.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "replay/call.h"
#include "replay/ops.h"
#include "replay/plain.h"
#include "replay/runtime.h"

enum { FLOCK_PATIENCE_MS = 5000, IOV_PARTS = 1024, DIRECT_BYTES = 512, COPY_BYTES = 1 << 30, BLOCK_BYTES = 4096, STRETCH_BYTES = 128 << 10 };

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

int lane_descriptor(const struct lane *l, uint32_t slot)
{
	return slot == PLAN_NONE ? -1 : atomic_load_explicit(&l->run->slot[slot], memory_order_relaxed);
}

static const char *text(const struct lane *l, uint32_t path)
{
	return plan_text(l->run->plan, path);
}

static uint64_t scattered(uint64_t number, uint64_t room)
{
	return room ? (number * 0x9e3779b97f4a7c15ULL >> 20) % room & ~4095ULL : 0;
}

/*
 * Another part of the pool for every block, so that a deduplicating device finds few equal ones. What is no whole blocks goes through a stretch of
 * it as it goes through the file: a program writes a line or a record from memory that its processor has at hand, while one from anywhere in the
 * pool takes an eighth longer (500 bytes: 1260 ns, 1540 from anywhere). As aligned in memory as in the file, for O_DIRECT.
 */
const char *lane_bytes(const struct lane *l, uint64_t offset, uint64_t length)
{
	uint64_t room = l->run->pool_bytes - length;

	if (!((offset | length) & (BLOCK_BYTES - 1)))
		return l->run->pool + scattered(offset, room);
	return l->run->pool + scattered(offset / STRETCH_BYTES, room - STRETCH_BYTES) + offset % STRETCH_BYTES;
}

/*
 * No open of a FIFO is in the plan. But where there are FIFOs one may stand in the place of something else (another order, a trace that lies),
 * and opening it must not wait for its other end.
 */
struct open_how lane_open_how(const struct lane *l, const struct plan_args *a)
{
	return (struct open_how){.flags = a->flags | O_CLOEXEC | (l->run->plan->fifos && !(a->flags & O_PATH) ? O_NONBLOCK : 0), .mode = a->flags & (O_CREAT | (O_TMPFILE & ~O_DIRECTORY)) ? a->mode : 0,
				 .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
}

void lane_opened(struct lane *l, uint32_t slot, const struct plan_args *a, int fd)
{
	if (slot == PLAN_NONE) {
		/* It was expected to fail. */
		CALL1(SYS_close, fd);
		return;
	}
	if (l->run->plan->fifos && !(a->flags & (O_NONBLOCK | O_PATH)))
		CALL3(SYS_fcntl, fd, F_SETFL, a->flags & (O_APPEND | O_DIRECT | O_NOATIME));
	l->run->slot_path[slot] = a->path;
	atomic_store_explicit(&l->run->slot[slot], fd, memory_order_relaxed);
}

/*
 * Where a path begins, and the path from there: a name in the directory that is open in a slot, or all of it from the root. (Where threads do not
 * wait for each other the slot may be empty.)
 */
static int begin_of(const struct lane *l, const struct plan_op *op, const struct plan_args *a, uint32_t path, const char **from_there)
{
	int directory = op->bits & PLAN_AT ? lane_descriptor(l, (uint32_t)a->offset) : -1;

	*from_there = text(l, directory < 0 ? path : (uint32_t)(a->offset >> 32));
	return directory < 0 ? AT_FDCWD : directory;
}

/* Of a name in an open directory. -EXDEV: a symbolic link stands there that leads out of it. */
static int64_t open_in_directory(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	struct open_how how = lane_open_how(l, a);
	const char *name;
	int directory = begin_of(l, op, a, a->path, &name);

	how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
	return directory == AT_FDCWD ? -EXDEV : CALL4(SYS_openat2, directory, name, &how, sizeof(how));
}

static int64_t open_from_root(struct lane *l, const struct plan_args *a)
{
	struct open_how how = lane_open_how(l, a);
	int64_t fd;
	int tries = 0;

	/* With ".." in a path, any rename on the machine makes the kernel's check of the root fail for now: openat2(2) says to try again. */
	do
		fd = CALL4(SYS_openat2, l->run->root_fd, text(l, a->path), &how, sizeof(how));
	while (fd == -EAGAIN && ++tries < 1000);
	return fd;
}

static int64_t open_slot(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	int64_t fd = op->bits & PLAN_AT ? open_in_directory(l, op, a) : -EXDEV;

	if (fd == -EXDEV)
		fd = open_from_root(l, a);
	if (fd >= 0)
		lane_opened(l, op->handle, a, (int)fd);
	return fd;
}

static int64_t close_slot(struct lane *l, uint32_t slot)
{
	int fd = lane_descriptor(l, slot);

	if (slot != PLAN_NONE)
		atomic_store_explicit(&l->run->slot[slot], -1, memory_order_relaxed);
	return CALL1(SYS_close, fd);
}

static int64_t dup_slot(struct lane *l, uint32_t from, uint32_t to)
{
	int64_t fd = CALL3(SYS_fcntl, lane_descriptor(l, from), F_DUPFD_CLOEXEC, 0);

	if (fd < 0 || to == PLAN_NONE)
		return fd;
	l->run->slot_path[to] = l->run->slot_path[from];
	atomic_store_explicit(&l->run->slot[to], (int)fd, memory_order_relaxed);
	return fd;
}

int lane_vector(struct iovec *iov, const struct plan_args *a, char *base)
{
	uint64_t parts = a->arg > IOV_PARTS ? IOV_PARTS : a->arg ? a->arg : 1, part = a->length / parts;

	if (part >= DIRECT_BYTES)
		part &= ~(uint64_t)(DIRECT_BYTES - 1);
	for (uint64_t i = 0; i < parts; i++)
		iov[i] = (struct iovec){.iov_base = base + i * part, .iov_len = i + 1 < parts ? part : a->length - part * (parts - 1)};
	return (int)parts;
}

static int64_t execute_vector(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	int fd = lane_descriptor(l, op->handle);

	switch (op->op) {
	case TRACE_OP_READV: return CALL3(SYS_readv, fd, l->iov, lane_vector(l->iov, a, l->buffer));
	case TRACE_OP_PREADV: return CALL5(SYS_preadv, fd, l->iov, lane_vector(l->iov, a, l->buffer), a->offset, 0);
	case TRACE_OP_PREADV2: return CALL6(SYS_preadv2, fd, l->iov, lane_vector(l->iov, a, l->buffer), a->offset, 0, a->flags);
	case TRACE_OP_WRITEV: return CALL3(SYS_writev, fd, l->iov, lane_vector(l->iov, a, (char *)lane_bytes(l, a->offset, a->length)));
	case TRACE_OP_PWRITEV:
		return CALL5(SYS_pwritev, fd, l->iov, lane_vector(l->iov, a, (char *)lane_bytes(l, a->offset, a->length)), a->offset, 0);
	default:
		return CALL6(SYS_pwritev2, fd, l->iov, lane_vector(l->iov, a, (char *)lane_bytes(l, a->offset, a->length)), a->offset, 0, a->flags);
	}
}

/* A clone where the file system can share blocks, else a copy: as many bytes, in the same place. */
static int64_t execute_clone(int in, int out, const struct plan_args *a)
{
	struct file_clone_range range = {.src_fd = in, .src_offset = a->offset, .src_length = a->length, .dest_offset = a->offset2};
	int64_t result = CALL3(SYS_ioctl, out, FICLONERANGE, &range), from = (int64_t)a->offset, to = (int64_t)a->offset2;
	uint64_t left = a->length ? a->length : INT64_MAX;

	if (result != -EOPNOTSUPP && result != -EINVAL && result != -EXDEV)
		return result;
	do {
		result = CALL6(SYS_copy_file_range, in, &from, out, &to, left < COPY_BYTES ? left : COPY_BYTES, 0);
		left -= result > 0 ? (uint64_t)result : 0;
	} while (result > 0 && left);
	return result < 0 ? result : 0;
}

static int64_t execute_copy(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	int in = lane_descriptor(l, op->handle), out = lane_descriptor(l, a->handle2);
	int64_t from = (int64_t)a->offset, to = (int64_t)a->offset2;
	int64_t *from_p = from < 0 ? NULL : &from, *to_p = to < 0 ? NULL : &to;

	if (op->op == TRACE_OP_FICLONERANGE)
		return execute_clone(in, out, a);
	if (op->op == TRACE_OP_COPY_FILE_RANGE)
		return CALL6(SYS_copy_file_range, in, from_p, out, to_p, a->length, 0);
	/* A pipe or a socket stood at the other end. */
	if (op->handle == PLAN_NONE)
		return to_p ? CALL4(SYS_pwrite64, out, lane_bytes(l, a->offset2, a->length), a->length, to)
			    : CALL3(SYS_write, out, lane_bytes(l, 0, a->length), a->length);
	return CALL4(SYS_sendfile, a->handle2 == PLAN_NONE ? l->run->null_fd : out, in, from_p, a->length);
}

/* Waiting for a lock that a lost event never released must not hang the run. */
static int64_t execute_flock(struct lane *l, int fd, int how)
{
	int64_t result = CALL2(SYS_flock, fd, how | LOCK_NB);

	for (int ms = 0; result == -EWOULDBLOCK && !(how & LOCK_NB) && ms < FLOCK_PATIENCE_MS && !atomic_load(&l->run->stop); ms++) {
		usleep(1000);
		result = CALL2(SYS_flock, fd, how | LOCK_NB);
	}
	return result;
}

static int64_t execute_fcntl(int fd, const struct plan_args *a)
{
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	uint64_t hint;

	if (a->flags == F_GETLK)
		return CALL3(SYS_fcntl, fd, F_GETLK, &lock);
	if (a->flags == F_GET_RW_HINT)
		return CALL3(SYS_fcntl, fd, F_GET_RW_HINT, &hint);
	return CALL3(SYS_fcntl, fd, a->flags, a->arg);
}

static int64_t execute_map(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	uint32_t number = op->op == TRACE_OP_MMAP ? a->handle2 : op->handle;
	struct mapped *m = &l->run->map[number];
	char *address = atomic_load_explicit(&m->address, memory_order_acquire);

	if (op->op == TRACE_OP_MMAP) {
		int64_t result = CALL6(SYS_mmap, NULL, a->length, a->arg, a->flags, lane_descriptor(l, op->handle), a->offset);

		if (result < 0 && result > -4096)
			return result;
		m->bytes = a->length;
		atomic_store_explicit(&m->address, (char *)result, memory_order_release);
		return 0;
	}
	if (!address)
		return -ENOMEM;
	switch (op->op) {
	case TRACE_OP_MREMAP: {
		int64_t result = CALL4(SYS_mremap, address + a->offset, a->arg, a->length, MREMAP_MAYMOVE);

		if (result < 0 && result > -4096)
			return result;
		m->bytes = a->offset + a->length;
		atomic_store_explicit(&m->address, (char *)(uintptr_t)((uint64_t)result - a->offset), memory_order_release);
		return 0;
	}
	case TRACE_OP_MUNMAP: return CALL2(SYS_munmap, address + a->offset, a->length);
	case TRACE_OP_MSYNC: return CALL3(SYS_msync, address + a->offset, a->length, a->flags);
	case TRACE_OP_FAULT_READ: return CALL3(SYS_madvise, address + a->offset, a->length, MADV_POPULATE_READ);
	case TRACE_OP_FAULT_WRITE: return CALL3(SYS_madvise, address + a->offset, a->length, MADV_POPULATE_WRITE);
	default: return CALL3(SYS_madvise, address + a->offset, a->length, a->arg);
	}
}

/* The owner's, the group's and the others' part of a mode in the form of the attribute system.posix_acl_access (linux/posix_acl_xattr.h). */
static const void *plain_acl(uint32_t mode, uint8_t acl[XATTR_ACL_BYTES])
{
	static const uint8_t frame[XATTR_ACL_BYTES] = {2, 0, 0,	  0,   1,   0,	 0,  0, 255, 255, 255, 255, 4,	 0,
						       0, 0, 255, 255, 255, 255, 32, 0, 0,   0,	  255, 255, 255, 255};

	memcpy(acl, frame, sizeof(frame));
	acl[6] = mode >> 6 & 7;
	acl[14] = mode >> 3 & 7;
	acl[22] = mode & 7;
	return acl;
}

static int64_t execute_xattr(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	const char *path = op->bits & PLAN_BY_SLOT ? "" : text(l, a->path), *name = text(l, a->path2);
	int fd = replay_ops[op->op].by_path ? -1 : lane_descriptor(l, op->handle);
	uint8_t acl[XATTR_ACL_BYTES];
	const void *value = name[0] == 'u' ? (const void *)l->run->pool : plain_acl(a->mode, acl);

	switch (op->op) {
	case TRACE_OP_SETXATTR: return CALL5(SYS_setxattr, path, name, value, a->length, a->flags);
	case TRACE_OP_LSETXATTR: return CALL5(SYS_lsetxattr, path, name, value, a->length, a->flags);
	case TRACE_OP_FSETXATTR: return CALL5(SYS_fsetxattr, fd, name, value, a->length, a->flags);
	case TRACE_OP_GETXATTR: return CALL4(SYS_getxattr, path, name, l->buffer, a->length);
	case TRACE_OP_LGETXATTR: return CALL4(SYS_lgetxattr, path, name, l->buffer, a->length);
	case TRACE_OP_FGETXATTR: return CALL4(SYS_fgetxattr, fd, name, l->buffer, a->length);
	case TRACE_OP_LISTXATTR: return CALL3(SYS_listxattr, path, l->buffer, a->length);
	case TRACE_OP_LLISTXATTR: return CALL3(SYS_llistxattr, path, l->buffer, a->length);
	case TRACE_OP_FLISTXATTR: return CALL3(SYS_flistxattr, fd, l->buffer, a->length);
	case TRACE_OP_REMOVEXATTR: return CALL2(SYS_removexattr, path, name);
	case TRACE_OP_LREMOVEXATTR: return CALL2(SYS_lremovexattr, path, name);
	default: return CALL2(SYS_fremovexattr, fd, name);
	}
}

/* Looking at a path. The lane is in the sandbox: absolute paths begin at the replay's root. */
static int64_t execute_path(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	bool by_slot = op->bits & PLAN_BY_SLOT;
	const char *path = "";
	int at = by_slot ? lane_descriptor(l, op->handle) : begin_of(l, op, a, op->handle, &path);
	int flags = (int)a->flags | (by_slot ? AT_EMPTY_PATH : 0);
	uint32_t uid = (uint32_t)(a->arg >> 32), gid = (uint32_t)a->arg;
	char *to = l->buffer;

	switch (op->op) {
	case TRACE_OP_STAT: case TRACE_OP_LSTAT: case TRACE_OP_NEWFSTATAT: return CALL4(SYS_newfstatat, at, path, to, flags);
	case TRACE_OP_STATX: return CALL5(SYS_statx, at, path, flags, (uint32_t)a->arg & 0x7fff, to);
	case TRACE_OP_ACCESS: case TRACE_OP_FACCESSAT: return CALL3(SYS_faccessat, at, path, a->mode & 7);
	case TRACE_OP_FACCESSAT2: return CALL4(SYS_faccessat2, at, path, a->mode & 7, flags);
	case TRACE_OP_STATFS: return CALL2(SYS_statfs, path, to);
	case TRACE_OP_READLINK: case TRACE_OP_READLINKAT: return CALL4(SYS_readlinkat, at, path, to, a->length > 4096 ? 4096 : a->length);
	case TRACE_OP_TRUNCATE: return CALL2(SYS_truncate, path, a->length);
	case TRACE_OP_CHMOD: case TRACE_OP_FCHMODAT: case TRACE_OP_FCHMODAT2:
		return by_slot ? CALL2(SYS_fchmod, at, a->mode) : CALL3(SYS_fchmodat, at, path, a->mode);
	case TRACE_OP_CHOWN: case TRACE_OP_LCHOWN: case TRACE_OP_FCHOWNAT: return CALL5(SYS_fchownat, at, path, uid, gid, flags);
	default: return CALL4(SYS_utimensat, at, by_slot ? NULL : path, NULL, by_slot ? 0 : flags);
	}
}

/* No devices, whatever the plan says. */
static uint32_t made_type(uint32_t mode)
{
	return S_ISFIFO(mode) || S_ISSOCK(mode) ? mode & S_IFMT : S_IFREG;
}

static int64_t execute_change(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	bool by_slot = op->bits & PLAN_BY_SLOT;
	const char *path = "", *path2 = text(l, a->path2);
	int at = by_slot ? lane_descriptor(l, op->handle) : begin_of(l, op, a, op->handle, &path);

	switch (op->op) {
	case TRACE_OP_MKDIR: case TRACE_OP_MKDIRAT: return CALL3(SYS_mkdirat, at, path, a->mode);
	case TRACE_OP_MKNOD: case TRACE_OP_MKNODAT: case TRACE_OP_BIND: return CALL3(SYS_mknod, path, made_type(a->mode) | (a->mode & 0777), 0);
	case TRACE_OP_RENAME: case TRACE_OP_RENAMEAT: return CALL2(SYS_rename, path, path2);
	case TRACE_OP_RENAMEAT2: return CALL5(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, path2, a->flags);
	case TRACE_OP_LINK: case TRACE_OP_LINKAT: return CALL5(SYS_linkat, at, path, AT_FDCWD, path2, a->flags);
	case TRACE_OP_SYMLINK: case TRACE_OP_SYMLINKAT: return CALL2(SYS_symlink, path2, path);
	default: return CALL3(SYS_unlinkat, at, path, a->flags);
	}
}

static int64_t execute_fd(struct lane *l, const struct plan_op *op, const struct plan_args *a)
{
	int fd = lane_descriptor(l, op->handle);

	switch (op->op) {
	case TRACE_OP_LSEEK: return CALL3(SYS_lseek, fd, a->offset, a->arg);
	case TRACE_OP_SYNC_FILE_RANGE: return CALL4(SYS_sync_file_range, fd, a->offset, a->length, a->flags);
	case TRACE_OP_SYNC: return CALL1(SYS_syncfs, l->run->root_fd);
	case TRACE_OP_SYNCFS: return CALL1(SYS_syncfs, fd);
	case TRACE_OP_FTRUNCATE: return CALL2(SYS_ftruncate, fd, a->length);
	case TRACE_OP_FALLOCATE: return CALL4(SYS_fallocate, fd, a->flags, a->offset, a->length);
	case TRACE_OP_FSTATFS: return CALL2(SYS_fstatfs, fd, l->buffer);
	case TRACE_OP_FCHMOD: return CALL2(SYS_fchmod, fd, a->mode);
	case TRACE_OP_FCHOWN: return CALL3(SYS_fchown, fd, (uint32_t)(a->arg >> 32), (uint32_t)a->arg);
	case TRACE_OP_FADVISE64: return CALL4(SYS_fadvise64, fd, a->offset, a->length, a->arg);
	case TRACE_OP_READAHEAD: return CALL3(SYS_readahead, fd, a->offset, a->length);
	case TRACE_OP_FLOCK: return execute_flock(l, fd, (int)a->flags);
	case TRACE_OP_FCNTL:
		if (a->flags == F_DUPFD || a->flags == F_DUPFD_CLOEXEC)
			return dup_slot(l, op->handle, a->handle2);
		return execute_fcntl(fd, a);
	case TRACE_OP_DUP: case TRACE_OP_DUP2: case TRACE_OP_DUP3: return dup_slot(l, op->handle, a->handle2);
	case TRACE_OP_CACHESTAT: {
		uint64_t range[2] = {a->offset, a->length};

		return CALL4(SYS_cachestat, fd, range, l->buffer, 0);
	}
	}
	return -ENOSYS;
}

/* The arguments of a narrow operation, spread out. */
static const struct plan_args *spread(const struct plan_op *op, struct plan_args *a)
{
	*a = (struct plan_args){.offset = op->offset, .path = op->handle};
	switch (replay_ops[op->op].narrow) {
	case NARROW_FLAGS: a->flags = op->length; break;
	case NARROW_MODE: a->mode = op->length; break;
	default: a->length = op->length;
	}
	return a;
}

int64_t execute(struct lane *l, const struct plan_op *op)
{
	struct plan_args narrow;
	const struct plan_args *a = op->bits & PLAN_WIDE ? l->args : NULL;
	uint64_t offset = a ? a->offset : op->offset, length = a ? a->length : op->length;

	if (is_plain_call(op->op))
		return plain_call(l, op, offset, length);
	switch (op->op) {
	case TRACE_OP_CLOSE: return close_slot(l, op->handle);
	case TRACE_OP_GETDENTS: case TRACE_OP_GETDENTS64: return CALL3(SYS_getdents64, lane_descriptor(l, op->handle), l->buffer, length);
	}
	if (!a)
		a = spread(op, &narrow);
	switch (trace_ops[op->op].class) {
	case TRACE_CLASS_OPEN: return open_slot(l, op, a);
	case TRACE_CLASS_READ: case TRACE_CLASS_WRITE: return execute_vector(l, op, a);
	case TRACE_CLASS_COPY: return execute_copy(l, op, a);
	case TRACE_CLASS_XATTR: return execute_xattr(l, op, a);
	case TRACE_CLASS_MMAP: return execute_map(l, op, a);
	}
	if (op->op == TRACE_OP_MSYNC)
		return execute_map(l, op, a);
	switch (replay_ops[op->op].kind) {
	case KIND_PATH: return execute_path(l, op, a);
	case KIND_CHANGE: return execute_change(l, op, a);
	default: return execute_fd(l, op, a);
	}
}
