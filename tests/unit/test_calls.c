/*
 * The tables of calls against each other and against docs/iorig-syscalls.5: a call that is recorded but not described, described but not recorded,
 * recorded with arguments that its operation does not store, or that nobody knows how to replay, is a failure here.
 *
 *	test_calls docs/iorig-syscalls.5     writes the page's tables anew from the code
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture/calls.h"
#include "capture/foreign.h"
#include "replay/ops.h"

#define PAGE "docs/iorig-syscalls.5"
#define BEGIN ".\\\" Tables, written by build/release/tests/test_calls " PAGE "\n"
#define END ".\\\" End of the tables\n"

/* ---- the page's tables ---- */

static const struct call *call_of_op(unsigned op)
{
	for (int nr = 0; nr < CALL_MAX; nr++)
		if (calls[nr].op == op)
			return &calls[nr];
	return NULL;
}

static void print_operations(FILE *to)
{
	static const char *const members[] = {"fd", "fd2", "file", "file2", "path", "path2", "offset", "offset2", "length", "flags", "mode", "arg"};

	fputs(".Sh OPERATIONS\nName, code, class; members; replay.\n.Bl -tag -width Ds -compact\n", to);
	for (unsigned op = 1; op < TRACE_OP_MAX; op++) {
		const struct call *call = call_of_op(op);

		if (!trace_ops[op].name)
			continue;
		fprintf(to, ".It Cm %s No (%u, %s%s%s)\n%s", trace_ops[op].name, op, trace_class_names[trace_ops[op].class],
			call && call->since ? ", since " : "", call && call->since ? call->since : "",
			trace_ops[op].fields ? "" : "no members");
		for (unsigned b = 0, n = 0; b < 12; b++)
			if (trace_ops[op].fields >> b & 1)
				fprintf(to, "%s%s", n++ ? ", " : "", members[b]);
		fprintf(to, ".\n.br\nReplay: %s%s.\n", replay_ops[op].how == REPLAY_NOT ? "left out; " : "", replay_ops[op].text);
	}
	fputs(".El\n", to);
}

static void print_requests(FILE *to)
{
	fputs(".Sh REQUESTS OF IO_URING\n.Bl -column \"FIXED_FD_INSTALL\" \"opcode\" \"since\" \"told as\"\n"
	      ".It Sy request Ta Sy opcode Ta Sy since Ta Sy told as\n",
	      to);
	for (unsigned opcode = 0; opcode < REQUEST_MAX; opcode++)
		if (requests[opcode].name && requests[opcode].form != REQUEST_OTHER)
			fprintf(to, ".It %s Ta %u Ta %s Ta %s\n", requests[opcode].name, opcode, requests[opcode].since,
				trace_ops[calls[requests[opcode].call].op].name);
	fputs(".El\n.Pp\nNot about files, and not told:\n", to);
	for (unsigned opcode = 0, n = 0; opcode < REQUEST_MAX; opcode++)
		if (requests[opcode].name && requests[opcode].form == REQUEST_OTHER)
			fprintf(to, "%s%s", n++ ? ",\n" : "", requests[opcode].name);
	fputs(".\n", to);
}

static void print_foreign(FILE *to)
{
	fputs(".Sh CALLS OF 32-BIT PROGRAMS\n.Bl -column \"io_pgetevents_time64\" \"number\" \"told as\"\n"
	      ".It Sy ia32 Ta Sy number Ta Sy told as\n",
	      to);
	for (unsigned nr = 0; nr < CALL_MAX; nr++) {
		const struct foreign_call *f = &foreign_ia32[nr];

		if (f->name)
			fprintf(to, ".It %s Ta %u Ta %s\n", f->name, nr,
				f->config.special == FOREIGN_COUNTED ? "nothing: counted as lost" : trace_ops[calls[f->config.nr].op].name);
	}
	fputs(".El\n.Pp\nThe x32 interface has the numbers of x86-64 and besides\n", to);
	for (unsigned i = 0, n = 0; i < X32_CALLS; i++)
		if (foreign_x32[i].name)
			fprintf(to, "%s%s (%u)", n++ ? ",\n" : "", foreign_x32[i].name, i + X32_FIRST);
	fputs(".\n", to);
}

static char *tables(void)
{
	char *text = NULL;
	size_t n;
	FILE *to = open_memstream(&text, &n);

	print_operations(to);
	print_requests(to);
	print_foreign(to);
	fclose(to);
	return text;
}

static char *read_page(const char *path)
{
	char *text = calloc(1, 1 << 18);
	FILE *f = fopen(path, "r");

	if (!text || !f || !fread(text, 1, (1 << 18) - 1, f))
		abort();
	fclose(f);
	return text;
}

