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

/* Looks for the next record in the ring of any. False: it is being written at this moment. */
static inline bool advance_any(const struct recorder_ring *ring, struct rings_cursor *at)
{
	at->any = NULL;
	while (at->consumer < at->producer) {
		uint32_t head = head_at(ring, at->consumer);

		if (head & BPF_RINGBUF_BUSY_BIT)
			return false;
		if (!(head & BPF_RINGBUF_DISCARD_BIT)) {
			at->any_head = head;
			at->any = (const struct rec_head *)(ring->data + (at->consumer & (ring->bytes - 1)) + RING_HEAD);
			return true;
		}
		at->consumer += whole(head);
	}
	return true;
}

bool rings_numbered_apart(const struct rec_head *record)
{
	return record->type == REC_ASYNC && ((const struct rec_async *)record)->kind == ASYNC_URING;
}

static bool is_numbered(const struct rec_head *record)
{
	return record->type != REC_FILE && record->type != REC_TASK && record->type != REC_WAKE && !rings_numbered_apart(record);
}

/* Of a CPU's two next records, does the small one come first? Calls are numbered; what is not was told by its time, definitions before their use. */
static bool small_first(const struct rings_cursor *at)
{
	const struct rec_head *small = &at->small->head;

	if (!at->any)
		return true;
	return is_numbered(at->any) ? (int32_t)(small->seq - at->any->seq) < 0 : small->end_ns < at->any->end_ns;
}

/* Puts the CPU's next record into its cursor. False: the record is being written at this moment. */
static inline bool advance(const struct recorder_ring *ring, struct rings_cursor *at)
{
	if (!at->any && !advance_any(ring, at)) {
		at->record = NULL;
		return false;
	}
	at->small = at->small_read < at->small_written ? &ring->small[at->small_read & (ring->small_count - 1)] : NULL;
	at->record = at->small && small_first(at) ? &at->small->head : at->any;
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

static void sift_down(struct rings *rings, uint32_t place)
{
	struct rings_next *heap = rings->heap;

	for (uint32_t child; (child = 2 * place + 1) < rings->heaped; place = child) {
		struct rings_next next = heap[place];

		if (child + 1 < rings->heaped && heap[child + 1].end_ns < heap[child].end_ns)
			child++;
		if (next.end_ns <= heap[child].end_ns)
			return;
		heap[place] = heap[child];
		heap[child] = next;
	}
}

/* How far a CPU has written into both rings, at one moment: what is in one comes after something in the other. */
static void look(const struct recorder_ring *ring, const volatile struct counters *ends, struct rings_cursor *at)
{
	at->any = NULL;
	at->consumer = at->producer = 0;
	at->small_read = at->small_written = 0;
	if (!ring->data)
		return;
	at->consumer = *ring->consumer;
	at->small_read = ends->small_read;
	do {
		at->small_written = __atomic_load_n(&ends->small_written, __ATOMIC_ACQUIRE);
		at->producer = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE);
	} while (at->small_written != __atomic_load_n(&ends->small_written, __ATOMIC_ACQUIRE));
}

/* Looks how far each CPU has written. False: one of them is in the middle of a record, so the order is not known yet. */
static bool collect(struct rings *rings)
{
	bool whole_picture = true;

	rings->heaped = 0;
	for (uint32_t cpu = 0; cpu < (uint32_t)rings->recorder->cpus; cpu++)
		look(&rings->recorder->ring[cpu], &rings->recorder->counters[cpu], &rings->cursor[cpu]);
	for (uint32_t cpu = 0; cpu < (uint32_t)rings->recorder->cpus; cpu++) {
		if (!advance(&rings->recorder->ring[cpu], &rings->cursor[cpu]))
			whole_picture = false;
		else if (rings->cursor[cpu].record)
			rings->heap[rings->heaped++] = (struct rings_next){rings->cursor[cpu].record->end_ns, cpu};
	}
	for (uint32_t place = rings->heaped; place-- > 0;)
		sift_down(rings, place);
	return whole_picture;
}

/* Gives the CPU's next record, and goes past it. */
static inline void take_next(struct rings_cursor *at, uint32_t cpu,
			     void (*take)(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data), void *data)
{
	const struct rec_head *record = at->record;
	struct rec_event wide;

	if (record->type == REC_SMALL) /* in either ring */
		take(widened((const struct rec_small *)record, cpu, &wide), sizeof(wide), cpu, data);
	else
		take(record, at->any_head, cpu, data);
	if (record == at->any) {
		at->consumer += whole(at->any_head);
		at->any = NULL;
	} else {
		at->small_read++;
	}
}

/* Up to when the CPU on top of the heap comes first, before until_ns. */
static uint64_t turn_ends(const struct rings *rings, uint64_t until_ns)
{
	uint64_t last_ns = until_ns - 1;

	for (uint32_t child = 1; child <= 2 && child < rings->heaped; child++)
		if (rings->heap[child].end_ns < last_ns)
			last_ns = rings->heap[child].end_ns;
	return last_ns;
}

uint64_t rings_drain(struct rings *rings, uint64_t until_ns, void (*take)(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data),
		     void *data)
{
	uint64_t taken = 0;
	bool clear = collect(rings);

	while (clear && rings->heaped && rings->heap[0].end_ns < until_ns) {
		uint32_t cpu = rings->heap[0].cpu;
		const struct recorder_ring *ring = &rings->recorder->ring[cpu];
		struct rings_cursor *at = &rings->cursor[cpu];
		uint64_t last_ns = turn_ends(rings, until_ns);

		do {
			take_next(at, cpu, take, data);
			taken++;
			clear = advance(ring, at);
		} while (at->record && at->record->end_ns <= last_ns);
		if (at->record)
			rings->heap[0].end_ns = at->record->end_ns;
		else
			rings->heap[0] = rings->heap[--rings->heaped];
		sift_down(rings, 0);
	}
	for (uint32_t cpu = 0; cpu < (uint32_t)rings->recorder->cpus; cpu++) {
		if (!rings->recorder->ring[cpu].data)
			continue;
		__atomic_store_n(rings->recorder->ring[cpu].consumer, rings->cursor[cpu].consumer, __ATOMIC_RELEASE);
		__atomic_store_n(&rings->recorder->counters[cpu].small_read, rings->cursor[cpu].small_read, __ATOMIC_RELEASE);
	}
	return taken;
}

double rings_fill(const struct rings *rings)
{
	double most = 0;

	for (int cpu = 0; cpu < rings->recorder->cpus; cpu++) {
		const struct recorder_ring *ring = &rings->recorder->ring[cpu];
		const volatile struct counters *ends = &rings->recorder->counters[cpu];
		double any, small;

		if (!ring->data)
			continue;
		any = (double)(*ring->producer - *ring->consumer) / (double)ring->bytes;
		small = (double)(ends->small_written - ends->small_read) / (double)ring->small_count;
		if (any > most)
			most = any;
		if (small > most)
			most = small;
	}
	return most;
}
