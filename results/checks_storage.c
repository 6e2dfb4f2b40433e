/* Checks on the storage: did the I/O reach it, did syncs flush it, did its parts share the work? */
#include "results/checks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"

static double at(const struct run *r, const char *path)
{
	const json_t *v = json_at(r->doc, path);

	return json_is_number(v) ? json_number_value(v) : NAN;
}

static bool is_cold(const struct run *r)
{
	return !strcmp(json_text(json_object_get(r->doc, "options"), "cache", ""), "cold");
}

static double cold_resident(const struct run *r) { return is_cold(r) ? at(r, "cache.achieved_resident_ratio") : NAN; }
static double touched(const struct run *r) { return at(r, "bytes_read") + at(r, "bytes_written"); }
/* Reads that never reached a device: 1 - device reads / application reads; read-ahead makes it negative. */
static double hit_share(const struct run *r)
{
	double asked = at(r, "bytes_read");

	return asked > 0 ? 1 - disk_sum(r, "read_bytes") / asked : NAN;
}
static double written_share(const struct run *r)
{
	double asked = at(r, "bytes_written");

	return asked > 0 ? disk_sum(r, "write_bytes") / asked : NAN;
}

/* Largest over smallest traffic of the disks at the bottom; NAN with fewer than two that were used. */
static double imbalance(const struct run *r)
{
	double low = INFINITY, high = 0;
	const char *name;
	json_t *disk;
	int n = 0;

	json_object_foreach(json_at(r->doc, "system.disk"), name, disk) {
		double b = json_number(disk, "read_bytes", 0) + json_number(disk, "write_bytes", 0);

		if (!disk_is_leaf(r, name) || !(b > 1 << 20))
			continue;
		low = fmin(low, b);
		high = fmax(high, b);
		n++;
	}
	return n >= 2 ? high / low : NAN;
}

static void cache(const struct matrix *m, json_t *checks)
{
	double memory = json_number(m->sweep->box, "memory_bytes", NAN);
	struct spread x;
	char a[TEXT_MAX], b[TEXT_MAX];

	if (spread_over_runs(m, cold_resident, &x))
		check_add(checks, "cold start", x.high > 0.02 ? CHECK_WARN : CHECK_OK, "at most %.1f%% of the files' pages were cached when the clock started (run %04d)",
			x.high * 100, x.high_seq);
	if (spread_over_runs(m, hit_share, &x))
		check_add(checks, "page cache", is_cold(&m->sweep->runs[0]) && x.middle > 0.99 ? CHECK_WARN : CHECK_OK,
			"%.0f%% of the bytes read came from the page cache (%.0f%% to %.0f%% over the runs)", fmax(0, x.middle) * 100, fmax(0, x.low) * 100,
			fmax(0, x.high) * 100);
	if (spread_over_runs(m, touched, &x) && memory > 0)
		check_add(checks, "working set against memory", x.middle < memory ? CHECK_WARN : CHECK_OK, "the trace moves %s, the box has %s: %s",
			format_value(a, x.middle, UNIT_BYTES), format_value(b, memory, UNIT_BYTES),
			x.middle < memory ? "all of it fits into the page cache, as it may not in production" : "it cannot all be cached");
	if (spread_over_runs(m, written_share, &x))
		check_add(checks, "writes reach the device", x.low < 0.5 ? CHECK_WARN : CHECK_OK,
			"the devices wrote %.2f times what the trace writes (%.2f to %.2f)%s", x.middle, x.low, x.high,
			x.low < 0.5 ? ": much was still cached at the end, look at elapsed_plus_sync_s" : "");
}

/* A cell that claims fsyncs are kept must flush. Group commit may save flushes, so only "none at all" is damning. */
static void flushes(const struct matrix *m, json_t *checks)
{
	const struct sweep *s = m->sweep;
	double least = INFINITY;
	int liar = -1, n = 0;

	for (size_t r = 0; r < s->nruns; r++) {
		const struct run *run = &s->runs[r];
		double syncs = run->outcome == OUTCOME_OK ? at(run, "op.fsync.count") : NAN, flushed = disk_sum(run, "flushes");

		if (!(syncs > 0) || !isfinite(flushed) || durability_rank(s->cells[run->cell].durability) >= 3)
			continue;
		n++;
		if (flushed / syncs < least) {
			least = flushed / syncs;
			liar = run->seq;
		}
	}
	if (n)
		check_add(checks, "syncs really sync", least <= 0 ? CHECK_FAIL : CHECK_OK, "at least %.2f device flushes an fsync where the class promises them%s (run %04d)",
			least, least <= 0 ? ": a cell is not in the durability class that it claims, or its device has no volatile cache" : "", liar);
}

static double processors = 0; /* set before use: spread_over_runs takes a plain function */
static double busy(const struct run *r)
{
	/* The kernel counts CPU time in ticks of 10 ms: a short run says nothing. */
	if (!(at(r, "elapsed_ns") >= 1e9))
		return NAN;
	return (at(r, "system.cpu_s.user") + at(r, "system.cpu_s.system")) * 1e9 / at(r, "elapsed_ns") / processors;
}

static void hardware(const struct matrix *m, json_t *checks)
{
	struct spread x;

	if (spread_over_runs(m, imbalance, &x))
		check_add(checks, "disks share the work", x.middle > 2 ? CHECK_WARN : CHECK_OK, "the busiest disk moved %.2f times the bytes of the idlest", x.middle);
	processors = json_number(json_at(m->sweep->box, "cpu"), "count", NAN);
	if (processors > 0 && spread_over_runs(m, busy, &x))
		check_add(checks, "CPU not saturated", x.high > 0.95 ? CHECK_WARN : CHECK_OK, "at most %.0f%% of %.0f CPUs busy (run %04d)", x.high * 100, processors,
			x.high_seq);
}

static bool has_io_error(const char *path)
{
	static const char *const signs[] = {"I/O error", "critical medium error", "EXT4-fs error", "XFS (", "Buffer I/O", "ata bus error"};
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0;

	while (f && getline(&line, &room, f) > 0)
		for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
			if (strstr(line, signs[i]) && (i != 3 || strstr(line, "orruption")))
				return true;
	return false;
}

static void kernel_messages(const struct matrix *m, json_t *checks)
{
	const struct sweep *s = m->sweep;
	size_t bad = 0, read = 0;
	int first = 0;

	for (size_t r = 0; r < s->nruns; r++) {
		_cleanup_free_ char *path = NULL;

		if (s->runs[r].outcome != OUTCOME_OK || asprintf(&path, "%s/runs/%04d/dmesg.txt", s->dir, s->runs[r].seq) < 0 || access(path, R_OK))
			continue;
		read++;
		if (has_io_error(path) && !bad++)
			first = s->runs[r].seq;
	}
	if (bad)
		check_add(checks, "kernel messages", CHECK_FAIL, "%zu of %zu runs have I/O errors in dmesg.txt, first run %04d", bad, read, first);
	else if (read)
		check_add(checks, "kernel messages", CHECK_OK, "no I/O error in the kernel log of %zu runs", read);
}

void checks_of_storage(const struct matrix *m, json_t *checks)
{
	if (m->sweep->nruns)
		cache(m, checks);
	flushes(m, checks);
	hardware(m, checks);
	kernel_messages(m, checks);
}
