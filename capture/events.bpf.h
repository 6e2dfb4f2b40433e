/* Writing events into the rings, and counting them. */
#pragma once
#include "capture/walk.bpf.h"

/* The head of a record that is no event of a call and has no sequence number. */
static __always_inline void begin_uncounted(struct rec_head *head, __u8 type)
{
	head->type = type;
	head->cpu = bpf_get_smp_processor_id();
	head->bits = 0;
	head->seq = 0;
	head->end_ns = bpf_ktime_get_ns();
}

/* One call that ended: what its handlers share. */
struct call {
	struct task_struct *task;
	struct counters *counters;
	const volatile struct call_config *config;
	__u64 now, begin, arg[6];
	__s64 result;
	__u32 tid, pid, class, bits;
	__u16 nr, special; /* enum foreign_special */
	struct rec_id stashed; /* from the start of the call; dev 0: none */
};

static __always_inline void fill(struct rec_event *e, const struct call *c, __u8 type, __u32 seq)
{
	__u64 duration = c->begin ? c->now - c->begin : 0;

	e->head.type = type;
	e->head.cpu = bpf_get_smp_processor_id();
	e->head.bits = c->bits;
	e->head.seq = seq;
	e->head.end_ns = c->now;
	e->tid = c->tid;
	e->pid = c->pid;
	e->duration_lo = duration;
	e->duration_hi = duration >> 32;
	e->nr = c->nr;
	e->arg[0] = c->arg[0];
	e->arg[1] = c->arg[1];
	e->arg[2] = c->arg[2];
	e->arg[3] = c->arg[3];
	e->result = c->result;
}

static __always_inline int filtered(const struct call *c)
{
	class_of(c->counters, c->class)->filtered++;
	return 0;
}

static __always_inline int done(const struct call *c, bool written)
{
	struct class_counters *k = class_of(c->counters, c->class);

	if (!written)
		k->dropped++;
	else
		k->emitted++;
	if (c->bits & REC_UNPAIRED)
		c->counters->unpaired++;
	return 0;
}

static __always_inline int emit_event(const struct call *c, const struct rec_id *id, __s64 position)
{
	__u32 seq = c->counters->events++;
	struct rec_event *e;
	void *ring = my_ring();

	if (!ring)
		return done(c, false);
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e)
		return done(c, false);
	fill(e, c, REC_EVENT, seq);
	e->file = *id;
	e->position = position;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return done(c, true);
}

static __always_inline int emit_wide(const struct call *c, const struct rec_id *id, __s64 position, const struct rec_id *id2,
				     __s64 position2)
{
	__u32 seq = c->counters->events++;
	struct rec_wide *e;
	void *ring = my_ring();

	if (!ring)
		return done(c, false);
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e)
		return done(c, false);
	fill(&e->event, c, REC_WIDE, seq);
	e->event.file = *id;
	e->event.position = position;
	e->arg4 = c->arg[4];
	e->arg5 = c->arg[5];
	e->file2 = *id2;
	e->position2 = position2;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return done(c, true);
}

static __always_inline int emit_path(const struct call *c, struct scratch *s, const struct rec_id *id)
{
	__u32 size = (__u32)s->path.length1 + s->path.length2;
	void *ring = my_ring();

	fill(&s->event, c, REC_PATH, c->counters->events++);
	s->event.file = *id;
	s->event.position = -1;
	s->wide.arg4 = c->arg[4];
	s->wide.arg5 = c->arg[5];
	if (size > 2 * STRING_MAX)
		size = 2 * STRING_MAX;
	if (!ring)
		return done(c, false);
	return done(c, !bpf_ringbuf_output(ring, s, sizeof(struct rec_path) + size, BPF_RB_NO_WAKEUP));
}
