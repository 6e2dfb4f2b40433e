#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/clock.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/outfile.h"
#include "lib/proc.h"

static char dir[] = "/tmp/iorig-test-lib.XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	struct proc_result r;

	(void)state;
	proc_run((const char *[]){"rm", "-rf", dir, NULL}, NULL, &r);
	proc_release(&r);
	return 0;
}

static char *in_dir(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void sizes_and_durations(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(parse_size("4k", &v), 0);
	assert_int_equal(v, 4096);
	assert_int_equal(parse_size("1.5GiB", &v), 0);
	assert_int_equal(v, 1610612736);
	assert_int_equal(parse_size("18446744073709551615", &v), 0);
	assert_true(v == UINT64_MAX);
	assert_int_equal(parse_duration("90", &v), 0);
	assert_int_equal(v, 90000000000);
	assert_int_equal(parse_duration("250ms", &v), 0);
	assert_int_equal(v, 250000000);
	for (const char **bad = (const char *[]){"", "-1", "k", "4kb", "4 k", "1e400", "99999999999G", "nan", NULL}; *bad; bad++)
		assert_int_equal(parse_size(*bad, &v), -EINVAL);
}

static struct {
	bool flag;
	const char *text;
	uint64_t n;
	struct option_list list;
} opt;
static const struct option_row rows[] = {{"flag", 'f', NULL, OPT_FLAG, &opt.flag, "a flag"},
					 {"text", 't', "TEXT", OPT_STRING, &opt.text, "a text"},
					 {"number", 0, "N", OPT_U64, &opt.n, "a number"},
					 {"item", 'i', "X", OPT_LIST, &opt.list, "may be repeated"},
					 {0}};
static const struct command cmd = {.name = "test", .synopsis = "", .summary = "", .group = "", .options = rows};

static void options_are_parsed_and_permuted(void **state)
{
	char *argv[] = {"test", "one", "-f", "--text", "x", "-i1", "--item=2", "--number", "7", "--", "-z", NULL};
	int rest;

	(void)state;
	rest = options_parse(&cmd, 11, argv);
	assert_int_equal(rest, 9);
	assert_string_equal(argv[9], "one");
	assert_string_equal(argv[10], "-z");
	assert_true(opt.flag);
	assert_string_equal(opt.text, "x");
	assert_int_equal(opt.n, 7);
	assert_int_equal(opt.list.n, 2);
	assert_string_equal(opt.list.item[1], "2");
}

static void a_committed_file_is_whole_and_an_abandoned_one_absent(void **state)
{
	struct outfile out;
	struct stat st;

	(void)state;
	assert_int_equal(outfile_open(&out, in_dir("a")), 0);
	fputs("text", out.stream);
	assert_int_equal(stat(in_dir("a"), &st), -1);
	assert_int_equal(outfile_commit(&out), 0);
	assert_int_equal(stat(in_dir("a"), &st), 0);
	assert_int_equal(st.st_size, 4);
	assert_int_equal(outfile_open(&out, in_dir("b")), 0);
	outfile_abandon(&out);
	outfile_abandon(&out);
	assert_int_equal(stat(in_dir("b"), &st), -1);
	assert_int_equal(outfile_open(&out, "/nonexistent/x"), -ENOENT);
}

static void a_full_disk_is_an_error_and_leaves_no_file(void **state)
{
	struct outfile out;

	(void)state;
	if (access("/dev/full", W_OK))
		return;
	assert_int_equal(outfile_open(&out, in_dir("full")), 0);
	fclose(out.stream);
	out.stream = fopen("/dev/full", "w");
	fputs("text", out.stream);
	assert_int_equal(outfile_commit(&out), -ENOSPC);
	assert_int_equal(access(in_dir("full"), F_OK), -1);
}

static void a_text_that_is_no_utf8_is_json_too(void **state)
{
	static const char *const texts[][2] = {
		{"", ""}, {"/srv/gr\xc3\xbcn", "/srv/gr\xc3\xbcn"}, {"a\xff" "b", "a\\xffb"}, {"\xc3\xbc\xc0\x80", "\\xc3\\xbc\\xc0\\x80"}, {"\n", "\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *value = json_any_text(texts[i][0]);

		assert_string_equal(json_string_value(value), texts[i][1]);
		json_decref(value);
	}
}

static void json_errors_are_one_line(void **state)
{
	char *why = NULL;

	(void)state;
	assert_null(json_read("/nonexistent", NULL, &why));
	assert_string_equal(why, "cannot read '/nonexistent': No such file or directory");
	free(why);
	outfile_write(in_dir("j"), "{\"schema\": \"x/1\", }", 19);
	assert_null(json_read(in_dir("j"), NULL, &why));
	assert_non_null(strstr(why, ":1:"));
	free(why);
	outfile_write(in_dir("k"), "{\"schema\": \"x/1\"}", 17);
	assert_null(json_read(in_dir("k"), "y/1", &why));
	assert_non_null(strstr(why, "its schema is x/1"));
	free(why);
}

static void programs_run_with_output_status_and_time_limit(void **state)
{
	struct proc_result r;
	uint64_t start;

	(void)state;
	assert_int_equal(proc_run((const char *[]){"sh", "-c", "echo out; echo err >&2; exit 3", NULL}, NULL, &r), 0);
	assert_int_equal(r.status, 3);
	assert_string_equal(r.out, "out\n");
	assert_string_equal(proc_last_words(&r), "err");
	proc_release(&r);
	assert_int_equal(proc_run((const char *[]){"/nonexistent/program", NULL}, NULL, &r), 0);
	assert_int_equal(r.status, 127);
	proc_release(&r);
	start = clock_now_ns();
	proc_run((const char *[]){"sleep", "60", NULL}, &(struct proc_options){.timeout_ns = 200000000}, &r);
	assert_int_equal(r.status, 124);
	assert_true(clock_now_ns() - start < 30000000000ULL);
	proc_release(&r);
	/* More output than a pipe or our limit holds neither blocks nor overflows. */
	proc_run((const char *[]){"sh", "-c", "head -c 3000000 /dev/zero | tr '\\0' x", NULL}, NULL, &r);
	assert_int_equal(r.status, 0);
	assert_int_equal(strlen(r.out), 1 << 20);
	proc_release(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sizes_and_durations),
		cmocka_unit_test(options_are_parsed_and_permuted),
		cmocka_unit_test(a_committed_file_is_whole_and_an_abandoned_one_absent),
		cmocka_unit_test(a_full_disk_is_an_error_and_leaves_no_file),
		cmocka_unit_test(json_errors_are_one_line),
		cmocka_unit_test(a_text_that_is_no_utf8_is_json_too),
		cmocka_unit_test(programs_run_with_output_status_and_time_limit),
	};
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
