/* The plan compiler, fed from memory: lanes, slots, edges, starting state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <errno.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "replay/compile.h"

struct memory_source {
	const struct trace_record *record;
	size_t n, at;
	const char *const *text;
};

static bool next(void *self, struct trace_record *record)
{
	struct memory_source *m = self;

	if (m->at == m->n)
		return false;
	*record = m->record[m->at++];
	return true;
}

static const char *string(void *self, uint32_t id)
{
	return ((struct memory_source *)self)->text[id];
}

static void compile(struct plan *plan, const struct trace_record *records, size_t n, const char *const *text, enum order_mode order)
{
	struct memory_source memory = {.record = records, .n = n, .text = text};
	struct record_source source = {.next = next, .string = string, .self = &memory};
	struct plan_options options = {.order = order};

	assert_int_equal(plan_compile(plan, &source, &options), 0);
}

#define THREAD(id_) {.type = TRACE_THREAD, .thread = {.id = id_, .tid = 100 + id_, .pid = 100 + id_}}
#define FILE_(id_, path_, size_) {.type = TRACE_FILE, .file = {.id = id_, .path = path_, .mode = S_IFREG | 0644, .nlink = 1, .size = size_}}
#define EVENT(begin, duration, thread_, op_, ...) \
	{.type = TRACE_EVENT, .event = {.begin_ns = begin, .duration_ns = duration, .thread = thread_, .op = TRACE_OP_##op_, __VA_ARGS__}}

static const struct plan_op *operation(const struct plan *p, uint32_t lane, uint32_t n)
{
	for (uint32_t i = 0; i < p->lane[lane].chunks; i++) {
		if (n < p->lane[lane].chunk[i].count)
			return &p->op[p->lane[lane].chunk[i].first + n];
		n -= p->lane[lane].chunk[i].count;
	}
	return NULL;
}

/* The edge of an operation to a lane: the sequence to wait for, 0 when there is none. */
static uint32_t edge_to(const struct plan *p, const struct plan_op *op, uint32_t lane)
{
	const struct plan_edge *e = op->edges ? &p->edge[op->edges - 1] : NULL;

	for (; e; e = e->lane & PLAN_EDGE_MORE ? e + 1 : NULL)
		if ((e->lane & ~PLAN_EDGE_MORE) == lane)
			return e->sequence;
	return 0;
}

static const char *const names[] = {"", "/a", "/b", "/c", "/d/x"};

static void an_edge_needs_a_shared_name_and_follows_the_results(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 10),
		EVENT(10, 5, 1, MKDIR, .path = 2),              /* lane 0, 1 */
		EVENT(20, 5, 2, NEWFSTATAT, .path = 1, .file = 1), /* lane 1, 1: another name */
		EVENT(30, 5, 2, NEWFSTATAT, .path = 2),         /* lane 1, 2: after the mkdir */
		EVENT(40, 5, 2, NEWFSTATAT, .path = 2),         /* lane 1, 3: it has waited for that */
		EVENT(50, 20, 1, UNLINK, .path = 1, .file = 1), /* lane 0, 2: after the stat of /a */
		EVENT(60, 30, 2, NEWFSTATAT, .path = 1, .result = -ENOENT), /* lane 1, 4: overlapped with the unlink, and saw it */
		EVENT(100, 5, 2, NEWFSTATAT, .path = 1, .result = -ENOENT), /* lane 1, 5: it has waited for that */
	};
	struct plan p;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	assert_int_equal(p.lanes, 2);
	assert_int_equal(operation(&p, 0, 0)->edges, 0);
	assert_int_equal(operation(&p, 1, 0)->edges, 0);
	assert_int_equal(edge_to(&p, operation(&p, 1, 1), 0), 1);
	assert_int_equal(operation(&p, 1, 2)->edges, 0);
	assert_int_equal(edge_to(&p, operation(&p, 0, 1), 1), 1);
	assert_int_equal(edge_to(&p, operation(&p, 1, 3), 0), 2);
	assert_int_equal(operation(&p, 1, 4)->edges, 0);
	plan_release(&p);

	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_THREAD);
	assert_int_equal(p.edges_n, 0);
	plan_release(&p);

	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_TEMPORAL);
	assert_int_equal(edge_to(&p, operation(&p, 1, 0), 0), 1);
	assert_int_equal(edge_to(&p, operation(&p, 0, 1), 1), 3);
	plan_release(&p);
}

