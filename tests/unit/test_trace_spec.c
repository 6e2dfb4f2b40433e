/*
 * The page docs/iorig-trace.5 against the code: a trace written down byte by byte from the page (it
 * pins the format: what the writer makes today must be what it will make tomorrow), and every table of the pages.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include "trace/format.h"

static char path[64];
static uint8_t built[4096];
static size_t n;

static void bytes(size_t count, const void *data)
{
	memcpy(built + n, data, count);
	n += count;
}

#define BYTES(...) bytes(sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})

static void number(unsigned width, uint64_t v)
{
	for (unsigned i = 0; i < width; i++)
		built[n++] = (uint8_t)(v >> 8 * i);
}

static void column(size_t *directory, unsigned id, size_t count, const uint8_t *data)
{
	/* Small columns do not get smaller by compression, so both sizes are equal. */
	built[(*directory)++] = (uint8_t)id;
	built[(*directory)++] = (uint8_t)count;
	built[(*directory)++] = (uint8_t)count;
	bytes(count, data);
}

#define COLUMN(id, ...) column(&directory, id, sizeof((const uint8_t[]){__VA_ARGS__}), (const uint8_t[]){__VA_ARGS__})

static void frame(const char *tag, size_t payload, size_t payload_bytes, const uint32_t counts[5], const uint64_t sums[4], size_t at)
{
	size_t end = n;

	n = at;
	bytes(4, tag);
	number(4, payload_bytes);
	for (int i = 0; i < 5; i++)
		number(4, counts[i]);
	number(4, 0);
	for (int i = 0; i < 4; i++)
		number(8, sums[i]);
	number(8, XXH3_64bits(built + payload, payload_bytes));
	number(8, XXH3_64bits_withSeed(built + at, 72, at));
	n = end;
}

static const char header[] = "{\"schema\":\"iorig.trace/1\",\"version\":1}";

/*
 *	thread 1 tid=5 pid=5 comm="cp"
 *	file 1 dev=0:3 ino=2 size=300 path="cq"
 *	0.000001+0.000000100 1 read fd=3 file=1 offset=0 length=4096 = 300
 *	0.000001200+0.000000007 1 read fd=3 file=1 offset=300 length=4096 = 0
 *	0.000001207+0.000000008 1 pread64 fd=3 file=1 offset=8192 length=10 = -5
 */
static void build_by_hand(void)
{
	size_t block, payload, directory, index;

	n = 0;
	BYTES(0x8f, 'i', 'o', 't', 'r', 'a', 'c', 'e');
	number(4, 1);
	number(4, strlen(header));
	number(8, XXH3_64bits(built, 16));
	bytes(strlen(header), header);
	number(8, XXH3_64bits(header, strlen(header)));

	block = n;
	payload = block + 80;
	directory = payload;
	n = payload + 1 + 3 * 32; /* 32 columns */
	built[directory++] = 32;
	COLUMN(0, 1 << 3 | 2, 1 << 3 | 1, 3 << 3 | 4);    /* a thread, a file, three events */
	COLUMN(1, 0, 2, 1, 1);                             /* "cp": all of it; "cq": shares one byte */
	COLUMN(2, 'c', 'p', 'q');
	/* read and pread64: fd, file, offset, length = 1 + 4 + 64 + 256 = 325 = c5 02 */
	COLUMN(3, 10, 0xc5, 0x02, 0, 0, 0, 0, 0, 0, 11, 0xc5, 0x02, 0, 0, 0, 0, 0, 0);
	COLUMN(4,
	       16,                              /* first: offset as expected, 0 */
	       1 | 2 | 4 | 8 | 16 | 64,         /* same thread, begin after end, same fd, its file, 300 expected, length of the file */
	       1 | 2 | 4 | 8 | 32);             /* same thread and so on, page offset */
	COLUMN(5, 0, 0, 1);                        /* new shape 0, shape 0, new shape 1 */
	COLUMN(6, 1);                              /* thread 1 */
	/* End 1100: highest bit 10, s = 8, two bits below: 00, class 9 << 2 = 36, rest 1100 - 1024 = 76. Gaps 100 (6, s = 4, 10: class 22, rest 4) and 0. */
	COLUMN(7, 36, 22, 0);
	COLUMN(8, 76, 4);                          /* 8 bits, 4 bits */
	/* Durations 100 (class 22, rest 4), 7 (class 7), 8 (highest bit 3, s = 1: class 8, one bit 0). */
	COLUMN(9, 22, 7, 8);
	COLUMN(10, 4);
	COLUMN(11, 6);                             /* fd 3 */
	COLUMN(12, 1);                             /* file 1 of 1: 1 + 1 - 1 */
	/* Page 2 less page 0 (300 >> 12): zigzag 4, which is its class. */
	COLUMN(14, 4);
	COLUMN(16, 0x80, 0x20, 10);                /* 4096, 10 */
	COLUMN(17, 0xd8, 0x04, 0, 9);              /* zigzag 300, 0, -5; the second was predicted as 300 */
	COLUMN(32, 1);                             /* "cq" is 2, newest 1: 1 + zigzag(1 + 1 - 2) */
	COLUMN(33, 3);
	COLUMN(34, 4);
	COLUMN(35, 0);
	COLUMN(36, 0);
	COLUMN(37, 0);
	COLUMN(38, 0);
	COLUMN(39, 0xac, 0x02);                    /* 300 */
	COLUMN(40, 0);
	COLUMN(41, 0);
	COLUMN(48, 5);
	COLUMN(49, 5);
	COLUMN(50, 0);
	COLUMN(51, 1);                             /* "cp" is 1, newest 0: 1 + zigzag(0) */
	COLUMN(52, 0);
	COLUMN(53, 0);
	assert_int_equal(directory, payload + 1 + 3 * 32);
	frame("BLOK", payload, n - payload, (const uint32_t[]){3, 5, 0, 0, 0}, (const uint64_t[]){0, 1000, 1215, 0}, block);

	index = n;
	payload = index + 80;
	n = payload;
	BYTES(1, 96, 7, 7);
	BYTES((uint8_t)block, 5, 3, 0xe8, 0x07, 0xbf, 0x09); /* offset, 5 records, 3 events, 1000, 1215 */
	frame("INDX", payload, n - payload, (const uint32_t[]){0, 0, 2, 1, 1}, (const uint64_t[]){3, 0, 0, 0}, index);
	number(8, index);
	BYTES('e', 'c', 'a', 'r', 't', 'o', 0x8f, '\n');
}

