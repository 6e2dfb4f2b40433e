#include <asm/unistd.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "capture/tracee.h"
#include "capture/drain.h"
#include "capture/filter.h"
#include "capture/header.h"
#include "capture/opened.h"
#include "capture/output.h"
#include "capture/rates.h"
#include "capture/rings.h"
#include "capture/turn.h"
#include "lib/clock.h"
#include "lib/command.h"
#include "lib/log.h"
#include "lib/progress.h"
#include "lib/stop.h"

/*
 * iorig capture: records what programs do to their files. The order at the start is what makes the recording whole: the command is made but waits,
 * the hooks are attached, then the descriptors that are open already are told, then the command begins.
 */

#define POLL_NS 10000000ULL /* the first pause between visits to the rings */
#define HOLD_NS 5000000ULL  /* how long a record waits for those of other processors */
#define SELFTEST_NAP_NS 1000000ULL
#define SECOND_NS 1000000000ULL
#define CATCH_UP_NS (POLL_NS / 4)
#define DRY_RUN_NS 10000000000ULL
#define SETTLE_TRIES 500 /* of a millisecond */
#define RING_DEFAULT (16ULL << 20)

static struct {
	const char *out, *rotate;
	struct filter_options filter;
	uint64_t duration_ns, max_bytes, ring_bytes;
	bool dry_run, json, no_latency, wakeups, mmap_faults, cache, content, anonymize;
	struct anonymous_options names;
} opt;

struct recording {
	struct config config;
	struct recorder recorder;
	struct rings rings;
	struct drain drain;
	struct tracee child;
	struct output out;
	struct trace_writer *writer;
	char *const *command;
	const char *ended_by;
	uint64_t start_ns, looked_ns;
	bool uncovered; /* said so */
	uint64_t cpu_ns; /* this process's, when the recording began; when it has ended, what it took */
	struct counted before; /* in the files before this one; zeros in the first */
	uint64_t before_cpu_ns;
	uint64_t ended_ns;
	uint64_t asked_ns; /* after the recorded processes */
	struct {
		uint64_t at_ns, cpu_ns, events;
	} shown; /* the status line before */
	int error; /* the writer's */
};

/* Every second: what was drained is written, skipped events are told, and processors that came get a ring. */
static void look_after(struct recording *r, uint64_t now_ns)
{
	int rc;

	drain_account(&r->drain, now_ns);
	trace_writer_flush(r->writer);
	rc = recorder_cover(&r->recorder);
	if (rc < 0 && !r->uncovered) {
		warn("no ring for a processor that came later: %s; what happens there is counted as lost", strerror(-rc));
		r->uncovered = true;
	}
	r->looked_ns = now_ns;
}

/* Empties the rings up to that moment; what the writer says about it is kept. */
static void drain_until(struct recording *r, uint64_t until_ns)
{
	uint64_t now = clock_now_ns();

	rings_drain(&r->rings, until_ns, drain_record, &r->drain);
	effects_catch_up(&r->drain, CATCH_UP_NS);
	if (now - r->looked_ns > SECOND_NS)
		look_after(r, now);
	r->error = trace_writer_error(r->writer);
}

static bool disk_full(const struct recording *r)
{
	return r->error == -ENOSPC || r->error == -EDQUOT;
}

/* The command of a recording that ends before it is ended too, with the signal that ended us. */
static void end_command(struct recording *r)
{
	if (r->command && !tracee_stop(&r->child, stop_signal() ? stop_signal() : SIGTERM, 5000))
		warn("the command (process %d) does not end; it runs on, unrecorded", (int)r->child.pid);
}

/* The next file of the recording, the first or another. */
static int open_trace(struct recording *r, uint64_t start_ns)
{
	json_t *header = header_make(&r->config, (const char *const *)r->command, start_ns);
	struct trace_writer *writer;

	if (r->out.rotate_bytes)
		json_object_set_new(header, "part", json_integer(r->out.part + 1));
	writer = output_open(&r->out, header, opt.max_bytes);
	json_decref(header);
	if (!writer)
		return fail(EXIT_FAILED, "cannot write %s: %s", r->out.current, strerror(errno));
	r->writer = writer;
	return EXIT_DONE;
}

