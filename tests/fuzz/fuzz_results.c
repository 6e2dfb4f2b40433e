/* A hostile sweep directory, as a box may have uploaded it, read and shown in every format by the verbs themselves. Run with -close_fd_mask=3. */
#include <sys/stat.h>

#include "lib/command.h"
#include "lib/exitcode.h"
#include "tests/fuzz/json_input.h"

extern const struct command cmd_report, cmd_compare, cmd_export;

static const char *const known[] = {"plan.json", "sweep.json", "box.json", "runs.ndjson", "runs/0001/run.json", "runs/0001/run.hist", "runs/0001/apply.json",
	"runs/0001/fio-a.json", "runs/0002/run.json", "runs/0002/run.hist", "runs/0002/fio-a.json", "runs/0003/run.json", "runs/0003/run.hist",
	"runs/0004/run.json", "runs/0004/run.hist", NULL};

static void verb(const struct command *c, const char *const arguments[])
{
	char *argv[8] = {(char *)c->name};
	int argc = 1, rc;

	for (; *arguments; arguments++)
		argv[argc++] = (char *)*arguments;
	rc = c->run(c, argc, argv);
	if (rc != EXIT_DONE && rc != EXIT_FAILED)
		abort();
}

static void make_folders(void)
{
	static const char *const folders[] = {"runs", "runs/0001", "runs/0002", "runs/0003", "runs/0004"};
	char path[128];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", scratch_folder(), folders[i]);
		mkdir(path, 0700);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const formats[] = {"term", "md", "html", "json", "csv"}, *const exports[] = {"fio", "influx", "graphite", "openmetrics"};
	json_t *files = json_loadb((const char *)data, n, 0, NULL);
	char run[128];

	if (!json_is_object(files)) {
		json_decref(files);
		return -1;
	}
	make_folders();
	write_documents(files, known);
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		verb(&cmd_report, (const char *[]){"--format", formats[i], scratch_folder(), NULL});
	for (size_t i = 0; i < sizeof(exports) / sizeof(exports[0]); i++)
		verb(&cmd_export, (const char *[]){"--to", exports[i], scratch_folder(), NULL});
	verb(&cmd_compare, (const char *[]){"--json", scratch_folder(), scratch_folder(), NULL});
	snprintf(run, sizeof(run), "%s/runs/0001", scratch_folder());
	verb(&cmd_compare, (const char *[]){run, run, NULL});
	json_decref(files);
	return 0;
}
