/* The two rings of each processor as one stream: in order, nothing twice, and what has no room yet is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/bpf.h>

#include "capture/rings.h"

#define CPUS 2
#define BYTES 4096
#define SMALL 4

/* What the kernel side is for the rings: its memory. */
struct fixture {
	struct recorder recorder;
	struct recorder_ring ring[CPUS];
	struct counters counters[2 * CPUS];
	unsigned long consumer[CPUS], producer[CPUS];
	_Alignas(8) char data[CPUS][BYTES];
	struct rec_small small[CPUS][SMALL];
	struct rings rings;
	char seen[256];
};

static struct fixture *make(void)
{
	struct fixture *f = calloc(1, sizeof(*f));

	for (int cpu = 0; cpu < CPUS; cpu++)
		f->ring[cpu] = (struct recorder_ring){.consumer = &f->consumer[cpu], .producer = &f->producer[cpu], .data = f->data[cpu], .bytes = BYTES,
						      .small = f->small[cpu], .small_count = SMALL};
	f->recorder.cpus = CPUS;
	f->recorder.ring = f->ring;
	f->recorder.counters = f->counters;
	assert_int_equal(rings_init(&f->rings, &f->recorder), 0);
	return f;
}

static void release(struct fixture *f)
{
	rings_release(&f->rings);
	free(f);
}

/* As the ring of any has it: a length, unused, the record. */
static uint32_t *put(struct fixture *f, int cpu, uint8_t type, uint32_t seq, uint64_t end_ns)
{
	uint32_t *head = (uint32_t *)(f->data[cpu] + f->producer[cpu]);
	struct rec_event *e = (struct rec_event *)(head + 2);

	*head = sizeof(*e);
	e->head = (struct rec_head){.type = type, .cpu = (uint8_t)cpu, .seq = seq, .end_ns = end_ns};
	f->producer[cpu] += 8 + sizeof(*e);
	return head;
}

/* The end of a request, which an interrupt may have told in the middle of anything. */
static void put_end(struct fixture *f, int cpu, uint32_t seq, uint64_t end_ns)
{
	uint32_t *head = (uint32_t *)(f->data[cpu] + f->producer[cpu]);
	struct rec_async *a = (struct rec_async *)(head + 2);

	*head = sizeof(*a);
	*a = (struct rec_async){.head = {.type = REC_ASYNC, .seq = seq, .end_ns = end_ns}, .kind = ASYNC_URING};
	f->producer[cpu] += 8 + sizeof(*a);
}

static struct rec_small small(uint32_t seq, uint64_t end_ns)
{
	return (struct rec_small){.head = {.type = REC_SMALL, .cpu = 17, .seq = seq, .end_ns = end_ns}, .fd = -1, .result = -9, .tid = 7, .length = 5};
}

static void put_small(struct fixture *f, int cpu, uint32_t seq, uint64_t end_ns)
{
	f->small[cpu][f->counters[cpu].small_written++ % SMALL] = small(seq, end_ns);
}

/* One that found no room in its own ring. */
static void put_small_elsewhere(struct fixture *f, int cpu, uint32_t seq, uint64_t end_ns)
{
	uint32_t *head = (uint32_t *)(f->data[cpu] + f->producer[cpu]);
	struct rec_small s = small(seq, end_ns);

	*head = sizeof(s);
	memcpy(head + 2, &s, sizeof(s));
	f->producer[cpu] += 8 + sizeof(s);
}

/* Notes processor and number; a record without one by its type. */
static void note(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data)
{
	struct fixture *f = data;
	size_t n = strlen(f->seen);

	assert_int_equal(bytes, record->type == REC_ASYNC ? sizeof(struct rec_async) : sizeof(struct rec_event));
	if (record->type == REC_EVENT && ((const struct rec_event *)record)->nr == 17) {
		const struct rec_event *e = (const struct rec_event *)record;

		assert_int_equal(e->result, -9);
		assert_int_equal((int32_t)e->arg[0], -1);
		assert_int_equal(e->arg[2], 5);
		assert_int_equal(e->tid, 7);
	}
	snprintf(f->seen + n, sizeof(f->seen) - n, record->type == REC_FILE ? "%cf " : rings_numbered_apart(record) ? "%cend%u " : "%c%u ", 'a' + (int)cpu, record->seq);
}