/* Compiles records about /a, /b and /c, expects no contradiction, and tells what the operation of lane 0 waits for of lane 1. */
static uint32_t waits_for(const struct trace_record *records, size_t n, uint32_t op)
{
	struct plan p;
	uint32_t sequence;

	compile(&p, records, n, names, ORDER_RESOURCE);
	assert_int_equal(p.conflicts, 0);
	sequence = edge_to(&p, operation(&p, 0, op), 1);
	plan_release(&p);
	return sequence;
}

#define WAITS_FOR(records, op) waits_for(records, sizeof(records) / sizeof((records)[0]), op)

static void who_found_a_name_comes_after_who_made_it(void **state)
{
	const struct trace_record renamed[] = {
		THREAD(1), THREAD(2), FILE_(1, 2, 0), FILE_(2, 1, 0),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 1, .result = -ENOENT),
		EVENT(20, 10, 1, RENAMEAT2, .path = 1, .path2 = 2, .flags = RENAME_NOREPLACE, .result = -EEXIST),
		EVENT(10, 25, 2, OPENAT, .path = 1, .file = 2, .flags = O_RDWR | O_CREAT, .bits = TRACE_EV_CREATED, .result = 3),
	};
	const struct trace_record opened[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 0),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 1, .result = -ENOENT),
		EVENT(20, 5, 1, OPENAT, .path = 1, .file = 1, .flags = O_RDWR | O_CREAT, .result = 3),
		EVENT(10, 30, 2, OPENAT, .path = 1, .file = 1, .flags = O_RDWR | O_CREAT, .bits = TRACE_EV_CREATED, .result = 3),
	};

	(void)state;
	assert_int_equal(WAITS_FOR(renamed, 1), 1);
	assert_int_equal(WAITS_FOR(opened, 1), 1);
}

static void an_exchange_misses_either_name(void **state)
{
	const struct trace_record second[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 0),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 1, .file = 1),
		EVENT(2, 1, 1, NEWFSTATAT, .path = 2, .result = -ENOENT),
		EVENT(40, 1, 1, RENAMEAT2, .path = 1, .path2 = 2, .flags = RENAME_EXCHANGE, .result = -ENOENT),
		EVENT(45, 1, 1, NEWFSTATAT, .path = 1, .file = 1), /* so the rename has not happened yet */
		EVENT(10, 50, 2, RENAME, .path = 1, .path2 = 3, .file = 1),
		EVENT(70, 1, 1, NEWFSTATAT, .path = 3, .file = 1),
	};
	const struct trace_record first[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 0), FILE_(2, 2, 0),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 1, .file = 1),
		EVENT(2, 1, 1, NEWFSTATAT, .path = 2, .file = 2),
		EVENT(40, 1, 1, RENAMEAT2, .path = 1, .path2 = 2, .flags = RENAME_EXCHANGE, .result = -ENOENT),
		EVENT(10, 50, 2, RENAME, .path = 1, .path2 = 3, .file = 1),
	};
	const struct trace_record between[] = { /* a rename that takes the second away and replaces the first */
		THREAD(1), THREAD(2), FILE_(1, 1, 0), FILE_(2, 2, 0),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 1, .file = 1),
		EVENT(2, 1, 1, NEWFSTATAT, .path = 2, .file = 2),
		EVENT(10, 10, 2, RENAME, .path = 2, .path2 = 1, .file = 2, .file2 = 1),
		EVENT(12, 20, 1, RENAMEAT2, .path = 1, .path2 = 2, .flags = RENAME_EXCHANGE, .result = -ENOENT),
	};

	(void)state;
	assert_int_equal(WAITS_FOR(between, 2), 1);
	assert_int_equal(WAITS_FOR(second, 2), 0);
	assert_int_equal(WAITS_FOR(second, 3), 0);
	assert_int_equal(WAITS_FOR(first, 2), 1);
}

