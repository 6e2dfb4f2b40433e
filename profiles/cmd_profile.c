/* iorig profile: look at profiles, check them, and try one on scratch devices. */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "lib/proc.h"
#include "lib/stop.h"
#include "lib/why.h"
#include "profiles/disk.h"
#include "profiles/profile.h"
#include "profiles/stage.h"
#include "profiles/values.h"

static struct {
	bool json, erase;
	const char *work;
	struct option_list disks, loops_gib, set;
} opt;

static const struct option_row rows[] = {
	{"json", 0, NULL, OPT_FLAG, &opt.json, "machine-readable output"},
	{"disk", 'd', "SERIAL", OPT_LIST, &opt.disks, "apply: use this disk (WWN or serial)"},
	{"erase", 0, NULL, OPT_FLAG, &opt.erase, "apply: mark a blank disk as ours on its first use"},
	{"loop-gib", 0, "N", OPT_LIST, &opt.loops_gib, "apply: make a disk of a sparse file of N GiB"},
	{"work", 'w', "DIR", OPT_STRING, &opt.work, "apply: where undo journal, reports, disk files and mount point go"},
	{"set", 's', "KNOB=VALUE", OPT_LIST, &opt.set, "change a setting of the profile; VALUE null removes it"},
	{0}};

/* KNOB=VALUE over the profile's settings. VALUE is JSON or, failing that, a word. */
static int override(json_t *set, const char *text)
{
	const char *equals = strchr(text, '=');
	_cleanup_free_ char *name = equals ? strndup(text, (size_t)(equals - text)) : NULL;
	json_t *value;

	if (!name)
		return fail(EXIT_USAGE, "profile: --set wants KNOB=VALUE, not '%s'", text);
	value = json_loads(equals + 1, JSON_DECODE_ANY, NULL);
	json_object_set_new(set, name, value ? value : json_string(equals + 1));
	return EXIT_DONE;
}

static int load(const struct knobs *knobs, const char *name, json_t **profile)
{
	_cleanup_free_ char *why = NULL;
	json_t *set;

	if (profile_load(knobs, name, profile, &why))
		return fail(EXIT_FAILED, "%s", why);
	set = json_object_get(*profile, "set");
	for (size_t i = 0; i < opt.set.n; i++) {
		int rc = override(set, opt.set.item[i]);

		if (rc)
			return rc;
	}
	if (knobs_validate(knobs, set, &why))
		return fail(EXIT_FAILED, "%s", why);
	return EXIT_DONE;
}

static void show_text(const struct knobs *knobs, const json_t *profile, const json_t *set, const char *class, const char *unsupported)
{
	const char *name;

	printf("%s: %s\ndurability %s\n", json_text(profile, "name", ""), json_text(profile, "summary", ""), class);
	if (unsupported)
		printf("unsupported: %s\n", unsupported);
	for (size_t i = 0; (name = knobs_nth(knobs, i)); i++) {
		const json_t *value = json_object_get(set, name);
		const char *why = json_text(json_object_get(profile, "why"), name, NULL);
		char text[128];

		if (value)
			printf("  %-30s %-12s %s%s%s\n", name, value_text(value, text, sizeof(text)),
			       json_text(json_object_get(profile, "from"), name, "--set"), why ? ": " : "", why ? why : "");
	}
}

static int show(const struct knobs *knobs, const char *name)
{
	_cleanup_json_ json_t *profile = NULL, *set = NULL, *because = NULL;
	_cleanup_free_ char *unsupported = NULL;
	struct durability d;
	char level[32], class[40];
	int rc = load(knobs, name, &profile);

	if (rc)
		return rc;
	set = knobs_resolve(knobs, json_object_get(profile, "set"));
	knobs_durability(knobs, set, &d, &because);
	unsupported = knobs_unsupported(knobs, set);
	snprintf(class, sizeof(class), "%s%s", durability_text(&d, level), d.single_device ? "+D4" : "");
	if (!opt.json) {
		show_text(knobs, profile, set, class, unsupported);
		return EXIT_DONE;
	}
	json_object_set(profile, "set", set);
	json_object_set_new(profile, "durability", json_string(class));
	json_object_set(profile, "durability_because", because);
	json_object_set_new(profile, "unsupported", unsupported ? json_string(unsupported) : json_null());
	json_dumpf(profile, stdout, JSON_INDENT(1));
	putchar('\n');
	return EXIT_DONE;
}

static int check(const struct knobs *knobs, int n, char **files)
{
	int rc = EXIT_DONE;

	for (int i = 0; i < n; i++) {
		_cleanup_json_ json_t *profile = NULL;
		_cleanup_free_ char *why = NULL;

		if (profile_load(knobs, files[i], &profile, &why))
			rc = fail(EXIT_FAILED, "%s", why);
		else
			printf("%s: good, %zu settings\n", files[i], json_object_size(json_object_get(profile, "set")));
	}
	return rc;
}