static const char *drain(struct fixture *f, uint64_t until_ns)
{
	f->seen[0] = 0;
	rings_drain(&f->rings, until_ns, note, f);
	return f->seen;
}

static void by_number_on_a_processor_by_time_between_them(void **state)
{
	struct fixture *f = make();

	(void)state;
	put_small(f, 0, 0, 10);
	put(f, 0, REC_FILE, 0, 20);
	put(f, 0, REC_PATH, 1, 20); /* told before its use, at the same time */
	put_small(f, 0, 2, 20);	    /* a clock that did not go on */
	put(f, 1, REC_EVENT, 0, 15);
	put_small(f, 1, 1, 30);
	put(f, 1, REC_EVENT, 2, 29); /* an interrupt's is written first, and its clock was read later */
	assert_string_equal(drain(f, 25), "a0 b0 af a1 a2 ");
	assert_string_equal(drain(f, 25), "");
	assert_string_equal(drain(f, 100), "b1 b2 ");
	release(f);
}

static void ends_of_requests_have_numbers_of_their_own(void **state)
{
	struct fixture *f = make();

	(void)state;
	put_small(f, 0, 7, 10);
	put_end(f, 0, 0, 15);
	put_small(f, 0, 8, 20);
	put_end(f, 0, 1, 25);
	put(f, 0, REC_EVENT, 9, 30);
	assert_string_equal(drain(f, 100), "a7 aend0 a8 aend1 a9 ");
	release(f);
}

static void numbers_begin_again(void **state)
{
	struct fixture *f = make();

	(void)state;
	put_small(f, 0, UINT32_MAX, 10);
	put(f, 0, REC_EVENT, 0, 10);
	put_small(f, 0, 1, 10);
	assert_string_equal(drain(f, 100), "a4294967295 a0 a1 ");
	release(f);
}

/* The small ones' ring is used in a circle; what did not fit there is in the other. */
static void a_full_ring(void **state)
{
	struct fixture *f = make();

	(void)state;
	put_small(f, 0, 0, 1);
	put_small(f, 0, 1, 2);
	assert_string_equal(drain(f, 2), "a0 ");
	for (uint32_t i = 2; i < 5; i++)
		put_small(f, 0, i, i + 1);
	assert_true(rings_fill(&f->rings) == 1);
	put_small_elsewhere(f, 0, 5, 6);
	put(f, 0, REC_EVENT, 6, 7);
	assert_string_equal(drain(f, 4), "a1 a2 ");
	assert_int_equal(f->counters[0].small_read, 3);
	put_small(f, 0, 7, 8);
	assert_string_equal(drain(f, 100), "a3 a4 a5 a6 a7 ");
	assert_int_equal(f->counters[0].small_read, 6);
	assert_int_equal(f->consumer[0], f->producer[0]);
	assert_true(rings_fill(&f->rings) == 0);
	release(f);
}

/* A record that is being written holds up everything behind it: its number and its time are not known. */
static void a_record_under_way(void **state)
{
	struct fixture *f = make();
	uint32_t *head;

	(void)state;
	put_small(f, 0, 0, 1);
	head = put(f, 0, REC_EVENT, 1, 2);
	put_small(f, 0, 2, 3);
	*head |= BPF_RINGBUF_BUSY_BIT;
	assert_string_equal(drain(f, 100), "");
	*head &= ~BPF_RINGBUF_BUSY_BIT;
	assert_string_equal(drain(f, 100), "a0 a1 a2 ");
	head = put(f, 0, REC_EVENT, 0, 0);
	*head |= BPF_RINGBUF_DISCARD_BIT;
	put_small(f, 0, 3, 4);
	assert_string_equal(drain(f, 100), "a3 ");
	assert_int_equal(f->consumer[0], f->producer[0]);
	release(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(by_number_on_a_processor_by_time_between_them), cmocka_unit_test(ends_of_requests_have_numbers_of_their_own), cmocka_unit_test(numbers_begin_again),
					   cmocka_unit_test(a_full_ring), cmocka_unit_test(a_record_under_way)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
