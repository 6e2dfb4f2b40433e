#include <errno.h>
#include <linux/bpf.h>
#include <stdlib.h>
#include <string.h>

#include "capture/rings.h"

/* What the kernel puts in front of each record (kernel/bpf/ringbuf.c): its length and two flags, and where the ring begins. */
#define RING_HEAD 8

int rings_init(struct rings *rings, struct recorder *recorder)
{
	rings->recorder = recorder;
	rings->heaped = 0;
	rings->heap = calloc((size_t)recorder->cpus, sizeof(*rings->heap));
	rings->cursor = calloc((size_t)recorder->cpus, sizeof(*rings->cursor));
	if (!rings->heap || !rings->cursor) {
		rings_release(rings);
		return -ENOMEM;
	}
	return 0;
}

void rings_release(struct rings *rings)
{
	free(rings->heap);
	free(rings->cursor);
	memset(rings, 0, sizeof(*rings));
}

static uint32_t head_at(const struct recorder_ring *ring, unsigned long position)
{
	return __atomic_load_n((const uint32_t *)(ring->data + (position & (ring->bytes - 1))), __ATOMIC_ACQUIRE);
}

static unsigned long whole(uint32_t head)
{
	return (((head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT)) + RING_HEAD) + 7UL) & ~7UL;
}

/* Puts the CPU's next record into its cursor. False: the record is being written at this moment. */
static bool advance(struct rings *rings, uint32_t cpu)
{
	const struct recorder_ring *ring = &rings->recorder->ring[cpu];
	struct rings_cursor *at = &rings->cursor[cpu];

	at->record = NULL;
	while (at->consumer < at->producer) {
		uint32_t head = head_at(ring, at->consumer);

		if (head & BPF_RINGBUF_BUSY_BIT)
			return false;
		if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
			at->record = (const struct rec_head *)(ring->data + (at->consumer & (ring->bytes - 1)) + RING_HEAD);
			return true;
		}
		at->consumer += whole(head);
	}
	return true;
}

/* A small record as the event that it stands for. */
static const struct rec_head *widened(const struct rec_small *s, uint32_t cpu, struct rec_event *e)
{
	e->head = s->head;
	e->head.type = REC_EVENT;
	e->head.cpu = (uint8_t)cpu;
	e->nr = s->head.cpu;
	e->tid = s->tid;
	e->pid = s->pid;
	e->duration_lo = s->duration;
	e->duration_hi = 0;
	e->arg[0] = (uint64_t)s->fd;
	e->arg[1] = (uint64_t)s->offset;
	e->arg[2] = s->length;
	e->arg[3] = (uint64_t)s->offset;
	e->result = s->result;
	e->file = s->file;
	e->position = s->offset;
	return &e->head;
}

static uint64_t time_of(const struct rings *rings, uint32_t place)
{
	return rings->cursor[rings->heap[place]].record->end_ns;
}

static void sift_down(struct rings *rings, uint32_t place)
{
	for (;;) {
		uint32_t child = 2 * place + 1, cpu;

		if (child >= rings->heaped)
			return;
		if (child + 1 < rings->heaped && time_of(rings, child + 1) < time_of(rings, child))
			child++;
		if (time_of(rings, place) <= time_of(rings, child))
			return;
		cpu = rings->heap[place];
		rings->heap[place] = rings->heap[child];
		rings->heap[child] = cpu;
		place = child;
	}
}

/* Looks how far each CPU has written. False: one of them is in the middle of a record, so the order is not known yet. */
static bool collect(struct rings *rings)
{
	bool whole_picture = true;

	rings->heaped = 0;
	for (uint32_t cpu = 0; cpu < (uint32_t)rings->recorder->cpus; cpu++) {
		const struct recorder_ring *ring = &rings->recorder->ring[cpu];
		struct rings_cursor *at = &rings->cursor[cpu];

		at->consumer = ring->data ? *ring->consumer : 0;
		at->producer = ring->data ? __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE) : 0;
	}
	for (uint32_t cpu = 0; cpu < (uint32_t)rings->recorder->cpus; cpu++) {
		if (!advance(rings, cpu))
			whole_picture = false;
		else if (rings->cursor[cpu].record)
			rings->heap[rings->heaped++] = cpu;
	}
	for (uint32_t place = rings->heaped; place-- > 0;)
		sift_down(rings, place);
	return whole_picture;
}

uint64_t rings_drain(struct rings *rings, uint64_t until_ns, void (*take)(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data),
		     void *data)
{
	uint64_t taken = 0;
	bool clear = collect(rings);

	while (clear && rings->heaped && time_of(rings, 0) < until_ns) {
		uint32_t cpu = rings->heap[0];
		struct rings_cursor *at = &rings->cursor[cpu];
		uint32_t head = head_at(&rings->recorder->ring[cpu], at->consumer);
		struct rec_event wide;

		if (at->record->type == REC_SMALL)
			take(widened((const struct rec_small *)at->record, cpu, &wide), sizeof(wide), cpu, data);
		else
			take(at->record, head & ~BPF_RINGBUF_DISCARD_BIT, cpu, data);
		taken++;
		at->consumer += whole(head);
		clear = advance(rings, cpu);
		if (!at->record)
			rings->heap[0] = rings->heap[--rings->heaped];
		sift_down(rings, 0);
	}
	for (uint32_t cpu = 0; cpu < (uint32_t)rings->recorder->cpus; cpu++)
		if (rings->recorder->ring[cpu].data)
			__atomic_store_n(rings->recorder->ring[cpu].consumer, rings->cursor[cpu].consumer, __ATOMIC_RELEASE);
	return taken;
}

double rings_fill(const struct rings *rings)
{
	double most = 0;

	for (int cpu = 0; cpu < rings->recorder->cpus; cpu++) {
		const struct recorder_ring *ring = &rings->recorder->ring[cpu];
		double fill = ring->data ? (double)(*ring->producer - *ring->consumer) / (double)ring->bytes : 0;

		if (fill > most)
			most = fill;
	}
	return most;
}
