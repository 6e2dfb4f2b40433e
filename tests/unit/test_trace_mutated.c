/*
 * A good trace with a few other bytes in it, given to everything that reads traces: told in one line, never believed, nothing half
 * written. Half of them have right checksums around the wrong bytes. MUTATIONS (default 400) says how many; tests/long/fuzz.bats makes
 * 10 000 of them with the sanitizers.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>
#include <cmocka.h>

#include "lib/command.h"
#include "lib/exitcode.h"
#include "replay/compile.h"
#include "trace/format.h"
#include "trace/text.h"
#include "trace/verbs.h"

static char folder[64], bad_path[96], made_path[96], said_path[96];
static uint8_t *good, *bad;
static size_t bytes;
static uint64_t state = 20260101;

static uint32_t pick(size_t n)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((state >> 33) % n);
}

/* Every kind of record but losses: with them no trace is good. */
static FILE *text_without_losses(void)
{
	FILE *from = fopen("tests/fixtures/every-record.trace.txt", "re"), *to = tmpfile();
	char *line = NULL;
	size_t room = 0;

	while (from && to && getline(&line, &room, from) > 0)
		if (strncmp(line, "loss ", 5))
			fputs(line, to);
	free(line);
	if (from)
		fclose(from);
	if (to)
		rewind(to);
	return to;
}

static int make_good(void **unused)
{
	FILE *from = text_without_losses();
	struct text_error error;
	struct stat st;
	FILE *f;

	(void)unused;
	/* In memory where there is such a place: every result is synced. */
	snprintf(folder, sizeof(folder), "%s/iorig-mutated.XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
	if (!from || !mkdtemp(folder))
		return -1;
	snprintf(bad_path, sizeof(bad_path), "%s/bad", folder);
	snprintf(made_path, sizeof(made_path), "%s/made", folder);
	snprintf(said_path, sizeof(said_path), "%s/said", folder);
	if (text_build(from, bad_path, NULL, &error) || stat(bad_path, &st))
		return -1;
	fclose(from);
	bytes = (size_t)st.st_size;
	good = malloc(bytes);
	bad = malloc(bytes);
	f = fopen(bad_path, "re");
	if (!good || !bad || !f || fread(good, 1, bytes, f) != bytes)
		return -1;
	fclose(f);
	return 0;
}

static int remove_good(void **unused)
{
	(void)unused;
	unlink(bad_path);
	unlink(made_path);
	unlink(said_path);
	free(good);
	free(bad);
	return rmdir(folder);
}

static void write_bad(void)
{
	int fd = open(bad_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0 && write(fd, bad, bytes) == (ssize_t)bytes);
	close(fd);
}

/* The verb, with what it says in a file. It does not say more than one line, and says it when it fails. */
static int verb(const struct command *c, const char *const arguments[])
{
	char *argv[12] = {(char *)c->name}, said[4096] = "";
	int argc = 1, rc, out = dup(1), err = dup(2), nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	int to = open(said_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t n;

	assert_true(out >= 0 && err >= 0 && nowhere >= 0 && to >= 0);
	while (*arguments)
		argv[argc++] = (char *)*arguments++;
	fflush(stdout);
	dup2(nowhere, 1);
	dup2(to, 2);
	rc = c->run(c, argc, argv);
	fflush(stdout);
	dup2(out, 1);
	dup2(err, 2);
	n = pread(to, said, sizeof(said) - 1, 0);
	close(out);
	close(err);
	close(nowhere);
	close(to);
	assert_true(rc == EXIT_DONE || rc == EXIT_FAILED || rc == EXIT_INCOMPLETE);
	if (rc != EXIT_DONE && (n <= 0 || strncmp(said, "iorig: ", 7) || strchr(said, '\n') != said + n - 1))
		fail_msg("%s: status %d and '%s'", c->name, rc, said);
	return rc;
}

static bool next(void *self, struct trace_record *record)
{
	return trace_reader_next(self, record);
}

static const char *string(void *self, uint32_t id)
{
	return trace_reader_string(self, id);
}

static void compile(void)
{
	struct trace_error error;
	struct trace_reader *reader = trace_reader_open(bad_path, &error);
	struct record_source source = {.next = next, .string = string, .self = reader};
	struct plan_options options = {.order = ORDER_RESOURCE};
	struct plan plan;

	if (!reader) {
		assert_true(error.text[0]);
		return;
	}
	assert_int_equal(plan_compile(&plan, &source, &options), 0);
	plan_release(&plan);
	trace_reader_close(reader);
}

/* The status of `trace check`, after all the others had it. */
static int read_by_all(void)
{
	int rc;

	write_bad();
	unlink(made_path);
	rc = verb(&cmd_trace_cut, (const char *[]){"--from", "100us", "--to", "1h", "-o", made_path, bad_path, NULL});
	assert_true((rc == EXIT_FAILED) == !!access(made_path, F_OK));
	unlink(made_path);
	rc = verb(&cmd_trace_anonymize, (const char *[]){"-o", made_path, bad_path, NULL});
	assert_true((rc != EXIT_DONE) == !!access(made_path, F_OK));
	compile();
	return verb(&cmd_trace_check, (const char *[]){bad_path, NULL});
}

static unsigned mutations(void)
{
	const char *text = getenv("MUTATIONS");

	return text ? (unsigned)strtoul(text, NULL, 10) : 400;
}

static void mutate(size_t from, size_t n)
{
	memcpy(bad, good, bytes);
	for (uint32_t i = 1 + pick(3); i; i--)
		bad[from + pick(n)] = (uint8_t)pick(256);
}

static void other_bytes_are_noticed(void **unused)
{
	(void)unused;
	for (unsigned i = 0; i < mutations() / 2; i++) {
		int rc;

		mutate(0, bytes);
		rc = read_by_all();
		assert_true((rc == EXIT_DONE) == !memcmp(good, bad, bytes));
	}
}

/* Behind the preamble and the header comes the only block. */
static size_t block_at(void)
{
	uint32_t header_bytes;

	memcpy(&header_bytes, good + 12, sizeof(header_bytes));
	return TRACE_PREAMBLE_BYTES + header_bytes + 8;
}

static void wrong_bytes_with_right_checksums_are_survived(void **unused)
{
	size_t at = block_at();
	struct trace_frame f;

	(void)unused;
	for (unsigned i = 0; i < mutations() / 2; i++) {
		memcpy(&f, good + at, sizeof(f));
		assert_int_equal(f.tag, TRACE_TAG_BLOCK);
		mutate(at + sizeof(f), f.stored_bytes);
		f.payload_hash = XXH3_64bits(bad + at + sizeof(f), f.stored_bytes);
		f.head_hash = XXH3_64bits_withSeed(&f, offsetof(struct trace_frame, head_hash), at);
		memcpy(bad + at, &f, sizeof(f));
		read_by_all();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_bytes_are_noticed),
		cmocka_unit_test(wrong_bytes_with_right_checksums_are_survived),
	};

	return cmocka_run_group_tests(tests, make_good, remove_good);
}
