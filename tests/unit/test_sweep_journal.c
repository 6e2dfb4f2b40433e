/* The journal: what its lines say of a run, torn and damaged files, and the width rule that reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/json.h"
#include "sweeps/file.h"
#include "sweeps/journal.h"
#include "sweeps/precision.h"
#include "sweeps/runner.h"

static char folder[64], path[96];

static int setup(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/test_sweep_journal.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/runs.ndjson", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

/* Single quotes become double ones. */
static void write_journal(const char *text)
{
	FILE *f = fopen(path, "w");

	for (; *text; text++)
		fputc(*text == '\'' ? '"' : *text, f);
	fclose(f);
}

static struct journal opened(const char *text)
{
	struct journal j;
	char *why = NULL;

	write_journal(text);
	if (journal_open(folder, &j, &why))
		fail_msg("%s", why);
	return j;
}

#define ARMED(seq, n, boot) "{'t':'2026-11-21T12:00:00.500Z','ev':'armed','seq':" #seq ",'cell':'c','attempt':" #n ",'boot':'" boot "'}\n"
#define LINE(ev, more) "{'t':'2026-11-21T12:00:03.000Z','ev':'" ev "','seq':1,'cell':'c','boot':'A'" more "}\n"

static void newest_terminal_line_wins(void **state)
{
	struct journal j = opened(ARMED(1, 1, "A") LINE("failed", ",'reason':'x'") ARMED(1, 2, "A") LINE("done", ",'elapsed_ns':1500000000"));
	struct run_state s = journal_run(&j, 1);

	(void)state;
	assert_string_equal(s.over, "done");
	assert_int_equal(s.attempts, 2);
	assert_int_equal(s.failures, 1);
	assert_float_equal(s.elapsed_s, 1.5, 1e-9);
	assert_float_equal(s.took_s, 2.5, 1e-6);
	assert_false(s.in_flight);
	assert_null(journal_run(&j, 2).step);
	journal_close(&j);
}

static void armed_and_not_over_is_in_flight(void **state)
{
	struct journal j = opened(ARMED(1, 1, "A") LINE("applied", "") LINE("running", ""));
	struct run_state s = journal_run(&j, 1);

	(void)state;
	assert_true(s.in_flight);
	assert_null(s.over);
	assert_string_equal(s.step, "running");
	journal_close(&j);
}

/* A run whose process went away, or that an operator broke off, is done again and does not use up its retries. */
static void deaths_are_no_failures(void **state)
{
	struct journal j = opened(ARMED(1, 1, "A") LINE("failed", ",'died':true,'rebooted':false") ARMED(1, 2, "A") LINE("failed", ",'aborted':true"));
	struct run_state s = journal_run(&j, 1);

	(void)state;
	assert_null(s.over);
	assert_int_equal(s.failures, 0);
	assert_int_equal(s.deaths, 1);
	assert_int_equal(journal_box_deaths(&j, "c"), 0);
	journal_close(&j);
}

static void what_a_run_needs(void **state)
{
	struct sweep sweep = {.plan = {.retries = 1}};
	json_t *run = json_pack("{si ss}", "seq", 1, "cell", "c");
	struct journal j = opened("");

	(void)state;
	assert_int_equal(runner_need(&sweep, &j, run), RUN_NOW);
	journal_close(&j);
	j = opened(ARMED(1, 1, "A") LINE("failed", ""));
	assert_int_equal(runner_need(&sweep, &j, run), RUN_NOW); /* one retry */
	journal_close(&j);
	j = opened(ARMED(1, 1, "A") LINE("failed", "") ARMED(1, 2, "A") LINE("failed", ""));
	assert_int_equal(runner_need(&sweep, &j, run), RUN_OVER);
	journal_close(&j);
	j = opened(ARMED(1, 1, "A") LINE("not-applied", ""));
	assert_int_equal(runner_need(&sweep, &j, run), RUN_OVER);
	journal_close(&j);
	/* A cell that took the box down twice, in whichever of its runs, is not tried again. */
	j = opened(ARMED(1, 1, "A") LINE("failed", ",'died':true,'rebooted':true"));
	assert_int_equal(runner_need(&sweep, &j, run), RUN_NOW);
	journal_close(&j);
	j = opened(ARMED(1, 1, "A") LINE("failed", ",'died':true,'rebooted':true") LINE("failed", ",'died':true,'rebooted':true"));
	assert_int_equal(runner_need(&sweep, &j, run), RUN_CRASHED);
	json_object_set_new(run, "cell", json_string("other"));
	json_object_set_new(run, "seq", json_integer(2));
	assert_int_equal(runner_need(&sweep, &j, run), RUN_NOW);
	journal_close(&j);
	json_decref(run);
}

