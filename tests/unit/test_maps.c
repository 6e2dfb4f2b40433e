/* Which file is mapped where, when calls of several threads overlap: an address is free before munmap has returned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "capture/maps.h"

enum { PID = 7, PAGE = 4096, AT = 0x10000 };

static void test_what_is_left_of_a_mapping(void **state)
{
	struct maps maps;

	(void)state;
	assert_int_equal(maps_init(&maps), 0);
	maps_add(&maps, PID, AT, 3 * PAGE, 1, 10, false);
	maps_remove(&maps, PID, AT + PAGE, 1, 20);
	assert_int_equal(maps_find(&maps, PID, AT, PAGE, 30), 1);
	assert_int_equal(maps_find(&maps, PID, AT + PAGE, PAGE, 30), 0);
	assert_int_equal(maps_find(&maps, PID, AT + 2 * PAGE, PAGE, 30), 1);
	assert_int_equal(maps_find(&maps, PID + 1, AT, PAGE, 30), 0);
	maps_release(&maps);
}

/* Thread A unmaps file 1 from 20 to 40; B is given the address and maps file 2 there, which ends at 30 and so is told first. */
static void test_an_address_is_used_again_before_munmap_has_returned(void **state)
{
	struct maps maps;

	(void)state;
	assert_int_equal(maps_init(&maps), 0);
	maps_add(&maps, PID, AT, PAGE, 1, 10, false);
	maps_add(&maps, PID, AT, PAGE, 2, 30, false);
	assert_int_equal(maps_find(&maps, PID, AT, PAGE, 20), 1);
	maps_remove(&maps, PID, AT, PAGE, 20);
	assert_int_equal(maps_find(&maps, PID, AT, PAGE, 50), 2);
	maps_remove(&maps, PID, AT, PAGE, 50);
	assert_int_equal(maps_find(&maps, PID, AT, PAGE, 60), 0);
	maps_release(&maps);
}

static void test_a_fixed_mapping_replaces(void **state)
{
	struct maps maps;

	(void)state;
	assert_int_equal(maps_init(&maps), 0);
	maps_add(&maps, PID, AT, 2 * PAGE, 1, 10, false);
	maps_add(&maps, PID, AT, PAGE, 2, 20, true);
	maps_remove(&maps, PID, AT, PAGE, 30);
	assert_int_equal(maps_find(&maps, PID, AT, PAGE, 40), 0);
	assert_int_equal(maps_find(&maps, PID, AT + PAGE, PAGE, 40), 1);
	maps_release(&maps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_of_a_mapping),
		cmocka_unit_test(test_an_address_is_used_again_before_munmap_has_returned),
		cmocka_unit_test(test_a_fixed_mapping_replaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
