/*
 * What the drainer costs: records a command, keeps what came out of the kernel's rings, and then drains that again and again, from
 * rings in memory to a trace file, in turns with the peer, which is the obvious way to store the same records (as they are, 256 KiB pieces, zstd
 * level 1, to a file). Prints CPU ns of this thread for an event, the median of the rounds: everything between ring and file counts, the looks at
 * the file system as well.
 *	drain keep TAPE CMD...      records the command
 *	drain run TAPE ROUNDS DIR   ->  "events bytes_per_event drain_ns cold_ns raw_bytes_per_event raw_ns"
 *	drain warm TAPE ROUNDS DIR  ->  "events drain_ns least_drain_ns", and nothing else runs: for perf, strace, callgrind --toggle-collect=drain
 * drain_ns: all in one go, as under a load that never lets the drainer sleep. cold_ns: in visits of 10 ms of recorded time, the caches of
 * the processor given to something else between two visits.
 */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "capture/drain.h"
#include "capture/filter.h"
#include "capture/rings.h"
#include "capture/tracee.h"
#include "lib/clock.h"

enum { ROUNDS_MAX = 99, VISIT_NS = 10000000, CACHE_BYTES = 4 << 20, RING_HEAD = 8 };

/* What came out of each CPU's ring, as it lay in there. */
struct tape {
	char *data;
	size_t used, room;
};

struct recorded {
	struct tape *tape;
	struct recorder recorder; /* rings of memory; nothing behind it */
	uint64_t start_ns, end_ns;
};