/* Cut at every byte: a whole line counts, a torn one does not, and what is added afterwards stands on a line of its own. */
static void torn_anywhere(void **state)
{
	static const char text[] = "{\"ev\":\"plan\"}\n{\"ev\":\"armed\",\"seq\":1}\n{\"ev\":\"done\",\"seq\":1}\n";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct journal j;
		char *why = NULL;
		FILE *f = fopen(path, "w");
		size_t lines = 0;

		fwrite(text, 1, n, f);
		fclose(f);
		for (size_t i = 0; i < n; i++)
			lines += text[i] == '\n';
		assert_int_equal(journal_read(folder, &j, &why), 0); /* a reader leaves the file as it is */
		assert_int_equal(json_array_size(j.lines), lines);
		journal_close(&j);
		assert_int_equal(journal_open(folder, &j, &why), 0);
		assert_int_equal(json_array_size(j.lines), lines);
		assert_int_equal(journal_add(&j, "resume", NULL), 0);
		journal_close(&j);
		assert_int_equal(journal_read(folder, &j, &why), 0);
		assert_int_equal(json_array_size(j.lines), lines + 1);
		assert_true(journal_has(&j, "resume"));
		journal_close(&j);
	}
}

static void a_damaged_line_in_the_middle_is_an_error(void **state)
{
	struct journal j;
	char *why = NULL;

	(void)state;
	write_journal("{'ev':'plan'}\n{'ev':'ar\n{'ev':'done'}\n");
	assert_int_not_equal(journal_open(folder, &j, &why), 0);
	assert_non_null(strstr(why, "is damaged at byte 14"));
	free(why);
}

static void pauses_are_no_work(void **state)
{
	struct journal j = opened("{'t':'2026-11-21T12:00:00Z','ev':'start'}\n{'t':'2026-11-21T12:00:10Z','ev':'stop'}\n"
				  "{'t':'2026-11-21T13:00:00Z','ev':'resume'}\n{'t':'2026-11-21T13:00:05.5Z','ev':'armed','seq':1}\n");

	(void)state;
	assert_float_equal(journal_worked_s(&j), 15.5, 1e-6);
	journal_close(&j);
}

/* Two blocks, ratios to the control of 2 and 2.42 (logs 0.6931, 0.8838): mean and sd by hand, t(1) = 12.7062. */
static void width_of_an_interval(void **state)
{
	json_t *plan = json_pack("{ss si s[{ss}{ss}] s[{sisssi}{sisssi}{sisssi}{sisssi}]}", "control", "k", "blocks_max", 2, "cells", "id", "k", "id", "c",
				 "runs", "seq", 1, "cell", "k", "block", 1, "seq", 2, "cell", "c", "block", 1, "seq", 3, "cell", "k", "block", 2,
				 "seq", 4, "cell", "c", "block", 2);
	struct journal j = opened("{'ev':'done','seq':1,'elapsed_ns':1000000000}\n{'ev':'done','seq':2,'elapsed_ns':2000000000}\n"
				  "{'ev':'done','seq':3,'elapsed_ns':1000000000}\n{'ev':'done','seq':4,'elapsed_ns':2420000000}\n");

	(void)state;
	assert_float_equal(precision_halfwidth(plan, &j), 2.358, 0.01); /* exp(12.7062 * 0.13479 / sqrt(2)) - 1 */
	journal_close(&j);
	j = opened("{'ev':'done','seq':1,'elapsed_ns':1000000000}\n{'ev':'done','seq':2,'elapsed_ns':2000000000}\n");
	assert_true(precision_halfwidth(plan, &j) > 1e6);
	journal_close(&j);
	json_decref(plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(newest_terminal_line_wins),
		cmocka_unit_test(armed_and_not_over_is_in_flight),
		cmocka_unit_test(deaths_are_no_failures),
		cmocka_unit_test(what_a_run_needs),
		cmocka_unit_test(torn_anywhere),
		cmocka_unit_test(a_damaged_line_in_the_middle_is_an_error),
		cmocka_unit_test(pauses_are_no_work),
		cmocka_unit_test(width_of_an_interval),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
