/* Requests of io_uring: taken from the submission queue when they begin, told when they are complete. */
#pragma once
#include "capture/requests.bpf.h"

#define URING_SQPOLL (1 << 1)
#define URING_SQE128 (1 << 10)
#define URING_NO_SQARRAY (1 << 16)
#define ENTER_REGISTERED_RING (1 << 4)
#define SQE_FIXED_FILE (1 << 0)
#define SQE_CQE_SKIP (1 << 6)
#define SPLICE_FIXED_IN (1u << 31)
#define EEXIST 17
#define URING_SAME_NAME 8 /* requests of one ring with equal user_data that may run at the same time, before 5.17 */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct rec_async);
} requests SEC(".maps");

/* ---- the calls ---- */

/* The ring behind a descriptor, as a name. */
static __always_inline __u64 ring_of(struct task_struct *task, int fd, bool registered)
{
	struct file *file = NULL;

	if (!registered) {
		file = file_of(task, fd);
	} else if (bpf_core_field_exists(struct io_uring_task, registered_rings)) {
		struct io_uring_task *own = LOAD(task, io_uring);

		if (own && (__u32)fd < 16)
			bpf_probe_read_kernel(&file, sizeof(file),
					      (char *)own + bpf_core_field_offset(struct io_uring_task, registered_rings) + fd * sizeof(file));
		file = TYPED(file, struct file);
	}
	return file ? (__u64)LOAD(file, private_data) : 0;
}

static __always_inline int on_ring(struct call *c, bool setup)
{
	struct rec_id none = {};
	__u32 parameters[3] = {}; /* entries of both queues, flags */

	c->arg[5] = 0;
	if (setup) {
		c->arg[2] = 0;
		if (!bpf_probe_read_user(parameters, sizeof(parameters), (void *)c->arg[1]))
			c->arg[2] = parameters[2];
		if (c->result >= 0)
			c->arg[5] = ring_of(c->task, c->result, false);
	} else if (c->result >= 0) {
		c->arg[5] = ring_of(c->task, c->arg[0], c->nr == NR_IO_URING_ENTER ? c->arg[3] & ENTER_REGISTERED_RING : c->arg[1] >> 31 & 1);
	}
	return emit_wide(c, &none, -1, &none, -1);
}

/* ---- the begin of a request ---- */

/*
 * The entry of the request that is being submitted: the ring has just gone past it and has not yet given its place back. That is also how
 * the first request of a call is known: the place that was given back last is its own.
 */
static __always_inline bool read_sqe(struct io_ring_ctx *ring, struct rec_async *a)
{
	__u32 at = LOAD(ring, cached_sq_head) - 1, flags = LOAD(ring, flags);
	struct io_rings *rings = LOAD(ring, rings);
	__u32 *array = LOAD(ring, sq_array);

	if (rings && LOAD(rings, sq.head) != at)
		a->bits |= ASYNC_BATCH;
	if (flags & URING_SQPOLL)
		a->bits |= ASYNC_SQPOLL;
	at &= LOAD(ring, sq_entries) - 1;
	if (array && !(flags & URING_NO_SQARRAY) && bpf_probe_read_kernel(&at, sizeof(at), array + at))
		return false;
	if (flags & URING_SQE128)
		at *= 2;
	return !bpf_probe_read_kernel(&a->sqe, sizeof(a->sqe), (char *)LOAD(ring, sq_sqes) + (__u64)at * 64);
}

