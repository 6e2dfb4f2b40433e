/* Calls on descriptors. */
#pragma once
#include "capture/events.bpf.h"

#define VECTOR_MAX 1024 /* UIO_MAXIOV */

/* No such descriptor: nobody can say that it was none of a file. */
static __always_inline bool no_descriptor(const struct call *c, struct file *file)
{
	return !file && c->result == -EBADF;
}

static __always_inline int on_fd(struct call *c, int fd)
{
	struct file *file = file_of(c->task, fd);
	struct rec_id id = {};
	__u32 type = identify(file, &id);

	if (no_descriptor(c, file))
		return emit_event(c, &id, -1);
	if (!type)
		return filtered(c);
	c->bits |= type;
	return emit_event(c, &id, LOAD(file, f_pos));
}

static __always_inline int on_close(struct call *c)
{
	if (!c->stashed.dev && c->result != -EBADF)
		return filtered(c);
	return emit_event(c, &c->stashed, -1);
}

struct vector_part {
	__u64 base, length;
};

struct vector_sum {
	__u64 address, count, total;
};

static long add_part(__u32 index, struct vector_sum *sum)
{
	struct vector_part part[4] = {};

	if (index * 4 >= sum->count)
		return 1;
	if (bpf_probe_read_user(part, sizeof(part), (void *)(sum->address + index * sizeof(part)))) {
		for (int i = 0; i < 4; i++) { /* the vector ends in front of a page that is not there */
			part[i].length = 0;
			bpf_probe_read_user(&part[i], sizeof(part[i]), (void *)(sum->address + index * sizeof(part) + i * 16));
		}
	}
	for (int i = 0; i < 4; i++)
		if (index * 4 + i < sum->count)
			sum->total += part[i].length;
	return 0;
}

SEPARATE __u64 sum_wide_vector(__u64 address, __u64 count)
{
	struct vector_sum sum = {address, count, 0};

#if MODERN
	bpf_loop(VECTOR_MAX / 4, add_part, &sum, 0);
#else
#pragma clang loop unroll(disable)
	for (int i = 0; i < VECTOR_MAX / 4; i++)
		if (add_part(i, &sum))
			break;
#endif
	return sum.total;
}

/* Of a 32-bit program: pairs of 32-bit words. */
static long add_narrow_part(__u32 index, struct vector_sum *sum)
{
	__u32 part[2] = {};

	if (index >= sum->count || bpf_probe_read_user(part, sizeof(part), (void *)(sum->address + index * sizeof(part))))
		return 1;
	sum->total += part[1];
	return 0;
}

SEPARATE __u64 sum_narrow_vector(__u64 address, __u64 count)
{
	struct vector_sum sum = {address, count, 0};

#if MODERN
	bpf_loop(VECTOR_MAX, add_narrow_part, &sum, 0);
#else
#pragma clang loop unroll(disable)
	for (int i = 0; i < VECTOR_MAX; i++)
		if (add_narrow_part(i, &sum))
			break;
#endif
	return sum.total;
}

/* The bytes of a struct iovec array. */
static __always_inline __u64 sum_vector(__u64 address, __u64 count, bool narrow)
{
	return narrow ? sum_narrow_vector(address, count) : sum_wide_vector(address, count);
}

static __always_inline int on_iovec(struct call *c, bool wide)
{
	struct file *file = file_of(c->task, c->arg[0]);
	struct rec_id id = {}, none = {};
	__u32 type = identify(file, &id);

	if (!type && !no_descriptor(c, file))
		return filtered(c);
	c->arg[1] = sum_vector(c->arg[1], c->arg[2], c->bits & REC_COMPAT);
	c->bits |= type;
	if (wide)
		return emit_wide(c, &id, file ? LOAD(file, f_pos) : -1, &none, -1);
	return emit_event(c, &id, file ? LOAD(file, f_pos) : -1);
}

static __always_inline int on_dup2(struct call *c)
{
	struct file *file = file_of(c->task, c->arg[0]);
	struct rec_id id = {};
	__u32 type = identify(file, &id);

	if (!type && !c->stashed.dev && !no_descriptor(c, file))
		return filtered(c);
	c->bits |= type;
	return emit_wide(c, &id, type ? LOAD(file, f_pos) : -1, &c->stashed, -1);
}

#define F_GETLK 5
#define F_SETLKW 7
#define F_GETLK64 12
#define F_SETLKW64 14
#define F_OFD_GETLK 36
#define F_OFD_SETLKW 38

struct lock {
	__s16 type, whence;
	__s64 start, length;
};

