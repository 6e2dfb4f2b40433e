/*
 * The part of the recorder that runs in the kernel: one program at the start and one at the end of every system call.
 *
 * At the start it remembers when (and, for calls that close, which file); at the end it reads arguments, result, file identity and
 * paths, and writes one record into the ring of its processor. Nothing wakes the drainer; it comes by. What cannot be written is counted, and
 * its sequence number is missing in the ring.
 *
 * tp_btf programs run with preemption off: per-CPU scratch is safe, and no event can hide behind another one's (fentry and kprobes
 * skip events on preemptible kernels, and nobody is told).
 *
 * Built twice: as recorder.bpf.c for kernels from 6.2 on (MODERN 1: bpf_rdonly_cast makes kernel pointers directly loadable, bpf_loop), and as
 * recorder_old.bpf.c for those from 5.8 on (MODERN 0: probe reads, bounded loops).
 */
#pragma once
#include "capture/foreign.bpf.h"
#include "capture/pages.bpf.h"
#include "capture/plain.bpf.h"
#include "capture/uring.bpf.h"
#include "capture/wakes.bpf.h"

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long nr)
{
	struct task_struct *task;
	struct slot *slot;
	__u64 ids;
	__u32 shape, native = nr;
	int closes;
	bool ia32;

	if ((unsigned long)nr >= CALL_MAX) {
		if (!(nr & X32_BIT))
			return 0;
		native = native_number(nr, false);
		if (native >= CALL_MAX)
			return 0;
	}
	shape = cfg.call[native & (CALL_MAX - 1)].shape;
	if (shape == SHAPE_IGNORE || shape == SHAPE_RECVMSG)
		return 0;
	task = CURRENT();
	ids = IDS(task);
	if (!selected(task, ids >> 32))
		return 0;
	ia32 = compat(task);
	closes = regs->di;
	if (ia32) {
		native = native_number(nr, true);
		if (native >= CALL_MAX)
			return 0;
		shape = cfg.call[native & (CALL_MAX - 1)].shape;
		closes = regs->bx;
	}
	if (shape == SHAPE_FOREIGN)
		return 0;
	slot = slot_of(ids);
	if (!slot)
		return 0;
	if (shape == SHAPE_DUP2)
		closes = ia32 ? regs->cx : regs->si;
	if (shape == SHAPE_CLOSE || shape == SHAPE_DUP2) {
		struct rec_id id = {};

		identify(file_of(task, closes), &id);
		slot->file = id;
	}
	slot->tid = ids;
	slot->nr = native;
	slot->begin_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline void pair(struct call *c)
{
	struct slot *slot = begun(c->tid, c->nr);

	if (slot) {
		c->begin = slot->begin_ns;
		if (c->config->shape == SHAPE_DUP2 || c->config->shape == SHAPE_CLOSE)
			c->stashed = slot->file;
		slot->begin_ns = 0;
	} else {
		c->bits |= REC_UNPAIRED;
	}
}

static __always_inline int on_call(struct call *c, __u32 shape)
{
	struct rec_id none = {};

	switch (shape) {
	case SHAPE_FD: return on_fd(c, c->arg[0]); /* of a 32-bit program; others go the short way */
	case SHAPE_CLOSE: return on_close(c);
	case SHAPE_FCNTL: return on_fcntl(c);
	case SHAPE_IOVEC: return on_iovec(c, false);
	case SHAPE_IOVEC_WIDE: return on_iovec(c, true);
	case SHAPE_DUP2: return on_dup2(c);
	case SHAPE_MMAP: return on_mmap(c);
	case SHAPE_COPY: return on_copy(c, c->arg[0], c->arg[2], c->arg[1], c->arg[3]);
	case SHAPE_CLONE_FILE: return on_clone_file(c);
	case SHAPE_SENDFILE: return on_copy(c, c->arg[1], c->arg[0], c->arg[2], 0);
	case SHAPE_FORK:
		if (c->nr == NR_CLONE3 && bpf_probe_read_user(&c->arg[0], sizeof(c->arg[0]), (void *)c->arg[0]))
			c->arg[0] = 0; /* flags are the first of struct clone_args */ /* fallthrough */
	case SHAPE_NONE:
	case SHAPE_ADDRESS: return emit_wide(c, &none, -1, &none, -1);
	}
	return filtered(c); /* no shape is left */
}

/* What a call of a 32-bit program is on x86-64, when on_foreign_exit has found that out. */
static __always_inline bool take_foreign(struct call *c)
{
	struct foreign *f = my_foreign();

	if (!f || !f->armed)
		return false;
	f->armed = 0;
	c->nr = f->nr;
	c->result = f->result;
	c->bits = f->bits;
	c->special = f->special;
	for (int i = 0; i < 6; i++)
		c->arg[i] = f->arg[i];
	asm volatile("" ::: "memory"); /* clang would share these loads with those from the registers, which the verifier refuses */
	return true;
}

/* What all calls have in common at their end. False: not recorded. */
static __always_inline bool begin(struct call *c, struct pt_regs *regs, long ret)
{
	__u64 ids, index;
	__u32 shape;

	if (!take_foreign(c)) {
		c->nr = regs->orig_ax;
		c->result = ret;
		c->arg[0] = regs->di;
		c->arg[1] = regs->si;
		c->arg[2] = regs->dx;
		c->arg[3] = regs->r10;
		c->arg[4] = regs->r8;
		c->arg[5] = regs->r9;
	}
	/* It is below CALL_MAX, but before 6.8 the verifier forgets that of a number that was spilled; so must clang. */
	index = c->nr;
	asm volatile("" : "+r"(index));
	c->config = &cfg.call[index & (CALL_MAX - 1)];
	shape = c->config->shape;
	c->task = CURRENT();
	ids = IDS(c->task);
	c->pid = ids >> 32;
	c->tid = ids;
	if (!selected(c->task, c->pid))
		return false;
	c->counters = my_counters();
	if (!c->counters)
		return false;
	/* The child of a fork returns here too, and a new program from the call that its parent made. */
	if (c->result == 0 && (shape == SHAPE_FORK || shape == SHAPE_EXEC || shape == SHAPE_EXECAT))
		return false;
	c->now = bpf_ktime_get_ns();
	c->class = c->config->class;
	if (shape == SHAPE_RECVMSG || shape == SHAPE_RECVMMSG) /* a descriptor that comes with it is an event, the call is none */
		return true;
	class_of(c->counters, c->class)->seen++;
	pair(c);
	return true;
}

/*
 * What is not a call on one descriptor has programs of its own: so that the most frequent one is small, and because before 6.13 the stacks of all
 * functions that wait for each other share 512 bytes.
 */
int on_call_exit(unsigned long long *ctx);
int on_path_exit(unsigned long long *ctx);
int on_many_exit(unsigned long long *ctx);
int on_foreign_exit(unsigned long long *ctx);

enum { PROGRAM_CALL, PROGRAM_PATH, PROGRAM_MANY, PROGRAM_FOREIGN, PROGRAMS };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, PROGRAMS);
	__uint(key_size, sizeof(__u32));
	__array(values, int(unsigned long long *));
} other_programs SEC(".maps") = {.values = {[PROGRAM_CALL] = &on_call_exit,
						    [PROGRAM_PATH] = &on_path_exit,
						    [PROGRAM_MANY] = &on_many_exit,
						    [PROGRAM_FOREIGN] = &on_foreign_exit}};

