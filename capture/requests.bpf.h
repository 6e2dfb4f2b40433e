/* Descriptors that arrive, and asynchronous requests. */
#pragma once
#include "capture/paths.bpf.h"

/* ---- descriptors that arrive ----------------------------------------------------------------------------------------------- */

#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define MSG_CMSG_CLOEXEC 0x40000000
#define O_CLOEXEC 02000000
#define RIGHTS_MAX 32
#define CONTROL_MAX 4

/* Calls step(index, data) until it says 1. Before 5.17 there is no bpf_loop, and the verifier goes through every turn. */
#if MODERN
#define REPEAT(times, step, data) bpf_loop(times, step, data, 0)
#else
#define REPEAT(times, step, data) \
	do { \
		_Pragma("clang loop unroll(disable)") \
		for (__u32 turn_ = 0; turn_ < ((times) > 16 ? 16 : (times)); turn_++) { \
			if (step(turn_, data)) \
				break; \
		} \
	} while (0)
#endif

/* A descriptor that the process did not open itself: its file is told like that of an open. */
static __always_inline int on_new_descriptor(struct call *c, int fd)
{
	struct rec_id id = {};
	struct file *file = file_of(c->task, fd);
	__u32 type = identify(file, &id);

	if (!type)
		return filtered(c);
	announce((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type, c->now);
	c->bits = type;
	return emit_event(c, &id, LOAD(file, f_pos));
}

struct arrival {
	struct call *call;
	__u64 address; /* of the descriptors */
	__u32 count, cloexec;
};

static long receive_one(__u32 index, struct arrival *a)
{
	struct call *c = a->call;
	int fd = -1;

	if (index >= a->count || bpf_probe_read_user(&fd, sizeof(fd), (void *)(a->address + index * 4)))
		return 1;
	c->result = fd;
	class_of(c->counters, c->class)->seen++;
	on_new_descriptor(c, fd);
	return 0;
}

/* Looks for SCM_RIGHTS in what a recvmsg has brought. Other messages are none of our business. */
static __always_inline int on_recvmsg(struct call *c, __u64 message, __u64 flags)
{
	__u64 control[2] = {}; /* address and length, as the kernel left it */
	struct arrival a = {};

	if (c->result < 0 || bpf_probe_read_user(control, sizeof(control), (void *)(message + 32)))
		return 0;
	c->begin = c->now;
	a.call = c;
	c->arg[1] = flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0;
	for (int i = 0; i < CONTROL_MAX; i++) {
		struct {
			__u64 length;
			__u32 level, type;
		} head = {};

		if (control[1] < sizeof(head) || bpf_probe_read_user(&head, sizeof(head), (void *)control[0]) ||
		    head.length < sizeof(head) || head.length > control[1])
			return 0;
		if (head.level == SOL_SOCKET && head.type == SCM_RIGHTS) {
			a.address = control[0] + sizeof(head);
			a.count = (head.length - sizeof(head)) / 4;
			REPEAT(RIGHTS_MAX, receive_one, &a);
			return 0;
		}
		head.length = (head.length + 7) & ~7ULL;
		if (head.length > control[1])
			return 0;
		control[0] += head.length;
		control[1] -= head.length;
	}
	return 0;
}

/* ---- asynchronous requests ------------------------------------------------------------------------------------------------- */

#define ASYNC_MAX 1024 /* 16 without bpf_loop: what is beyond is counted as lost */
#define IOCB_PREADV 7
#define IOCB_PWRITEV 8

static __always_inline int emit_async(const struct rec_async *from, struct counters *c, __u32 class)
{
	struct class_counters *k = class_of(c, class);
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

PER_CPU_SCRATCH(asyncs, struct rec_async);

static __always_inline struct rec_async *clean_async(void)
{
	__u32 zero = 0;
	struct rec_async *a = bpf_map_lookup_elem(&asyncs, &zero);

	if (a)
		__builtin_memset(a, 0, sizeof(*a));
	return a;
}

struct batch {
	struct call *call;
	__u64 list;
	__u32 count;
};

static long submit_one(__u32 index, struct batch *b)
{
	struct call *c = b->call;
	struct rec_async *a = clean_async();
	__u64 address = 0;
	struct {
		__u64 data;
		__u32 key, rw_flags;
		__u16 opcode;
		__s16 priority;
		__s32 fd;
		__u64 buffer, bytes;
		__s64 offset;
	} iocb;

	if (!a || index >= b->count || bpf_probe_read_user(&address, sizeof(address), (void *)(b->list + index * 8)) ||
	    bpf_probe_read_user(&iocb, sizeof(iocb), (void *)address))
		return 1;
	a->head.bits = identify(file_of(c->task, iocb.fd), &a->file);
	if (!a->head.bits)
		return 0;
	a->length = iocb.bytes;
	if (iocb.opcode == IOCB_PREADV || iocb.opcode == IOCB_PWRITEV) {
		a->length = sum_vector(iocb.buffer, iocb.bytes);
		a->parts = iocb.bytes;
	}
	a->head.end_ns = c->now;
	a->begin_ns = c->begin ? c->begin : c->now;
	a->tid = c->tid;
	a->pid = c->pid;
	a->key = address;
	a->context = c->arg[0];
	a->offset = iocb.offset;
	a->fd = iocb.fd;
	a->flags = iocb.rw_flags;
	a->kind = ASYNC_AIO_BEGIN;
	a->opcode = iocb.opcode;
	return emit_async(a, c->counters, c->class);
}

static long complete_one(__u32 index, struct batch *b)
{
	struct call *c = b->call;
	struct rec_async *a = clean_async();
	struct {
		__u64 data, object;
		__s64 result, result2;
	} event;

	if (!a || index >= b->count || bpf_probe_read_user(&event, sizeof(event), (void *)(b->list + index * sizeof(event))))
		return 1;
	a->head.end_ns = c->now;
	a->tid = c->tid;
	a->pid = c->pid;
	a->key = event.object;
	a->context = c->arg[0];
	a->result = event.result;
	a->kind = ASYNC_AIO_END;
	return emit_async(a, c->counters, c->class);
}

static __always_inline int on_batch(struct call *c, bool submit)
{
	struct rec_id none = {};
	struct batch b = {c, submit ? c->arg[2] : c->arg[3], c->result > 0 ? c->result : 0};

	if (submit)
		REPEAT(ASYNC_MAX, submit_one, &b);
	else
		REPEAT(ASYNC_MAX, complete_one, &b);
	if (!MODERN && b.count > 16)
		c->counters->async_unknown += b.count - 16;
	return emit_wide(c, &none, -1, &none, -1);
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct rec_async);
} requests SEC(".maps");

enum { URING_READV = 1, URING_WRITEV, URING_FSYNC, URING_READ_FIXED, URING_WRITE_FIXED, URING_READ = 22, URING_WRITE };

/* Requests on files that are counted, but not recorded. */
static __always_inline bool other_file_request(__u32 opcode)
{
	switch (opcode) {
	case 8:  /* sync_file_range */
	case 17: /* fallocate */
	case 18: /* openat */
	case 19: /* close */
	case 21: /* statx */
	case 24: /* fadvise */
	case 28: /* openat2 */
	case 30: /* splice */
	case 35 ... 39: /* renameat, unlinkat, mkdirat, symlinkat, linkat */
	case 41 ... 44: /* xattr */
	case 49: /* read_multishot */
	case 55: /* ftruncate */
		return true;
	}
	return false;
}

static __always_inline int uring_begin(struct io_kiocb *req)
{
	struct rec_async *a = clean_async();
	__u64 key = (__u64)req, ids = bpf_get_current_pid_tgid();
	__u32 opcode = LOAD(req, opcode);

	if (!a || !selected(CURRENT(), ids >> 32))
		return 0;
	if (opcode == URING_FSYNC) {
		struct io_sync *sync = TYPED(req, struct io_sync);

		a->offset = -1;
		a->flags = LOAD(sync, flags);
	} else if ((opcode >= URING_READV && opcode <= URING_WRITE_FIXED) || opcode == URING_READ || opcode == URING_WRITE) {
		struct io_rw *rw = TYPED(req, struct io_rw);

		a->offset = LOAD(rw, kiocb.ki_pos);
		a->length = LOAD(rw, len);
		a->flags = LOAD(rw, flags);
		if (opcode == URING_READV || opcode == URING_WRITEV) {
			a->parts = a->length;
			a->length = sum_vector(LOAD(rw, addr), a->length);
		}
	} else {
		struct counters *c = my_counters();

		if (c && other_file_request(opcode))
			c->async_unknown++;
		return 0;
	}
	a->begin_ns = bpf_ktime_get_ns();
	a->tid = ids;
	a->pid = ids >> 32;
	a->context = (__u64)LOAD(req, ctx);
	a->fd = LOAD(req, cqe.fd);
	a->kind = ASYNC_URING;
	a->opcode = opcode;
	if (bpf_map_update_elem(&requests, &key, a, BPF_ANY)) {
		struct counters *c = my_counters();

		if (c)
			c->async_unknown++;
	}
	return 0;
}

static __always_inline int uring_end(__u64 key, __s64 result)
{
	struct rec_async *a = bpf_map_lookup_elem(&requests, &key);
	struct counters *c = my_counters();
	struct io_kiocb *req = TYPED(key, struct io_kiocb);
	__u32 type, class = cfg.async_class;

	if (!a || !c)
		return 0;
	type = identify(LOAD(req, file), &a->file);
	if (type) {
		a->head.bits = type;
		a->head.end_ns = bpf_ktime_get_ns();
		a->result = result;
		emit_async(a, c, class);
	}
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

/* The same moments have other names and arguments from kernel to kernel; recorder.c picks what this one has. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_submit_req, struct io_kiocb *req)
{
	return uring_begin(req);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_uring_submit_sqe, struct io_kiocb *req, bool force_nonblock)
{
	return uring_begin(req);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_cqe, void *ring, void *req, struct io_uring_cqe *cqe)
{
	return uring_end((__u64)req, LOAD(cqe, res));
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_result, void *ring, void *req, __u64 user_data, int res)
{
	return uring_end((__u64)req, res);
}
