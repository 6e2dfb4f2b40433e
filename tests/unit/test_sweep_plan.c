/* Sweep file -> cells -> plan: the rules of expansion, what is refused, and that a plan is the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sweeps/expand.h"
#include "sweeps/file.h"
#include "sweeps/plan.h"
#include "sweeps/precision.h"

/* Block and cell index of each run. */
#define ORDER "11 15 10 12 14 10 13 21 25 20 24 20 23 22 30 31 33 30 34 32 30 35 "

static char folder[64];
static struct knobs *knobs;

static int setup(void **state)
{
	char path[96], *why = NULL;
	FILE *f;

	(void)state;
	setenv("IORIG_SHARE", ".", 0);
	strcpy(folder, "/tmp/test_sweep_plan.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/t.iotrace", folder);
	f = fopen(path, "w");
	fputs("any bytes: only their sha256 matters here", f);
	fclose(f);
	if (knobs_load(NULL, &knobs, &why))
		fail_msg("%s", why);
	return 0;
}

static int teardown(void **state)
{
	char path[96];

	(void)state;
	knobs_free(knobs);
	snprintf(path, sizeof(path), "%s/t.iotrace", folder);
	unlink(path);
	snprintf(path, sizeof(path), "%s/s.json", folder);
	unlink(path);
	return rmdir(folder);
}

static const char *trace = "{'file':'t.iotrace'}";

/* Single quotes become double ones. */
static void put(FILE *f, const char *text)
{
	for (; *text; text++)
		fputc(*text == '\'' ? '"' : *text, f);
}

/* A sweep with `more` after the required keys; the document is written with single quotes. */
static int read_sweep(const char *more, struct sweep *sweep, char **why)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "%s/s.json", folder);
	f = fopen(path, "w");
	put(f, "{'schema':'iorig.sweep/1','name':'t','box':{'disks':[{'loop_gib':1}]},'trace':");
	put(f, trace);
	put(f, more);
	fputs("}\n", f);
	fclose(f);
	*why = NULL;
	return sweepfile_read(path, NULL, knobs, sweep, why);
}

static void good(const char *more, struct sweep *sweep, struct cells *cells)
{
	char *why;

	if (read_sweep(more, sweep, &why) || cells_expand(sweep, knobs, cells, &why))
		fail_msg("%s", why);
}

static void bad(const char *more, const char *says)
{
	struct sweep sweep;
	struct cells cells;
	char *why;
	int rc = read_sweep(more, &sweep, &why);

	if (!rc) {
		rc = cells_expand(&sweep, knobs, &cells, &why);
		if (!rc)
			cells_release(&cells);
		sweepfile_release(&sweep);
	}
	if (!rc)
		fail_msg("accepted: %s", more);
	assert_non_null(why);
	assert_null(strchr(why, '\n'));
	if (!strstr(why, says))
		fail_msg("'%s' does not say '%s'", why, says);
	free(why);
}

static const struct cell *labelled(const struct cells *cells, const char *label)
{
	for (size_t i = 0; i < cells->n; i++)
		if (!strcmp(cells->cell[i].label, label))
			return &cells->cell[i];
	fail_msg("there is no cell '%s'", label);
	return NULL;
}

#define BASE ",'base':{'set':{'fs.type':'ext4','block.scheduler':'none','fs.atime':'relatime','fs.barrier':true,'vm.dirty_ratio':20}}"

static void product_and_merging(void **state)
{
	struct sweep sweep;
	struct cells cells;

	(void)state;
	good(BASE ",'matrix':{'block.scheduler':['none','bfq'],'fs.atime':['relatime','noatime',null]}", &sweep, &cells);
	/* 6 combinations: 2 equal the control or each other through null, none+relatime is the control itself. */
	assert_int_equal(cells.raw, 6);
	assert_int_equal(cells.n, 4);
	assert_int_equal(cells.merged, 3);
	assert_string_equal(cells.cell[0].label, "control");
	assert_int_equal(json_object_size(cells.cell[0].set), 0);
	labelled(&cells, "atime=noatime");
	labelled(&cells, "scheduler=bfq");
	assert_int_equal(json_object_size(labelled(&cells, "scheduler=bfq atime=noatime")->set), 2);
	cells_release(&cells);
	sweepfile_release(&sweep);
}