static __always_inline bool has_text(__u32 shape)
{
	return shape >= SHAPE_OPEN && shape != SHAPE_FORK;
}

/* The program for that kind of call goes on, and does not come back unless the kernel has none. */
static __always_inline void leave_to_others(void *ctx, __u32 shape)
{
	if (has_text(shape))
		bpf_tail_call(ctx, &other_programs, PROGRAM_PATH);
	if (shape >= SHAPE_NEW_DESCRIPTOR && shape <= SHAPE_RECVMSG)
		bpf_tail_call(ctx, &other_programs, PROGRAM_MANY);
	bpf_tail_call(ctx, &other_programs, PROGRAM_CALL);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	unsigned long nr = regs->orig_ax;
	struct task_struct *task;
	__u32 shape;

	if (nr >= CALL_MAX) {
		if (nr & X32_BIT && nr < X32_BIT + CALL_MAX + X32_CALLS)
			bpf_tail_call(ctx, &other_programs, PROGRAM_FOREIGN);
		return 0;
	}
	shape = cfg.call[nr].shape;
	if (shape == SHAPE_IGNORE)
		return 0;
	task = CURRENT();
	if (compat(task))
		bpf_tail_call(ctx, &other_programs, PROGRAM_FOREIGN);
	if (shape == SHAPE_FOREIGN)
		return 0;
	if (shape == SHAPE_FD || shape == SHAPE_CLOSE || names_descriptor(regs, &cfg.call[nr]))
		return on_plain_call(task, regs, nr, ret, shape == SHAPE_CLOSE);
	if (shape == SHAPE_CLONE_FILE && !clones_file(regs->si)) /* ioctl is for everything, and may be frequent */
		return 0;
	leave_to_others(ctx, shape);
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_call_exit, struct pt_regs *regs, long ret)
{
	struct call c = {};

	if (!begin(&c, regs, ret))
		return 0;
	return on_call(&c, c.config->shape);
}

