/* SHA-256 against the vectors of FIPS 180-4 and against sha256sum(1) for every length around a block's edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/outfile.h"
#include "lib/sha256.c"

static void test_standard_vectors(void **state)
{
	static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
	char hex[SHA256_HEX];

	(void)state;
	assert_string_equal(sha256_text("", 0, hex), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_string_equal(sha256_text("abc", 3, hex), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_string_equal(sha256_text(two_blocks, strlen(two_blocks), hex),
			    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void test_million_in_uneven_pieces(void **state)
{
	char piece[997], hex[SHA256_HEX];
	struct sha256 s;

	(void)state;
	memset(piece, 'a', sizeof(piece));
	sha256_init(&s);
	for (size_t left = 1000000, n; left; left -= n) {
		n = left < sizeof(piece) ? left : sizeof(piece);
		sha256_update(&s, piece, n);
	}
	sha256_finish(&s, hex);
	assert_string_equal(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

static void test_every_length_equals_sha256sum(void **state)
{
	char path[] = "/tmp/iorig-sha256.XXXXXX", data[200], wanted[SHA256_HEX], command[128], hex[SHA256_HEX];
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7);
	for (size_t n = 50; n <= 130; n++) {
		FILE *sum;

		assert_int_equal(outfile_write(path, data, n), 0);
		snprintf(command, sizeof(command), "sha256sum %s", path);
		sum = popen(command, "r");
		assert_non_null(sum);
		assert_int_equal(fscanf(sum, "%64s", wanted), 1);
		pclose(sum);
		assert_int_equal(sha256_file(path, hex), 0);
		assert_string_equal(hex, wanted);
		assert_string_equal(sha256_text(data, n, hex), wanted);
	}
	unlink(path);
	assert_true(sha256_file(path, hex) < 0);
}

/* What the processor does is the same as what the C code does; which one sha256_update takes depends on the machine. */
static void test_both_ways_are_equal(void **state)
{
#if defined(__x86_64__)
	uint8_t block[64 * 9];

	(void)state;
	if (!has_sha_ni())
		skip();
	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * i * 31 >> 3);
	for (size_t blocks = 0; blocks <= 9; blocks++) {
		uint32_t portable[8] = {1, 2, 3, 4, 5, 6, 7, UINT32_MAX}, by_processor[8];

		memcpy(by_processor, portable, sizeof(portable));
		compress_all_portable(portable, block, blocks);
		compress_all_sha_ni(by_processor, block, blocks);
		assert_memory_equal(by_processor, portable, sizeof(portable));
	}
#else
	(void)state;
	skip();
#endif
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_standard_vectors),
		cmocka_unit_test(test_million_in_uneven_pieces),
		cmocka_unit_test(test_every_length_equals_sha256sum),
		cmocka_unit_test(test_both_ways_are_equal),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
