/*
 * Damage. Every byte of a trace flipped, and the trace cut at every length: the reader never takes changed data for good, delivers
 * only records that were written, and says which of the four failures it is.
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

#include "lib/outfile.h"
#include "trace/format.h"

enum { BLOCKS = 4, EVENTS_A_BLOCK = 5 };

static char path[64];
static uint8_t *good;
static size_t good_bytes;
static size_t block_end[BLOCKS]; /* offsets behind each block */

/* A small trace with every kind of record, in several blocks. */
static void make_good(void)
{
	json_t *header = json_pack("{s:s}", "host", "x");
	struct trace_writer *w = trace_writer_open(path, header, NULL);
	FILE *f;

	assert_int_equal(trace_writer_thread(w, &(struct trace_thread){.tid = 7, .pid = 7, .comm = trace_writer_string(w, "cat", 3)}), 1);
	for (uint32_t b = 0; b < BLOCKS; b++) {
		char name[32];
		uint32_t p = trace_writer_string(w, name, (size_t)snprintf(name, sizeof(name), "/srv/data/%u", b));
		uint32_t file = trace_writer_file(w, &(struct trace_file){.path = p, .dev = 1, .ino = b, .size = 1 << 20});

		assert_int_equal(trace_writer_fd(w, &(struct trace_fd){.pid = 7, .fd = 3, .file = file}), 0);
		assert_int_equal(trace_writer_residency(w, &(struct trace_residency){.file = file, .pages = 9, .absent_pages = b}), 0);
		assert_int_equal(trace_writer_content(w, &(struct trace_content){.file = file, .sampled_bytes = 9}), 0);
		assert_int_equal(trace_writer_hole(w, &(struct trace_hole){.file = file, .bytes = 4096}), 0);
		for (uint32_t i = 0; i < EVENTS_A_BLOCK; i++)
			assert_int_equal(trace_writer_event(w, &(struct trace_event){.begin_ns = b * 1000000 + i * 777, .duration_ns = 321 * i,
										    .op = TRACE_OP_PREAD64, .thread = 1, .fd = 3,
										    .file = file, .offset = 4096 * (int64_t)(i * 37 % 11),
										    .length = 4096, .result = 4096}),
					 0);
		assert_int_equal(trace_writer_wake(w, &(struct trace_wake){b, 1, 1}), 0);
		assert_int_equal(trace_writer_loss(w, &(struct trace_loss){.count = b}), 0);
		assert_int_equal(trace_writer_flush(w), 0);
		block_end[b] = trace_writer_bytes(w);
	}
	assert_int_equal(trace_writer_close(w, header), 0);
	json_decref(header);
	f = fopen(path, "r");
	fseek(f, 0, SEEK_END);
	good_bytes = (size_t)ftell(f);
	rewind(f);
	good = malloc(good_bytes + 1);
	assert_int_equal(fread(good, 1, good_bytes, f), good_bytes);
	fclose(f);
}

/* Reads data as a trace; the number of events delivered is checked against the error's. */
static struct trace_error read_all(const void *data, size_t n)
{
	struct trace_error error;
	struct trace_reader *r;
	struct trace_record record;
	uint64_t events = 0;
	FILE *f = fopen(path, "w");

	assert_int_equal(fwrite(data, 1, n, f), n);
	fclose(f);
	r = trace_reader_open(path, &error);
	if (!r)
		return error;
	while (trace_reader_next(r, &record))
		events += record.type == TRACE_EVENT;
	error = *trace_reader_error(r);
	assert_int_equal(error.events, events);
	assert_int_equal(record.type, TRACE_END);
	assert_false(trace_reader_next(r, &record));
	trace_reader_close(r);
	return error;
}

static void test_the_good_one_is_good(void **state)
{
	(void)state;
	assert_int_equal(read_all(good, good_bytes).status, TRACE_OK);
	assert_int_equal(read_all(good, good_bytes).events, BLOCKS * EVENTS_A_BLOCK);
}

static uint64_t whole_events_before(size_t offset)
{
	uint64_t events = 0;

	for (int b = 0; b < BLOCKS; b++)
		if (block_end[b] <= offset)
			events += EVENTS_A_BLOCK;
	return events;
}

