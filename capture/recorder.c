#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "capture/able.h"
#include "capture/btrfs.h"
#include "capture/calls.h"
#include "capture/optional.h"
#include "capture/recorder.h"
#include "capture/recorder.skel.h"
#include "capture/recorder_old.skel.h"

/* libbpf's last complaint: the reason for a failed load that the kernel's errno does not tell. */
static char last_words[512];

static int remember(enum libbpf_print_level level, const char *fmt, va_list args)
{
	if (getenv("IORIG_BPF_LOG"))
		return vfprintf(stderr, fmt, args);
	if (level == LIBBPF_WARN)
		vsnprintf(last_words, sizeof(last_words), fmt, args);
	return 0;
}

static int because(char why[RECORDER_WHY], int rc, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, RECORDER_WHY, fmt, args);
	va_end(args);
	return rc;
}

static uint32_t read_pid_max(void)
{
	unsigned long value = 4194304;
	FILE *f = fopen("/proc/sys/kernel/pid_max", "re");

	if (f) {
		if (fscanf(f, "%lu", &value) != 1)
			value = 4194304;
		fclose(f);
	}
	return (uint32_t)value;
}

/* What decides between the two programs: the kfunc that makes addresses loadable. */
static bool kernel_is_modern(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool yes = btf && btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;

	btf__free(btf);
	return yes && !getenv("IORIG_OLD_PROGRAM");
}

static int set_size(struct bpf_object *object, const char *name, uint32_t entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? bpf_map__set_max_entries(map, entries) : -ENOENT;
}

static void *map_memory(struct bpf_object *object, const char *name, size_t bytes)
{
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
			    bpf_object__find_map_fd_by_name(object, name), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static size_t whole_pages(size_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) / page * page;
}

/* The processor's rings, for the kernel side to write into. */
static int show_ring(struct recorder *r, int cpu)
{
	int any = bpf_object__find_map_fd_by_name(r->object, "rings"), small = bpf_object__find_map_fd_by_name(r->object, "small_rings"), rc = 0;

	if (bpf_map_update_elem(any, &cpu, &r->ring[cpu].fd, BPF_ANY))
		return -errno;
	if (bpf_map_update_elem(small, &cpu, &r->ring[cpu].small_fd, BPF_ANY)) {
		rc = -errno;
		bpf_map_delete_elem(any, &cpu);
	}
	return rc;
}

/* Makes rings for processors that have none, before (the program is loaded with one of them) or after loading. How many, or -errno. */
static int add_rings(struct recorder *r, bool loaded)
{
	int made = 0;

	ring_processors(r->on, r->cpus);
	for (int cpu = 0; cpu < r->cpus; cpu++) {
		int rc;

		if (!r->on[cpu] || r->ring[cpu].data)
			continue;
		rc = ring_open(&r->ring[cpu], r->ring_bytes);
		if (!rc && loaded) {
			rc = show_ring(r, cpu);
			if (rc)
				ring_release(&r->ring[cpu]);
		}
		if (rc)
			return rc;
		made++;
	}
	return made;
}

int recorder_cover(struct recorder *r)
{
	return add_rings(r, true);
}

static int show_rings(struct recorder *r)
{
	int rc = 0;

	for (int cpu = 0; !rc && cpu < r->cpus; cpu++)
		if (r->ring[cpu].data)
			rc = show_ring(r, cpu);
	return rc;
}

static int make_rings(struct recorder *r, char why[RECORDER_WHY])
{
	int rc, processors;

	r->ring = calloc((size_t)r->cpus, sizeof(*r->ring));
	r->on = calloc((size_t)r->cpus, 1);
	rc = r->ring && r->on ? add_rings(r, false) : -ENOMEM;
	if (rc >= 0)
		return 0;
	if (rc == -EPERM)
		return because(why, rc, "%s", able_why_not() ? able_why_not() : "the kernel refuses BPF maps: Operation not permitted");
	processors = r->on ? ring_processors(r->on, r->cpus) : r->cpus;
	return because(why, rc, "cannot have %d rings of %llu KiB, %llu MiB together: %s; give a smaller --ring-size", processors,
		       (unsigned long long)r->ring_bytes >> 10, (unsigned long long)processors * r->ring_bytes >> 20, strerror(-rc));
}

