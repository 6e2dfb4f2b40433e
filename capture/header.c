#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/header.h"
#include "capture/spaces.h"
#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"

/* The first line of a small file, without its newline. False: cannot be read. */
static bool read_line(const char *path, char *text, size_t room)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (!f || !fgets(text, (int)room, f))
		return false;
	text[strcspn(text, "\n")] = 0;
	return true; /* cppcheck-suppress resourceLeak ; the cleanup attribute closes it */
}

static void add_line(json_t *to, const char *key, const char *path)
{
	char text[256];

	if (read_line(path, text, sizeof(text)))
		json_object_set_new(to, key, json_any_text(text));
}

static json_t *sysctls(void)
{
	static const char *const names[] = {"vm/dirty_ratio", "vm/dirty_bytes", "vm/dirty_background_ratio",
					    "vm/dirty_background_bytes", "vm/dirty_expire_centisecs",
					    "vm/dirty_writeback_centisecs", "vm/swappiness", "vm/vfs_cache_pressure",
					    "vm/min_free_kbytes", "vm/dirtytime_expire_seconds", "vm/page-cluster",
					    "vm/overcommit_memory", "vm/laptop_mode", "vm/zone_reclaim_mode", "vm/watermark_scale_factor",
					    "fs/aio-max-nr", "fs/file-max", "fs/nr_open", "kernel/io_uring_disabled", "kernel/numa_balancing",
					    "kernel/pid_max"};
	json_t *all = json_object();
	char path[128];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", names[i]);
		add_line(all, names[i], path);
	}
	return all;
}

static bool is_idle_loop(const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	return !strncmp(name, "loop", 4) && access(path, F_OK) != 0;
}

/* Mounts tell a partition's number, not its disk's. */
static void add_partitions(json_t *device, const char *name)
{
	char path[1024], dev[32];
	json_t *all = json_object();
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/block/%s", name);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		if (strncmp(entry->d_name, name, strlen(name)) != 0)
			continue;
		snprintf(path, sizeof(path), "/sys/block/%s/%s/dev", name, entry->d_name);
		if (read_line(path, dev, sizeof(dev)))
			json_object_set_new(all, entry->d_name, json_string(dev));
	}
	if (dir)
		closedir(dir);
	if (json_object_size(all))
		json_object_set(device, "partitions", all);
	json_decref(all);
}

static void add_processor(json_t *to)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/cpuinfo", "re");
	char line[256], *colon;

	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "model name", 10) != 0 || !(colon = strchr(line, ':')))
			continue;
		line[strcspn(line, "\n")] = 0;
		json_object_set_new(to, "cpu_model", json_string(colon + 1 + strspn(colon + 1, " ")));
		return; /* cppcheck-suppress resourceLeak ; the cleanup attribute closes it */
	}
}

/* What each hole in the processor costs: "spectre_v2: Mitigation: ...". System calls get dearer by it. */
static json_t *mitigations(void)
{
	static const char folder[] = "/sys/devices/system/cpu/vulnerabilities";
	json_t *all = json_array();
	DIR *dir = opendir(folder);
	struct dirent *entry;
	char path[512], text[256], line[600];

	while (dir && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
		if (entry->d_name[0] == '.' || !read_line(path, text, sizeof(text)) || !strcmp(text, "Not affected"))
			continue;
		snprintf(line, sizeof(line), "%s: %s", entry->d_name, text);
		json_array_append_new(all, json_string(line));
	}
	if (dir)
		closedir(dir);
	return all;
}

