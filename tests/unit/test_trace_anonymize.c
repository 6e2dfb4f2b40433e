/* Pseudonyms, and above all that the self-check finds what it must find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "trace/anonymize.h"

static struct anonymizer *with(bool extensions, bool directories)
{
	return anonymizer_open(&(struct anonymizer_options){"k", 1, extensions, directories});
}

static void test_the_self_check_finds_an_original_name(void **state)
{
	struct anonymizer *a = with(false, true);
	char *clean = strdup(anonymizer_path(a, "/usr/customers/abc/letters"));

	(void)state;
	assert_null(anonymizer_leak(a, clean));
	assert_null(anonymizer_leak(a, "/usr/other"));
	assert_string_equal(anonymizer_leak(a, "/x/customers/y"), "customers");
	assert_string_equal(anonymizer_leak(a, "letters"), "letters");
	assert_null(anonymizer_leak(a, "abc")); /* three characters say nothing */
	assert_null(anonymizer_leak(a, "/usr"));
	assert_non_null(anonymizer_name(a, "payrolld"));
	assert_string_equal(anonymizer_leak(a, "payrolld"), "payrolld");
	free(clean);
	anonymizer_close(a);
}

static void test_the_self_check_looks_into_documents(void **state)
{
	struct anonymizer *a = with(false, false);
	json_t *doc = json_pack("{s:s, s:[{s:s}], s:i}", "kernel", "customers", "mounts", "path", "/srv/customers", "n", 5);
	json_t *clean;

	(void)state;
	assert_non_null(anonymizer_path(a, "/srv/customers"));
	assert_string_equal(anonymizer_leak_json(a, doc), "customers");
	clean = anonymizer_json(a, doc);
	assert_null(anonymizer_leak_json(a, clean));
	assert_string_equal(json_string_value(json_object_get(clean, "kernel")), "customers"); /* a fact stays whatever it says */
	json_decref(doc);
	json_decref(clean);
	anonymizer_close(a);
}

static void test_components(void **state)
{
	struct anonymizer *a = with(true, false), *plain = with(false, false);
	char long_name[302], *one;

	(void)state;
	assert_string_equal(anonymizer_path(a, ""), "");
	assert_string_equal(anonymizer_path(a, "/"), "/");
	assert_string_equal(anonymizer_path(a, ".././/"), ".././/");
	assert_string_equal(anonymizer_name(a, ""), "");
	assert_int_equal(strlen(anonymizer_name(a, "x")), 14);
	assert_int_equal(strlen(anonymizer_path(a, "x")), 16);
	/* The same name alone, in a path, and in another path. */
	one = strdup(anonymizer_path(a, "mail"));
	assert_string_equal(strrchr(anonymizer_path(a, "/a/mail"), '/') + 1, one);
	free(one);
	/* Extensions. */
	assert_string_equal(anonymizer_path(a, "a.tar.gz") + 16, ".gz");
	assert_int_equal(strlen(anonymizer_path(a, ".bashrc")), 16);
	assert_int_equal(strlen(anonymizer_path(a, "a.")), 16);
	assert_int_equal(strlen(anonymizer_path(a, "a.toolongext")), 16);
	assert_int_equal(strlen(anonymizer_path(a, "Mr. Miller")), 16);
	assert_int_equal(strlen(anonymizer_path(plain, "a.gz")), 16);
	/* What is too long for a file system stays too long. */
	memset(long_name, 'n', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = 0;
	assert_int_equal(strlen(anonymizer_path(a, long_name)), strlen(long_name));
	/* A known vector: SHA-256 of "1:kmail". */
	assert_string_equal(anonymizer_path(a, "mail"), "7f50a899afba26a0");
	anonymizer_close(a);
	anonymizer_close(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_self_check_finds_an_original_name),
		cmocka_unit_test(test_the_self_check_looks_into_documents),
		cmocka_unit_test(test_components),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