/* The recording's own writing would be seen in the latencies of what it records. */
static void warn_of_own_writing(const struct recording *r)
{
	const struct mountinfo_entry *mount = output_mount(&r->out, &r->drain.mounts);
	bool recorded = mount && !mount->pseudo;

	if (recorded && (r->config.filters & FILTER_DEV)) {
		recorded = false;
		for (uint32_t i = 0; i < r->config.dev_count; i++)
			recorded |= r->config.dev[i] == mount->dev;
	}
	if (recorded && !r->command)
		warn("%s is on a file system that is recorded (%s on %s): writing it slows down what is measured; better put it elsewhere",
		     opt.out, mount->type, mount->path);
}

static json_t *make_trailer(const struct recording *r, const struct counted *now, const char *why, uint64_t now_ns)
{
	json_t *trailer = trailer_make(&r->drain, &r->before, now, why, now_ns);

	json_object_set_new(trailer, "recorder_cpu_ns", json_integer((json_int_t)(clock_cpu_ns() - r->before_cpu_ns)));
	return trailer;
}

/*
 * The next file begins: a recording of its own, as if it had been started at this moment, but no event falls between the two. The kernel
 * announces again what it had announced to the one before, and the open descriptors are told.
 */
static int rotate(struct recording *r)
{
	struct trace_writer *old = r->writer;
	struct counted counted;
	struct totals totals;
	uint64_t now, descriptors;
	json_t *trailer;
	int rc;

	now = clock_now_ns();
	totals_read(&r->recorder, &totals);
	recorder_announce_again(&r->recorder);
	drain_until(r, now);
	drain_account(&r->drain, now);
	counted_between(&counted, &totals, &r->drain);
	state_end(&r->drain.state, &r->drain.names, now - r->drain.start_ns);
	rc = open_trace(r, now);
	if (rc)
		return rc;
	trailer = make_trailer(r, &counted, "rotation", now);
	if (drain_renew(&r->drain, r->writer, now)) {
		output_close(&r->out, r->writer, NULL);
		r->writer = old;
		json_decref(trailer);
		return fail(EXIT_FAILED, "cannot record on: out of memory");
	}
	if (opened_tell(&r->drain, &descriptors))
		warn("%s: the open descriptors could not be listed", r->out.current);
	r->before = counted;
	r->before_cpu_ns = clock_cpu_ns();
	output_close(&r->out, old, trailer);
	return EXIT_DONE;
}

/* What ends the recording now, NULL: nothing. */
static const char *reason_to_end(struct recording *r, uint64_t now, uint64_t end_ns)
{
	if (r->error)
		return r->error == -EFBIG ? "size" : disk_full(r) ? "space" : "error";
	if (opt.max_bytes && trace_writer_bytes(r->writer) >= opt.max_bytes)
		return "size";
	if (stop_requested())
		return "signal";
	if (r->command && tracee_ended(&r->child))
		return "command";
	if (now >= end_ns)
		return "duration";
	if (now < r->asked_ns + SECOND_NS)
		return NULL;
	r->asked_ns = now;
	return opt.filter.pid.n && !r->command && !filter_alive(&opt.filter, &r->recorder) ? "process" : NULL;
}

/* One line on a terminal, unless the recorded command may be using it. */
static void show_status(struct recording *r, struct progress *progress)
{
	uint64_t now = clock_now_ns(), cpu_ns = clock_cpu_ns();
	double seconds = (double)(now - r->shown.at_ns) / 1e9;

	progress_update(progress, 0, "%llu events, %.0f/s, %llu lost, %.1f MiB, own CPU %.1f %%", (unsigned long long)r->drain.events,
			(double)(r->drain.events - r->shown.events) / seconds, (unsigned long long)r->drain.lost,
			(double)(r->out.bytes_before + trace_writer_bytes(r->writer)) / (1 << 20),
			(double)(cpu_ns - r->shown.cpu_ns) / seconds / 1e7);
	r->shown.at_ns = now;
	r->shown.cpu_ns = cpu_ns;
	r->shown.events = r->drain.events;
}