static const struct trace_event events[] = {
	{.begin_ns = 1000, .duration_ns = 100, .op = TRACE_OP_READ, .thread = 1, .fd = 3, .file = 1, .fd2 = -1, .offset2 = -1, .length = 4096, .result = 300},
	{.begin_ns = 1200, .duration_ns = 7, .op = TRACE_OP_READ, .thread = 1, .fd = 3, .file = 1, .fd2 = -1, .offset = 300, .offset2 = -1, .length = 4096},
	{.begin_ns = 1207, .duration_ns = 8, .op = TRACE_OP_PREAD64, .thread = 1, .fd = 3, .file = 1, .fd2 = -1, .offset = 8192, .offset2 = -1, .length = 10,
	 .result = -5},
};

static void test_the_writer_makes_what_the_page_says(void **state)
{
	struct trace_writer *w = trace_writer_open(path, NULL, NULL);
	uint8_t found[sizeof(built)];
	size_t got;
	FILE *f;

	(void)state;
	build_by_hand();
	assert_int_equal(trace_writer_thread(w, &(struct trace_thread){.tid = 5, .pid = 5, .comm = trace_writer_string(w, "cp", 2)}), 1);
	assert_int_equal(trace_writer_file(w, &(struct trace_file){.path = trace_writer_string(w, "cq", 2), .dev = 3, .ino = 2, .size = 300}), 1);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(trace_writer_event(w, &events[i]), 0);
	assert_int_equal(trace_writer_close(w, NULL), 0);
	f = fopen(path, "r");
	got = fread(found, 1, sizeof(found), f);
	fclose(f);
	for (size_t i = 0; i < n && i < got; i++)
		if (found[i] != built[i])
			fail_msg("byte %zu is 0x%02x, the page says 0x%02x", i, found[i], built[i]);
	assert_int_equal(got, n);
}

static void test_the_reader_reads_what_the_page_says(void **state)
{
	struct trace_error error;
	struct trace_reader *r;
	struct trace_record record;
	FILE *f = fopen(path, "w");

	(void)state;
	build_by_hand();
	fwrite(built, 1, n, f);
	fclose(f);
	r = trace_reader_open(path, &error);
	assert_non_null(r);
	assert_true(trace_reader_next(r, &record) && record.type == TRACE_THREAD);
	assert_int_equal(record.thread.tid, 5);
	assert_string_equal(trace_reader_string(r, record.thread.comm), "cp");
	assert_true(trace_reader_next(r, &record) && record.type == TRACE_FILE);
	assert_int_equal(record.file.size, 300);
	assert_string_equal(trace_reader_string(r, record.file.path), "cq");
	for (size_t i = 0; i < 3; i++) {
		assert_true(trace_reader_next(r, &record) && record.type == TRACE_EVENT);
		assert_memory_equal(&record.event, &events[i], sizeof(events[i]));
	}
	assert_false(trace_reader_next(r, &record));
	assert_string_equal(trace_reader_error(r)->text, "");
	assert_int_equal(trace_reader_error(r)->status, TRACE_OK);
	trace_reader_close(r);
}

/* ---- the tables of the pages ---- */

static char *page(const char *name)
{
	char file[128];
	char *text = calloc(1, 1 << 20);
	FILE *f;

	/* Unit tests run from the top of the tree. */
	snprintf(file, sizeof(file), "docs/%s", name);
	f = fopen(file, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, (1 << 20) - 1, f) > 1000);
	fclose(f);
	return text;
}

static void assert_has_line(const char *text, const char *line, const char *where)
{
	if (!strstr(text, line))
		fail_msg("%s lacks the line '%s'", where, line);
}

static void test_every_column_is_on_the_page(void **state)
{
	char *text = page("iorig-trace.5"), line[128];
	static const char *const codings[] = {"plain", "signed", "delta", "string"};

	(void)state;
	for (unsigned c = 0; c < TRACE_COL_INDEX; c++)
		if (trace_column_name(c)) {
			snprintf(line, sizeof(line), "\n.It %u %s%s", c, trace_column_name(c), c < 32 ? "\n" : " Ta ");
			assert_has_line(text, line, "iorig-trace.5");
		}
	for (const struct trace_member *m = trace_members; m->column; m++) {
		snprintf(line, sizeof(line), "\n.It %u %s Ta %s Ta ", m->column, trace_column_name(m->column), codings[m->coding]);
		assert_has_line(text, line, "iorig-trace.5");
	}
	free(text);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "/tmp/iorig-test-spec.XXXXXX");
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
		cmocka_unit_test(test_the_writer_makes_what_the_page_says),
		cmocka_unit_test(test_the_reader_reads_what_the_page_says),
		cmocka_unit_test(test_every_column_is_on_the_page),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