static void a_rename_to_the_same_name_changes_nothing(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 0), FILE_(2, 2, 0),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 1, .file = 1),
		EVENT(2, 1, 1, NEWFSTATAT, .path = 2, .file = 2),
		EVENT(20, 1, 1, RENAME, .path = 1, .path2 = 1, .file = 1, .file2 = 1),
		EVENT(25, 1, 1, NEWFSTATAT, .path = 1, .file = 1),
		EVENT(10, 30, 2, RENAMEAT2, .path = 1, .path2 = 2, .file = 1, .file2 = 2, .flags = RENAME_EXCHANGE),
		EVENT(50, 1, 1, NEWFSTATAT, .path = 1, .file = 2),
	};

	(void)state;
	assert_int_equal(WAITS_FOR(records, 2), 0);
}

/* The recorder takes renames in the order in which they ended, and so tells that the long one replaced file 2. It was file 3. */
static void results_tell_better_than_the_recorder_what_was_replaced(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 0), FILE_(2, 2, 0), FILE_(3, 3, 0),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 1, .file = 1),
		EVENT(2, 1, 1, NEWFSTATAT, .path = 2, .file = 2),
		EVENT(3, 1, 1, NEWFSTATAT, .path = 3, .file = 3),
		EVENT(30, 1, 1, NEWFSTATAT, .path = 1, .result = -ENOENT), /* so the long one has happened */
		EVENT(40, 1, 1, RENAME, .path = 2, .path2 = 3, .file = 2, .file2 = 3),
		EVENT(10, 50, 2, RENAME, .path = 1, .path2 = 3, .file = 1, .file2 = 2),
		EVENT(70, 1, 1, NEWFSTATAT, .path = 3, .file = 2),
	};

	(void)state;
	assert_int_equal(WAITS_FOR(records, 3), 1);
}

static void an_older_access_counts_when_the_newest_overlapped(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 10),
		EVENT(1, 1, 1, OPENAT, .path = 1, .file = 1, .flags = O_RDWR, .result = 3),
		EVENT(3, 1, 2, OPENAT, .path = 1, .file = 1, .flags = O_RDWR, .result = 3),
		EVENT(10, 5, 1, PWRITE64, .fd = 3, .file = 1, .offset = 10, .length = 10, .result = 10), /* lane 0, 2 */
		EVENT(20, 10, 1, PWRITE64, .fd = 3, .file = 1, .offset = 20, .length = 10, .result = 10), /* lane 0, 3 */
		EVENT(25, 10, 2, PREAD64, .fd = 3, .file = 1, .offset = 0, .length = 100, .result = 20), /* began during 3, ended after */
	};
	struct plan p;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	assert_int_equal(edge_to(&p, operation(&p, 1, 1), 0), 2);
	plan_release(&p);
}

static void reads_of_what_was_always_there_are_free(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 100000),
		EVENT(1, 1, 1, OPENAT, .path = 1, .file = 1, .flags = O_RDWR, .result = 3),
		EVENT(3, 1, 2, OPENAT, .path = 1, .file = 1, .flags = O_RDWR, .result = 3),
		EVENT(10, 1, 1, PWRITE64, .fd = 3, .file = 1, .offset = 100000, .length = 10, .result = 10),
		EVENT(20, 1, 2, PREAD64, .fd = 3, .file = 1, .offset = 0, .length = 4096, .result = 4096),
		EVENT(30, 1, 2, PWRITE64, .fd = 3, .file = 1, .offset = 0, .length = 4096, .result = 4096),
		EVENT(40, 1, 1, FTRUNCATE, .fd = 3, .file = 1, .length = 5),
	};
	struct plan p;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	assert_int_equal(operation(&p, 1, 1)->edges, 0);
	assert_int_equal(operation(&p, 1, 2)->edges, 0);
	assert_int_equal(edge_to(&p, operation(&p, 0, 2), 1), 3);
	plan_release(&p);
}

