/* Hostile journals: the sweep's (runs.ndjson with its plan) and that of undo steps, read and answered from; no step is carried out. */
#include "profiles/undo.c"

#include "sweeps/journal.h"
#include "sweeps/plan.h"
#include "tests/fuzz/json_input.h"

static const char *const known[] = {"runs.ndjson", "undo.ndjson", "plan.json", NULL};

static void read_sweep(void)
{
	_cleanup_json_ json_t *plan = NULL;
	_cleanup_free_ char *why = NULL;
	char path[128];
	struct journal j;

	snprintf(path, sizeof(path), "%s/plan.json", scratch_folder());
	plan = json_load_file(path, 0, NULL);
	if (plan && !plan_check(plan, &why))
		for (int64_t seq = 0; seq <= plan_runs(plan) && seq < 50; seq++)
			plan_run(plan, seq);
	if (journal_read(scratch_folder(), &j, &why)) {
		if (!why)
			abort();
		return;
	}
	for (int64_t seq = 0; seq < 5; seq++)
		journal_run(&j, seq);
	journal_has(&j, "complete");
	journal_worked_s(&j);
	journal_box_deaths(&j, "c000000000");
	journal_close(&j);
}

static void read_undo(void)
{
	struct undo u = {.steps = json_array(), .lock = -1};

	if (asprintf(&u.path, "%s/undo.ndjson", scratch_folder()) < 0)
		abort();
	load(&u, NULL);
	pending_in(u.path, "boot");
	json_decref(u.steps);
	free(u.path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	json_t *files = json_loadb((const char *)data, n, 0, NULL);

	if (!json_is_object(files)) {
		json_decref(files);
		return -1;
	}
	write_documents(files, known);
	read_sweep();
	read_undo();
	json_decref(files);
	return 0;
}
