/* Writer and reader: what was written is what is read, for random records of every kind and for the edges of every member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>

#include "trace/trace.h"

static char path[64];

static uint64_t seed;

static uint64_t any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Mostly small, sometimes at an edge, sometimes anything. */
static uint64_t some(void)
{
	static const uint64_t edge[] = {0, 1, 127, 128, 4096, INT32_MAX, UINT32_MAX, INT64_MAX, 1ULL << 63, UINT64_MAX};

	switch (any() % 8) {
	case 0: return edge[any() % (sizeof(edge) / sizeof(edge[0]))];
	case 1: return any();
	case 2: return any() % 1024 * 4096;
	default: return any() % 100;
	}
}

static const size_t record_bytes[] = {
	[TRACE_FILE] = sizeof(struct trace_file),           [TRACE_THREAD] = sizeof(struct trace_thread),
	[TRACE_FD] = sizeof(struct trace_fd),               [TRACE_EVENT] = sizeof(struct trace_event),
	[TRACE_WAKE] = sizeof(struct trace_wake),           [TRACE_RESIDENCY] = sizeof(struct trace_residency),
	[TRACE_LOSS] = sizeof(struct trace_loss),           [TRACE_CONTENT] = sizeof(struct trace_content),
	[TRACE_HOLE] = sizeof(struct trace_hole),
};

struct counts {
	uint32_t strings, files, threads;
};

static struct trace_event random_event(const struct counts *have, bool calm)
{
	struct trace_event e = {.begin_ns = calm ? any() % 100000 : some(), .duration_ns = calm ? any() % 5000 : some()};
	unsigned fields;

	do
		e.op = (uint8_t)(any() % TRACE_OP_MAX);
	while (!trace_ops[e.op].name);
	fields = trace_ops[e.op].fields;
	e.thread = 1 + (uint32_t)any() % have->threads;
	e.via = any() % 8 ? 0 : (uint8_t)(any() % 4);
	e.bits = any() % 8 ? 0 : (uint16_t)any();
	e.ring = any() % 8 ? 0 : (uint32_t)some();
	e.fd = fields & TRACE_F_FD ? (int32_t)some() : -1;
	e.fd2 = fields & TRACE_F_FD2 ? (int32_t)some() : -1;
	e.file = fields & TRACE_F_FILE ? (uint32_t)any() % (have->files + 1) : 0;
	e.file2 = fields & TRACE_F_FILE2 ? (uint32_t)any() % (have->files + 1) : 0;
	e.path = fields & TRACE_F_PATH ? (uint32_t)any() % (have->strings + 1) : 0;
	e.path2 = fields & TRACE_F_PATH2 ? (uint32_t)any() % (have->strings + 1) : 0;
	e.offset = fields & TRACE_F_OFFSET ? (int64_t)some() : -1;
	e.offset2 = fields & TRACE_F_OFFSET2 ? (int64_t)some() : -1;
	e.length = fields & TRACE_F_LENGTH ? some() : 0;
	e.flags = fields & TRACE_F_FLAGS ? some() : 0;
	e.arg = fields & TRACE_F_ARG ? some() : 0;
	e.mode = fields & TRACE_F_MODE ? (uint32_t)some() : 0;
	e.result = any() % 2 ? (int64_t)e.length : (int64_t)some();
	return e;
}

static struct trace_record random_record(const struct counts *have, bool calm)
{
	struct trace_record r;

