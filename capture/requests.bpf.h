/* Descriptors that arrive, and asynchronous requests. */
#pragma once
#include "capture/paths.bpf.h"

/* What a function that is called once an element needs: SEPARATE ones take only numbers. */
struct batch {
	__u64 list, now, begin, context;
	__u32 count, tid, pid, class, cloexec;
	__u16 nr, bits;
};

PER_CPU_SCRATCH(batches, struct batch);

static __always_inline struct batch *my_batch(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&batches, &zero);
}

/* Calls step(index, NULL), a function that ends in a SEPARATE one, until it says 1. Before 5.17 there is no bpf_loop: turns are counted there. */
#if MODERN
#define REPEAT(times, most, step) bpf_loop(times, step, NULL, 0)
#else
#define REPEAT(times, most, step) \
	do { \
		_Pragma("clang loop unroll(disable)") \
		for (__u32 turn_ = 0; turn_ < (most) && turn_ < (times); turn_++) { \
			if (step(turn_, NULL)) \
				break; \
		} \
	} while (0)
#endif

/* ---- descriptors that arrive ----------------------------------------------------------------------------------------------- */

#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define MSG_CMSG_CLOEXEC 0x40000000
#define O_CLOEXEC 02000000
#define RIGHTS_MAX 253 /* SCM_MAX_FD */
#define CONTROL_MAX 4
#define MESSAGES_MAX 64 /* of one recvmmsg; the kernel's limit is 1024 */

/* A descriptor that the process did not open itself: its file is told like that of an open. */
static __always_inline int on_new_descriptor(struct call *c, int fd)
{
	struct rec_id id = {};
	struct file *file = file_of(c->task, fd);
	__u32 type = identify(file, &id);

	if (no_descriptor(c, file))
		return emit_event(c, &id, -1);
	if (!type)
		return filtered(c);
	announce((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type, c->now);
	c->bits |= type;
	return emit_event(c, &id, LOAD(file, f_pos));
}

SEPARATE int receive_descriptor(__u32 index)
{
	struct batch *b = my_batch();
	struct call c = {};
	int fd = -1;

	if (!b || index >= b->count || bpf_probe_read_user(&fd, sizeof(fd), (void *)(b->list + index * 4)))
		return 1;
	c.task = CURRENT();
	c.counters = my_counters();
	if (!c.counters)
		return 1;
	c.now = c.begin = b->now;
	c.tid = b->tid;
	c.pid = b->pid;
	c.nr = b->nr;
	c.class = b->class;
	c.bits = b->bits;
	c.arg[1] = b->cloexec;
	c.result = fd;
	class_of(c.counters, c.class)->seen++;
	on_new_descriptor(&c, fd);
	return 0;
}

static long receive_one(__u32 index, void *none)
{
	return receive_descriptor(index) != 0;
}

/* Of a 32-bit program, a message and its control headers have shorter members. */
struct control_head {
	__u64 length;
	__u32 level, type;
};

static __always_inline bool read_control_head(struct control_head *head, __u64 address, __u64 room, bool narrow)
{
	__u32 short_head[3] = {};

	if (!narrow)
		return room >= sizeof(*head) && !bpf_probe_read_user(head, sizeof(*head), (void *)address) && head->length >= sizeof(*head);
	if (room < sizeof(short_head) || bpf_probe_read_user(short_head, sizeof(short_head), (void *)address))
		return false;
	head->length = short_head[0];
	head->level = short_head[1];
	head->type = short_head[2];
	return head->length >= sizeof(short_head);
}

/* All descriptors of the batch. A function of its own: the stacks of those that wait for each other add up. */
SEPARATE int receive_descriptors(__u32 count)
{
	REPEAT(count, RIGHTS_MAX, receive_one);
	return 0;
}

/* Looks for SCM_RIGHTS in a message that was received, for the batch. Other control messages are none of our business. Returns how many descriptors. */
SEPARATE int find_rights(__u64 message)
{
	struct batch *b = my_batch();
	__u64 control[2] = {}; /* address and length, as the kernel left it */
	__u32 short_control[2] = {};
	bool narrow = b && b->bits & REC_COMPAT;
	__u64 head_bytes = narrow ? 12 : sizeof(struct control_head), unit = narrow ? 3 : 7;

	if (!b)
		return 0;
	if (!narrow && bpf_probe_read_user(control, sizeof(control), (void *)(message + 32)))
		return 0;
	if (narrow) {
		if (bpf_probe_read_user(short_control, sizeof(short_control), (void *)(message + 16)))
			return 0;
		control[0] = short_control[0];
		control[1] = short_control[1];
	}
	for (int i = 0; i < CONTROL_MAX; i++) {
		struct control_head head = {};

		if (!read_control_head(&head, control[0], control[1], narrow) || head.length > control[1])
			return 0;
		if (head.level == SOL_SOCKET && head.type == SCM_RIGHTS) {
			b->list = control[0] + head_bytes;
			b->count = (head.length - head_bytes) / 4;
			return b->count;
		}
		head.length = (head.length + unit) & ~unit;
		if (head.length > control[1])
			return 0;
		control[0] += head.length;
		control[1] -= head.length;
	}
	return 0;
}

static __always_inline struct batch *batch_of(const struct call *c)
{
	struct batch *b = my_batch();

	if (b) {
		b->now = c->now;
		b->begin = c->begin ? c->begin : c->now;
		b->tid = c->tid;
		b->pid = c->pid;
		b->class = c->class;
		b->nr = c->nr;
		b->bits = c->bits & REC_COMPAT;
	}
	return b;
}

static __always_inline int on_recvmsg(struct call *c, __u64 message, __u64 flags)
{
	struct batch *b = batch_of(c);

	if (c->result < 0 || !b)
		return 0;
	b->cloexec = flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0;
	return receive_descriptors(find_rights(message));
}

static __always_inline int on_recvmmsg(struct call *c, __u64 messages, __u64 flags)
{
	struct batch *b = batch_of(c);
	__u32 each = c->bits & REC_COMPAT ? 32 : 64;

	if (c->result <= 0 || !b)
		return 0;
	b->cloexec = flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0;
#pragma clang loop unroll(disable)
	for (int i = 0; i < MESSAGES_MAX && i < c->result; i++)
		receive_descriptors(find_rights(messages + i * each));
	return 0;
}

/* ---- asynchronous requests ------------------------------------------------------------------------------------------------- */

#define ASYNC_MAX 1024 /* of one call, before 5.17: what is beyond is counted as lost */
#define IOCB_PREADV 7
#define IOCB_PWRITEV 8

PER_CPU_SCRATCH(asyncs, struct rec_async);

static __always_inline struct rec_async *my_async(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&asyncs, &zero);
}

