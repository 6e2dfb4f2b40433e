#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "results/html.h"
#include "results/matrix.h"
#include "results/store.h"
#include "results/text.h"

static void durability_classes_are_ordered(void **state)
{
	static const char *const rising[] = {"D0", "D1:0.5s", "D1:5s", "D1:30s", "D1:3600s", "D1:unbounded", "D2", "D3"};
	static const char *const none[] = {"", "D", "D4", "D00", "D1:", "D1:s", "D1:-3s", "D1:5", "D1:5m", "D1:nans", "unknown"};

	(void)state;
	for (size_t i = 1; i < ARRAY_SIZE(rising); i++)
		assert_true(durability_rank(rising[i - 1]) < durability_rank(rising[i]));
	for (size_t i = 0; i < ARRAY_SIZE(none); i++)
		assert_true(durability_rank(none[i]) < 0);
	assert_true(durability_rank("D1:30s+D4") == durability_rank("D1:30s"));
	assert_true(durability_rank("D1") == durability_rank("D1:unbounded"));
}

static void says(char *got, const char *want)
{
	assert_string_equal(got, want);
}

static void numbers_read_well(void **state)
{
	char t[TEXT_MAX];

	(void)state;
	says(format_value(t, 9.118, UNIT_SECONDS), "9.12 s");
	says(format_value(t, 0.0411, UNIT_SECONDS), "41.1 ms");
	says(format_value(t, 999.96, UNIT_NS), "1.00 us");
	says(format_value(t, 4123456, UNIT_NS), "4.12 ms");
	says(format_value(t, 0, UNIT_NS), "0 ns");
	says(format_value(t, 3158, UNIT_PER_S), "3.16k/s");
	says(format_value(t, 1536, UNIT_BYTES), "1.50 KiB");
	says(format_value(t, 240, UNIT_COUNT), "240");
	says(format_value(t, NAN, UNIT_COUNT), "-");
	says(format_percent(t, 0.65), "-35.0%");
	says(format_percent(t, 1.0004), "+0.0%");
	says(format_percent(t, 0.9996), "+0.0%");
	says(format_percent(t, 12.5), "12.5x");
	says(format_plain(t, 1e15), "1000000000000000");
	says(format_plain(t, 0.1), "0.1");
	says(format_plain(t, NAN), "");
	says(format_p(t, 3e-9), "p < 1e-6");
	says(format_p(t, 0.0321), "p 0.032");
}

