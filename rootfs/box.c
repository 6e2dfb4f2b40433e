/* `iorig box`: the agent of a test box. The work is box.sh's; here its options are checked, and the watchdog is fed. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/command.h"
#include "lib/exitcode.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "rootfs/layout.h"
#include "rootfs/script.h"
#include "rootfs/watchdog.h"

#define DEADLINE "/run/iorig/deadline"
#define WATCHDOG_FACTS "/run/iorig/watchdog.json"

static struct {
	const char *server, *box, *state, *sweep, *end, *token_file;
	uint64_t stall_ns, watchdog_s;
} opt = {.state = "/run/iorig/box", .end = "", .sweep = "", .token_file = "/sys/class/dmi/id/chassis_asset_tag",
	 .stall_ns = 3600ULL * 1000000000};

static bool plain(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/,@%+-") == strlen(text);
}

static int check(void)
{
	if (!opt.server || !opt.box)
		return fail(EXIT_USAGE, "box: --server and --box are needed; see 'iorig box -h'");
	if (strncmp(opt.server, "http://", 7) || !plain(opt.server))
		return fail(EXIT_USAGE, "box: --server wants a plain http:// address, not '%s'", opt.server);
	if (!layout_box_valid(opt.box))
		return fail(EXIT_USAGE, "box: '%s' is no box id: a MAC with hyphens, or letters, digits, '_.-'", opt.box);
	if (*opt.sweep && !layout_box_valid(opt.sweep))
		return fail(EXIT_USAGE, "box: '%s' is no name of a sweep", opt.sweep);
	if (*opt.end && strcmp(opt.end, "poweroff") && strcmp(opt.end, "reboot") && strcmp(opt.end, "wait"))
		return fail(EXIT_USAGE, "box: --end is poweroff, reboot or wait, not '%s'", opt.end);
	if (opt.stall_ns < 60ULL * 1000000000)
		return fail(EXIT_USAGE, "box: --stall below a minute would reset a healthy box");
	return EXIT_DONE;
}

static int run_box(const struct command *self, int argc, char **argv)
{
	int rest = options_parse(self, argc, argv), rc;
	char stall_s[24];

	if (rest < 0)
		return -rest - 1;
	if (rest < argc)
		return fail(EXIT_USAGE, "box: '%s' is too much; see 'iorig box -h'", argv[rest]);
	if (opt.watchdog_s) {
		if (opt.watchdog_s < 5 || opt.watchdog_s > 600)
			return fail(EXIT_USAGE, "box: --feed-watchdog is from 5 to 600 seconds");
		return watchdog_feed(opt.watchdog_s, DEADLINE, WATCHDOG_FACTS);
	}
	rc = check();
	if (rc != EXIT_DONE)
		return rc;
	snprintf(stall_s, sizeof(stall_s), "%llu", (unsigned long long)(opt.stall_ns / 1000000000ULL));
	const char *variables[][2] = {{"IORIG_SERVER", opt.server}, {"IORIG_BOX", opt.box}, {"IORIG_STATE", opt.state},
				      {"IORIG_SWEEP", opt.sweep}, {"IORIG_END", opt.end}, {"IORIG_STALL_S", stall_s},
				      {"IORIG_TOKEN_FILE", opt.token_file}, {"IORIG_DEADLINE", DEADLINE},
				      {"IORIG_WATCHDOG_FACTS", WATCHDOG_FACTS}, {"IORIG_PROGRAM", proc_self()}};
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		setenv(variables[i][0], variables[i][1], 1);
	return script_become("box.sh", (const char *const[]){NULL});
}

static const struct option_row rows[] = {
	{"server", 0, "URL", OPT_STRING, &opt.server, "where 'iorig serve' is, http://ADDR:PORT"},
	{"box", 0, "ID", OPT_STRING, &opt.box, "our name there"},
	{"state", 0, "DIR", OPT_STRING, &opt.state, "recording, sweep directory and spool (/run/iorig/box)"},
	{"sweep", 0, "NAME", OPT_STRING, &opt.sweep, "take no other sweep than this"},
	{"end", 0, "WHAT", OPT_STRING, &opt.end, "poweroff, reboot or wait; wins over the assignment"},
	{"stall", 0, "DUR", OPT_DURATION, &opt.stall_ns, "longest time without progress (1h)"},
	{"token-file", 0, "FILE", OPT_STRING, &opt.token_file, "the upload token (the chassis asset tag)"},
	{"feed-watchdog", 0, "S", OPT_U64, &opt.watchdog_s, "only feed /dev/watchdog, timeout S, while there is progress"},
	{0}};

const struct command cmd_box = {
	.name = "box",
	.synopsis = "--server URL --box ID [--end poweroff|reboot|wait] ... | --feed-watchdog S",
	.summary = "the agent of a test box: fetch a sweep, run it, upload every run",
	.group = "box",
	.options = rows,
	.run = run_box,
};