static void test_every_flipped_byte_is_noticed(void **state)
{
	(void)state;
	for (size_t at = 0; at < good_bytes; at++) {
		for (int bit = 0; bit < 8; bit += at % 3 ? 8 : 1) { /* every bit of each third byte, all bits of the others */
			uint8_t flip = at % 3 ? 0xff : (uint8_t)(1 << bit);
			struct trace_error e;

			good[at] ^= flip;
			e = read_all(good, good_bytes);
			good[at] ^= flip;
			if (e.status != (at < 8 ? TRACE_NOT_A_TRACE : TRACE_CORRUPT))
				fail_msg("byte %zu: status %d, %s", at, e.status, e.text);
			assert_int_equal(e.events, whole_events_before(at));
			assert_true(e.offset <= at);
			assert_true(at < 8 || strstr(e.text, "corrupt at byte "));
		}
	}
}

static void test_every_cut_is_a_truncation(void **state)
{
	(void)state;
	for (size_t n = 0; n < good_bytes; n++) {
		struct trace_error e = read_all(good, n);

		if (e.status != (n < 8 ? TRACE_NOT_A_TRACE : TRACE_TRUNCATED))
			fail_msg("cut at %zu: status %d, %s", n, e.status, e.text);
		assert_int_equal(e.events, whole_events_before(n));
	}
}

/* What a file system leaves after a power cut: the right length, but zeros. */
static void test_a_tail_of_zeros_is_a_truncation(void **state)
{
	uint8_t *copy = malloc(good_bytes + 10000);

	(void)state;
	for (int b = 0; b < BLOCKS; b++) {
		struct trace_error e;

		memcpy(copy, good, good_bytes);
		memset(copy + block_end[b], 0, good_bytes + 10000 - block_end[b]);
		e = read_all(copy, good_bytes + 10000);
		assert_int_equal(e.status, TRACE_TRUNCATED);
		assert_int_equal(e.events, whole_events_before(block_end[b]));
		copy[good_bytes + 9999] = 1;
		assert_int_equal(read_all(copy, good_bytes + 10000).status, TRACE_CORRUPT);
	}
	free(copy);
}

static void test_blocks_in_a_wrong_order(void **state)
{
	uint8_t *copy = malloc(2 * good_bytes);
	size_t second = block_end[1] - block_end[0], third = block_end[2] - block_end[1];
	struct trace_error e;

	(void)state;
	memcpy(copy, good, block_end[0]);
	memcpy(copy + block_end[0], good + block_end[1], third);
	memcpy(copy + block_end[0] + third, good + block_end[0], second);
	memcpy(copy + block_end[2], good + block_end[2], good_bytes - block_end[2]);
	e = read_all(copy, good_bytes);
	assert_int_equal(e.status, TRACE_CORRUPT);
	assert_int_equal(e.offset, block_end[0]);
	assert_int_equal(e.events, EVENTS_A_BLOCK);
	/* A block twice. */
	memcpy(copy, good, block_end[1]);
	memcpy(copy + block_end[1], good + block_end[0], good_bytes - block_end[0]);
	e = read_all(copy, good_bytes + second);
	assert_int_equal(e.status, TRACE_CORRUPT);
	assert_int_equal(e.offset, block_end[1]);
	free(copy);
}

static void test_something_behind_the_end(void **state)
{
	struct trace_error e;

	(void)state;
	good[good_bytes] = 0;
	e = read_all(good, good_bytes + 1);
	assert_int_equal(e.status, TRACE_CORRUPT);
	assert_int_equal(e.offset, good_bytes);
}

static void test_another_version(void **state)
{
	uint64_t hash;
	struct trace_error e;

	(void)state;
	good[8] = 2;
	hash = XXH3_64bits(good, 16);
	memcpy(good + 16, &hash, sizeof(hash));
	e = read_all(good, good_bytes);
	assert_int_equal(e.status, TRACE_UNSUPPORTED);
	assert_string_equal(e.text, "unsupported version 2: this program reads version 1");
	good[8] = 1;
	hash = XXH3_64bits(good, 16);
	memcpy(good + 16, &hash, sizeof(hash));
}