static __always_inline void texts_of_request(const struct rec_async *a, __u32 form, struct call *c, struct texts *t)
{
	t->dirfd1 = t->dirfd2 = AT_FDCWD;
	t->path1 = true;
	t->address1 = a->sqe.addr;
	t->dirfd1 = a->sqe.fd;
	switch (form) {
	case REQUEST_OPEN_HOW: {
		__u64 how[3] = {};

		bpf_probe_read_user(how, sizeof(how), (void *)a->sqe.off);
		c->arg[2] = how[0];
		c->arg[3] = how[1];
		c->arg[4] = how[2];
		break;
	}
	case REQUEST_PATHS:
		t->address2 = a->sqe.off;
		t->dirfd2 = a->sqe.len;
		t->path2 = true;
		break;
	case REQUEST_TEXT_PATH:
		t->path1 = false;
		t->address2 = a->sqe.off;
		t->dirfd2 = a->sqe.fd;
		t->path2 = true;
		break;
	case REQUEST_PATH_NAME:
		t->address1 = a->sqe.addr3;
		t->dirfd1 = AT_FDCWD;
		t->address2 = a->sqe.addr;
		break;
	case REQUEST_FD_NAME:
		t->path1 = false;
		t->address1 = 0;
		t->address2 = a->sqe.addr;
		break;
	}
}

enum { TEXTS_FILTERED, TEXTS_TOLD, TEXTS_DROPPED };

/* Tells the texts of the request in the scratch. */
SEPARATE int tell_texts(__u32 form)
{
	struct rec_async *a = my_async();
	struct scratch *s = clean_scratch();
	struct call c = {};
	struct texts t = {};
	__u32 used, size;
	void *ring = my_ring();

	c.task = CURRENT();
	c.counters = my_counters();
	if (!a || !s || !c.counters)
		return TEXTS_DROPPED;
	c.now = a->begin_ns;
	c.tid = a->tid;
	c.pid = a->pid;
	texts_of_request(a, form, &c, &t);
	used = read_texts(&c, s, &t);
	if (form == REQUEST_PATH && !s->path.length1 && !(c.bits & REC_FAULT)) { /* AT_EMPTY_PATH */
		a->head.bits = identify(file_of(c.task, a->sqe.fd), &a->file);
		a->bits |= ASYNC_MARKED;
		if (!a->head.bits)
			return TEXTS_FILTERED;
		t.path1 = false;
	}
	if (!place_texts(&c, s, &t, used))
		return TEXTS_FILTERED;
	c.arg[0] = a->context;
	c.arg[1] = a->key;
	size = (__u32)s->path.length1 + s->path.length2;
	if (size > 2 * STRING_MAX)
		size = 2 * STRING_MAX;
	fill(&s->event, &c, REC_TEXTS, c.counters->events++);
	s->wide.arg4 = c.arg[4];
	c.class = cfg.async_class;
	class_of(c.counters, c.class)->seen++;
	done(&c, ring && !bpf_ringbuf_output(ring, s, sizeof(struct rec_path) + size, BPF_RB_NO_WAKEUP));
	return TEXTS_TOLD;
}

static __always_inline bool has_texts(__u32 form)
{
	return form >= REQUEST_PATH;
}

/* What is known of the file now and not at the end. */
static __always_inline void mark(struct rec_async *a, __u32 form, struct task_struct *task)
{
	if (form == REQUEST_CLOSE && !a->sqe.file_index) {
		a->head.bits = identify(file_of(task, a->sqe.fd), &a->file);
		a->bits |= ASYNC_MARKED;
	} else if (form == REQUEST_SPLICE && !(a->sqe.op_flags & SPLICE_FIXED_IN)) {
		identify(file_of(task, a->sqe.file_index), &a->file2);
	} else if (a->sqe.flags & SQE_CQE_SKIP && !(a->sqe.flags & SQE_FIXED_FILE) && form < REQUEST_ADDRESS) {
		a->head.bits = identify(file_of(task, a->sqe.fd), &a->file);
		a->bits |= ASYNC_MARKED;
	}
}

/* Nobody was told of the end of the request that had this name before: it has none when it succeeds (IOSQE_CQE_SKIP_SUCCESS). */
static __always_inline void end_silently(__u64 key, struct counters *counters)
{
	struct rec_async *old = bpf_map_lookup_elem(&requests, &key);
	struct rec_async *now = my_async();

	if (!old || !now)
		return;
	if (!(old->sqe.flags & SQE_CQE_SKIP)) {
		counters->requests_unknown++;
		return;
	}
	old->kind = ASYNC_URING_SILENT;
	old->head.end_ns = now->begin_ns;
	emit_async(old, counters);
}