/* Who looks at one name: first threads of low numbers, then of high ones, some of them again. */
static void a_change_comes_after_everyone_who_looked(void **state)
{
	enum { THREADS = 100, LOOKS = 8 };
	static const uint32_t looks[LOOKS] = {4, 60, 11, 4, 99, 65, 11, 99};
	struct trace_record records[2 * THREADS + 2 * LOOKS + 3];
	struct plan p;
	size_t n = 0;
	uint64_t at = 10;

	(void)state;
	for (uint32_t i = 1; i <= THREADS; i++)
		records[n++] = (struct trace_record)THREAD(i);
	records[n++] = (struct trace_record)FILE_(1, 1, 10);
	for (uint32_t i = 1; i <= THREADS; i++)
		records[n++] = (struct trace_record)EVENT(at += 10, 5, i, NEWFSTATAT, .path = 1, .file = 1);
	for (int k = 0; k < 2; k++) {
		for (uint32_t i = 0; i < LOOKS; i++)
			records[n++] = (struct trace_record)EVENT(at += 10, 5, looks[i] + 1, NEWFSTATAT, .path = 2,
								  .result = k ? 0 : -ENOENT);
		records[n++] = (struct trace_record)EVENT(at += 10, 5, 1, MKDIR, .path = 2, .result = k ? -EEXIST : 0);
	}
	compile(&p, records, n, names, ORDER_RESOURCE);
	for (uint32_t lane = 1; lane < THREADS; lane++) {
		bool once = lane == 60 || lane == 65, twice = lane == 4 || lane == 11 || lane == 99;

		assert_int_equal(edge_to(&p, operation(&p, 0, 1), lane), once ? 2 : twice ? 3 : 0);
	}
	for (uint32_t i = 0; i < 3; i++) /* the first of them each */
		assert_int_equal(edge_to(&p, operation(&p, looks[i], i == 1 ? 2 : 3), 0), 2);
	assert_int_equal(p.conflicts, 0);
	plan_release(&p);
}

static void slots_are_used_again_and_a_shared_one_is_closed_once(void **state)
{
	struct trace_record records[2000] = {THREAD(1), FILE_(1, 1, 10)};
	size_t n = 2;
	struct plan p;

	(void)state;
	for (uint64_t i = 0; i < 300; i++) {
		records[n++] = (struct trace_record)EVENT(10 * i + 1, 1, 1, OPENAT, .path = 1, .file = 1, .result = 3);
		records[n++] = (struct trace_record)EVENT(10 * i + 3, 1, 1, CLOSE, .fd = 3, .file = 1);
	}
	records[n++] = (struct trace_record)EVENT(10000, 1, 1, OPENAT, .path = 1, .file = 1, .result = 3);
	records[n++] = (struct trace_record)EVENT(10010, 1, 1, FORK, .result = 102);
	records[n++] = (struct trace_record){.type = TRACE_THREAD, .thread = {.id = 2, .tid = 102, .pid = 102, .parent = 1}};
	records[n++] = (struct trace_record)EVENT(10020, 1, 1, CLOSE, .fd = 3, .file = 1);
	records[n++] = (struct trace_record)EVENT(10030, 1, 2, CLOSE, .fd = 3, .file = 1);
	compile(&p, records, n, names, ORDER_RESOURCE);
	assert_int_equal(p.slots, 1);
	assert_int_equal(p.lane[0].operations, 601);
	assert_int_equal(p.lane[1].operations, 1);
	assert_int_equal(p.kept_books, 2);
	assert_int_equal(p.replayed + p.kept_books, p.events);
	/* The child waits for what its parent had done at the fork: the open. */
	assert_int_equal(edge_to(&p, operation(&p, 1, 0), 0), 601);
	plan_release(&p);
}

