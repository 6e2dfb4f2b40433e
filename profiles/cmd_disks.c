/* iorig disks: which disks could be used, which not, and why. */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "profiles/disk.h"

static struct {
	bool json;
} opt;

static const struct option_row rows[] = {{"json", 0, NULL, OPT_FLAG, &opt.json, "machine-readable output"}, {0}};

static const char *const verdicts[] = {"blank", "marked", "refused"};
_Static_assert(ARRAY_SIZE(verdicts) == DISK_REFUSED + 1, "a word for every verdict");

static json_t *as_json(const struct disk *d)
{
	return json_pack("{s:s,s:s?,s:s?,s:s?,s:I,s:b,s:s,s:s?,s:s?}", "name", d->name, "serial", d->serial, "wwn", d->wwn, "model", d->model,
			 "size_bytes", (json_int_t)d->size_bytes, "rotational", d->rotational, "verdict", verdicts[d->verdict], "reason", d->why,
			 "scratch", d->scratch);
}

static void print_disk(const struct disk *d)
{
	printf("%-10s %9.1f GiB  %-8s serial %-22s wwn %-24s %s\n", d->name, (double)d->size_bytes / 1073741824.0, verdicts[d->verdict],
	       d->serial ? d->serial : "-", d->wwn ? d->wwn : "-",
	       d->why ? d->why : d->verdict == DISK_MARKED ? d->scratch : "usable with --erase on its first use");
}

static int show(const struct disk *disks, size_t n)
{
	_cleanup_json_ json_t *list = json_array();

	for (size_t i = 0; i < n && !opt.json; i++)
		print_disk(&disks[i]);
	if (!opt.json)
		return EXIT_DONE;
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, as_json(&disks[i]));
	json_dumpf(list, stdout, JSON_INDENT(1));
	putchar('\n');
	return EXIT_DONE;
}

/* Named devices are judged one by one; the exit status then says whether one is refused. */
static int show_named(int n, char **names)
{
	struct disk *disks = calloc((size_t)n, sizeof(*disks));
	_cleanup_free_ char *why = NULL;
	int rc = EXIT_DONE, i;

	for (i = 0; disks && i < n; i++) {
		const char *name = strncmp(names[i], "/dev/", 5) ? names[i] : names[i] + 5;

		if (disk_examine(name, &disks[i], &why)) {
			rc = fail(EXIT_FAILED, "%s", why);
			break;
		}
	}
	if (!rc)
		show(disks, (size_t)n);
	for (int j = 0; !rc && j < n; j++)
		if (disks[j].verdict == DISK_REFUSED)
			rc = fail(EXIT_REFUSED, "%s is refused: %s", disks[j].name, disks[j].why ? disks[j].why : "?");
	disk_list_free(disks, (size_t)i);
	return rc;
}

static int run(const struct command *self, int argc, char **argv)
{
	int rest = options_parse(self, argc, argv);
	_cleanup_free_ char *why = NULL;
	struct disk *disks;
	size_t n;

	if (rest < 0)
		return -rest - 1;
	if (rest < argc)
		return show_named(argc - rest, argv + rest);
	if (disk_list(&disks, &n, &why))
		return fail(EXIT_FAILED, "%s", why);
	show(disks, n);
	disk_list_free(disks, n);
	return EXIT_DONE;
}

extern const struct command cmd_disks;
const struct command cmd_disks = {
	.name = "disks",
	.synopsis = "[--json] [DEVICE...]",
	.summary = "list the disks, which may be used for a sweep, and why not",
	.group = "sweep",
	.options = rows,
	.run = run,
};