static void make_hashes_right(uint8_t *copy, size_t begin)
{
	struct trace_frame f;

	memcpy(&f, copy + begin, sizeof(f));
	f.payload_hash = XXH3_64bits(copy + begin + sizeof(f), f.stored_bytes);
	f.head_hash = XXH3_64bits_withSeed(&f, offsetof(struct trace_frame, head_hash), begin);
	memcpy(copy + begin, &f, sizeof(f));
}

static size_t first_block(void)
{
	uint32_t header_bytes;

	memcpy(&header_bytes, good + 12, 4);
	return TRACE_PREAMBLE_BYTES + header_bytes + 8;
}

/* What a later program may add to this version is told apart from damage: a kind of record, and a column. */
static void test_additions_that_are_not_known(void **state)
{
	static const uint8_t runs[] = {1 << 3, TRACE_CONTENT, 1 << 3, TRACE_HOLE};
	uint8_t *copy = malloc(good_bytes), *at;
	size_t begin = first_block(), payload = begin + sizeof(struct trace_frame);
	struct trace_error e;

	(void)state;
	memcpy(copy, good, good_bytes);
	at = memmem(copy + payload, block_end[0] - payload, runs, sizeof(runs));
	assert_non_null(at);
	at[3] = TRACE_RECORD_TYPES;
	make_hashes_right(copy, begin);
	e = read_all(copy, good_bytes);
	assert_int_equal(e.status, TRACE_UNSUPPORTED);
	assert_int_equal(e.offset, begin);
	assert_non_null(strstr(e.text, "it holds a kind of record that this program does not know; a newer iorig reads it"));

	memcpy(copy, good, good_bytes);
	at = copy + payload + 1 + 3 * (size_t)(copy[payload] - 1); /* the last entry of the directory: its numbers are small */
	assert_int_equal(at[0], TRACE_COL_HOLE_DATA);
	at[0] = TRACE_COL_HOLE_DATA + 1;
	make_hashes_right(copy, begin);
	e = read_all(copy, good_bytes);
	assert_int_equal(e.status, TRACE_UNSUPPORTED);
	assert_non_null(strstr(e.text, "it holds a column that this program does not know; a newer iorig reads it"));
	free(copy);
}

/*
 * Payloads with right checksums and wrong contents, which only a hostile or broken writer makes: every byte of every block is set to
 * several values and the hashes are made right again. Anything may come out but a crash or an id out of range.
 */
static void test_wrong_contents_with_right_checksums(void **state)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
	uint8_t *copy = malloc(good_bytes);
	size_t begin = first_block();

	(void)state;
	for (int b = 0; b < BLOCKS; begin = block_end[b++]) {
		for (size_t at = begin + sizeof(struct trace_frame); at < block_end[b]; at++)
			for (size_t v = 0; v < sizeof(values); v++) {
				struct trace_error e;

				memcpy(copy, good, good_bytes);
				copy[at] = values[v];
				make_hashes_right(copy, begin);
				e = read_all(copy, good_bytes);
				assert_true(e.status == TRACE_OK || e.status == TRACE_CORRUPT || e.status == TRACE_UNSUPPORTED);
			}
	}
	free(copy);
}

static int setup(void **state)
{
	int fd;

	(void)state;
	/* In memory: thousands of small files are written. */
	snprintf(path, sizeof(path), "/dev/shm/iorig-test-corrupt.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		return 1;
	close(fd);
	make_good();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(good);
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_good_one_is_good),
		cmocka_unit_test(test_every_flipped_byte_is_noticed),
		cmocka_unit_test(test_every_cut_is_a_truncation),
		cmocka_unit_test(test_a_tail_of_zeros_is_a_truncation),
		cmocka_unit_test(test_blocks_in_a_wrong_order),
		cmocka_unit_test(test_something_behind_the_end),
		cmocka_unit_test(test_another_version),
		cmocka_unit_test(test_additions_that_are_not_known),
		cmocka_unit_test(test_wrong_contents_with_right_checksums),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