static void *need(void *memory)
{
	if (!memory)
		exit(1);
	return memory;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void keep(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data)
{
	struct recorded *to = data;
	struct tape *t = &to->tape[cpu];
	size_t whole = (bytes + RING_HEAD + 7) & ~7ul;

	if (t->used + whole > t->room) {
		t->room = t->room ? 2 * t->room : 1 << 20; /* a power of two, as a ring has it */
		t->data = need(realloc(t->data, t->room));
	}
	memset(t->data + t->used, 0, RING_HEAD);
	memcpy(t->data + t->used, &bytes, sizeof(bytes));
	memcpy(t->data + t->used + RING_HEAD, record, bytes);
	t->used += whole;
	to->end_ns = record->end_ns;
}

static void record(struct recorded *to, char **argv)
{
	struct filter_options everything = {0};
	struct config config = {0};
	struct recorder recorder = {0};
	struct rings rings;
	struct tracee child;
	char why[RECORDER_WHY];

	if (tracee_make(&child, argv) || filter_parse(&everything, &config, true) || recorder_open(&recorder, &config, 64 << 20, why) ||
	    rings_init(&rings, &recorder)) {
		fprintf(stderr, "cannot record: %s\n", why);
		exit(77);
	}
	to->tape = need(calloc((size_t)recorder.cpus, sizeof(*to->tape)));
	to->start_ns = clock_now_ns();
	recorder_track(&recorder, (uint32_t)child.pid, true);
	if (recorder_attach(&recorder, why) || tracee_start(&child)) {
		fprintf(stderr, "cannot record: %s\n", why);
		exit(77);
	}
	while (!tracee_ended(&child)) {
		clock_sleep_ns(VISIT_NS / 2);
		rings_drain(&rings, clock_now_ns() - VISIT_NS / 2, keep, to);
	}
	recorder_detach(&recorder);
	clock_sleep_ns(VISIT_NS);
	rings_drain(&rings, UINT64_MAX, keep, to);
	to->recorder = (struct recorder){.cpus = recorder.cpus, .pid_max = recorder.pid_max};
	rings_release(&rings);
	recorder_close(&recorder);
	if (child.status)
		exit(child.status);
}

/* A tape's file: struct recorded, and of each CPU how much there is, and all of it. Good for the program that wrote it. */
static void save(const struct recorded *r, const char *path)
{
	FILE *f = need(fopen(path, "w"));

	fwrite(r, sizeof(*r), 1, f);
	for (int cpu = 0; cpu < r->recorder.cpus; cpu++) {
		fwrite(&r->tape[cpu].used, sizeof(r->tape[cpu].used), 1, f);
		fwrite(r->tape[cpu].data, 1, r->tape[cpu].used, f);
	}
	if (fclose(f))
		exit(1);
}

static void load(struct recorded *r, const char *path)
{
	FILE *f = fopen(path, "r");

	if (!f || fread(r, sizeof(*r), 1, f) != 1)
		exit(2);
	r->tape = need(calloc((size_t)r->recorder.cpus, sizeof(*r->tape)));
	r->recorder.ring = need(calloc((size_t)r->recorder.cpus, sizeof(*r->recorder.ring)));
	r->recorder.counters = need(calloc((size_t)r->recorder.cpus, sizeof(*r->recorder.counters))); /* nothing in the rings of small records */
	for (int cpu = 0; cpu < r->recorder.cpus; cpu++) {
		struct tape *t = &r->tape[cpu];

		if (fread(&t->used, sizeof(t->used), 1, f) != 1)
			exit(2);
		for (t->room = 1; t->room < t->used;)
			t->room *= 2;
		t->data = need(malloc(t->room));
		if (fread(t->data, 1, t->used, f) != t->used)
			exit(2);
	}
	fclose(f);
}

/* The rings as they would be with all records in them. */
static void rewind_rings(struct recorded *r)
{
	for (int cpu = 0; cpu < r->recorder.cpus; cpu++) {
		struct recorder_ring *ring = &r->recorder.ring[cpu];

		if (!ring->consumer) {
			ring->consumer = need(malloc(sizeof(*ring->consumer)));
			ring->producer = &r->tape[cpu].used;
		}
		*ring->consumer = 0;
		ring->data = r->tape[cpu].data;
		ring->bytes = r->tape[cpu].room;
	}
}

/* Somebody else has the processor for a while. */
static void spoil_caches(void)
{
	static char other[CACHE_BYTES];

	for (size_t i = 0; i < sizeof(other); i += 64)
		other[i]++;
}

/* CPU ns for all records. */
static uint64_t drain(struct recorded *r, const char *path, uint64_t visit_ns, uint64_t *events)
{
	uint64_t begin = cpu_ns(), sum = 0;
	struct trace_writer *writer = need(trace_writer_open(path, NULL, NULL));
	struct rings rings;
	struct drain d;

	rewind_rings(r);
	if (drain_init(&d, writer, &r->recorder, r->start_ns) || rings_init(&rings, &r->recorder))
		exit(1);
	for (uint64_t until = visit_ns ? r->start_ns + visit_ns : UINT64_MAX;; until += visit_ns) {
		rings_drain(&rings, until, drain_record, &d);
		if (!visit_ns || until > r->end_ns)
			break;
		sum += cpu_ns() - begin;
		spoil_caches();
		begin = cpu_ns();
	}
	trace_writer_flush(writer);
	sum += cpu_ns() - begin;
	*events = d.events;
	if (trace_writer_close(writer, NULL))
		exit(1);
	drain_release(&d);
	rings_release(&rings);
	return sum;
}

struct raw {
	ZSTD_CCtx *zstd;
	char piece[256 << 10], packed[512 << 10];
	size_t used;
	int fd;
	uint64_t bytes;
};

static void raw_flush(struct raw *raw)
{
	size_t n = ZSTD_compressCCtx(raw->zstd, raw->packed, sizeof(raw->packed), raw->piece, raw->used, 1);

	if (write(raw->fd, raw->packed, n) != (ssize_t)n)
		exit(1);
	raw->bytes += n;
	raw->used = 0;
}

static void raw_record(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data)
{
	struct raw *raw = data;

	(void)cpu;
	if (raw->used + bytes > sizeof(raw->piece))
		raw_flush(raw);
	memcpy(raw->piece + raw->used, record, bytes);
	raw->used += bytes;
}

static uint64_t drain_raw(struct recorded *r, const char *path, uint64_t *bytes)
{
	static struct raw raw;
	struct rings rings;
	uint64_t begin = cpu_ns();

	raw.fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	raw.zstd = need(ZSTD_createCCtx());
	raw.bytes = raw.used = 0;
	rewind_rings(r);
	if (raw.fd < 0 || rings_init(&rings, &r->recorder))
		exit(1);
	rings_drain(&rings, UINT64_MAX, raw_record, &raw);
	raw_flush(&raw);
	begin = cpu_ns() - begin;
	rings_release(&rings);
	ZSTD_freeCCtx(raw.zstd);
	close(raw.fd);
	*bytes = raw.bytes;
	return begin;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static double median(uint64_t *ns, int rounds, uint64_t events)
{
	qsort(ns, (size_t)rounds, sizeof(*ns), by_size);
	return (double)ns[rounds / 2] / (double)events;
}

static int run(struct recorded *r, const char *path, int rounds)
{
	uint64_t warm[ROUNDS_MAX] = {0}, cold[ROUNDS_MAX] = {0}, raw[ROUNDS_MAX] = {0}, events = 0, raw_bytes = 0;
	struct stat st;

	for (int i = 0; i < rounds; i++) {
		warm[i] = drain(r, path, 0, &events);
		raw[i] = drain_raw(r, path, &raw_bytes);
		cold[i] = drain(r, path, VISIT_NS, &events);
	}
	stat(path, &st);
	printf("%llu %.2f %.1f %.1f %.2f %.1f\n", (unsigned long long)events, (double)st.st_size / (double)events, median(warm, rounds, events),
	       median(cold, rounds, events), (double)raw_bytes / (double)events, median(raw, rounds, events));
	return 0;
}

static int run_warm(struct recorded *r, const char *path, int rounds)
{
	uint64_t warm[ROUNDS_MAX] = {0}, events = 0;
	double middle;

	for (int i = 0; i < rounds; i++)
		warm[i] = drain(r, path, 0, &events);
	middle = median(warm, rounds, events);
	printf("%llu %.1f %.1f\n", (unsigned long long)events, middle, (double)warm[0] / (double)events);
	return 0;
}

int main(int argc, char **argv)
{
	struct recorded r = {0};
	char path[4096];
	int rounds, rc = 2;

	mallopt(M_MMAP_THRESHOLD, 32 << 20); /* a recorder pays for its first touch of memory once, not in every round */
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (argc > 3 && !strcmp(argv[1], "keep")) {
		record(&r, argv + 3);
		save(&r, argv[2]);
		return 0;
	}
	rounds = argc == 5 ? atoi(argv[3]) : 0;
	if (rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	load(&r, argv[2]);
	snprintf(path, sizeof(path), "%s/drained", argv[4]);
	if (!strcmp(argv[1], "run"))
		rc = run(&r, path, rounds);
	else if (!strcmp(argv[1], "warm"))
		rc = run_warm(&r, path, rounds);
	unlink(path);
	return rc;
}