static int record(struct recording *r)
{
	uint64_t end_ns = opt.duration_ns ? r->start_ns + opt.duration_ns : UINT64_MAX, pause_ns = POLL_NS;
	struct progress progress;
	int rc = EXIT_DONE;

	progress_start(&progress, "capture", 0);
	r->cpu_ns = r->before_cpu_ns = r->shown.cpu_ns = clock_cpu_ns();
	r->shown.at_ns = clock_now_ns();
	while (!rc) {
		uint64_t now = clock_now_ns();

		pause_ns = turn_pause_ns(pause_ns, rings_fill(&r->rings));
		drain_until(r, now - HOLD_NS);
		r->ended_by = reason_to_end(r, now, end_ns);
		if (r->ended_by)
			break;
		if (r->out.rotate_bytes && trace_writer_bytes(r->writer) >= r->out.rotate_bytes)
			rc = rotate(r);
		if (!r->command && progress_due(&progress))
			show_status(r, &progress);
		clock_sleep_ns(end_ns - now < pause_ns ? end_ns - now : pause_ns);
	}
	progress_finish(&progress);
	return rc;
}

/*
 * What the self-test has left has come out of the rings, or does so soon: behind a record that another process's hook has begun nothing is
 * seen until it ends that, and on a virtual machine its processor may be away in the middle of it. NULL: every hook fires.
 */
static const char *tested(struct recording *r)
{
	uint64_t end_ns = clock_now_ns() + SECOND_NS;
	const char *missing;

	for (;;) {
		drain_until(r, clock_now_ns());
		missing = selftest_missing(&r->drain.test, &r->config);
		if (!missing || clock_now_ns() > end_ns)
			return missing;
		clock_sleep_ns(1000000);
	}
}

/* Hooks on, and proof that every one of them fires. */
static int attach(struct recording *r)
{
	char why[RECORDER_WHY] = "";
	const char *missing;

	if (r->drain.test.pid > 0)
		recorder_track(&r->recorder, (uint32_t)r->drain.test.pid, true);
	if (recorder_attach(&r->recorder, why))
		return fail(EXIT_FAILED, "cannot record: %s", why);
	selftest_begin(&r->drain.test);
	while (!selftest_over(&r->drain.test)) {
		drain_until(r, clock_now_ns() - HOLD_NS);
		clock_sleep_ns(SELFTEST_NAP_NS);
	}
	missing = tested(r);
	if (missing)
		return fail(EXIT_IMPOSSIBLE, "cannot record here: the kernel attaches %s but never runs it; see 'iorig doctor'", missing);
	return EXIT_DONE;
}

static int prepare(struct recording *r)
{
	char why[RECORDER_WHY] = "";
	struct selftest test;
	uint64_t descriptors;
	int rc = selftest_make(&test, &r->config, opt.filter.mount.n ? opt.filter.mount.item[0] : "/");

	if (rc)
		return fail(EXIT_FAILED, "cannot record: %s", strerror(-rc));
	rc = recorder_open(&r->recorder, &r->config, opt.ring_bytes, why);

	if (rc == -EPERM || rc == -EACCES || rc == -EOPNOTSUPP)
		return fail(EXIT_IMPOSSIBLE, "cannot record here: %s", why);
	if (rc)
		return fail(EXIT_FAILED, "cannot record: %s", why);
	r->start_ns = clock_now_ns();
	rc = open_trace(r, r->start_ns);
	if (rc)
		return rc;
	if (drain_init(&r->drain, r->writer, &r->recorder, r->start_ns) || rings_init(&r->rings, &r->recorder))
		return fail(EXIT_FAILED, "cannot record: out of memory");
	r->drain.spaces.subvolumes = r->config.btrfs_root != 0;
	state_init(&r->drain.state, r->writer, opt.cache, opt.content);
	r->drain.wakes_known_only = r->config.filters & ~(uint32_t)(FILTER_PID | FILTER_DEV);
	filter_start(&opt.filter, &r->config, &r->recorder, &r->drain);
	if (r->command)
		recorder_track(&r->recorder, (uint32_t)r->child.pid, true);
	r->drain.test = test;
	rc = attach(r);
	if (rc)
		return rc;
	filter_start(&opt.filter, &r->config, &r->recorder, &r->drain); /* what was forked in between */
	if (opt.filter.pid.n && !r->command && !filter_alive(&opt.filter, &r->recorder)) {
		unlink(r->out.current);
		return fail(EXIT_FAILED, "--pid %s: the process has ended before the recording began", opt.filter.pid.item[0]);
	}
	rc = opened_tell(&r->drain, &descriptors);
	if (rc)
		return fail(EXIT_FAILED, "cannot list the open descriptors: %s", strerror(-rc));
	return EXIT_DONE;
}