/* A program's struct flock: 32-bit programs have two others. False: cannot be read. */
static __always_inline bool read_lock(const struct call *c, bool narrow, struct lock *lock)
{
	struct {
		__s16 type, whence;
		__s32 start, length;
	} narrow_lock = {};
	struct {
		__s16 type, whence;
		__s64 start, length;
	} __attribute__((packed)) packed_lock = {};

	if (!(c->bits & REC_COMPAT))
		return !bpf_probe_read_user(lock, sizeof(*lock), (void *)c->arg[2]);
	if (narrow) {
		if (bpf_probe_read_user(&narrow_lock, sizeof(narrow_lock), (void *)c->arg[2]))
			return false;
		lock->type = narrow_lock.type;
		lock->whence = narrow_lock.whence;
		lock->start = narrow_lock.start;
		lock->length = narrow_lock.length;
		return true;
	}
	if (bpf_probe_read_user(&packed_lock, sizeof(packed_lock), (void *)c->arg[2]))
		return false;
	lock->type = packed_lock.type;
	lock->whence = packed_lock.whence;
	lock->start = packed_lock.start;
	lock->length = packed_lock.length;
	return true;
}

/* Of a record lock (not a pointer, but) type and whence go into argument 2, begin and length into 3 and 4. */
static __always_inline int on_fcntl(struct call *c)
{
	struct file *file = file_of(c->task, c->arg[0]);
	struct rec_id id = {}, none = {};
	__u32 type = identify(file, &id);
	bool narrow = c->special == FOREIGN_FLOCK;
	struct lock lock = {};

	if (no_descriptor(c, file))
		return emit_event(c, &id, -1);
	if (!type)
		return filtered(c);
	c->bits |= type;
	if (c->arg[1] >= F_GETLK64 && c->arg[1] <= F_SETLKW64 && c->special == FOREIGN_FLOCK64) {
		c->arg[1] = c->arg[1] - F_GETLK64 + F_GETLK;
	} else if (c->arg[1] >= F_OFD_GETLK && c->arg[1] <= F_OFD_SETLKW) {
		narrow = false;
	} else if (c->arg[1] >= F_GETLK && c->arg[1] <= F_SETLKW) {
		narrow = c->bits & REC_COMPAT;
	} else {
		return emit_event(c, &id, LOAD(file, f_pos));
	}
	if (!read_lock(c, narrow, &lock))
		lock.type = -1;
	c->arg[2] = (__u16)lock.type | (__u64)(__u16)lock.whence << 16;
	c->arg[3] = lock.start;
	c->arg[4] = lock.length;
	return emit_wide(c, &id, LOAD(file, f_pos), &none, -1);
}

static __always_inline int on_mmap(struct call *c)
{
	struct file *file;
	struct rec_id id = {}, none = {};
	__u32 type;

	if (c->arg[3] & MAP_ANONYMOUS)
		return filtered(c);
	file = file_of(c->task, c->arg[4]);
	type = identify(file, &id);
	if (!type && !no_descriptor(c, file))
		return filtered(c);
	c->bits |= type;
	return emit_wide(c, &id, -1, &none, -1);
}

/* The offset that a call began at, where it was given by address: the call has moved it by its result. */
static __always_inline __u64 offset_at(const struct call *c, __u64 address)
{
	__s64 offset = -1, result = c->result;
	__s32 narrow = 0;

	if (c->special == FOREIGN_SENDFILE) {
		if (bpf_probe_read_user(&narrow, sizeof(narrow), (void *)address))
			return -1;
		offset = narrow;
	} else if (bpf_probe_read_user(&offset, sizeof(offset), (void *)address)) {
		return -1;
	}
	return result > 0 ? offset - result : offset;
}

#define FICLONE 0x40049409
#define FICLONERANGE 0x4020940d

static __always_inline bool clones_file(__u32 command)
{
	return command == FICLONE || command == FICLONERANGE;
}

static __always_inline int on_clone_file(struct call *c)
{
	struct { /* struct file_clone_range */
		__s64 fd;
		__u64 from, length, to;
	} range = {.fd = (int)c->arg[2]};
	struct rec_id id = {}, id2 = {};
	__u32 type, type2;

	if (!clones_file(c->arg[1]) ||
	    ((__u32)c->arg[1] == FICLONERANGE && bpf_probe_read_user(&range, sizeof(range), (void *)c->arg[2])))
		return filtered(c);
	c->arg[2] = c->arg[0];
	c->arg[0] = range.fd;
	c->arg[4] = range.length;
	c->arg[5] = 0;
	type = identify(file_of(c->task, c->arg[0]), &id);
	type2 = identify(file_of(c->task, c->arg[2]), &id2);
	if (!type && !type2)
		return filtered(c);
	c->bits |= type;
	if (type2)
		c->bits |= REC_FILE2;
	return emit_wide(c, &id, range.from, &id2, range.to);
}

static __always_inline int on_copy(struct call *c, int in, int out, __u64 in_offset, __u64 out_offset)
{
	struct file *from = file_of(c->task, in), *to = file_of(c->task, out);
	struct rec_id id = {}, id2 = {};
	__u32 type = identify(from, &id), type2 = identify(to, &id2);

	if (!type && !type2 && !no_descriptor(c, from && to ? from : NULL))
		return filtered(c);
	c->bits |= type;
	if (type2)
		c->bits |= REC_FILE2;
	return emit_wide(c, &id, in_offset ? (__s64)offset_at(c, in_offset) : type ? LOAD(from, f_pos) : -1, &id2,
			 out_offset ? (__s64)offset_at(c, out_offset) : type2 ? LOAD(to, f_pos) : -1);
}
