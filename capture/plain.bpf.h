/*
 * The end of calls on one descriptor: most of all calls. Nothing that others need is in their way, and what goes into the record comes straight from
 * where it is: of helpers there is one to find the thread and one to read the clock, and this is about as little as recording a call can cost.
 */
#pragma once
#include "capture/events.bpf.h"

/* The thread's slot when it holds the begin of this very call, else NULL. */
static __always_inline struct slot *begun(__u32 tid, __u16 nr)
{
	struct slot *slot;

	if (cfg.no_latency)
		return NULL;
	slot = slot_of(tid);
	return slot && slot->tid == tid && slot->nr == nr && slot->begin_ns ? slot : NULL;
}

struct plain {
	struct pt_regs *regs;
	struct file *file; /* NULL: none, or closed */
	struct rec_id id;
	__u64 ids, now, begin;
	__s64 result;
	__u32 seq, nr, bits;
};

static __always_inline bool write_event(const struct plain *p)
{
	__u64 duration = p->begin ? p->now - p->begin : 0;
	void *ring = my_ring();
	struct rec_event *e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : NULL;

	if (!e)
		return false;
	e->head.type = REC_EVENT;
	e->head.cpu = bpf_get_smp_processor_id();
	e->head.bits = p->bits;
	e->head.seq = p->seq;
	e->head.end_ns = p->now;
	e->tid = p->ids;
	e->pid = p->ids >> 32;
	e->duration_lo = duration;
	e->duration_hi = duration >> 32;
	e->nr = p->nr;
	e->arg[0] = p->regs->di;
	e->arg[1] = p->regs->si;
	e->arg[2] = p->regs->dx;
	e->arg[3] = p->regs->r10;
	e->result = p->result;
	e->file = p->id;
	e->position = p->file ? LOAD(p->file, f_pos) : -1;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return true;
}

static __always_inline void fill_small(struct rec_small *e, const struct plain *p, __u8 form)
{
	e->head.type = REC_SMALL;
	e->head.cpu = p->nr;
	e->head.bits = p->bits;
	e->head.seq = p->seq;
	e->head.end_ns = p->now;
	e->tid = p->ids;
	e->pid = p->ids >> 32;
	e->duration = p->begin ? p->now - p->begin : 0;
	e->result = p->result;
	e->fd = p->regs->di;
	e->length = p->regs->dx;
	e->file = p->id;
	if (form == SMALL_OFFSET)
		e->offset = p->regs->r10;
	else if (form == SMALL_SEEK)
		e->offset = p->regs->si;
	else
		e->offset = p->file ? LOAD(p->file, f_pos) : -1;
}

/*
 * The ring of small records. The kernel's own ring takes a lock and an exchange for each record, which wait until all that was stored before has left
 * the processor: also what went into a ring that is in nobody's cache. This one is written by one hand: the end of a system call comes only from a
 * thread, with preemption off, and no interrupt ends one. So it is enough that the number of written records, eight aligned bytes that are stored
 * at once, is stored last: x86-64 shows stores to other processors in their order, and so the compiler is the only one to be told. The drainer
 * reads that number, then the records, and tells how far it has come. False: there is no room.
 */
static __always_inline bool write_to_small_ring(struct counters *counters, const struct plain *p, __u8 form)
{
	volatile struct counters *ends = counters;
	__u32 cpu = bpf_get_smp_processor_id(), index;
	__u64 written = ends->small_written;
	void *ring = bpf_map_lookup_elem(&small_rings, &cpu);
	struct rec_small *e;

	if (!ring || written - ends->small_read > cfg.small_mask)
		return false;
	index = written & cfg.small_mask;
	e = bpf_map_lookup_elem(ring, &index);
	if (!e)
		return false;
	fill_small(e, p, form);
	asm volatile("" ::: "memory");
	ends->small_written = written + 1;
	return true;
}

/* Where that one is full, the other may have room: the drainer puts them in order again. */
static __always_inline bool write_small(struct counters *counters, const struct plain *p, __u8 form)
{
	void *ring;
	struct rec_small *e;

	if (write_to_small_ring(counters, p, form))
		return true;
	ring = my_ring();
	e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : NULL;
	if (!e)
		return false;
	fill_small(e, p, form);
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return true;
}

static __always_inline bool fits_small(const struct plain *p, __u8 form)
{
	return form != SMALL_NOT && p->result == (__s32)p->result && (!p->begin || !((p->now - p->begin) >> 32)) &&
	       (form == SMALL_DESCRIPTOR || !(p->regs->dx >> 32));
}

/* An empty path together with AT_EMPTY_PATH: the call is about the descriptor. (Reading a string costs half of what reading a byte does.) */
static __always_inline bool names_descriptor(struct pt_regs *regs, const volatile struct call_config *config)
{
	struct task_struct *task;
	char first[2] = {1};

	if (!config->at_flags || !((config->at_flags == 2 ? regs->dx : regs->r10) & AT_EMPTY_PATH) || (int)regs->di == AT_FDCWD)
		return false;
	task = CURRENT();
	if (!selected(task, IDS(task) >> 32)) /* who is not recorded should not pay for the reading */
		return false;
	return bpf_probe_read_user_str(first, sizeof(first), (void *)regs->si) >= 0 && !first[0];
}

static __always_inline int on_plain_call(struct task_struct *task, struct pt_regs *regs, __u32 nr, long ret, bool closing)
{
	const volatile struct call_config *config = &cfg.call[nr & (CALL_MAX - 1)];
	struct plain p = {.regs = regs, .nr = nr, .result = ret};
	struct counters *counters = my_counters();
	struct class_counters *count;
	struct slot *slot;

	asm volatile("" : "+r"(config)); /* see class_of */
	p.ids = IDS(task);
	if (!selected(task, p.ids >> 32) || !counters)
		return 0;
	count = class_of(counters, config->class);
	count->seen++;
	slot = begun(p.ids, nr);
	if (slot) {
		p.begin = slot->begin_ns;
		slot->begin_ns = 0;
	}
	if (!closing) {
		p.file = file_of(task, regs->di);
		p.bits = identify(p.file, &p.id);
	} else if (slot) {
		p.id = slot->file;
		asm volatile("" ::: "memory"); /* clang would share these loads with those from the inode, which the verifier refuses */
	}
	/* Of a descriptor that there is not nobody can say that it was none of a file. */
	if (!p.id.dev && (p.file || ret != -EBADF)) {
		count->filtered++;
		return 0;
	}
	p.now = bpf_ktime_get_ns();
	p.seq = counters->events++;
	if (!p.begin) {
		p.bits |= REC_UNPAIRED;
		counters->unpaired++;
	}
	if (fits_small(&p, config->small) ? write_small(counters, &p, config->small) : write_event(&p))
		count->emitted++;
	else
		count->dropped++;
	return 0;
}