/* A hook that runs at this moment ends; on a virtual machine its processor may be away for a while in the middle of it. */
static void settle(struct recording *r)
{
	struct timespec moment = {.tv_nsec = 1000000};

	syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0); /* a grace period, where the kernel gives one */
	for (int tries = 0; tries < SETTLE_TRIES; tries++) {
		nanosleep(&moment, NULL);
		drain_until(r, UINT64_MAX);
		if (drain_settled(&r->drain))
			break;
	}
}

/* Hooks off, rings empty, losses told, trailer written. */
static int finish(struct recording *r)
{
	struct counted counted;
	json_t *trailer;
	uint64_t now;
	int rc, names;

	recorder_detach(&r->recorder);
	now = clock_now_ns();
	settle(r);
	effects_catch_up(&r->drain, 100 * CATCH_UP_NS);
	drain_finish(&r->drain, now);
	state_end(&r->drain.state, &r->drain.names, clock_now_ns() - r->drain.start_ns);
	r->error = trace_writer_flush(r->writer);
	if (disk_full(r)) {
		r->ended_by = "space";
		drain_refused(&r->drain);
	}
	counted_read(&counted, &r->drain);
	trailer = make_trailer(r, &counted, r->ended_by ? r->ended_by : "error", now);
	r->ended_ns = now;
	r->cpu_ns = clock_cpu_ns() - r->cpu_ns;
	output_close(&r->out, r->writer, trailer);
	r->writer = NULL;
	rc = output_finish(&r->out);
	if (opt.anonymize && anonymizer_collided(r->out.anonymizer))
		return fail(EXIT_FAILED, "%s ends early: two names have the same pseudonym under this key; take another", opt.out);
	names = opt.anonymize && !opt.dry_run ? output_check_names(&r->out) : EXIT_DONE;
	if (names)
		return names;
	if (disk_full(r))
		return fail(EXIT_INCOMPLETE, "%s: %s; the recording ended there, %llu events are in it, %llu were lost", opt.out,
			    strerror(-r->error), (unsigned long long)r->drain.events, (unsigned long long)r->drain.lost);
	if (rc)
		return fail(EXIT_FAILED, "cannot write %s: %s; what was written before is readable", opt.out, strerror(-rc));
	return EXIT_DONE;
}

static int report(struct recording *r)
{
	struct totals t;

	if (opt.dry_run)
		return rates_print(&r->drain, r->ended_ns - r->start_ns, r->out.bytes_before, r->cpu_ns, opt.json);
	if (r->drain.lost) {
		totals_read(&r->recorder, &t);
		return fail(EXIT_INCOMPLETE, "%s is incomplete: %llu of %llu events were lost%s", opt.out, (unsigned long long)r->drain.lost,
			    (unsigned long long)(r->drain.lost + r->drain.events),
			    t.all_dropped ? "; give a larger --ring-size" : "");
	}
	if (r->command && (r->ended_by && !strcmp(r->ended_by, "command")))
		return r->child.status;
	if (r->ended_by && !strcmp(r->ended_by, "process"))
		say("the recorded processes have ended: %llu events in %s", (unsigned long long)r->drain.events, opt.out);
	else if (isatty(STDERR_FILENO))
		say("%llu events in %s; next: iorig trace info %s", (unsigned long long)r->drain.events, opt.out, r->out.current);
	return EXIT_DONE;
}

