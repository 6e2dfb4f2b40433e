#include <bpf/btf.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "capture/able.h"
#include "capture/calls.h"
#include "capture/optional.h"
#include "capture/recorder.h"
#include "capture/rings.h"
#include "capture/selftest.h"
#include "lib/clock.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"

/*
 * iorig doctor: what of a recording works on this machine, and why the rest does not. It tries instead of guessing: loads the program, attaches
 * it, and looks whether every hook fires.
 */

#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif

static bool as_json;

enum { NAP_NS = 1000000 };

struct report {
	json_t *checks;
	bool good; /* everything that a recording needs */
};

enum need { NEEDED, OPTIONAL };

static void check(struct report *r, const char *name, enum need need, bool ok, const char *fmt, ...)
{
	char detail[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(detail, sizeof(detail), fmt, args);
	va_end(args);
	if (need == NEEDED && !ok)
		r->good = false;
	json_array_append_new(r->checks, json_pack("{s:s, s:b, s:b, s:s}", "name", name, "ok", ok, "needed", need == NEEDED, "detail", detail));
}

static void note(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data)
{
	(void)bytes;
	(void)cpu;
	selftest_note(data, record);
}

static void check_files(struct report *r, struct recorder *recorder)
{
	static char buffer[65536];
	int fd = recorder_open_files(recorder);
	ssize_t n = fd < 0 ? fd : read(fd, buffer, sizeof(buffer));

	check(r, "open descriptors", NEEDED, n >= 0, n >= 0 ? "iter/task_file lists what is open already" : "iter/task_file: %s", strerror((int)-n));
	if (fd >= 0)
		close(fd);
}

static void check_hooks(struct report *r, struct recorder *recorder, struct selftest *test, enum selftest_hook first, enum selftest_hook end)
{
	struct rings rings;

	if (rings_init(&rings, recorder))
		return;
	selftest_begin(test);
	while (!selftest_over(test)) {
		rings_drain(&rings, UINT64_MAX, note, test);
		clock_sleep_ns(NAP_NS);
	}
	rings_drain(&rings, UINT64_MAX, note, test);
	rings_release(&rings);
	for (enum selftest_hook i = first; i < end; i++)
		check(r, selftest_names[i], first == HOOK_ENTER ? NEEDED : OPTIONAL, test->fired[i],
		      test->fired[i] ? "fires" : "attached, but never runs");
}

/* Everything that needs the loaded program. */
static void check_recorder(struct report *r)
{
	static struct config config;
	struct recorder recorder;
	struct selftest test;
	char why[RECORDER_WHY] = "";
	int rc = selftest_make(&test, &config, "/");

	rc = rc ? rc : recorder_open(&recorder, &config, 1 << 20, why);
	check(r, "program", NEEDED, !rc, "%s", rc ? why : recorder.modern ? "loads; the one for kernels from 6.2 on" : "loads; the one for kernels before 6.2, a little dearer");
	if (rc) {
		close(test.go);
		return;
	}
	rc = recorder_attach(&recorder, why);
	check(r, "hooks", NEEDED, !rc, "%s", rc ? why : "attach");
	if (!rc) {
		check_hooks(r, &recorder, &test, HOOK_ENTER, HOOK_WAKE);
		check_files(r, &recorder);
	}
	recorder_close(&recorder);
}

/* What --wakeups and --mmap-faults need, in a second recorder: its failure is not the first one's. */
static void check_optional(struct report *r, const struct optional *there)
{
	static struct config config = {.wakes = 1, .pages = 1};
	struct recorder recorder;
	struct selftest test;
	char why[RECORDER_WHY] = "";
	int rc = selftest_make(&test, &config, "/");

	check(r, "page cache fills", OPTIONAL, there->fills, "for --mmap-faults");
	if (!there->faults)
		check(r, "page faults", OPTIONAL, false, "for --mmap-faults; kernels from 5.17 on tell whose page it is");
	rc = rc ? rc : recorder_open(&recorder, &config, 1 << 20, why);
	rc = rc ? rc : recorder_attach(&recorder, why);
	if (rc) {
		close(test.go);
		check(r, "optional hooks", OPTIONAL, false, "%s", why);
	} else {
		check_hooks(r, &recorder, &test, HOOK_WAKE, there->faults ? HOOK_COUNT : HOOK_PAGES);
	}
	recorder_close(&recorder);
}

static void check_uring(struct report *r, enum uring uring)
{
	check(r, "io_uring", OPTIONAL, uring != URING_UNSEEN, "%s",
	      uring == URING_UNSEEN ? "its tracepoints do not tell which request begins and ends (kernels before 5.13): requests are counted as lost"
	      : uring & URING_ENDS_BY_NAME
		      ? "begin and end of requests; of those with equal user_data, which one has ended is a guess (kernels before 5.17)"
		      : "begin and end of requests");
}

static void check_machine(struct report *r, struct optional *there)
{
	struct utsname uts;
	struct btf *btf = recorder_has_types() ? btf__load_vmlinux_btf() : NULL;
	const char *capabilities = able_capabilities(), *lockdown = able_lockdown();

	uname(&uts);
	*there = optional_of(btf);
	check(r, "kernel", NEEDED, true, "%s %s, %d system calls known", uts.release, uts.machine, calls_count());
	check(r, "privileges", NEEDED, !capabilities, "%s", capabilities ? capabilities : geteuid() ? "the capabilities that it needs" : "root");
	check(r, "lockdown", NEEDED, !lockdown, "%s", lockdown ? lockdown : "the kernel's memory may be read");
	check(r, "type information", NEEDED, recorder_has_types(), recorder_has_types() ? "/sys/kernel/btf/vmlinux" : "no /sys/kernel/btf/vmlinux: the kernel needs CONFIG_DEBUG_INFO_BTF");
	check_uring(r, recorder_uring(btf));
	check(r, "cachestat", OPTIONAL, syscall(SYS_cachestat, -1, NULL, NULL, 0) < 0 && errno != ENOSYS,
	      "page cache of a file without mapping it (kernels from 6.5 on)");
	btf__free(btf);
}

static int print(const struct report *r)
{
	json_t *doc, *one;
	size_t i;

	if (as_json) {
		doc = json_pack("{s:s, s:b, s:O}", "schema", "iorig.doctor/1", "capture", r->good, "checks", r->checks);
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(doc);
	} else {
		for (i = 0; (one = json_array_get(r->checks, i)); i++)
			printf("%-9s %-20s %s\n", json_flag(one, "ok", false) ? "ok" : json_flag(one, "needed", true) ? "NO" : "not here",
			       json_text(one, "name", ""), json_text(one, "detail", ""));
		printf("%s\n", r->good ? "iorig capture works here; next: iorig capture -o FILE -- COMMAND" : "iorig capture does not work here");
	}
	return r->good ? EXIT_DONE : EXIT_IMPOSSIBLE;
}

static int doctor(const struct command *cmd, int argc, char **argv)
{
	struct report r = {.checks = json_array(), .good = true};
	struct optional there;
	int rest = options_parse(cmd, argc, argv), rc;

	if (rest < 0)
		return -rest - 1;
	if (rest < argc)
		return fail(EXIT_USAGE, "doctor takes no arguments");
	check_machine(&r, &there);
	check_recorder(&r);
	if (r.good)
		check_optional(&r, &there);
	rc = print(&r);
	json_decref(r.checks);
	return rc;
}

static const struct option_row rows[] = {{"json", 0, NULL, OPT_FLAG, &as_json, "an iorig.doctor/1 document"}, {0}};

const struct command cmd_doctor = {
	.name = "doctor",
	.synopsis = "[--json]",
	.summary = "say whether recording works on this machine, and why not",
	.group = "capture",
	.options = rows,
	.run = doctor,
};