static __always_inline struct rec_async *clean_async(void)
{
	struct rec_async *a = my_async();

	if (a)
		__builtin_memset(a, 0, sizeof(*a));
	return a;
}

static __always_inline int emit_async(const struct rec_async *from, struct counters *c)
{
	struct class_counters *k = class_of(c, cfg.async_class);
	__u32 seq = c->events++;
	struct rec_async *e;
	void *ring = my_ring();

	k->seen++;
	e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : NULL;
	if (!e) {
		k->dropped++;
		return 0;
	}
	*e = *from;
	e->head.type = REC_ASYNC;
	e->head.cpu = bpf_get_smp_processor_id();
	e->head.seq = seq;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	k->emitted++;
	return 0;
}

static __always_inline int filtered_request(struct counters *c)
{
	struct class_counters *k = class_of(c, cfg.async_class);

	k->seen++;
	k->filtered++;
	return 0;
}

/* ---- libaio ---- */

SEPARATE int submit_request(__u32 index)
{
	struct batch *b = my_batch();
	struct rec_async *a = clean_async();
	struct counters *counters = my_counters();
	struct {
		__u64 data;
		__u32 key, rw_flags;
		__u16 opcode;
		__s16 priority;
		__s32 fd;
		__u64 buffer, bytes;
		__s64 offset;
	} iocb;
	__u64 address = 0;
	bool narrow;

	if (!a || !b || !counters || index >= b->count)
		return 1;
	narrow = b->bits & REC_COMPAT;
	if (bpf_probe_read_user(&address, narrow ? 4 : 8, (void *)(b->list + index * (narrow ? 4 : 8))) ||
	    bpf_probe_read_user(&iocb, sizeof(iocb), (void *)address)) {
		counters->requests_unknown++;
		return 0;
	}
	a->head.bits = identify(file_of(CURRENT(), iocb.fd), &a->file);
	if (!a->head.bits) {
		filtered_request(counters);
		return 0;
	}
	a->length = iocb.bytes;
	if (iocb.opcode == IOCB_PREADV || iocb.opcode == IOCB_PWRITEV) {
		a->length = sum_vector(iocb.buffer, iocb.bytes, narrow);
		a->sqe.len = iocb.bytes;
	}
	a->head.end_ns = b->now;
	a->begin_ns = b->begin;
	a->tid = b->tid;
	a->pid = b->pid;
	a->key = address;
	a->context = b->context;
	a->kind = ASYNC_AIO_BEGIN;
	a->bits = (index ? ASYNC_BATCH : 0) | (narrow ? ASYNC_COMPAT : 0);
	a->sqe.opcode = iocb.opcode;
	a->sqe.fd = iocb.fd;
	a->sqe.off = iocb.offset;
	a->sqe.op_flags = iocb.rw_flags;
	emit_async(a, counters);
	return 0;
}

static long submit_one(__u32 index, void *none)
{
	return submit_request(index) != 0;
}

SEPARATE int complete_request(__u32 index)
{
	struct batch *b = my_batch();
	struct rec_async *a = clean_async();
	struct counters *counters = my_counters();
	struct {
		__u64 data, object;
		__s64 result, result2;
	} event;

	if (!a || !b || !counters || index >= b->count)
		return 1;
	if (bpf_probe_read_user(&event, sizeof(event), (void *)(b->list + index * sizeof(event)))) {
		counters->requests_unknown++;
		return 0;
	}
	a->head.end_ns = b->now;
	a->tid = b->tid;
	a->pid = b->pid;
	a->key = event.object;
	a->context = b->context;
	a->result = event.result;
	a->kind = ASYNC_AIO_END;
	emit_async(a, counters);
	return 0;
}

static long complete_one(__u32 index, void *none)
{
	return complete_request(index) != 0;
}

static __always_inline int on_batch(struct call *c, bool submit)
{
	struct rec_id none = {};
	struct batch *b = batch_of(c);

	if (!b)
		return filtered(c);
	b->context = c->arg[0];
	b->list = submit ? c->arg[2] : c->arg[3];
	b->count = c->result > 0 ? c->result : 0;
	if (submit)
		REPEAT(b->count, ASYNC_MAX, submit_one);
	else
		REPEAT(b->count, ASYNC_MAX, complete_one);
	if (!MODERN && b->count > ASYNC_MAX)
		c->counters->requests_unknown += b->count - ASYNC_MAX;
	return emit_wide(c, &none, -1, &none, -1);
}

static __always_inline int on_io_setup(struct call *c)
{
	struct rec_id none = {};

	c->arg[5] = 0;
	if (!c->result)
		bpf_probe_read_user(&c->arg[5], c->bits & REC_COMPAT ? 4 : 8, (void *)c->arg[1]);
	return emit_wide(c, &none, -1, &none, -1);
}