static void lanes_that_share_no_handle_are_known(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), THREAD(2), FILE_(1, 1, 10), FILE_(2, 2, 10),
		{.type = TRACE_THREAD, .thread = {.id = 3, .tid = 103, .pid = 102}}, /* of the same process as thread 2 */
		{.type = TRACE_THREAD, .thread = {.id = 4, .tid = 104, .pid = 104}},
		{.type = TRACE_FD, .fd = {.pid = 104, .fd = 5, .file = 1, .flags = O_RDONLY}},
		EVENT(10, 1, 1, OPENAT, .path = 1, .file = 1, .result = 3), /* lane 0: by itself */
		EVENT(12, 1, 2, OPENAT, .path = 2, .file = 2, .result = 3), /* lane 1 */
		EVENT(14, 1, 1, READ, .fd = 3, .file = 1, .length = 1, .result = 1),
		EVENT(16, 1, 3, READ, .fd = 3, .file = 2, .length = 1, .result = 1), /* lane 2: what lane 1 opened */
		EVENT(18, 1, 4, READ, .fd = 5, .file = 1, .length = 1, .result = 1), /* lane 3: open since before */
	};
	struct plan p;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	assert_int_equal(p.lanes, 4);
	assert_false(p.lane[0].shares_handles);
	assert_true(p.lane[1].shares_handles);
	assert_true(p.lane[2].shares_handles);
	assert_true(p.lane[3].shares_handles);
	plan_release(&p);
}

static void who_waited_for_a_child_goes_on_after_it(void **state)
{
	const struct trace_record records[] = {
		THREAD(1),
		{.type = TRACE_THREAD, .thread = {.id = 2, .tid = 102, .pid = 102, .parent = 1}},
		EVENT(1000, 10, 1, MKDIR, .path = 1),        /* lane 0, 1 */
		EVENT(2000, 10, 2, MKDIR, .path = 2),        /* lane 1, 1: the child */
		EVENT(5000000, 10, 2, MKDIR, .path = 3),     /* lane 1, 2 */
		EVENT(5000100, 0, 2, EXIT),
		EVENT(5000300, 10, 1, RMDIR, .path = 1),     /* lane 0, 2: was silent until then */
		{.type = TRACE_THREAD, .thread = {.id = 3, .tid = 103, .pid = 103, .parent = 1}},
		EVENT(5000400, 10, 3, MKDIR, .path = 1),     /* lane 2, 1: another child */
		EVENT(5000500, 0, 3, EXIT),
		EVENT(5000600, 10, 1, NEWFSTATAT, .path = 2), /* lane 0, 3: was never silent */
	};
	const struct plan_op *op;
	struct plan p;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	assert_int_equal(p.lanes, 3);
	op = operation(&p, 0, 1);
	assert_int_equal(edge_to(&p, op, 1), 2);
	assert_true(op->bits & PLAN_WOKEN);
	assert_int_equal(p.args[op->offset].woken_ns, 290);
	assert_int_equal(p.args[op->offset].think_ns, 5000300 - 1010);
	op = operation(&p, 0, 2);
	assert_int_equal(edge_to(&p, op, 2), 0);
	assert_false(op->bits & PLAN_WOKEN);
	plan_release(&p);

	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_THREAD);
	assert_int_equal(edge_to(&p, operation(&p, 0, 1), 1), 0);
	assert_false(operation(&p, 0, 1)->bits & PLAN_WOKEN);
	plan_release(&p);
}

static void the_waker_is_the_first_edge(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), THREAD(2), THREAD(3),
		EVENT(10, 5, 1, MKDIR, .path = 1),  /* lane 0, 1 */
		EVENT(20, 5, 2, MKDIR, .path = 2),  /* lane 1, 1 */
		EVENT(100, 5, 1, MKDIR, .path = 3), /* lane 0, 2: what the waker had done */
		EVENT(500, 5, 3, RMDIR, .path = 2), /* lane 2, 1 */
		{.type = TRACE_WAKE, .wake = {.at_ns = 600, .waker = 1, .wakee = 2}},
		EVENT(700, 5, 1, RMDIR, .path = 3), /* lane 0, 3 */
		EVENT(800, 5, 2, MKDIR, .path = 3), /* lane 1, 2: needs the newer one of the waker's lane as well */
	};
	const struct plan_op *op;
	const struct plan_edge *edge;
	struct plan p;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	op = operation(&p, 1, 1);
	assert_true(op->bits & PLAN_WOKEN);
	assert_int_equal(p.args[op->offset].woken_ns, 800 - 105);
	edge = &p.edge[op->edges - 1];
	assert_int_equal(edge[0].lane & ~PLAN_EDGE_MORE, 0);
	assert_int_equal(edge[0].sequence, 2);
	assert_true(edge[0].lane & PLAN_EDGE_MORE);
	assert_int_equal(edge_to(&(struct plan){.edge = edge}, &(struct plan_op){.edges = 2}, 0), 3);
	plan_release(&p);
}