/* Before 5.17 the end of a request has only the program's own name for it, which need not be unique. */
static __always_inline __u64 key_of_name(__u64 ring, __u64 user_data)
{
	return (ring ^ user_data * 0x9e3779b97f4a7c15ULL) & ~(__u64)(URING_SAME_NAME - 1);
}

static __always_inline void remember_by_name(struct rec_async *a, struct counters *counters)
{
	__u64 key = key_of_name(a->context, a->sqe.user_data);

#pragma clang loop unroll(disable)
	for (int i = 0; i < URING_SAME_NAME; i++, key++) {
		if (!bpf_map_update_elem(&requests, &key, a, BPF_NOEXIST))
			return;
	}
	counters->requests_unknown++;
}

static __always_inline int uring_begin(struct io_kiocb *request)
{
	struct task_struct *task = CURRENT();
	struct counters *counters = my_counters();
	struct rec_async *a = clean_async();
	__u64 key = (__u64)request, ids = bpf_get_current_pid_tgid();
	struct io_ring_ctx *ring = LOAD(request, ctx);
	__u32 form;

	if (!a || !counters || !selected(task, ids >> 32))
		return 0;
	if (!ring || !read_sqe(ring, a)) {
		counters->requests_unknown++;
		return 0;
	}
	a->sqe.opcode = LOAD(request, opcode);
	form = cfg.request[a->sqe.opcode & (REQUEST_MAX - 1)];
	if (form == REQUEST_OTHER)
		return filtered_request(counters);
	if (form == REQUEST_UNKNOWN || a->sqe.opcode >= REQUEST_MAX) {
		counters->requests_unknown++;
		return 0;
	}
	a->begin_ns = bpf_ktime_get_ns();
	a->tid = ids;
	a->pid = ids >> 32;
	a->context = (__u64)ring;
	a->key = key;
	a->kind = ASYNC_URING;
	a->length = a->sqe.len;
	if (compat(task))
		a->bits |= ASYNC_COMPAT;
	if (form == REQUEST_VECTOR)
		a->length = sum_vector(a->sqe.addr, a->sqe.len, a->bits & ASYNC_COMPAT);
	mark(a, form, task);
	if (a->bits & ASYNC_MARKED && !a->file.dev && form != REQUEST_CLOSE)
		return filtered_request(counters);
	if (has_texts(form)) {
		a->bits |= ASYNC_TEXTS;
		if (tell_texts(form) == TEXTS_FILTERED)
			return filtered_request(counters);
	}
	if (cfg.requests_by_name) {
		remember_by_name(a, counters);
	} else if (bpf_map_update_elem(&requests, &key, a, BPF_NOEXIST) == -EEXIST) {
		end_silently(key, counters);
		bpf_map_update_elem(&requests, &key, a, BPF_ANY);
	}
	return 0;
}

/* ---- its end ---- */

/* The file that an open has made a descriptor of. */
static __always_inline void identify_opened(struct rec_async *a, __s64 result)
{
	struct task_struct *task = CURRENT();
	struct call c = {};

	if (result < 0 || a->sqe.file_index || LOAD(task, tgid) != a->pid)
		return;
	c.task = task;
	c.result = result;
	c.now = a->head.end_ns;
	if (opened(&c, &a->file, a->sqe.op_flags))
		a->head.bits = c.bits;
}

/* The file that it was about. False: none that is recorded. */
static __always_inline bool identify_request(struct rec_async *a, __u32 form, struct io_kiocb *request, __s64 result)
{
	struct file *file = LOAD(request, file);
	struct task_struct *task = CURRENT();

	/* Cancelled before it had its file. */
	if (!file && !(a->sqe.flags & SQE_FIXED_FILE) && result != -EBADF && LOAD(task, tgid) == a->pid)
		file = file_of(task, a->sqe.fd);
	a->head.bits = identify(file, &a->file);
	a->position = a->head.bits ? LOAD(file, f_pos) : -1;
	return a->head.bits || (!file && (result == -EBADF || result == -ECANCELED)) || (form == REQUEST_SPLICE && a->file2.dev);
}