/* What was asked for besides calls, and what of it nobody can see here. */
static json_t *besides(const struct config *c)
{
	json_t *all = json_pack("{s:b, s:b, s:b}", "wakeups", c->wakes, "cache_fills", c->pages, "page_faults", c->faults);
	json_t *invisible = json_array();

	if (c->wakes)
		json_array_append_new(invisible, json_string("wake-ups by interrupts: timers, disks, networks"));
	if (c->pages && !c->faults)
		json_array_append_new(invisible, json_string("page faults: this kernel does not tell whose page it is"));
	if (c->pages) {
		json_array_append_new(invisible, json_string("pages mapped around a faulting one, or in advance (MAP_POPULATE, mlock)"));
		json_array_append_new(invisible, json_string("access to pages that are mapped already"));
		json_array_append_new(invisible, json_string("access by the kernel, when a mapping is the buffer of a call"));
	}
	json_object_set_new(all, "invisible", invisible);
	return all;
}

static json_t *block_devices(void)
{
	static const char *const queue[] = {"scheduler", "nr_requests", "read_ahead_kb", "rotational", "write_cache",
					    "wbt_lat_usec", "max_sectors_kb", "logical_block_size", "physical_block_size",
					    "nomerges", "rq_affinity", "io_poll", "fua", "discard_max_bytes", "minimum_io_size",
					    "optimal_io_size"};
	json_t *all = json_object();
	DIR *dir = opendir("/sys/block");
	struct dirent *entry;
	char path[512];

	while (dir && (entry = readdir(dir))) {
		json_t *one;

		if (entry->d_name[0] == '.' || !strncmp(entry->d_name, "ram", 3) || is_idle_loop(entry->d_name))
			continue;
		one = json_object();
		snprintf(path, sizeof(path), "/sys/block/%s/dev", entry->d_name);
		add_line(one, "dev", path);
		snprintf(path, sizeof(path), "/sys/block/%s/size", entry->d_name);
		add_line(one, "sectors", path);
		snprintf(path, sizeof(path), "/sys/block/%s/device/model", entry->d_name);
		add_line(one, "model", path);
		for (size_t i = 0; i < ARRAY_SIZE(queue); i++) {
			snprintf(path, sizeof(path), "/sys/block/%s/queue/%s", entry->d_name, queue[i]);
			add_line(one, queue[i], path);
		}
		add_partitions(one, entry->d_name);
		json_object_set_new(all, entry->d_name, one);
	}
	if (dir)
		closedir(dir);
	return all;
}

static json_t *filters(const struct config *c)
{
	json_t *all = json_object(), *list;

	if (c->filters & FILTER_PID)
		json_object_set_new(all, "pid", json_true());
	if (c->filters & FILTER_COMM) {
		json_object_set_new(all, "comm", list = json_array());
		for (uint32_t i = 0; i < c->comm_count; i++)
			json_array_append_new(list, json_any_text(c->comm[i]));
	}
	if (c->filters & FILTER_UID) {
		json_object_set_new(all, "uid", list = json_array());
		for (uint32_t i = 0; i < c->uid_count; i++)
			json_array_append_new(list, json_integer(c->uid[i]));
	}
	if (c->filters & FILTER_CGROUP)
		json_object_set_new(all, "cgroups", json_integer(c->cgroup_count));
	if (c->filters & FILTER_DEV) {
		json_object_set_new(all, "dev", list = json_array());
		for (uint32_t i = 0; i < c->dev_count; i++) {
			char dev[32];

			snprintf(dev, sizeof(dev), "%u:%u", c->dev[i] >> 20, c->dev[i] & 0xfffff);
			json_array_append_new(list, json_string(dev));
		}
	}
	return all;
}