/* What a busy host must not keep from us: a processor when the rings fill, and our memory. */
static void stand_firm(void)
{
	if (turn_take() == TURN_PLAIN)
		warn("neither SCHED_RR nor nice -20 is allowed: on a busy host events may be lost (and counted)");
	turn_lock_memory();
}

static int run(struct recording *r)
{
	int rc = prepare(r), end;

	if (rc)
		return rc;
	stand_firm();
	if (r->command) {
		rc = tracee_start(&r->child);
		if (rc)
			return fail(rc == -ENOENT ? 127 : 126, "cannot start %s: %s", r->command[0], strerror(-rc));
	} else {
		if (opt.dry_run)
			say("looking for %.0f s", (double)opt.duration_ns / 1e9);
		else
			warn_of_own_writing(r);
		if (!opt.dry_run)
			say("recording into %s%s", opt.out, opt.duration_ns ? "" : "; SIGINT or SIGTERM ends it");
	}
	rc = record(r);
	end_command(r);
	end = finish(r);
	return rc ? rc : end ? end : report(r);
}

static int capture(const struct command *cmd, int argc, char **argv)
{
	static struct recording r;
	int rest, rc;

	opt.ring_bytes = RING_DEFAULT;
	rest = options_parse(cmd, argc, argv);
	if (rest < 0)
		return -rest - 1;
	r.command = rest < argc ? &argv[rest] : NULL;
	if (opt.dry_run ? opt.out || opt.rotate || opt.max_bytes : opt.json)
		return fail(EXIT_USAGE, opt.dry_run ? "--dry-run writes nothing: it goes without -o, --rotate and --max-size" : "--json needs --dry-run");
	if (opt.dry_run) {
		opt.out = "/dev/null"; /* what would be written is made, to know its size */
		opt.duration_ns = opt.duration_ns ? opt.duration_ns : r.command ? 0 : DRY_RUN_NS;
	}
	if (!opt.out)
		return fail(EXIT_USAGE, "capture needs -o FILE, the trace to write");
	if (opt.ring_bytes < 8192 || opt.ring_bytes > 1 << 30 || (opt.ring_bytes & (opt.ring_bytes - 1)))
		return fail(EXIT_USAGE, "--ring-size must be a power of two from 8k to 1G");
	if (opt.mmap_faults && opt.no_latency)
		return fail(EXIT_USAGE, "--mmap-faults needs the begin of calls, to tell what they read from what mappings read: it does not go with --no-latency");
	r.out.path = opt.out;
	if (opt.rotate && output_parse_rotate(&r.out, opt.rotate))
		return fail(EXIT_USAGE, "--rotate %s: a size from 64k on, and after a comma how many files are kept, is needed: 100M or 100M,5", opt.rotate);
	if (opt.rotate && opt.max_bytes)
		return fail(EXIT_USAGE, "--rotate and --max-size do not go together: the number of files that are kept bounds the space");
	if (!opt.anonymize && (opt.names.key_file || opt.names.keep_extensions || opt.names.keep_directories))
		return fail(EXIT_USAGE, "--key-file, --keep-extensions and --keep-directories need --anonymize");
	if (opt.anonymize && !(r.out.anonymizer = anonymous_open(&opt.names, &rc)))
		return rc;
	r.config.no_latency = opt.no_latency;
	r.config.wakes = opt.wakeups;
	r.config.pages = opt.mmap_faults;
	rc = filter_parse(&opt.filter, &r.config, r.command != NULL);
	if (rc)
		return rc;
	stop_arm();
	r.child.go = r.child.failed = -1;
	if (r.command) {
		rc = tracee_make(&r.child, r.command);
		if (rc)
			return fail(rc == -ENOENT ? 127 : 126, "cannot start %s: %s", r.command[0], strerror(-rc));
	}
	rc = run(&r);
	if (r.writer)
		trace_writer_close(r.writer, NULL);
	output_finish(&r.out);
	anonymizer_close(r.out.anonymizer);
	tracee_release(&r.child);
	rings_release(&r.rings);
	drain_release(&r.drain);
	recorder_close(&r.recorder);
	return rc;
}