static void a_pause_is_not_measured_from_a_hidden_operation(void **state)
{
	const struct trace_record records[] = {
		THREAD(1),
		{.type = TRACE_THREAD, .thread = {.id = 2, .tid = 102, .pid = 102, .parent = 1}},
		FILE_(1, 1, 10),
		EVENT(1000, 10, 1, MKDIR, .path = 2),                                                   /* lane 0, 1 */
		EVENT(2000, 10, 2, OPENAT, .path = 1, .file = 1, .result = 3), /* lane 1, 1: then it is silent */
		EVENT(5000000, 0, 2, EXIT),                                                             /* lane 1, 2: hidden, closes it */
		EVENT(5000300, 10, 1, RMDIR, .path = 2),                                                /* lane 0, 2: waited for the child */
	};
	const struct plan_op *op;
	struct plan p;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	assert_int_equal(p.lane[1].operations, 2);
	assert_true(operation(&p, 1, 1)->bits & PLAN_HIDDEN);
	op = operation(&p, 0, 1);
	assert_true(op->bits & PLAN_WOKEN);
	assert_int_equal(p.args[op->offset].woken_ns, 5000300 - 2010);
	assert_int_equal(edge_to(&p, op, 1), 1);
	assert_int_equal(p.edge[op->edges].sequence, 2);
	plan_release(&p);
}

static void the_starting_state_is_what_results_say(void **state)
{
	const struct trace_record records[] = {
		THREAD(1), FILE_(1, 1, 10),
		EVENT(1, 1, 1, NEWFSTATAT, .path = 3, .result = -ENOENT),
		EVENT(3, 1, 1, RENAME, .path = 2, .path2 = 3),
		EVENT(5, 1, 1, OPENAT, .path = 1, .file = 1, .result = 3),
		EVENT(7, 1, 1, READ, .fd = 3, .file = 1, .offset = 0, .length = 100, .result = 77),
		EVENT(9, 1, 1, OPENAT, .path = 4, .flags = O_CREAT | O_EXCL | O_WRONLY, .mode = 0600, .result = 4),
		EVENT(11, 1, 1, WRITE, .fd = 4, .offset = 0, .length = 5, .result = 5),
	};
	struct plan p;
	uint64_t sizes = 0;

	(void)state;
	compile(&p, records, sizeof(records) / sizeof(records[0]), names, ORDER_RESOURCE);
	/* /a with the 77 bytes that were read, /b, the directory /d; not /c and not /d/x. */
	assert_int_equal(p.start_n, 3);
	for (uint32_t i = 0; i < p.start_n; i++) {
		const char *path = plan_text(&p, p.start[i].path);

		assert_true(!strcmp(path, "/a") || !strcmp(path, "/b") || !strcmp(path, "/d"));
		sizes += p.start[i].size;
	}
	assert_int_equal(sizes, 77);
	assert_int_equal(p.absent_n, 2);
	assert_int_equal(p.final_n, 4);
	assert_int_equal(p.conflicts, 0);
	plan_release(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edge_needs_a_shared_name_and_follows_the_results),
		cmocka_unit_test(who_found_a_name_comes_after_who_made_it),
		cmocka_unit_test(an_exchange_misses_either_name),
		cmocka_unit_test(a_rename_to_the_same_name_changes_nothing),
		cmocka_unit_test(results_tell_better_than_the_recorder_what_was_replaced),
		cmocka_unit_test(an_older_access_counts_when_the_newest_overlapped),
		cmocka_unit_test(reads_of_what_was_always_there_are_free),
		cmocka_unit_test(a_change_comes_after_everyone_who_looked),
		cmocka_unit_test(slots_are_used_again_and_a_shared_one_is_closed_once),
		cmocka_unit_test(lanes_that_share_no_handle_are_known),
		cmocka_unit_test(who_waited_for_a_child_goes_on_after_it),
		cmocka_unit_test(the_waker_is_the_first_edge),
		cmocka_unit_test(a_pause_is_not_measured_from_a_hidden_operation),
		cmocka_unit_test(the_starting_state_is_what_results_say),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
