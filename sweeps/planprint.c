/* What a plan costs and what it can conclude, said before the night begins. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/exitcode.h"
#include "lib/json.h"
#include "lib/proc.h"
#include "lib/why.h"
#include "sweeps/plan.h"
#include "sweeps/precision.h"

#define ALPHA 0.05
/* Array, mkfs, mount, starting state, settling, undo: measured 2 to 5 s a run on a small trace. */
#define SETUP_S 4.0

double plan_smallest_p(int64_t n)
{
	double ways = 1;

	for (int64_t i = 1; i <= n; i++)
		ways *= (double)(n + i) / (double)i;
	return 2 / ways;
}

int64_t plan_blocks_needed(int64_t m)
{
	int64_t n = 2;

	while (plan_smallest_p(n) > ALPHA / (double)(m < 1 ? 1 : m))
		n++;
	return n;
}

static int ask_about_trace(const struct sweep *sweep, struct plan_estimate *e, char **why)
{
	const char *argv[] = {proc_self(), "trace", "info", "--json", sweep->trace, NULL};
	struct proc_result got;
	json_t *info = NULL;
	int rc = proc_run(argv, NULL, &got);

	if (rc)
		return why_set(why, rc, "cannot run 'iorig trace info': %s", strerror(-rc));
	/* 3: the recording lost events, or was cut short: usable, and said in the report. */
	if (got.status != EXIT_DONE && got.status != EXIT_INCOMPLETE) {
		const char *words = proc_last_words(&got);

		rc = why_set(why, -EINVAL, "%s", strncmp(words, "iorig: ", 7) ? words : words + 7);
	} else {
		info = json_loads(got.out, 0, NULL);
		e->events = json_number(info, "events", -1);
		e->lost = json_number(info, "lost", 0);
		e->trace_s = json_number(info, "duration_ns", -1e9) / 1e9;
		json_decref(info);
	}
	proc_release(&got);
	return rc;
}

int plan_estimate(const struct sweep *sweep, const json_t *plan, struct plan_estimate *e, char **why)
{
	const json_t *runs = json_object_get(plan, "runs"), *run, *disk;
	double fio_s = sweep->fio.runtime_s + 1;
	size_t i;
	int rc;

	*e = (struct plan_estimate){.trace_s = -1, .events = -1};
	rc = ask_about_trace(sweep, e, why);
	if (rc)
		return rc;
	e->run_s = SETUP_S + (e->trace_s > 0 ? e->trace_s : 0) * (double)sweep->replay.passes;
	json_array_foreach((json_t *)runs, i, run) {
		e->total_s += e->run_s + fio_s * (double)(json_array_size(json_object_get(run, "fio")) +
							   json_array_size(json_object_get(run, "raw")));
	}
	json_array_foreach(json_at(sweep->doc, "box.disks"), i, disk) {
		e->disk_bytes += json_number(disk, "loop_gib", 0) * 1073741824.0;
	}
	return 0;
}

void plan_add_estimate(json_t *plan, const struct plan_estimate *e)
{
	int64_t m = json_int(plan, "comparisons", 0), n = json_int(plan, "blocks_max", 0);

	json_object_set_new(plan, "estimate", json_pack("{sf sf sf sf sf}", "run_s", e->run_s, "total_s", e->total_s, "loop_bytes", e->disk_bytes,
							"trace_events", e->events, "trace_lost", e->lost));
	json_object_set_new(plan, "conclusion", json_pack("{sb sI sf sf}", "rank_test_can_decide", n >= plan_blocks_needed(m), "blocks_needed",
							  (json_int_t)plan_blocks_needed(m), "smallest_p", plan_smallest_p(n),
							  "needed_p", ALPHA / (double)(m < 1 ? 1 : m)));
	if (n > 1 && m > 0)
		json_object_set_new(json_object_get(plan, "conclusion"), "detectable_ratio_at_2_percent_noise",
				    json_real(precision_detectable(n, m + 1, m, 0.02)));
}