static int rewrite(const char *path)
{
	char *old = read_page(path), *begin = strstr(old, BEGIN), *end = strstr(old, END), *text = tables();
	FILE *f = begin && end ? fopen(path, "w") : NULL;

	if (!f)
		return 1;
	fprintf(f, "%.*s%s%s", (int)(begin - old) + (int)strlen(BEGIN), old, text, end);
	free(text);
	free(old);
	return fclose(f) ? 1 : 0;
}

static void test_the_page_has_what_the_code_has(void **state)
{
	char *page = read_page(PAGE), *begin = strstr(page, BEGIN), *end = strstr(page, END), *text = tables();

	(void)state;
	assert_non_null(begin);
	assert_non_null(end);
	*end = 0;
	if (strcmp(begin + strlen(BEGIN), text))
		fail_msg("the tables of " PAGE " are not the code's; build/release/tests/test_calls " PAGE " writes them anew");
	free(text);
	free(page);
}

/* ---- the tables against each other ---- */

/* Operations that are not one system call's: what the kernel's other hooks tell. */
static bool made_of_other_things(unsigned op)
{
	return op == TRACE_OP_FAULT_READ || op == TRACE_OP_FAULT_WRITE || op == TRACE_OP_CACHE_FILL || op == TRACE_OP_EXIT;
}

static void test_every_operation_has_a_call_and_a_replay(void **state)
{
	(void)state;
	for (unsigned op = 1; op < TRACE_OP_MAX; op++) {
		if (!trace_ops[op].name)
			continue;
		if (!call_of_op(op) && !made_of_other_things(op))
			fail_msg("nothing records %s", trace_ops[op].name);
		if (!replay_ops[op].text)
			fail_msg("replay/ops.c has no row for %s", trace_ops[op].name);
	}
}

static void test_a_row_gives_what_its_operation_stores(void **state)
{
	(void)state;
	for (int nr = 0; nr < CALL_MAX; nr++) {
		const struct call *c = &calls[nr];
		const struct {
			const char *name;
			uint8_t argument;
			uint16_t field;
		} parts[] = {{"fd", c->fd, TRACE_F_FD},		{"fd2", c->fd2, TRACE_F_FD2},	  {"length", c->length, TRACE_F_LENGTH},
			     {"flags", c->flags, TRACE_F_FLAGS}, {"mode", c->mode, TRACE_F_MODE}, {"arg", c->arg, TRACE_F_ARG}};

		for (size_t i = 0; c->op && i < sizeof(parts) / sizeof(parts[0]); i++)
			if (parts[i].argument && !(trace_ops[c->op].fields & parts[i].field))
				fail_msg("call %d, %s: its %s is not stored", nr, trace_ops[c->op].name, parts[i].name);
	}
}

static void test_requests_and_foreign_calls_lead_to_calls(void **state)
{
	(void)state;
	for (unsigned opcode = 0; opcode < REQUEST_MAX; opcode++)
		if (requests[opcode].name && requests[opcode].form != REQUEST_OTHER && !calls[requests[opcode].call].op)
			fail_msg("%s is a call that is not recorded", requests[opcode].name);
	for (unsigned nr = 0; nr < CALL_MAX; nr++)
		if (foreign_ia32[nr].name && foreign_ia32[nr].config.special != FOREIGN_COUNTED && !calls[foreign_ia32[nr].config.nr].op)
			fail_msg("%s is a call that is not recorded", foreign_ia32[nr].name);
	for (unsigned i = 0; i < X32_CALLS; i++)
		if (foreign_x32[i].name && !calls[foreign_x32[i].config.nr].op)
			fail_msg("%s is a call that is not recorded", foreign_x32[i].name);
}

static void test_what_64_bit_programs_can_do_32_bit_ones_can(void **state)
{
	(void)state;
	for (int nr = 0; nr < CALL_MAX; nr++) {
		bool found = false;

		for (int other = 0; other < CALL_MAX && !found; other++)
			found = foreign_ia32[other].name && foreign_ia32[other].config.special != FOREIGN_COUNTED && foreign_ia32[other].config.nr == nr;
		if (calls[nr].op && !found)
			fail_msg("%s (%d) has no row in foreign.c", trace_ops[calls[nr].op].name, nr);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_page_has_what_the_code_has),
		cmocka_unit_test(test_every_operation_has_a_call_and_a_replay),
		cmocka_unit_test(test_a_row_gives_what_its_operation_stores),
		cmocka_unit_test(test_requests_and_foreign_calls_lead_to_calls),
		cmocka_unit_test(test_what_64_bit_programs_can_do_32_bit_ones_can),
	};

	if (argc == 2)
		return rewrite(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
