/* The verb: iorig sweep plan|run|resume|status|confirm. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/stop.h"
#include "sweeps/confirm.h"
#include "sweeps/expand.h"
#include "sweeps/file.h"
#include "sweeps/plan.h"
#include "sweeps/runner.h"
#include "sweeps/session.h"
#include "sweeps/status.h"

static struct {
	const char *out, *trace, *on_journal;
	bool json, erase;
	uint64_t top;
} opt;

static const struct option_row rows[] = {
	{"out", 'o', "DIR", OPT_STRING, &opt.out, "run, confirm: the sweep directory to make"},
	{"trace", 0, "FILE", OPT_STRING, &opt.trace, "plan, run: this recording instead of the sweep file's; resume: where it is now"},
	{"erase", 0, NULL, OPT_FLAG, &opt.erase, "run, resume, confirm: blank disks that the sweep names may be taken over"},
	{"on-journal", 0, "PROGRAM", OPT_STRING, &opt.on_journal, "run, resume, confirm: start PROGRAM DIR EVENT SEQ after each journal line"},
	{"json", 0, NULL, OPT_FLAG, &opt.json, "plan, status: machine-readable output"},
	{"top", 0, "K", OPT_U64, &opt.top, "confirm: the K fastest allowed cells (default: plan.confirm.top)"},
	{0}};

/* Prints the line of an error and chooses the exit code for it. */
static int failed(int rc, char *why)
{
	int code = rc == -EPERM ? EXIT_REFUSED : EXIT_FAILED;

	say("sweep: %s", why ? why : strerror(-rc));
	free(why);
	return code;
}

static struct session_options session_options(const char *sweep, const char *folder)
{
	return (struct session_options){.sweep = sweep, .folder = folder, .trace = opt.trace, .program = opt.on_journal, .erase = opt.erase};
}

/* ---- plan --------------------------------------------------------------------------------------------------------------------------- */

static int print_plan(const struct sweep *sweep, const struct cells *cells, const char *file, char **why)
{
	_cleanup_json_ json_t *frozen = sweepfile_frozen(sweep), *plan = NULL;
	_cleanup_free_ char *text = plan_text(frozen), *out = NULL;
	struct plan_estimate estimate;
	char sha256[SHA256_HEX];
	int rc;

	plan = plan_make(sweep, cells, sha256_text(text, strlen(text), sha256));
	rc = plan_estimate(sweep, plan, &estimate, why);
	if (rc)
		return rc;
	if (opt.json) {
		plan_add_estimate(plan, &estimate);
		out = plan_text(plan);
		fputs(out, stdout);
		return 0;
	}
	plan_print(sweep, cells, plan, &estimate);
	printf("\nnext: iorig sweep run %s --out DIR%s%s\n", file, opt.trace ? " --trace " : "", opt.trace ? opt.trace : "");
	return 0;
}

static int verb_plan(const char *file)
{
	struct knobs *knobs = NULL;
	struct sweep sweep = {0};
	struct cells cells = {0};
	char *why = NULL;
	int rc = knobs_load(NULL, &knobs, &why);

	if (!rc)
		rc = sweepfile_read(file, opt.trace, knobs, &sweep, &why);
	if (!rc) {
		rc = cells_expand(&sweep, knobs, &cells, &why);
		if (!rc)
			rc = print_plan(&sweep, &cells, file, &why);
	}
	cells_release(&cells);
	sweepfile_release(&sweep);
	knobs_free(knobs);
	return rc ? failed(rc, why) : EXIT_DONE;
}

/* ---- run, resume -------------------------------------------------------------------------------------------------------------------- */

/* The middle part of run and resume: everything that needs the machine. Ends the session. */
static int work(struct session *s, const char *event)
{
	char *why = NULL;
	int rc, code;

	proc_set_group(PROC_ABORTABLE);
	rc = session_begin(s, &why);
	if (!rc)
		rc = runner_bury(s);
	if (!rc)
		rc = journal_add(&s->journal, event, NULL);
	code = rc ? failed(rc, why) : runner_run(s);
	why = NULL;
	proc_set_group(PROC_SHIELDED);
	rc = session_end(s, &why);
	proc_set_group(PROC_SHARED);
	if (rc)
		code = fail(EXIT_FAILED, "sweep: this machine could not be put back: %s; correct that and give 'iorig sweep resume %s'",
			    why ? why : strerror(-rc), s->options.folder);
	free(why);
	return code;
}