static void names_cannot_speak_to_a_terminal(void **state)
{
	static const struct { const char *in, *out; } want[] = {{"plain", "plain"}, {"gr\xc3\xb6\xc3\x9f" "e", "gr\xc3\xb6\xc3\x9f" "e"}, {"\033[2J", "\\x1b[2J"},
		{"a\nb\x7f", "a\\x0a" "b\\x7f"}, {"\xc2\x9b" "31m", "\\xc2\\x9b" "31m"}, {"\xff\xfe", "\\xff\\xfe"}, {"\xc3", "\\xc3"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, {"\xc0\xaf", "\\xc0\\xaf"}, {"\xe2\x80\xae" "x", "\\xe2\\x80\\xae" "x"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"}, {"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		_cleanup_free_ char *safe = text_safe(want[i].in);
		_cleanup_json_ json_t *json = json_safe_text(want[i].in);

		assert_string_equal(safe, want[i].out);
		assert_true(json_is_string(json));
	}
}

static void json_numbers_are_rounded_and_never_invented(void **state)
{
	static const struct { double in; const char *out; } want[] = {{0.1234567891, "0.1234568"}, {3, "3"}, {1e17, "1e17"}, {NAN, "null"}, {INFINITY, "null"},
		{-0.0, "0"}, {9007199254740991.0, "9007199254740991"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		_cleanup_json_ json_t *json = json_rounded(want[i].in);
		_cleanup_free_ char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));

		assert_string_equal(text, want[i].out);
	}
}

static void sparse_histograms_refuse_what_is_out_of_range(void **state)
{
	struct hist *h = malloc(sizeof(*h));
	_cleanup_json_ json_t *good = json_pack("[[ii],[ii]]", 10, 3, 3000, 7), *bad = json_pack("[[ii],[ii],[is],i,[i]]", -1, 3, HIST_BUCKETS, 7, 4, "x", 5, 6);

	(void)state;
	hist_init(h);
	assert_true(hist_add_sparse(h, good));
	assert_int_equal(h->count, 10);
	assert_int_equal(h->bucket[3000], 7);
	assert_int_equal(h->min_ns, 10);
	assert_true(h->max_ns >= hist_low(3000, HIST_BITS) && h->max_ns < hist_low(3001, HIST_BITS));
	assert_false(hist_add_sparse(h, bad));
	assert_false(hist_add_sparse(h, NULL));
	assert_int_equal(h->count, 10);
	free(h);
}

static void base64_is_that_of_rfc_4648(void **state)
{
	static const char *const want[][2] = {{"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		_cleanup_free_ char *text = base64(want[i][0], strlen(want[i][0]));

		assert_string_equal(text, want[i][1]);
	}
}

/* A sweep in memory: `cells` x `blocks`, elapsed 100 s times e^(noise), cell 1 times `effect`. */
static uint64_t seed;
static double gauss(void)
{
	double sum = -6;

	for (int i = 0; i < 12; i++) {
		seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
		sum += (double)(seed >> 11) / 9007199254740992.0;
	}
	return sum;
}

static void invent(struct sweep *s, size_t cells, size_t blocks, double noise, double effect)
{
	static const char *const id[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9", "ca", "cb"};

	*s = (struct sweep){.dir = strdup("/nonexistent"), .plan = json_object(), .warnings = json_array(), .journal = json_array(), .complete = true,
		.nblocks = blocks, .ncells = cells, .nruns = cells * blocks};
	s->cells = calloc(cells, sizeof(*s->cells));
	s->runs = calloc(s->nruns, sizeof(*s->runs));
	for (size_t c = 0; c < cells; c++)
		s->cells[c] = (struct cell){.id = id[c], .label = id[c], .durability = "D0", .outcome = OUTCOME_OK, .ok = (unsigned)blocks, .planned = (unsigned)blocks};
	for (size_t b = 0; b < blocks; b++) {
		double drift = 0.05 * gauss();

		for (size_t c = 0; c < cells; c++)
			s->runs[b * cells + c] = (struct run){.seq = (int)(b * cells + c) + 1, .block = (int)b, .block_index = (unsigned)b, .cell = (unsigned)c,
				.outcome = OUTCOME_OK, .doc = json_pack("{sf}", "elapsed_ns", 1e11 * exp(drift + noise * gauss()) * (c == 1 ? effect : 1))};
	}
}

/* How many of `nights` end with a recommendation other than the control; *right: how many recommend cell 1. */
static int nights_with_a_winner(int nights, size_t cells, size_t blocks, double noise, double effect, int *right)
{
	int winners = 0;

	*right = 0;
	for (int i = 0; i < nights; i++) {
		struct sweep s;
		struct matrix m;
		char *why = NULL;

		invent(&s, cells, blocks, noise, effect);
		assert_int_equal(matrix_build(&m, &s, NULL, NULL, &why), 0);
		winners += m.recommended != 0;
		*right += m.recommended == 1;
		matrix_release(&m);
		sweep_release(&s);
	}
	return winners;
}

static void identical_cells_keep_the_control(void **state)
{
	int right;

	(void)state;
	seed = 1;
	assert_true(nights_with_a_winner(200, 12, 3, 0.02, 1, &right) <= 10);
	assert_true(nights_with_a_winner(200, 12, 6, 0.02, 1, &right) <= 10);
}

static void a_planted_effect_is_recommended(void **state)
{
	int right;

	(void)state;
	seed = 2;
	nights_with_a_winner(100, 8, 5, 0.01, 0.92, &right);
	assert_true(right >= 95);
	/* Smaller than what matters: shown or not, it is no reason to change anything. */
	assert_int_equal(nights_with_a_winner(100, 8, 6, 0.002, 0.99, &right), 0);
}

static void quick_nights_do_not_crash(void **state)
{
	int right;

	(void)state;
	seed = 3;
	for (size_t cells = 1; cells < 4; cells++)
		for (size_t blocks = 1; blocks < 4; blocks++)
			nights_with_a_winner(3, cells, blocks, 0.02, 0.5, &right);
	/* Runs that are exactly equal have no noise at all. */
	assert_int_equal(nights_with_a_winner(3, 3, 3, 0, 1, &right), 0);
	nights_with_a_winner(3, 3, 3, 0, 0.5, &right);
	assert_int_equal(right, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durability_classes_are_ordered),
		cmocka_unit_test(numbers_read_well),
		cmocka_unit_test(names_cannot_speak_to_a_terminal),
		cmocka_unit_test(json_numbers_are_rounded_and_never_invented),
		cmocka_unit_test(sparse_histograms_refuse_what_is_out_of_range),
		cmocka_unit_test(base64_is_that_of_rfc_4648),
		cmocka_unit_test(identical_cells_keep_the_control),
		cmocka_unit_test(a_planted_effect_is_recommended),
		cmocka_unit_test(quick_nights_do_not_crash),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