/* "none|bfq", "true|false", "4..65536 KiB (multiple of 4)" */
static void print_values(const json_t *e)
{
	const json_t *value;
	char text[128];
	size_t i;

	json_array_foreach(json_object_get(e, "values"), i, value) {
		printf("%s%s", i ? "|" : "", value_text(value, text, sizeof(text)));
	}
	if (!strcmp(json_text(e, "type", ""), "bool"))
		printf("true|false");
	if (!strcmp(json_text(e, "type", ""), "int"))
		printf("%lld..%lld%s%s", (long long)json_int(e, "min", 0), (long long)json_int(e, "max", 1LL << 53), *json_text(e, "unit", "") ? " " : "",
		       json_text(e, "unit", ""));
	if (json_object_get(e, "multiple_of"))
		printf(", a multiple of %lld", (long long)json_int(e, "multiple_of", 1));
}

static int list_knobs(const struct knobs *knobs, const char *part)
{
	_cleanup_json_ json_t *all = json_object();
	const char *name;

	for (size_t i = 0; (name = knobs_nth(knobs, i)); i++) {
		const json_t *e = knobs_entry(knobs, name);
		const char *clamps = json_text(e, "clamps", NULL), *note = json_text(e, "note", NULL);
		_cleanup_free_ char *classes = json_dumps(json_object_get(e, "durability"), JSON_COMPACT);

		if (part && !strstr(name, part))
			continue;
		json_object_set(all, name, (json_t *)e);
		if (opt.json)
			continue;
		printf("%s: %s\n    ", name, json_text(e, "doc", ""));
		print_values(e);
		printf("; durability %s\n", classes ? classes : "?");
		if (clamps || note)
			printf("    %s%s%s\n", clamps ? clamps : "", clamps && note ? "; " : "", note ? note : "");
	}
	if (!json_object_size(all))
		return fail(EXIT_FAILED, "no knob has '%s' in its name; 'iorig profile knobs' lists all", part ? part : "");
	if (opt.json) {
		json_dumpf(all, stdout, JSON_INDENT(1));
		putchar('\n');
	}
	return EXIT_DONE;
}

static char *in_work(const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", opt.work, name) < 0 ? NULL : path;
}

/* The scratch devices that the options name. Each is checked right here, before anything is written to it. */
static int take_devices(struct undo *undo, char **devices, size_t *n)
{
	_cleanup_free_ char *why = NULL;

	for (size_t i = 0; i < opt.disks.n; i++) {
		int rc = disk_claim(opt.disks.item[i], opt.erase, &devices[*n], &why);

		if (rc)
			return fail(rc == -EPERM || rc == -ENODEV ? EXIT_REFUSED : EXIT_FAILED, "%s", why);
		++*n;
	}
	for (size_t i = 0; i < opt.loops_gib.n; i++) {
		_cleanup_free_ char *file = NULL;
		char *end;
		double gib = strtod(opt.loops_gib.item[i], &end);

		if (end == opt.loops_gib.item[i] || *end || !(gib >= 0.01 && gib <= 65536))
			return fail(EXIT_USAGE, "profile: --loop-gib %s is no size in GiB", opt.loops_gib.item[i]);
		if (asprintf(&file, "%s/disk%zu.img", opt.work, i) < 0)
			return fail(EXIT_FAILED, "out of memory");
		if (disk_loop_make(file, (uint64_t)(gib * 1073741824.0) & ~4095ULL, undo, &devices[*n], &why))
			return fail(EXIT_FAILED, "%s", why);
		++*n;
	}
	return *n ? EXIT_DONE : fail(EXIT_USAGE, "profile apply: which devices? --disk SERIAL or --loop-gib N");
}

static void keep(const char *name, const json_t *report)
{
	_cleanup_free_ char *path = in_work(name);
	int rc = path ? json_write(path, report) : -ENOMEM;

	if (rc)
		warn("cannot write '%s/%s': %s", opt.work, name, strerror(-rc));
}

static void print_report(const json_t *report)
{
	const char *name;
	json_t *row;

	if (opt.json) {
		json_dumpf(report, stdout, JSON_INDENT(1));
		putchar('\n');
		return;
	}
	json_object_foreach(json_object_get(report, "knobs"), name, row) {
		char wanted[128], effective[128];

		printf("%-12s %-30s wanted %-12s effective %-12s %s\n", json_text(row, "outcome", ""), name,
		       value_text(json_object_get(row, "wanted"), wanted, sizeof(wanted)),
		       value_text(json_object_get(row, "effective"), effective, sizeof(effective)), json_text(row, "where", ""));
	}
}

/* Runs the command inside the stage and checks afterwards that everything is still in force. */
static int run_inside(struct stage *stage, char **command)
{
	struct proc_options options = {.keep_stderr = 1, .directory = stage_mount_point(stage)};
	struct proc_result result;
	_cleanup_json_ json_t *after = NULL;
	int rc = proc_run((const char *const *)command, &options, &result);

	if (rc)
		return fail(EXIT_FAILED, "cannot run %s: %s", command[0], strerror(-rc));
	fputs(result.out, stdout);
	rc = result.status;
	proc_release(&result);
	if (rc)
		return fail(EXIT_FAILED, "%s ended with status %d", command[0], rc);
	if (stage_verify(stage, &after) != STAGE_OK)
		rc = fail(EXIT_FAILED, "afterwards no longer in force: %s", json_text(after, "reason", "?"));
	keep("verify.json", after);
	return rc;
}