	memset(&r, 0, sizeof(r));
	switch (have->threads ? any() % 20 : 1) {
	case 0:
		r.type = TRACE_FILE;
		r.file = (struct trace_file){.id = have->files + 1, .path = (uint32_t)any() % (have->strings + 1), .dev = some(), .ino = some(),
					     .generation = (uint32_t)some(), .mode = (uint32_t)some(), .nlink = (uint32_t)some(),
					     .bits = (uint32_t)some(), .size = some(),
					     .target = (uint32_t)any() % (have->strings + 1), .seen_ns = some(),
					     .allocated_bytes = any() % 4 ? 0 : some(),
					     .user_dev = calm ? 0 : some()};
		break;
	case 1:
		r.type = TRACE_THREAD;
		r.thread = (struct trace_thread){.id = have->threads + 1, .tid = (uint32_t)some(), .pid = (uint32_t)some(),
						 .parent = (uint32_t)any() % (have->threads + 1),
						 .comm = (uint32_t)any() % (have->strings + 1),
						 .cwd = (uint32_t)any() % (have->strings + 1), .seen_ns = some(),
						 .mount_namespace = calm ? 0 : (uint32_t)some()};
		break;
	case 2:
		r.type = TRACE_FD;
		r.fd = (struct trace_fd){.pid = (uint32_t)some(), .fd = (int32_t)some(), .file = (uint32_t)any() % (have->files + 1),
					 .flags = (uint32_t)some(), .position = (int64_t)some(), .description = some()};
		break;
	case 3:
		r.type = TRACE_WAKE;
		r.wake = (struct trace_wake){some(), (uint32_t)any() % (have->threads + 1), (uint32_t)any() % (have->threads + 1)};
		break;
	case 4:
		r.type = TRACE_RESIDENCY;
		r.residency = (struct trace_residency){.file = (uint32_t)any() % (have->files + 1), .first_page = some(), .pages = some(),
						       .absent_pages = calm ? 0 : some(), .at_ns = some(),
						       .bits = calm ? 0 : (uint32_t)some()};
		break;
	case 6:
		r.type = TRACE_CONTENT;
		r.content = (struct trace_content){(uint32_t)any() % (have->files + 1), some(), some(), some(), some()};
		break;
	case 7:
		r.type = TRACE_HOLE;
		r.hole = (struct trace_hole){(uint32_t)any() % (have->files + 1), some(), some(), some()};
		break;
	case 5:
		r.type = TRACE_LOSS;
		r.loss = (struct trace_loss){any() % 100, some(), some(), (uint32_t)any() % 4, (uint32_t)some()};
		break;
	default:
		r.type = TRACE_EVENT;
		r.event = random_event(have, calm);
	}
	return r;
}

static void write_record(struct trace_writer *w, const struct trace_record *r)
{
	switch (r->type) {
	case TRACE_FILE: assert_int_equal(trace_writer_file(w, &r->file), r->file.id); break;
	case TRACE_THREAD: assert_int_equal(trace_writer_thread(w, &r->thread), r->thread.id); break;
	case TRACE_FD: assert_int_equal(trace_writer_fd(w, &r->fd), 0); break;
	case TRACE_EVENT: assert_int_equal(trace_writer_event(w, &r->event), 0); break;
	case TRACE_WAKE: assert_int_equal(trace_writer_wake(w, &r->wake), 0); break;
	case TRACE_RESIDENCY: assert_int_equal(trace_writer_residency(w, &r->residency), 0); break;
	case TRACE_LOSS: assert_int_equal(trace_writer_loss(w, &r->loss), 0); break;
	case TRACE_CONTENT: assert_int_equal(trace_writer_content(w, &r->content), 0); break;
	case TRACE_HOLE: assert_int_equal(trace_writer_hole(w, &r->hole), 0); break;
	case TRACE_END: fail(); break;
	}
}

static size_t random_string(char text[400], uint32_t number)
{
	size_t n = (size_t)snprintf(text, 300, "/srv/%u/mail/%llx", number % 7, (unsigned long long)any());

	while (any() % 4 && n < 399)
		text[n++] = (char)(1 + any() % 255);
	return n;
}