/* Finds out which call of x86-64 a 32-bit program has made, and leaves it to the program for that. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_foreign_exit, struct pt_regs *regs, long ret)
{
	struct foreign *f = my_foreign();
	struct task_struct *task = CURRENT();
	__u64 index;
	__u32 shape;

	if (!f || !selected(task, LOAD(task, tgid)) || !translate(f, regs, regs->orig_ax, ret, compat(task)))
		return 0;
	index = f->nr;
	asm volatile("" : "+r"(index)); /* as in begin */
	shape = cfg.call[index & (CALL_MAX - 1)].shape;
	if (shape == SHAPE_IGNORE || shape == SHAPE_FOREIGN)
		return 0;
	f->armed = 1;
	leave_to_others(ctx, shape);
	f->armed = 0;
	return 0;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_path_exit, struct pt_regs *regs, long ret)
{
	struct call c = {};

	if (!begin(&c, regs, ret))
		return 0;
	return on_path_call(&c, c.config->shape);
}

/* Calls that bring several things at once, and are rare enough for a program of their own. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_many_exit, struct pt_regs *regs, long ret)
{
	struct call c = {};

	if (!begin(&c, regs, ret))
		return 0;
	switch (c.config->shape) {
	case SHAPE_RECVMSG: return on_recvmsg(&c, c.arg[1], c.arg[2]);
	case SHAPE_RECVMMSG: return on_recvmmsg(&c, c.arg[1], c.arg[3]);
	case SHAPE_NEW_DESCRIPTOR: return on_new_descriptor(&c, c.result);
	case SHAPE_RING_SETUP: return on_ring(&c, true);
	case SHAPE_RING: return on_ring(&c, false);
	case SHAPE_IO_SETUP: return on_io_setup(&c);
	case SHAPE_IO_SUBMIT: return on_batch(&c, true);
	case SHAPE_IO_GETEVENTS: return on_batch(&c, false);
	}
	return 0;
}

static __always_inline void emit_task(__u32 kind, __u32 tid, __u32 pid, __u32 ptid, __u32 ppid, __u32 code, struct task_struct *task)
{
	struct counters *c = my_counters();
	void *ring = my_ring();
	struct mnt_namespace *ns = namespace_of(task);
	struct rec_task *t;

	if (!c)
		return;
	t = ring ? bpf_ringbuf_reserve(ring, sizeof(*t), 0) : NULL;
	if (!t) {
		__sync_fetch_and_add(&c->tasks_dropped, 1);
		return;
	}
	begin_uncounted(&t->head, REC_TASK);
	t->tid = tid;
	t->pid = pid;
	t->parent_tid = ptid;
	t->parent_pid = ppid;
	t->kind = kind;
	t->code = code;
	t->mount_namespace = ns ? LOAD(ns, ns.inum) : 0;
	t->reserved = 0;
	bpf_probe_read_kernel_str(t->comm, sizeof(t->comm), task->comm);
	bpf_ringbuf_submit(t, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 ppid = LOAD(parent, tgid), pid = LOAD(child, tgid);

	if (cfg.filters & FILTER_PID && ppid != pid) {
		__u8 *from = tracked_entry(ppid), *to = tracked_entry(pid);

		if (from && to)
			*to = *from;
	}
	if (!selected(parent, ppid))
		return 0;
	emit_task(TASK_FORK, LOAD(child, pid), pid, LOAD(parent, pid), ppid, 0, child);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 pid = LOAD(task, tgid);

	if (!selected(task, pid))
		return 0;
	emit_task(TASK_EXIT, LOAD(task, pid), pid, 0, 0, LOAD(task, exit_code), task);
	return 0;
}

/* A program was replaced: the call itself never reports its path, its memory is gone. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct call c = {};
	struct scratch *s;
	struct slot *slot;
	__u32 zero = 0, type;
	struct rec_id id = {};
	struct file *file;
	long n;

	c.pid = LOAD(task, tgid);
	c.tid = LOAD(task, pid);
	if (!selected(task, c.pid))
		return 0;
	c.task = task;
	c.now = bpf_ktime_get_ns();
	c.counters = my_counters();
	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s || !c.counters)
		return 0;
	emit_task(TASK_EXEC, c.tid, c.pid, old_pid, 0, 0, task);
	c.nr = NR_EXECVE;
	slot = slot_of(old_pid);
	if (slot && slot->tid == (__u32)old_pid && slot->begin_ns && (slot->nr == NR_EXECVE || slot->nr == NR_EXECVEAT)) {
		c.begin = slot->begin_ns;
		c.nr = slot->nr;
		slot->begin_ns = 0;
	} else {
		c.bits |= REC_UNPAIRED;
	}
	c.config = &cfg.call[NR_EXECVE];
	c.class = c.config->class;
	class_of(c.counters, c.class)->seen++;
	__builtin_memset(&s->path, 0, sizeof(s->path));
	n = bpf_probe_read_kernel_str(s->data, STRING_MAX, LOAD(bprm, filename));
	s->path.length1 = n > 0 ? (n - 1) & (STRING_MAX - 1) : 0;
	file = LOAD(bprm, file);
	type = identify(file, &id);
	if (type)
		announce((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type, c.now);
	c.bits |= type;
	if (!start_of_path(&c, s, AT_FDCWD, s->data[0], REC_BASE1))
		return filtered(&c);
	return emit_path(&c, s, &id);
}

/* Every descriptor that is open now, for what began before the recording. */
SEC("iter/task_file")
int on_open_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct files_struct *files;
	struct fdtable *fdt;
	struct rec_id id = {};
	struct walk *w;
	struct dentry *dentry;
	unsigned long word = 0;
	__u32 zero = 0, type, size, pid, fd = ctx->fd;

	if (!task || !file)
		return 0;
	pid = task->tgid;
	if (pid == cfg.self_pid) {
		struct fs_struct *fs = LOAD(task, fs);

		if (fs) {
			root_dentry = (__u64)LOAD(fs, root.dentry);
			root_mount = (__u64)LOAD(fs, root.mnt);
		}
		return 0;
	}
	if (cfg.filters & FILTER_PID) {
		__u8 *wanted = tracked_entry(pid);

		if (!wanted || !*wanted)
			return 0;
	}
	type = identify(file, &id);
	w = bpf_map_lookup_elem(&open_walks, &zero);
	if (!type || !w)
		return 0;
	dentry = LOAD(file, f_path.dentry);
	size = walk(w, (__u64)dentry, mount_of(LOAD(file, f_path.mnt)));
	w->open.file.components = size;
	w->open.file.id = id;
	describe(&w->open.file, dentry, LOAD(file, f_inode), type | w->bits);
	w->open.file.head.end_ns = bpf_ktime_get_ns();
	w->open.file.place.dentry = (__u64)dentry;
	w->open.file.place.mount = (__u64)LOAD(file, f_path.mnt);
	w->open.file.pid = pid;
	tell_namespace(&w->open.file, task);
	files = LOAD(task, files);
	fdt = files ? LOAD(files, fdt) : NULL;
	if (fdt)
		bpf_probe_read_kernel(&word, sizeof(word), LOAD(fdt, close_on_exec) + fd / 64);
	w->open.pid = pid;
	w->open.tid = task->pid;
	w->open.fd = fd;
	w->open.flags = LOAD(file, f_flags);
	w->open.cloexec = word >> (fd & 63) & 1;
	w->open.position = LOAD(file, f_pos);
	w->open.description = (__u64)file;
	size = (sizeof(w->open) + size + 7) & ~7; /* so that the next one is aligned */
	w->open.bytes = size;
	bpf_seq_write(ctx->meta->seq, &w->open, size);
	return 0;
}