static const struct option_row rows[] = {
	{"output", 'o', "FILE", OPT_STRING, &opt.out, "where the trace goes"},
	{"pid", 'p', "PID", OPT_LIST, &opt.filter.pid, "this process and its descendants (may be repeated, like the next ones)"},
	{"comm", 'c', "COMM", OPT_LIST, &opt.filter.comm, "threads of that name"},
	{"uid", 'u', "UID", OPT_LIST, &opt.filter.uid, "processes of that user (name or number)"},
	{"cgroup", 'g', "CGROUP", OPT_LIST, &opt.filter.cgroup, "processes in that cgroup (version 2 or 1) or below"},
	{"mount", 'm', "MOUNT", OPT_LIST, &opt.filter.mount, "files on the file system mounted there"},
	{"duration", 'd', "DUR", OPT_DURATION, &opt.duration_ns, "stop after that time (90s, 5m, 1h)"},
	{"max-size", 0, "SIZE", OPT_SIZE, &opt.max_bytes, "stop when the trace has that size"},
	{"rotate", 0, "SIZE[,KEEP]", OPT_STRING, &opt.rotate, "begin another file when one has that size; keep the newest KEEP"},
	{"dry-run", 0, NULL, OPT_FLAG, &opt.dry_run, "write nothing: show rates, and what a trace would take (10s without -d)"},
	{"json", 0, NULL, OPT_FLAG, &opt.json, "--dry-run's result as JSON"},
	{"ring-size", 0, "SIZE", OPT_SIZE, &opt.ring_bytes, "buffer of each processor (default 16M)"},
	{"wakeups", 0, NULL, OPT_FLAG, &opt.wakeups, "record which thread wakes which, for the order of a replay"},
	{"mmap-faults", 0, NULL, OPT_FLAG, &opt.mmap_faults, "record access through mappings: page faults, fills of the page cache"},
	{"cache", 0, NULL, OPT_FLAG, &opt.cache, "tell what of each file was in the page cache, at first and at the end"},
	{"content", 0, NULL, OPT_FLAG, &opt.content, "read samples of the files' data at the end: zeros, compressibility (never the data itself)"},
	{"anonymize", 0, NULL, OPT_FLAG, &opt.anonymize, "no name reaches the trace: each becomes a keyed pseudonym"},
	{"key-file", 0, "FILE", OPT_STRING, &opt.names.key_file, "the key; the same key gives the same pseudonyms (default: random, forgotten)"},
	{"keep-extensions", 0, NULL, OPT_FLAG, &opt.names.keep_extensions, "keep .jpg and the like"},
	{"keep-directories", 0, NULL, OPT_FLAG, &opt.names.keep_directories, "keep usr, var, tmp and other names that every system has"},
	{"no-latency", 0, NULL, OPT_FLAG, &opt.no_latency, "record only the end of each call: cheaper, no durations"},
	{0}};

const struct command cmd_capture = {
	.name = "capture",
	.synopsis = "-o FILE | --dry-run [--json] [-p PID]... [-c COMM]... [-u UID]... [-g CGROUP]... [-m MOUNT]... [-d DUR] [--max-size SIZE] [--rotate SIZE[,KEEP]] [--ring-size SIZE] "
		    "[--no-latency] [--wakeups] [--mmap-faults] [--cache] [--content] [--anonymize [--key-file FILE]] [-- CMD...]",
	.summary = "record what programs do to their files",
	.group = "capture",
	.options = rows,
	.run = capture,
};
