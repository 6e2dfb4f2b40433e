/* The undo journal on ordinary files: order, idempotence, torn lines, pairs, earlier boots. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/outfile.h"
#include "profiles/kernelfile.h"
#include "profiles/undo.h"

static char directory[64];

static char *at(const char *name)
{
	static char path[4][128];
	static int turn;
	char *p = path[turn++ % 4];

	snprintf(p, 128, "%s/%s", directory, name);
	return p;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(outfile_write(at(name), text, strlen(text)), 0);
}

static void expect(const char *name, const char *text)
{
	_cleanup_free_ char *got = NULL;

	assert_int_equal(kernel_read(at(name), &got), 0);
	assert_string_equal(got, text);
}

static struct undo *opened(void)
{
	struct undo *u;
	char *why = NULL;

	if (undo_open(at("undo.ndjson"), &u, &why))
		fail_msg("%s", why);
	return u;
}

static int fresh(void **state)
{
	char command[96];

	(void)state;
	snprintf(directory, sizeof(directory), "/tmp/iorig-undo.XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(command, sizeof(command), "test -d %s", directory);
	return system(command);
}

static int clean(void **state)
{
	char command[96];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", directory);
	return system(command);
}

static void newest_first(void **state)
{
	struct undo *u;

	(void)state;
	put("f", "one\n");
	u = opened();
	assert_int_equal(undo_write(u, at("f"), "line", NULL, NULL), 0);
	kernel_write(at("f"), "two");
	assert_int_equal(undo_write(u, at("f"), "line", NULL, NULL), 0);
	kernel_write(at("f"), "three");
	assert_int_equal(undo_pending(u), 2);
	assert_int_equal(undo_back(u, 1, NULL), 0);
	expect("f", "two");
	assert_int_equal(undo_back(u, 0, NULL), 0);
	expect("f", "one");
	undo_close(u);
	assert_int_equal(access(at("undo.ndjson"), F_OK), -1); /* nothing pending, no file */
}

static void another_process_takes_over(void **state)
{
	struct undo *u;

	(void)state;
	put("f", "none [mq-deadline] bfq\n");
	u = opened();
	assert_int_equal(undo_write(u, at("f"), "bracket", NULL, NULL), 0);
	put("f", "[none] mq-deadline bfq\n");
	undo_close(u); /* as after kill -9: the step is in the file */
	/* an ordinary file does not grow brackets: what matters is that the bare word was written */
	undo_replay(at("undo.ndjson"), NULL);
	expect("f", "mq-deadline");
	assert_int_equal(undo_replay(at("undo.ndjson"), NULL), 0);
}

static void a_torn_line_is_no_step(void **state)
{
	struct undo *u;

	(void)state;
	put("f", "old\n");
	u = opened();
	undo_write(u, at("f"), "line", NULL, NULL);
	undo_close(u);
	kernel_write(at("f"), "new");
	assert_int_equal(truncate(at("undo.ndjson"), 0) || outfile_write(at("undo.ndjson"), "{\"undo\":\"unlink\",\"file\":\"", 25), 0);
	u = opened();
	assert_int_equal(undo_pending(u), 0);
	/* and what is appended next is readable */
	assert_int_equal(undo_write(u, at("f"), "line", NULL, NULL), 0);
	undo_close(u);
	u = opened();
	assert_int_equal(undo_pending(u), 1);
	undo_back(u, 0, NULL);
	undo_close(u);
}

static void of_a_pair_the_one_that_counts_comes_back(void **state)
{
	struct undo *u = opened();

	(void)state;
	put("ratio", "20\n");
	put("bytes", "0\n");
	assert_int_equal(undo_write(u, at("bytes"), "line", at("ratio"), NULL), 0);
	kernel_write(at("bytes"), "8192");
	kernel_write(at("ratio"), "0"); /* as the kernel does */
	assert_int_equal(undo_back(u, 0, NULL), 0);
	expect("ratio", "20");
	expect("bytes", "8192"); /* the kernel zeroes it; writing 0 there would be EINVAL, so it must not be tried */
	undo_close(u);
}

static void what_is_gone_or_back_is_left_alone(void **state)
{
	struct undo *u = opened();
	_cleanup_free_ char *why = NULL;

	(void)state;
	put("f", "old\n");
	undo_write(u, at("f"), "line", NULL, NULL);
	unlink(at("f"));
	assert_int_equal(undo_umount(u, at("not-mounted"), NULL), 0);
	assert_int_equal(undo_md_stop(u, "/dev/md126", "0:0:0:0", NULL), 0);
	assert_int_equal(undo_loop_detach(u, "/dev/loop99999", at("f"), NULL), 0);
	assert_int_equal(undo_unlink(u, at("f"), NULL), 0);
	assert_int_equal(undo_back(u, 0, &why), 0);
	undo_close(u);
}

static void a_step_that_fails_stays_and_the_others_go_on(void **state)
{
	struct undo *u = opened();
	_cleanup_free_ char *why = NULL;
	const char *const fails[] = {"false", NULL};

	(void)state;
	put("f", "old\n");
	undo_write(u, at("f"), "line", NULL, NULL);
	kernel_write(at("f"), "new");
	undo_command(u, fails, NULL);
	assert_true(undo_back(u, 0, &why) < 0);
	assert_non_null(why);
	expect("f", "old");
	assert_int_equal(undo_pending(u), 1);
	undo_close(u);
	u = opened();
	assert_int_equal(undo_pending(u), 1);
	undo_close(u);
}

static void an_earlier_boot_is_over(void **state)
{
	static const char step[] = "{\"undo\":\"write\",\"file\":\"%s\",\"value\":\"old\",\"parse\":\"line\",\"id\":1,\"boot\":\"another\"}\n"
				   "{\"undo\":\"unlink\",\"file\":\"%s\",\"id\":2,\"boot\":\"another\"}\n";
	char text[1024];

	(void)state;
	put("f", "new\n");
	put("disk.img", "x");
	snprintf(text, sizeof(text), step, at("f"), at("disk.img"));
	put("undo.ndjson", text);
	assert_int_equal(undo_replay(at("undo.ndjson"), NULL), 0);
	expect("f", "new");				     /* the reboot set it, whatever it is */
	assert_int_equal(access(at("disk.img"), F_OK), -1); /* files outlive a reboot */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, fresh, clean)
	const struct CMUnitTest tests[] = {
		T(newest_first),
		T(another_process_takes_over),
		T(a_torn_line_is_no_step),
		T(of_a_pair_the_one_that_counts_comes_back),
		T(what_is_gone_or_back_is_left_alone),
		T(a_step_that_fails_stays_and_the_others_go_on),
		T(an_earlier_boot_is_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