/* The kernel can look into rings of small records without a call, for they are all like the one that the program is loaded with. */
static int set_small_rings(struct recorder *r)
{
	struct bpf_map *map = bpf_object__find_map_by_name(r->object, "small_rings");

	for (int cpu = 0; map && cpu < r->cpus; cpu++)
		if (r->ring[cpu].data)
			return bpf_map__set_inner_map_fd(map, r->ring[cpu].small_fd);
	return -ENOENT;
}

static void skip(struct bpf_object *object, const char *program)
{
	struct bpf_program *p = bpf_object__find_program_by_name(object, program);

	if (p)
		bpf_program__set_autoload(p, false);
}

/* The arguments of a tracepoint in this kernel, as "pcn...": p a pointer, n a number; the first is the hook's own. "": there is no such tracepoint. */
static void arguments_of(const struct btf *btf, const char *name, char kinds[16])
{
	int id = btf ? btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF) : -1, n = 0;
	const struct btf_type *t;

	kinds[0] = 0;
	if (id <= 0)
		return;
	t = btf__type_by_id(btf, btf__type_by_id(btf, (uint32_t)id)->type);
	t = btf__type_by_id(btf, t->type);
	if (!btf_is_func_proto(t))
		return;
	for (; n < btf_vlen(t) && n < 15; n++) {
		const struct btf_type *argument = btf__type_by_id(btf, (uint32_t)btf__resolve_type(btf, btf_params(t)[n].type));

		kinds[n] = argument && btf_is_ptr(argument) ? 'p' : 'n';
	}
	kinds[n] = 0;
}

/*
 * io_uring's tracepoints by kernel. Begin: submit_sqe(ring, opcode, ...) to 5.12 (nothing there to find the request by), submit_sqe(ring, request, ...) to 5.18
 * (and in 5.10.162 and later, which have the io_uring of 5.15), submit_sqe(request, bool) to 6.2, then submit_req(request). End: complete(ring,
 * user_data, ...) to 5.16, complete(ring, request, user_data, result, ...), then complete(ring, request, cqe).
 */
enum uring recorder_uring(const struct btf *btf)
{
	char request[16], entry[16], complete[16];
	enum uring begin = URING_UNSEEN, end = URING_UNSEEN;

	arguments_of(btf, "btf_trace_io_uring_submit_req", request);
	arguments_of(btf, "btf_trace_io_uring_submit_sqe", entry);
	arguments_of(btf, "btf_trace_io_uring_complete", complete);
	if (!strcmp(request, "pp"))
		begin = URING_BY_REQUEST;
	else if (!strcmp(entry, "ppn"))
		begin = URING_BY_ENTRY;
	else if (!strncmp(entry, "pppnn", 5))
		begin = URING_BY_RING;
	if (!strcmp(complete, "pppp"))
		end = URING_ENDS_WITH_CQE;
	else if (!strncmp(complete, "pppnn", 5))
		end = URING_ENDS_WITH_RESULT;
	else if (!strncmp(complete, "ppnn", 4))
		end = URING_ENDS_BY_NAME;
	return begin && end ? begin | end : URING_UNSEEN;
}

static void choose_uring(struct bpf_object *object, enum uring uring, bool failures)
{
	static const struct {
		enum uring needs;
		const char *program;
	} hooks[] = {{URING_BY_REQUEST, "on_uring_submit_req"},
		     {URING_BY_ENTRY, "on_uring_submit_sqe"},
		     {URING_BY_RING, "on_uring_submit_named"},
		     {URING_ENDS_WITH_CQE, "on_uring_complete_cqe"},
		     {URING_ENDS_WITH_RESULT, "on_uring_complete_result"},
		     {URING_ENDS_BY_NAME, "on_uring_complete_named"}};

	for (size_t i = 0; i < sizeof(hooks) / sizeof(hooks[0]); i++)
		if (!(uring & hooks[i].needs))
			skip(object, hooks[i].program);
	if (!uring || !failures)
		skip(object, "on_uring_failed");
}

/* Picks the hooks of io_uring before the program's configuration is set. */
static void prepare_uring(struct recorder *r, struct config *config)
{
	struct btf *btf = btf__load_vmlinux_btf();
	char failed[16];

	arguments_of(btf, "btf_trace_io_uring_req_failed", failed);
	r->uring = recorder_uring(btf);
	config->requests_by_name = (r->uring & URING_ENDS_BY_NAME) != 0;
	choose_uring(r->object, r->uring, !strcmp(failed, "pppn"));
	btf__free(btf);
}