static void only_if_takes_the_axis_out(void **state)
{
	struct sweep sweep;
	struct cells cells;

	(void)state;
	good(BASE ",'matrix':{'fs.type':['ext4','xfs'],'vm.dirty_ratio':[20,40]},'only_if':{'vm.dirty_ratio':{'fs.type':['ext4']}},"
		  "'durability':{'max':'D1'}",
	     &sweep, &cells);
	assert_int_equal(cells.n, 3); /* xfs only once */
	labelled(&cells, "dirty_ratio=40");
	assert_true(json_equal(json_object_get(labelled(&cells, "fs.type=xfs")->settings, "vm.dirty_ratio"),
			       json_object_get(cells.cell[0].settings, "vm.dirty_ratio")));
	cells_release(&cells);
	sweepfile_release(&sweep);
}

static void what_does_not_apply_is_dropped(void **state)
{
	struct sweep sweep;
	struct cells cells;

	(void)state;
	/* ext4.commit_s says nothing on xfs, even without an only_if. */
	good(BASE ",'matrix':{'fs.type':['ext4','xfs'],'ext4.commit_s':[5,30]},'durability':{'max':'D1:30s'}", &sweep, &cells);
	assert_int_equal(cells.n, 4); /* control without commit_s, ext4+5, ext4+30, xfs */
	assert_null(json_object_get(labelled(&cells, "fs.type=xfs")->settings, "ext4.commit_s"));
	cells_release(&cells);
	sweepfile_release(&sweep);
}

static void exclude_and_include(void **state)
{
	struct sweep sweep;
	struct cells cells;
	const struct cell *risky;

	(void)state;
	good(BASE ",'matrix':{'block.scheduler':['none','bfq'],'fs.atime':['relatime','noatime']},"
		  "'exclude':[{'block.scheduler':'bfq','fs.atime':['noatime','strictatime']}],"
		  "'include':[{'set':{'fs.barrier':false},'label':'nobarrier','accept_durability':'D3','why':'price'}]",
	     &sweep, &cells);
	assert_int_equal(cells.n, 4);
	risky = labelled(&cells, "nobarrier");
	assert_true(risky->accepted);
	assert_int_equal(risky->status, CELL_PLANNED);
	assert_int_equal(risky->durability.level, 3);
	assert_string_equal(risky->why, "price");
	cells_release(&cells);
	sweepfile_release(&sweep);
}

static void too_risky_and_impossible_stay_visible(void **state)
{
	struct sweep sweep;
	struct cells cells;
	json_t *plan;

	(void)state;
	good(BASE ",'matrix':{'fs.barrier':[true,false],'fs.type':['ext4','xfs']}", &sweep, &cells);
	assert_int_equal(cells.n, 4);
	assert_int_equal(labelled(&cells, "barrier=false")->status, CELL_REFUSED);
	assert_non_null(strstr(labelled(&cells, "barrier=false")->reason, "D3"));
	plan = plan_make(&sweep, &cells, "00");
	assert_int_equal(json_int(plan, "comparisons", 0), 1);
	assert_int_equal(plan_runs(plan), 3 * 2);
	for (size_t i = 0; i < cells.n; i++)
		if (cells.cell[i].status != CELL_PLANNED)
			assert_non_null(cells.cell[i].reason);
	json_decref(plan);
	cells_release(&cells);
	sweepfile_release(&sweep);
}

