/* Which file has an inode number, when numbers are used again and calls of several threads overlap. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "capture/files.h"

static const char a[] = "a", b[] = "b";

static int begin(void **state)
{
	static struct files files;
	struct trace_writer *writer = trace_writer_open("/dev/null", NULL, NULL);

	*state = &files;
	return writer ? files_init(&files, writer) : -1;
}

static int end(void **state)
{
	struct files *files = *state;
	struct trace_writer *writer = files->writer;

	files_release(files);
	return trace_writer_close(writer, NULL);
}

/* stat(2): no generation. */
static uint32_t stat_of(struct files *files, const void *name, uint64_t since_ns, uint64_t now_ns)
{
	struct file_sight sight = {.dev = 1, .ino = 5, .mode = S_IFREG | 0600, .nlink = 1, .name = name, .since_ns = since_ns, .seen_ns = now_ns};

	return files_see(files, &sight);
}

static uint32_t made(struct files *files, const void *name, uint32_t generation, uint64_t since_ns, uint64_t now_ns)
{
	struct file_sight sight = {.dev = 1, .ino = 5, .generation = generation, .mode = S_IFREG | 0600, .nlink = 1, .name = name,
				   .bits = TRACE_FILE_CREATED, .made = true, .since_ns = since_ns, .seen_ns = now_ns};

	return files_see(files, &sight);
}

static void test_a_file_is_the_same_under_every_name_while_it_has_one(void **state)
{
	struct files *files = *state;
	uint32_t first = made(files, a, 77, 10, 20);

	assert_int_equal(stat_of(files, b, 30, 31), first);
	files_linked(files, first);
	files_unlinked(files, first, a, 40);
	assert_int_equal(stat_of(files, b, 50, 51), first);
	files_unlinked(files, first, b, 60);
	assert_int_not_equal(stat_of(files, b, 70, 71), first);
}

static void test_a_number_is_used_again_before_the_call_that_makes_the_file_has_returned(void **state)
{
	struct files *files = *state;
	uint32_t first = made(files, a, 77, 10, 20), second;

	files_unlinked(files, first, a, 30);
	second = stat_of(files, a, 45, 46);
	assert_int_not_equal(second, first);
	assert_int_equal(made(files, a, 78, 40, 60), second);
	assert_int_equal(stat_of(files, a, 70, 71), second);
	/* And one that was met before the call began. */
	assert_int_not_equal(made(files, a, 79, 80, 90), second);
}

static void test_a_look_that_overlapped_the_removal_met_the_old_file(void **state)
{
	struct files *files = *state;
	uint32_t first = made(files, a, 77, 10, 20);

	files_unlinked(files, first, a, 30);
	assert_int_equal(stat_of(files, a, 25, 31), first);
	assert_true(files_gone(files, first));
	assert_int_not_equal(stat_of(files, b, 25, 31), first);
}

static void test_without_generations_the_call_that_makes_a_file_tells(void **state)
{
	struct files *files = *state;
	uint32_t first = made(files, a, 0, 10, 20), second;

	assert_int_equal(made(files, a, 0, 10, 20), first);
	second = made(files, a, 0, 30, 40);
	assert_int_not_equal(second, first);
	assert_int_equal(stat_of(files, a, 50, 51), second);
}

static void test_a_directory_is_no_file_that_had_its_number(void **state)
{
	struct files *files = *state;
	struct file_sight directory = {.dev = 1, .ino = 5, .mode = S_IFDIR | 0755, .nlink = 2, .name = b, .since_ns = 30, .seen_ns = 31};
	uint32_t first = stat_of(files, a, 10, 11), second = files_see(files, &directory);

	assert_int_not_equal(second, first);
	/* A directory has one name, whatever its number of links. */
	files_unlinked(files, second, b, 40);
	directory.since_ns = 50;
	directory.seen_ns = 51;
	assert_int_not_equal(files_see(files, &directory), second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_file_is_the_same_under_every_name_while_it_has_one, begin, end),
		cmocka_unit_test_setup_teardown(test_a_number_is_used_again_before_the_call_that_makes_the_file_has_returned, begin, end),
		cmocka_unit_test_setup_teardown(test_a_look_that_overlapped_the_removal_met_the_old_file, begin, end),
		cmocka_unit_test_setup_teardown(test_without_generations_the_call_that_makes_a_file_tells, begin, end),
		cmocka_unit_test_setup_teardown(test_a_directory_is_no_file_that_had_its_number, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