static uint32_t power_of_two(uint32_t at_least, uint32_t at_most)
{
	uint32_t n = 4096;

	while (n < at_least && n < at_most)
		n *= 2;
	return n;
}

/* Without a filter for processes nothing is looked up there. */
static uint32_t tracked_pages(const struct recorder *r, const struct config *config)
{
	return (config->filters & FILTER_PID) ? r->pid_max / TRACKED_PAGE + 1 : 1;
}

static struct bpf_object *open_program(bool modern)
{
	struct bpf_object_open_opts options = {.sz = sizeof(options), .object_name = "iorig"};
	size_t bytes = 0;
	const void *elf = modern ? recorder_bpf__elf_bytes(&bytes) : recorder_old_bpf__elf_bytes(&bytes);

	return bpf_object__open_mem(elf, bytes, &options);
}

static void fit_machine(struct recorder *r, struct config *config)
{
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};

	/* Kernels before 5.11 count map memory against this limit; where it cannot be raised, later ones do not care. */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	r->cpus = libbpf_num_possible_cpus();
	r->pid_max = read_pid_max();
	config->pid_max = r->pid_max;
	config->self_pid = (uint32_t)getpid();
	config->small_mask = ring_small_count(r->ring_bytes) - 1;
	config->cpus = (uint32_t)r->cpus;
	config->slot_mask = power_of_two(r->pid_max, 1u << 17) - 1;
	calls_configure(config);
	btrfs_configure(config);
}

bool recorder_has_types(void)
{
	return !access("/sys/kernel/btf/vmlinux", R_OK);
}

int recorder_open(struct recorder *r, struct config *config, uint64_t ring_bytes, char why[RECORDER_WHY])
{
	struct bpf_map *rodata;
	int rc;

	memset(r, 0, sizeof(*r));
	r->ring_bytes = ring_bytes;
	libbpf_set_print(remember);
	if (!recorder_has_types())
		return because(why, -EOPNOTSUPP, "this kernel has no type information (/sys/kernel/btf/vmlinux); it needs CONFIG_DEBUG_INFO_BTF");
	fit_machine(r, config);
	if (r->cpus < 1)
		return because(why, -EINVAL, "cannot tell the number of processors");
	rc = make_rings(r, why);
	if (rc)
		return rc;
	r->modern = kernel_is_modern();
	r->object = open_program(r->modern);
	if (!r->object)
		return because(why, -errno, "cannot read the built-in BPF program: %s", strerror(errno));
	prepare_uring(r, config);
	rodata = bpf_object__find_map_by_name(r->object, ".rodata.config");
	if (!rodata || bpf_map__set_initial_value(rodata, config, sizeof(*config)) ||
	    set_size(r->object, "rings", (uint32_t)r->cpus) || set_size(r->object, "small_rings", (uint32_t)r->cpus) ||
	    set_small_rings(r) || set_size(r->object, "counters", (uint32_t)recorder_counted(r)) ||
	    set_size(r->object, "slots", config->slot_mask + 1) ||
	    set_size(r->object, "tracked", tracked_pages(r, config)))
		return because(why, -EINVAL, "the built-in BPF program does not fit this program");
	if (config->no_latency)
		skip(r->object, "on_sys_enter");
	optional_choose(r->object, config);
	rc = bpf_object__load(r->object);
	if (rc && able_why_not())
		return because(why, -EPERM, "%s", able_why_not());
	if (rc) {
		last_words[strcspn(last_words, "\n")] = 0;
		return because(why, rc, "the kernel refuses the BPF program: %s%s%.150s", strerror(-rc),
			       rc == -EPERM || !last_words[0] ? "" : "; ", rc == -EPERM ? "" : last_words);
	}
	rc = show_rings(r);
	if (rc)
		return because(why, rc, "cannot use the rings: %s", strerror(-rc));
	r->counters_bytes = whole_pages((size_t)recorder_counted(r) * sizeof(struct counters));
	r->counters = map_memory(r->object, "counters", r->counters_bytes);
	r->tracked_bytes = (size_t)tracked_pages(r, config) * TRACKED_PAGE;
	r->tracked = map_memory(r->object, "tracked", r->tracked_bytes);
	if (!r->counters || !r->tracked)
		return because(why, -errno, "cannot map the counters: %s", strerror(errno));
	return 0;
}