static void bad_sweeps_name_the_key(void **state)
{
	(void)state;
	bad(BASE ",'matrixx':{}", "unknown key 'matrixx'");
	bad(BASE ",'plan':{'blokcs':3}", "unknown key 'plan.blokcs'");
	bad(BASE ",'plan':{'blocks':{'mim':3}}", "'mim'");
	bad(BASE ",'plan':{'blocks':0}", "'plan.blocks'");
	bad(BASE ",'plan':{'blocks':{'min':5,'max':3}}", "'plan.blocks'");
	bad(BASE ",'plan':{'seed':'seven'}", "'plan.seed' must be a whole number");
	bad(BASE ",'plan':{'control_every':-1}", "'plan.control_every'");
	bad(BASE ",'replay':{'cache':'warm'}", "'replay.cache' cannot be 'warm'; possible: cold traced hot");
	bad(BASE ",'replay':{'engine':'libaio'}", "'replay.engine' cannot be 'libaio'; possible: traced psync uring mmap");
	bad(BASE ",'replay':{'engine':'mmap','direct':true}", "replay.direct");
	bad(BASE ",'include':[{'set':{'fs.barrier':false},'lable':'x'}]", "unknown key 'include[].lable'");
	bad(BASE ",'include':[{'label':'x'}]", "'include[0]' has no 'set'");
	bad(BASE ",'include':[{'set':{'fs.atime':'relatime'},'label':'x'}]", "is the base itself");
	bad(BASE ",'matrix':{'block.schedular':['bfq']}", "block.schedular");
	bad(BASE ",'matrix':{'block.scheduler':'bfq'}", "'block.scheduler' must be a list");
	bad(BASE ",'matrix':{'block.scheduler':[]}", "'block.scheduler' has an empty list");
	bad(BASE ",'matrix':{'block.scheduler':['cfq']}", "cfq");
	bad(BASE ",'matrix':{'fs.atime':['relatime']},'only_if':{'fs.type':{'fs.atime':['relatime']}}", "'fs.type' is no axis");
	bad(BASE ",'matrix':{'block.scheduler':['none','bfq']},'exclude':[{'block.scheduler':'kyber'}]", "matches no combination");
	bad(BASE ",'exclude':[{'match':{'fs.atime':'noatime'},'wy':'x'}]", "'exclude[].wy'");
	bad(BASE ",'durability':{'max':'D7'}", "'durability.max' is 'D7'");
	bad(BASE ",'fio':{'jobs':['nosuch']}", "'fio.jobs' names 'nosuch'");
	bad(BASE ",'fio':{'jobs':['seq-1m'],'on':['moon']}", "'fio.on' cannot be 'moon'");
	bad(BASE ",'durability':{'max':'D0'},'base':{'set':{}}", "duplicate");
	bad(",'base':'no-such-profile'", "no-such-profile");
	bad("", "'base' is missing");
	bad(",'base':{'set':{'fs.type':'ext4','fs.barrier':false}},'durability':{'max':'D0'}", "'base' is of class D3");
}

static void wrong_traces(void **state)
{
	struct sweep sweep;
	char *why;

	(void)state;
	assert_int_not_equal(read_sweep(BASE ",'trace':{'file':'t.iotrace'}", &sweep, &why), 0); /* a key twice */
	free(why);
	assert_int_equal(read_sweep(BASE, &sweep, &why), 0);
	assert_int_equal(strlen(sweep.trace_sha256), 64);
	sweepfile_release(&sweep);
	trace = "{'file':'t.iotrace','sha256':'00'}";
	bad(BASE, "this is another recording");
	trace = "{'file':'none.iotrace'}";
	bad(BASE, "none.iotrace' (trace.file) cannot be read: No such file or directory");
	trace = "{}";
	bad(BASE, "'trace.file' is missing");
	trace = "{'file':'t.iotrace'}";
}