static int abandon(struct session *s, int rc, char *why)
{
	char *ignored = NULL;

	session_end(s, &ignored);
	free(ignored);
	return failed(rc, why);
}

static int verb_run(const char *file)
{
	struct session_options options = session_options(file, opt.out);
	struct session s;
	char *why = NULL;
	int rc;

	if (!opt.out)
		return fail(EXIT_USAGE, "sweep run: --out DIR is missing; see 'iorig sweep -h'");
	if (geteuid())
		return fail(EXIT_IMPOSSIBLE, "sweep run: making file systems and changing settings needs root");
	stop_arm();
	rc = session_create(&s, &options, &why);
	return rc ? abandon(&s, rc, why) : work(&s, "start");
}

static int verb_resume(const char *folder)
{
	struct session_options options = session_options(NULL, folder);
	struct session s;
	char *why = NULL;
	int rc;

	if (geteuid())
		return fail(EXIT_IMPOSSIBLE, "sweep resume: making file systems and changing settings needs root");
	stop_arm();
	rc = session_resume(&s, &options, &why);
	if (rc)
		return abandon(&s, rc, why);
	if (journal_has(&s.journal, "complete")) {
		rc = session_end(&s, &why);
		say("'%s' is complete; see 'iorig report %s'", folder, folder);
		return rc ? failed(rc, why) : status_code(folder);
	}
	return work(&s, "resume");
}

/* ---- dispatch ----------------------------------------------------------------------------------------------------------------------- */

static int verb_status(const char *folder)
{
	return status_print(folder, opt.json);
}

static int verb_confirm(const char *folder)
{
	struct session_options options = session_options(NULL, opt.out);
	struct session s;
	char *why = NULL;
	int rc;

	if (!opt.out)
		return fail(EXIT_USAGE, "sweep confirm: --out DIR is missing; see 'iorig sweep -h'");
	if (geteuid())
		return fail(EXIT_IMPOSSIBLE, "sweep confirm: making file systems and changing settings needs root");
	stop_arm();
	rc = confirm_write_sweep(folder, opt.out, (int64_t)opt.top, &why);
	if (rc)
		return failed(rc, why);
	rc = asprintf(&why, "%s/confirm.sweep.json", opt.out);
	options.sweep = why;
	why = NULL;
	rc = session_create(&s, &options, &why);
	free((char *)options.sweep);
	return rc ? abandon(&s, rc, why) : work(&s, "start");
}

static const struct {
	const char *name, *argument;
	int (*run)(const char *argument);
} verbs[] = {{"plan", "a sweep file", verb_plan},
	     {"run", "a sweep file", verb_run},
	     {"resume", "a sweep directory", verb_resume},
	     {"status", "a sweep directory", verb_status},
	     {"confirm", "a sweep directory", verb_confirm}};

static int run_sweep(const struct command *cmd, int argc, char **argv)
{
	int rest = options_parse(cmd, argc, argv);

	if (rest < 0)
		return -rest - 1;
	if (rest >= argc)
		return fail(EXIT_USAGE, "sweep: say plan, run, resume, status or confirm; see 'iorig sweep -h'");
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(argv[rest], verbs[i].name))
			continue;
		if (argc - rest != 2)
			return fail(EXIT_USAGE, "sweep %s: give exactly one argument, %s; see 'iorig sweep -h'", verbs[i].name, verbs[i].argument);
		return verbs[i].run(argv[rest + 1]);
	}
	return fail(EXIT_USAGE, "sweep: there is no '%s'; say plan, run, resume, status or confirm", argv[rest]);
}

const struct command cmd_sweep = {
	.name = "sweep",
	.synopsis = "plan|run|resume|status|confirm [OPTIONS] SWEEP|DIR",
	.summary = "run a recording under many settings, unattended",
	.group = "sweep",
	.options = rows,
	.run = run_sweep,
};