/* Not the iterator, and not what hooks call. */
static bool is_hook(const struct bpf_program *program)
{
	const char *name = bpf_program__name(program);

	return strncmp(bpf_program__section_name(program), "iter/", 5) && strcmp(name, "on_call_exit") && strcmp(name, "on_path_exit") &&
	       strcmp(name, "on_many_exit") && strcmp(name, "on_foreign_exit");
}

int recorder_attach(struct recorder *r, char why[RECORDER_WHY])
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, r->object)
	{
		struct bpf_link *link;

		if (!bpf_program__autoload(program) || !is_hook(program))
			continue;
		link = bpf_program__attach(program);
		if (!link)
			return because(why, -errno, "cannot attach %s: %s", bpf_program__name(program), strerror(errno));
		r->program[r->hooks] = program;
		r->link[r->hooks++] = link;
		if (r->hooks == RECORDER_HOOKS)
			break;
	}
	return 0;
}

void recorder_track(struct recorder *r, uint32_t pid, bool on)
{
	if (pid < r->tracked_bytes)
		r->tracked[pid] = on;
}

int recorder_open_files(struct recorder *r)
{
	struct bpf_program *program = bpf_object__find_program_by_name(r->object, "on_open_file");
	struct bpf_link *link = program ? bpf_program__attach_iter(program, NULL) : NULL;
	int fd;

	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	fd = fd < 0 ? -errno : fd;
	bpf_link__destroy(link); /* the descriptor keeps the iterator */
	return fd;
}

uint64_t recorder_skipped(const struct recorder *r)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < r->hooks; i++) {
		struct bpf_prog_info info = {0};
		uint32_t bytes = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(r->program[i]), &info, &bytes))
			sum += info.recursion_misses;
	}
	return sum;
}

void recorder_announce_again(struct recorder *r)
{
	enum { BATCH = 4096 };
	struct bpf_map *map = bpf_object__find_map_by_name(r->object, "announced");
	uint32_t entries = bpf_map__max_entries(map), *key = calloc(BATCH, sizeof(*key));
	void *nothing = calloc(BATCH, bpf_map__value_size(map));

	for (uint32_t done = 0; key && nothing && done < entries; done += BATCH) {
		uint32_t n = entries - done < BATCH ? entries - done : BATCH;

		for (uint32_t i = 0; i < n; i++)
			key[i] = done + i;
		bpf_map_update_batch(bpf_map__fd(map), key, nothing, &n, NULL);
	}
	free(key);
	free(nothing);
}

bool recorder_next_request(const struct recorder *r, uint64_t *key, struct rec_async *request)
{
	int map = bpf_object__find_map_fd_by_name(r->object, "requests");
	uint64_t next;

	while (!bpf_map_get_next_key(map, *key ? key : NULL, &next)) {
		*key = next;
		if (!bpf_map_lookup_elem(map, key, request))
			return true;
	}
	return false;
}

size_t recorder_unfinished(const struct recorder *r, struct slot *slots, size_t room)
{
	int map = bpf_object__find_map_fd_by_name(r->object, "slots"), rc;
	static struct slot some[4096];
	static uint32_t keys[4096];
	uint32_t next = 0;
	size_t n = 0;
	bool first = true;

	do {
		uint32_t count = 4096;

		rc = bpf_map_lookup_batch(map, first ? NULL : &next, &next, keys, some, &count, NULL);
		for (uint32_t i = 0; i < count && n < room; i++)
			if (some[i].begin_ns && !kill((pid_t)some[i].tid, 0))
				slots[n++] = some[i];
		first = false;
	} while (!rc);
	return n;
}

void recorder_detach(struct recorder *r)
{
	for (size_t i = 0; i < RECORDER_HOOKS; i++) {
		bpf_link__destroy(r->link[i]);
		r->link[i] = NULL;
	}
}

void recorder_close(struct recorder *r)
{
	recorder_detach(r);
	for (int cpu = 0; r->ring && cpu < r->cpus; cpu++)
		ring_release(&r->ring[cpu]);
	free(r->ring);
	free(r->on);
	if (r->counters)
		munmap((void *)r->counters, r->counters_bytes);
	if (r->tracked)
		munmap((void *)r->tracked, r->tracked_bytes);
	bpf_object__close(r->object);
	memset(r, 0, sizeof(*r));
}