/* Writes n random records and reads them back; keeps a copy of everything. */
static void round_trip(uint64_t random_seed, uint32_t n, bool calm, uint32_t flush_every)
{
	struct trace_record *wanted = calloc(n, sizeof(*wanted)), got;
	char (*text)[400] = calloc(n, sizeof(*text));
	struct counts have = {0};
	struct trace_error error;
	struct trace_reader *r;
	json_t *header = json_pack("{s:s,s:I}", "host", "b\303\266x", "pid_max", (json_int_t)4194304), *trailer = json_pack("{s:i}", "x", 1);
	struct trace_writer *w = trace_writer_open(path, header, NULL);

	assert_non_null(w);
	seed = random_seed;
	for (uint32_t i = 0; i < n; i++) {
		if (any() % 8 == 0 || !have.strings) {
			uint32_t id = have.strings + 1;
			size_t length = random_string(text[id - 1], id);

			assert_int_equal(trace_writer_string(w, text[id - 1], length), id);
			assert_int_equal(trace_writer_string(w, text[id - 1], length), id);
			have.strings = id;
		}
		wanted[i] = random_record(&have, calm);
		write_record(w, &wanted[i]);
		have.files += wanted[i].type == TRACE_FILE;
		have.threads += wanted[i].type == TRACE_THREAD;
		if (flush_every && any() % flush_every == 0)
			assert_int_equal(trace_writer_flush(w), 0);
	}
	assert_int_equal(trace_writer_close(w, trailer), 0);

	r = trace_reader_open(path, &error);
	assert_non_null(r);
	assert_int_equal(json_integer_value(json_object_get(trace_reader_header(r), "pid_max")), 4194304);
	assert_string_equal(json_string_value(json_object_get(trace_reader_header(r), "schema")), "iorig.trace/1");
	assert_null(trace_reader_trailer(r));
	for (uint32_t i = 0; i < n; i++) {
		memset(&got, 0, sizeof(got));
		if (!trace_reader_next(r, &got))
			fail_msg("record %u: %s", i, trace_reader_error(r)->text);
		assert_int_equal(got.type, wanted[i].type);
		if (memcmp(&got.file, &wanted[i].file, record_bytes[got.type]))
			fail_msg("record %u of type %u differs (seed %llu)", i, got.type, (unsigned long long)random_seed);
	}
	assert_false(trace_reader_next(r, &got));
	if (trace_reader_error(r)->status)
		fail_msg("%s", trace_reader_error(r)->text);
	assert_true(json_equal(trace_reader_trailer(r), trailer));
	for (uint32_t id = 1; id <= have.strings; id++)
		assert_string_equal(trace_reader_string(r, id), text[id - 1]);
	assert_string_equal(trace_reader_string(r, 0), "");
	trace_reader_close(r);
	json_decref(header);
	json_decref(trailer);
	free(wanted);
	free(text);
}

static void test_random_records(void **state)
{
	(void)state;
	for (uint64_t s = 1; s <= 40; s++)
		round_trip(s * 7919, 500, s % 2, s % 3 ? 100 : 0);
}

static void test_many_blocks(void **state)
{
	(void)state;
	round_trip(99991, 150000, true, 0);
	round_trip(99989, 150000, false, 50000);
}

/* One event of every operation, every member that it uses set, every other one too: the latter are not stored. */
static void test_every_operation(void **state)
{
	struct trace_writer *w = trace_writer_open(path, NULL, NULL);
	struct trace_record r;
	struct trace_error error;
	struct trace_reader *reader;

	(void)state;
	assert_int_equal(trace_writer_string(w, "/a", 2), 1);
	assert_int_equal(trace_writer_thread(w, &(struct trace_thread){.tid = 1, .pid = 1}), 1);
	assert_int_equal(trace_writer_file(w, &(struct trace_file){.path = 1}), 1);
	for (int op = 1; op < TRACE_OP_MAX; op++) {
		struct trace_event e = {.begin_ns = (uint64_t)op, .thread = 1, .op = (uint8_t)op, .fd = 3, .fd2 = 4, .file = 1, .file2 = 1,
					.path = 1, .path2 = 1, .offset = 5, .offset2 = 6, .length = 7, .flags = 8, .arg = 9, .mode = 10};

		if (trace_ops[op].name)
			assert_int_equal(trace_writer_event(w, &e), 0);
	}
	assert_int_equal(trace_writer_close(w, NULL), 0);
	reader = trace_reader_open(path, &error);
	assert_non_null(reader);
	assert_true(trace_reader_next(reader, &r) && r.type == TRACE_THREAD);
	assert_true(trace_reader_next(reader, &r) && r.type == TRACE_FILE);
	for (int op = 1; op < TRACE_OP_MAX; op++) {
		unsigned f = trace_ops[op].fields;

		if (!trace_ops[op].name)
			continue;
		assert_true(trace_reader_next(reader, &r));
		assert_int_equal(r.event.op, op);
		assert_int_equal(r.event.fd, f & TRACE_F_FD ? 3 : -1);
		assert_int_equal(r.event.fd2, f & TRACE_F_FD2 ? 4 : -1);
		assert_int_equal(r.event.file, f & TRACE_F_FILE ? 1 : 0);
		assert_int_equal(r.event.file2, f & TRACE_F_FILE2 ? 1 : 0);
		assert_int_equal(r.event.path, f & TRACE_F_PATH ? 1 : 0);
		assert_int_equal(r.event.path2, f & TRACE_F_PATH2 ? 1 : 0);
		assert_int_equal(r.event.offset, f & TRACE_F_OFFSET ? 5 : -1);
		assert_int_equal(r.event.offset2, f & TRACE_F_OFFSET2 ? 6 : -1);
		assert_int_equal(r.event.length, f & TRACE_F_LENGTH ? 7 : 0);
		assert_int_equal(r.event.flags, f & TRACE_F_FLAGS ? 8 : 0);
		assert_int_equal(r.event.arg, f & TRACE_F_ARG ? 9 : 0);
		assert_int_equal(r.event.mode, f & TRACE_F_MODE ? 10 : 0);
	}
	assert_false(trace_reader_next(reader, &r));
	assert_int_equal(trace_reader_error(reader)->status, TRACE_OK);
	assert_null(trace_reader_trailer(reader));
	trace_reader_close(reader);
}