static void print_cells(const struct cells *cells)
{
	size_t planned = 0;

	for (size_t i = 0; i < cells->n; i++)
		planned += cells->cell[i].status == CELL_PLANNED;
	printf("\n%zu cells", planned);
	if (cells->raw)
		printf(" (the matrix has %zu combinations, %zu fell together with others)", cells->raw, cells->merged);
	printf("\n  %-10s  %-12s  %s\n", "id", "durability", "what differs from the control");
	for (size_t i = 0; i < cells->n; i++) {
		const struct cell *c = &cells->cell[i];
		char text[32], class[48];

		if (c->status != CELL_PLANNED)
			continue;
		snprintf(class, sizeof(class), "%s%s%s", durability_text(&c->durability, text), c->durability.single_device ? "+D4" : "",
			 c->accepted ? " !" : "");
		printf("  %-10s  %-12s  %s%s\n", c->id, class, c->label,
		       c->accepted ? "  (above durability.max, accepted: an upper bound, not to be recommended)" : "");
	}
	for (size_t i = 0, said = 0; i < cells->n; i++) {
		const struct cell *c = &cells->cell[i];

		if (c->status == CELL_PLANNED)
			continue;
		if (!said++)
			printf("\nnot run\n");
		printf("  %-10s  %-12s  %s: %s\n", c->id, cell_status_name(c->status), c->label, c->reason);
	}
}

/*
 * Two ways to a verdict: the rank test of a cell's runs against the control's, which assumes nothing, and the block model, which pools the
 * scatter of all cells and so gets along with few blocks.
 */
static void print_conclusion(const json_t *plan)
{
	int64_t m = json_int(plan, "comparisons", 0), n = json_int(plan, "blocks_max", 0), needed = plan_blocks_needed(m);

	if (m < 1) {
		printf("conclusion  none: only the control would run\n");
		return;
	}
	if (n >= needed)
		printf("conclusion  a rank test alone can decide: %lld blocks, %lld comparisons, smallest p %.2g, Holm's correction asks for %.2g\n",
		       (long long)n, (long long)m, plan_smallest_p(n), ALPHA / (double)m);
	else
		printf("conclusion  a rank test alone can NOT decide: with %lld blocks its smallest p is %.2g, and Holm's correction for %lld comparisons\n"
		       "            asks for %.2g; %lld blocks would do. Verdicts rest on the block model, which pools all cells\n",
		       (long long)n, plan_smallest_p(n), (long long)m, ALPHA / (double)m, (long long)needed);
	if (n > 1)
		printf("            the block model finds differences from %.1f %% on when runs scatter by 2 %%, from %.0f %% on at 10 %%\n",
		       100 * precision_detectable(n, m + 1, m, 0.02), 100 * precision_detectable(n, m + 1, m, 0.10));
	else
		printf("            one block has no scatter to judge by: nothing can be concluded\n");
}

void plan_print(const struct sweep *sweep, const struct cells *cells, const json_t *plan, const struct plan_estimate *e)
{
	json_t *run;
	size_t i, extra = 0, fio = 0, raw = 0;

	json_array_foreach(json_object_get(plan, "runs"), i, run) {
		extra += json_flag(run, "extra_control", false);
		fio += json_array_size(json_object_get(run, "fio"));
		raw += json_array_size(json_object_get(run, "raw"));
	}
	printf("sweep       %s\n", sweep->name);
	if (sweep->question)
		printf("question    %s\n", sweep->question);
	printf("trace       %s (%.0f calls in %.1f s, sha256 %.12s...)\n", sweep->trace, e->events, e->trace_s, sweep->trace_sha256);
	if (e->lost > 0)
		printf("            the recording lost %.0f events\n", e->lost);
	print_cells(cells);
	printf("\nruns        %lld: %lld blocks, %zu extra controls, %zu fio jobs on cells, %zu on the bare disk; seed %lld\n",
	       (long long)plan_runs(plan), (long long)sweep->plan.blocks_max, extra, fio, raw, (long long)sweep->plan.seed);
	printf("time        about %.2f h (%.1f s a run as long as the recording took, plus fio)", e->total_s / 3600, e->run_s);
	if (sweep->plan.budget_s > 0)
		printf("; budget %.2f h%s", sweep->plan.budget_s / 3600, sweep->plan.budget_s < e->total_s ? ", not all blocks will fit" : "");
	if (e->disk_bytes > 0)
		printf("\nspace       up to %.1f GiB for %zu loop files\n", e->disk_bytes / 1073741824.0, json_array_size(json_at(sweep->doc, "box.disks")));
	else
		printf("\nspace       %zu whole disks, which are erased\n", json_array_size(json_at(sweep->doc, "box.disks")));
	print_conclusion(plan);
}