static __always_inline int uring_end(struct rec_async *a, __s64 result)
{
	struct counters *counters = counters_of_ends();
	__u32 form;

	if (!counters)
		return 0;
	form = cfg.request[a->sqe.opcode & (REQUEST_MAX - 1)];
	a->result = result;
	a->head.end_ns = bpf_ktime_get_ns();
	if (form == REQUEST_OPEN || form == REQUEST_OPEN_HOW)
		identify_opened(a, result);
	else if (form == REQUEST_CLOSE && !a->sqe.file_index && !a->file.dev && result != -EBADF)
		return filtered_request(counters);
	else if ((form < REQUEST_CLOSE || form == REQUEST_SPLICE || form == REQUEST_FD_NAME) &&
		 !identify_request(a, form, TYPED(a->key, struct io_kiocb), result))
		a->bits |= ASYNC_FOREIGN;
	if (a->bits & ASYNC_FOREIGN && !(a->bits & ASYNC_TEXTS))
		return filtered_request(counters);
	return emit_async(a, counters);
}

/* It began before the recording. */
static __always_inline int early(struct io_kiocb *request)
{
	__u32 opcode = LOAD(request, opcode), form = cfg.request[opcode & (REQUEST_MAX - 1)];
	struct task_struct *task = CURRENT();
	struct counters *counters = counters_of_ends();
	struct rec_id id = {};

	if (counters && opcode < REQUEST_MAX && (form == REQUEST_FD || form == REQUEST_VECTOR) && selected(task, LOAD(task, tgid)) &&
	    identify(LOAD(request, file), &id))
		counters->requests_early++;
	return 0;
}

static __always_inline int end_by_request(__u64 key, __s64 result)
{
	struct rec_async *a = bpf_map_lookup_elem(&requests, &key);

	if (!a)
		return key ? early(TYPED(key, struct io_kiocb)) : 0;
	uring_end(a, result);
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

/* Of several with one name the oldest has ended, as far as anybody can say. */
static __always_inline int end_by_name(__u64 ring, __u64 user_data, __s64 result)
{
	__u64 key = key_of_name(ring, user_data), found = 0, oldest = ~0ULL;
	struct rec_async *a;

#pragma clang loop unroll(disable)
	for (int i = 0; i < URING_SAME_NAME; i++, key++) {
		a = bpf_map_lookup_elem(&requests, &key);
		if (a && a->context == ring && a->sqe.user_data == user_data && a->begin_ns < oldest) {
			oldest = a->begin_ns;
			found = key;
		}
	}
	a = found ? bpf_map_lookup_elem(&requests, &found) : NULL;
	if (!a)
		return 0;
	uring_end(a, result);
	bpf_map_delete_elem(&requests, &found);
	return 0;
}

/* The same moments have other names and arguments from kernel to kernel; recorder.c picks what this one has. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_submit_req, struct io_kiocb *request)
{
	return uring_begin(request);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_uring_submit_sqe, struct io_kiocb *request, bool force_nonblock)
{
	return uring_begin(request);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_uring_submit_named, void *ring, void *request, __u8 opcode, __u64 user_data)
{
	return uring_begin(TYPED(request, struct io_kiocb));
}

/* Refused before it was submitted: its end is told like every other's. */
SEC("tp_btf/io_uring_req_failed")
int BPF_PROG(on_uring_failed, const struct io_uring_sqe *sqe, struct io_kiocb *request, int error)
{
	return uring_begin(request);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_cqe, void *ring, void *request, struct io_uring_cqe *cqe)
{
	return end_by_request((__u64)request, LOAD(cqe, res));
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_result, void *ring, void *request, __u64 user_data, int result)
{
	return end_by_request((__u64)request, result);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_named, void *ring, __u64 user_data, int result)
{
	return end_by_name((__u64)ring, user_data, result);
}