static void the_plan_is_the_same_everywhere(void **state)
{
	struct sweep sweep;
	struct cells cells;
	json_t *plan, *again;
	_cleanup_free_ char *a = NULL, *b = NULL;
	char order[256] = "";

	(void)state;
	good(BASE ",'matrix':{'block.scheduler':['none','bfq','kyber'],'fs.atime':['relatime','noatime']},'plan':{'seed':7,'control_every':2}", &sweep,
	     &cells);
	plan = plan_make(&sweep, &cells, "00");
	again = plan_make(&sweep, &cells, "00");
	a = plan_text(plan);
	b = plan_text(again);
	assert_string_equal(a, b);
	for (int64_t seq = 1; seq <= plan_runs(plan); seq++) {
		const json_t *run = plan_run(plan, seq);
		char one[48];

		for (size_t i = 0; i < cells.n; i++)
			if (!strcmp(cells.cell[i].id, json_text(run, "cell", ""))) {
				snprintf(one, sizeof(one), "%lld%zu ", (long long)json_int(run, "block", 0), i);
				strcat(order, one);
			}
	}
	/* Written down once: whoever changes the generator changes every frozen plan's meaning. */
	assert_string_equal(order, ORDER);
	json_decref(plan);
	json_decref(again);
	cells_release(&cells);
	sweepfile_release(&sweep);
}

/* Every block holds every cell exactly once besides the extra controls. */
static void blocks_are_complete(void **state)
{
	struct sweep sweep;
	struct cells cells;
	json_t *plan;

	(void)state;
	good(BASE ",'matrix':{'block.scheduler':['none','bfq','kyber'],'fs.atime':['relatime','noatime']},"
		  "'plan':{'blocks':5,'control_every':3},'fio':{'jobs':['seq-1m'],'on':['cells','raw'],'blocks':2}",
	     &sweep, &cells);
	plan = plan_make(&sweep, &cells, "00");
	for (int64_t block = 1; block <= 5; block++) {
		size_t seen[6] = {0}, raw = 0;

		for (int64_t seq = 1; seq <= plan_runs(plan); seq++) {
			const json_t *run = plan_run(plan, seq);
			bool extra = json_flag(run, "extra_control", false);

			if (json_int(run, "block", 0) != block)
				continue;
			for (size_t i = 0; i < cells.n; i++)
				if (!extra && !strcmp(cells.cell[i].id, json_text(run, "cell", "")))
					seen[i]++;
			raw += json_array_size(json_object_get(run, "raw"));
			assert_int_equal(json_array_size(json_object_get(run, "fio")), block <= 2 && !extra ? 1 : 0);
		}
		for (size_t i = 0; i < 6; i++)
			assert_int_equal(seen[i], 1);
		assert_int_equal(raw, block <= 2 ? 1 : 0);
	}
	json_decref(plan);
	cells_release(&cells);
	sweepfile_release(&sweep);
}

/* research/report.md 2.2: m = 15 needs 6 blocks, 63 needs 7, 255 needs 8. */
static void reach_of_a_design(void **state)
{
	(void)state;
	assert_int_equal(plan_blocks_needed(1), 4);
	assert_int_equal(plan_blocks_needed(15), 6);
	assert_int_equal(plan_blocks_needed(63), 7);
	assert_int_equal(plan_blocks_needed(255), 8);
	assert_float_equal(plan_smallest_p(5), 2.0 / 252, 1e-12);
	assert_float_equal(precision_t975(2), 4.3027, 1e-4);
	assert_float_equal(precision_t975(20), 2.0860, 5e-4);
	assert_float_equal(precision_t975(30), 2.0423, 5e-4);
	/* research/sweep.md 4.6: 4 blocks, 4 cells, sd 0.006151, no correction: 1.38 %. */
	assert_float_equal(precision_detectable(4, 4, 1, 0.006151), 0.0138, 1e-4);
	assert_true(precision_detectable(1, 4, 3, 0.02) > 1e6);
	assert_true(precision_detectable(6, 9, 8, 0.02) < precision_detectable(3, 9, 8, 0.02));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(product_and_merging),
		cmocka_unit_test(only_if_takes_the_axis_out),
		cmocka_unit_test(what_does_not_apply_is_dropped),
		cmocka_unit_test(exclude_and_include),
		cmocka_unit_test(too_risky_and_impossible_stay_visible),
		cmocka_unit_test(bad_sweeps_name_the_key),
		cmocka_unit_test(wrong_traces),
		cmocka_unit_test(the_plan_is_the_same_everywhere),
		cmocka_unit_test(blocks_are_complete),
		cmocka_unit_test(reach_of_a_design),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