static int in_stage(const struct knobs *knobs, const json_t *settings, struct undo *undo, char **devices, size_t n, char **command)
{
	_cleanup_free_ char *mount_point = in_work("mnt"), *why = NULL;
	struct stage_options o = {knobs, (const char *const *)devices, n, mount_point, settings, undo};
	_cleanup_json_ json_t *report = NULL;
	struct stage *stage;
	enum stage_outcome got = stage_apply(&o, &stage, &report);
	int rc = EXIT_DONE;

	keep("apply.json", report);
	if (!*command)
		print_report(report);
	if (got != STAGE_OK)
		rc = fail(EXIT_FAILED, "%s: %s", stage_outcome_name(got), json_text(report, "reason", "?"));
	else if (*command)
		rc = run_inside(stage, command);
	if (stage_undo(stage, &why))
		rc = fail(EXIT_FAILED, "%s; 'iorig profile undo %s' tries again", why, opt.work);
	return rc;
}

static int apply(const struct knobs *knobs, const char *name, char **command)
{
	_cleanup_json_ json_t *profile = NULL;
	_cleanup_free_ char *journal = NULL, *why = NULL;
	char *devices[128] = {0};
	struct undo *undo;
	size_t n = 0;
	int rc = load(knobs, name, &profile);

	if (rc)
		return rc;
	if (!opt.work || *opt.work != '/')
		return fail(EXIT_USAGE, "profile apply: --work wants an absolute directory");
	if (profile_needs(profile, opt.disks.n + opt.loops_gib.n, &why))
		return fail(EXIT_IMPOSSIBLE, "%s", why);
	rc = make_directories(opt.work);
	journal = in_work("undo.ndjson");
	if (rc || undo_open(journal, &undo, &why))
		return fail(EXIT_FAILED, "'%s': %s", opt.work, rc ? strerror(-rc) : why);
	if (undo_pending(undo)) {
		undo_close(undo);
		return fail(EXIT_FAILED, "'%s' has changes pending from a run that was killed; first 'iorig profile undo %s'", journal, opt.work);
	}
	stop_arm();
	rc = take_devices(undo, devices, &n);
	if (!rc)
		rc = in_stage(knobs, json_object_get(profile, "set"), undo, devices, n, command);
	if (undo_back(undo, 0, &why))
		rc = fail(EXIT_FAILED, "%s", why);
	undo_close(undo);
	for (size_t i = 0; i < n; i++)
		free(devices[i]);
	return rc;
}

static int undo_killed(const char *work)
{
	_cleanup_free_ char *path = NULL, *why = NULL;

	opt.work = work;
	path = in_work("undo.ndjson");
	if (undo_replay(path, &why))
		return fail(EXIT_FAILED, "%s", why);
	return EXIT_DONE;
}

static int run(const struct command *self, int argc, char **argv)
{
	int rest = options_parse(self, argc, argv), n = argc - rest, rc;
	_cleanup_free_ char *why = NULL;
	const char *what = rest >= 0 && n > 0 ? argv[rest] : "";
	struct knobs *knobs;

	if (rest < 0)
		return -rest - 1;
	if (n < 2 && strcmp(what, "knobs"))
		return fail(EXIT_USAGE, "profile: knobs, show, check, apply or undo, then a name or file; see 'iorig profile -h'");
	if (!strcmp(what, "undo"))
		return undo_killed(argv[rest + 1]);
	if (knobs_load(NULL, &knobs, &why))
		return fail(EXIT_FAILED, "%s", why);
	if (!strcmp(what, "knobs") && n <= 2)
		rc = list_knobs(knobs, n == 2 ? argv[rest + 1] : NULL);
	else if (!strcmp(what, "show") && n == 2)
		rc = show(knobs, argv[rest + 1]);
	else if (!strcmp(what, "check"))
		rc = check(knobs, n - 1, argv + rest + 1);
	else if (!strcmp(what, "apply"))
		rc = apply(knobs, argv[rest + 1], argv + rest + 2);
	else
		rc = fail(EXIT_USAGE, "profile: '%s'? It is knobs [PART], show NAME, check FILE..., apply NAME [-- CMD...] or undo DIR", what);
	knobs_free(knobs);
	return rc;
}

extern const struct command cmd_profile;
const struct command cmd_profile = {
	.name = "profile",
	.synopsis = "knobs [PART] | show NAME|FILE | check FILE... | apply NAME|FILE --work DIR (--disk SERIAL | --loop-gib N)... [-- CMD...] | undo DIR",
	.summary = "show, check and try tuning profiles",
	.group = "sweep",
	.options = rows,
	.run = run,
};