json_t *header_make(const struct config *config, const char *const command[], uint64_t start_ns)
{
	json_t *header = json_object(), *words;
	struct mountinfo mounts;
	struct utsname uts;
	struct sysinfo info;
	char iso[32];

	uname(&uts);
	sysinfo(&info);
	json_object_set_new(header, "recorder", json_string("iorig " IORIG_VERSION));
	json_object_set_new(header, "hostname", json_any_text(uts.nodename));
	json_object_set_new(header, "kernel", json_string(uts.release));
	json_object_set_new(header, "machine", json_string(uts.machine));
	json_object_set_new(header, "cpus", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
	json_object_set_new(header, "memory_bytes", json_integer((json_int_t)info.totalram * info.mem_unit));
	add_processor(header);
	json_object_set_new(header, "mitigations", mitigations());
	json_object_set_new(header, "mount_namespace", json_integer(spaces_number(0)));
	json_object_set_new(header, "besides_calls", besides(config));
	add_line(header, "transparent_hugepage", "/sys/kernel/mm/transparent_hugepage/enabled");
	json_object_set_new(header, "started", json_string(clock_iso(iso)));
	json_object_set_new(header, "clock", json_pack("{s:s, s:I}", "id", "CLOCK_MONOTONIC", "start_ns", (json_int_t)start_ns));
	add_line(header, "boot_id", "/proc/sys/kernel/random/boot_id");
	if (command && command[0]) {
		json_object_set_new(header, "command", words = json_array());
		for (size_t i = 0; command[i]; i++)
			json_array_append_new(words, json_any_text(command[i]));
	}
	json_object_set_new(header, "filters", filters(config));
	json_object_set_new(header, "latency", json_boolean(!config->no_latency));
	if (!mountinfo_read(&mounts)) {
		json_object_set_new(header, "mounts", mountinfo_json(&mounts));
		mountinfo_release(&mounts);
	}
	json_object_set_new(header, "block", block_devices());
	json_object_set_new(header, "sysctl", sysctls());
	return header;
}

void totals_read(const struct recorder *r, struct totals *t)
{
	memset(t, 0, sizeof(*t));
	for (int i = 0; i < recorder_counted(r); i++) {
		const volatile struct counters *c = &r->counters[i];

		for (int class = 0; class < CLASS_MAX; class++) {
			const volatile struct class_counters *k = &c->class[class];

			/* Hooks count meanwhile: each number is read once, and so a sum is that of its parts. */
			struct class_counters now = {.seen = k->seen, .emitted = k->emitted, .filtered = k->filtered, .dropped = k->dropped};

			t->all_seen += now.seen;
			t->all_emitted += now.emitted;
			t->all_filtered += now.filtered;
			t->all_dropped += now.dropped;
			t->seen[class] += now.seen;
			t->emitted[class] += now.emitted;
			t->filtered[class] += now.filtered;
			t->dropped[class] += now.dropped;
		}
		t->unpaired += c->unpaired;
		t->string_faults += c->string_faults;
		t->truncated += c->truncated;
		t->definitions_dropped += c->definitions_dropped;
		t->tasks_dropped += c->tasks_dropped;
		t->compat += c->compat;
		t->requests_unknown += c->requests_unknown;
		t->requests_early += c->requests_early;
	}
}

/* How many calls had begun and not ended, by name. They have left nothing else. */
static json_t *unfinished_calls(const struct recorder *r)
{
	static struct slot slots[1024];
	size_t n = recorder_unfinished(r, slots, ARRAY_SIZE(slots));
	json_t *all = json_object();

	for (size_t i = 0; i < n; i++) {
		const char *name = trace_ops[calls[slots[i].nr & (CALL_MAX - 1)].op].name;

		if (name)
			json_object_set_new(all, name, json_integer(json_integer_value(json_object_get(all, name)) + 1));
	}
	return all;
}

static void tell(json_t *trailer, const char *what, uint64_t n)
{
	json_object_set_new(trailer, what, json_integer((json_int_t)n));
}

/* What was measured of the recorder's own part in pauses. */
static void tell_gaps(json_t *trailer, const struct selftest *test)
{
	json_t *more = json_object();

	for (int kind = GAP_DESCRIPTOR + 1; kind < GAP_COUNT; kind++)
		if (selftest_gap_ns(test, (enum selftest_gap)kind))
			tell(more, selftest_gap_names[kind], selftest_gap_ns(test, (enum selftest_gap)kind));
	if (selftest_gap_ns(test, GAP_DESCRIPTOR))
		tell(trailer, "call_gap_ns", selftest_gap_ns(test, GAP_DESCRIPTOR));
	if (json_object_size(more))
		json_object_set(trailer, "call_gaps_ns", more);
	json_decref(more);
}

void counted_between(struct counted *c, const struct totals *kernel, const struct drain *d)
{
	*c = (struct counted){
		.kernel = *kernel,
		.filtered_by_path = d->filtered,
		.lost = d->lost,
		.skipped = recorder_skipped(d->recorder),
		.requests_early = kernel->requests_early + d->async.early,
		.requests_late = d->async.late,
		.requests_unfinished = d->unfinished,
	};
	for (int class = 0; class < CLASS_MAX; class++)
		c->kernel.seen[class] = kernel->emitted[class] + kernel->filtered[class] + kernel->dropped[class];
	c->kernel.all_seen = kernel->all_emitted + kernel->all_filtered + kernel->all_dropped;
}

void counted_read(struct counted *c, const struct drain *d)
{
	struct totals t;

	totals_read(d->recorder, &t);
	counted_between(c, &t, d);
	c->kernel = t;
}

static struct counted difference(const struct counted *from, const struct counted *to)
{
	enum { COUNTERS = sizeof(struct counted) / sizeof(uint64_t) };
	_Static_assert(sizeof(struct counted) == COUNTERS * sizeof(uint64_t), "nothing but counters");
	uint64_t a[COUNTERS], b[COUNTERS];
	struct counted c;

	memcpy(a, from, sizeof(a));
	memcpy(b, to, sizeof(b));
	for (size_t i = 0; i < COUNTERS; i++)
		b[i] -= a[i];
	memcpy(&c, b, sizeof(c));
	return c;
}

static json_t *classes_json(const struct totals *t)
{
	json_t *classes = json_object();

	for (int class = 0; class < TRACE_CLASS_COUNT; class++)
		if (t->seen[class])
			json_object_set_new(classes, trace_class_names[class],
					    json_pack("{s:I, s:I, s:I, s:I}", "seen", (json_int_t)t->seen[class], "emitted",
						      (json_int_t)t->emitted[class], "filtered", (json_int_t)t->filtered[class],
						      "dropped", (json_int_t)t->dropped[class]));
	return classes;
}

json_t *trailer_make(const struct drain *d, const struct counted *before, const struct counted *now, const char *why, uint64_t now_ns)
{
	const struct counted c = difference(before, now);
	const struct totals *t = &c.kernel;
	json_t *trailer = json_object();

	json_object_set_new(trailer, "ended_by", json_string(why));
	tell(trailer, "duration_ns", now_ns - d->start_ns);
	tell(trailer, "seen", t->all_seen);
	tell(trailer, "emitted", t->all_emitted);
	tell(trailer, "filtered", t->all_filtered);
	tell(trailer, "dropped", t->all_dropped);
	tell(trailer, "filtered_by_path", c.filtered_by_path);
	tell(trailer, "lost", c.lost);
	tell(trailer, "skipped", c.skipped);
	tell(trailer, "unpaired", t->unpaired);
	tell(trailer, "compat", t->compat);
	tell(trailer, "tasks_dropped", t->tasks_dropped);
	tell(trailer, "requests_unknown", t->requests_unknown);
	tell(trailer, "requests_early", c.requests_early);
	tell(trailer, "requests_end_late", c.requests_late);
	tell(trailer, "requests_unfinished", c.requests_unfinished);
	json_object_set_new(trailer, "calls_unfinished", unfinished_calls(d->recorder));
	tell(trailer, "definitions_dropped", t->definitions_dropped);
	tell(trailer, "paths_unreadable", t->string_faults);
	tell(trailer, "paths_truncated", t->truncated);
	tell_gaps(trailer, &d->test);
	json_object_set_new(trailer, "class", classes_json(t));
	return trailer;
}