/* Ids that were never given are refused, and the refusal sticks; what was written before is readable. */
static void test_writer_refuses_unknown_ids(void **state)
{
	static const struct trace_event bad[] = {
		{.op = TRACE_OP_READ, .thread = 2},
		{.op = TRACE_OP_READ, .thread = 0},
		{.op = TRACE_OP_READ, .thread = 1, .file = 1},
		{.op = TRACE_OP_OPEN, .thread = 1, .path = 1},
		{.op = 7, .thread = 1},
	};
	struct trace_error error;
	struct trace_record r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct trace_writer *w = trace_writer_open(path, NULL, NULL);
		struct trace_reader *reader;

		assert_int_equal(trace_writer_thread(w, &(struct trace_thread){.tid = 1, .pid = 1}), 1);
		assert_int_equal(trace_writer_flush(w), 0);
		assert_int_equal(trace_writer_event(w, &bad[i]), -EINVAL);
		assert_int_equal(trace_writer_loss(w, &(struct trace_loss){.count = 1}), -EINVAL);
		assert_int_equal(trace_writer_close(w, NULL), -EINVAL);
		reader = trace_reader_open(path, &error);
		assert_true(trace_reader_next(reader, &r) && r.type == TRACE_THREAD);
		assert_false(trace_reader_next(reader, &r));
		assert_int_equal(trace_reader_error(reader)->status, TRACE_OK);
		trace_reader_close(reader);
	}
}

/* A writer with a limit says -EFBIG, never exceeds it by a byte, and leaves a whole trace of what it took. */
static void test_size_limit(void **state)
{
	(void)state;
	for (uint64_t limit = 64 << 10; limit <= 1 << 20; limit *= 2) {
		struct trace_writer *w = trace_writer_open(path, NULL, &(struct trace_writer_options){.max_bytes = limit});
		uint64_t taken = 0, found = 0;
		struct trace_error error;
		struct trace_reader *reader;
		struct trace_record r;
		FILE *f;

		seed = limit;
		assert_int_equal(trace_writer_thread(w, &(struct trace_thread){.tid = 1, .pid = 1}), 1);
		for (;; taken++) {
			struct trace_event e = random_event(&(struct counts){0, 0, 1}, false);
			int rc = trace_writer_event(w, &e);

			if (rc) {
				assert_int_equal(rc, -EFBIG);
				break;
			}
		}
		assert_int_equal(trace_writer_close(w, NULL), -EFBIG);
		f = fopen(path, "r");
		fseek(f, 0, SEEK_END);
		assert_true((uint64_t)ftell(f) <= limit);
		assert_true((uint64_t)ftell(f) > limit / 2);
		fclose(f);
		reader = trace_reader_open(path, &error);
		while (trace_reader_next(reader, &r))
			found += r.type == TRACE_EVENT;
		assert_int_equal(trace_reader_error(reader)->status, TRACE_OK);
		assert_int_equal(found, taken);
		trace_reader_close(reader);
	}
}

static int setup(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/iorig-test-trace.XXXXXX");
	fd = mkstemp(path);
	close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_records),
		cmocka_unit_test(test_many_blocks),
		cmocka_unit_test(test_every_operation),
		cmocka_unit_test(test_writer_refuses_unknown_ids),
		cmocka_unit_test(test_size_limit),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
