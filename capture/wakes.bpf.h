/*
 * Who wakes whom among the recorded threads (a futex, a pipe, an eventfd, a child that ends): where threads hand work to each other without a file in
 * common, this is the only sign of it. Loaded only when asked for.
 */
#pragma once
#include "capture/events.bpf.h"

#define PF_KTHREAD 0x00200000
#define STACK_BYTES 16384 /* of a thread in the kernel, on x86-64 */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} stack_pointer SEC(".maps");

/* The number of the system call that the current thread is in; negative: it is in none. */
static __always_inline long current_call(struct task_struct *task)
{
	struct pt_regs *regs;

#if MODERN
	regs = (struct pt_regs *)bpf_task_pt_regs(task);
#else
	regs = (struct pt_regs *)((__u64)LOAD(task, stack) + STACK_BYTES - bpf_core_type_size(struct pt_regs));
#endif
	return LOAD(regs, orig_ax);
}

/*
 * Does the thread itself wake somebody, or an interrupt that came upon it? Interrupts and softirqs run on a stack of their own, but for those that
 * interrupt a program outside the kernel: these come while the thread is in no system call. (The preemption count would say it in one word, but not
 * every kernel lets programs find it.)
 */
static __always_inline bool interrupted(struct task_struct *task)
{
	__u32 zero = 0;
	volatile __u64 *pointer = bpf_map_lookup_elem(&stack_pointer, &zero);
	__u64 at;

	if (!pointer)
		return true;
	asm volatile("%0 = r10" : "=r"(at));
	*pointer = at; /* through memory it becomes a number */
	return *pointer - (__u64)LOAD(task, stack) >= STACK_BYTES || current_call(task) < 0;
}

/* As far as that can be told of a thread that is not running; the drainer sees to the rest. */
static __always_inline bool wanted_wakee(struct task_struct *wakee)
{
	__u32 pid = LOAD(wakee, tgid);

	if (pid == cfg.self_pid || LOAD(wakee, flags) & PF_KTHREAD)
		return false;
	if (cfg.filters & FILTER_PID) {
		__u8 *wanted = tracked_entry(pid);

		return wanted && *wanted;
	}
	return true;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(on_waking, struct task_struct *wakee)
{
	struct task_struct *waker = CURRENT();
	__u64 ids = bpf_get_current_pid_tgid();
	struct counters *c;
	struct rec_wake *w;
	void *ring;

	if (!wanted_wakee(wakee) || !selected(waker, ids >> 32) || LOAD(waker, flags) & PF_KTHREAD || interrupted(waker))
		return 0;
	c = my_counters();
	ring = my_ring();
	if (!c)
		return 0;
	w = ring ? bpf_ringbuf_reserve(ring, sizeof(*w), 0) : NULL;
	if (!w) {
		__sync_fetch_and_add(&c->wakes_dropped, 1);
		return 0;
	}
	begin_uncounted(&w->head, REC_WAKE);
	w->waker_tid = ids;
	w->waker_pid = ids >> 32;
	w->wakee_tid = LOAD(wakee, pid);
	w->wakee_pid = LOAD(wakee, tgid);
	bpf_ringbuf_submit(w, BPF_RB_NO_WAKEUP);
	__sync_fetch_and_add(&c->wakes, 1);
	return 0;
}
