/* Calls on descriptors. */
#pragma once
#include "capture/events.bpf.h"

#define VECTOR_MAX 1024 /* UIO_MAXIOV */

/* No such descriptor: nobody can say that it was none of a file. */
static __always_inline bool no_descriptor(const struct call *c, struct file *file)
{
	return !file && c->result == -EBADF;
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
static __always_inline __u64 offset_at(__u64 address, __s64 result)
{
	__s64 offset = -1;

	if (!address || bpf_probe_read_user(&offset, sizeof(offset), (void *)address))
		return -1;
	return result > 0 ? offset - result : offset;
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
	return emit_wide(c, &id, in_offset ? (__s64)offset_at(in_offset, c->result) : type ? LOAD(from, f_pos) : -1, &id2,
			 out_offset ? (__s64)offset_at(out_offset, c->result) : type2 ? LOAD(to, f_pos) : -1);
}
