/*
 * iorig: finds the storage tuning that makes your own workload fastest without giving up the durability you need.
 *
 * The dispatcher. Each verb stands at the bottom of the file that implements it; this table is the map.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/command.h"
#include "lib/log.h"

/* One line a verb: tests/program/cli.bats reads this list. */
extern const struct command cmd_capture;
extern const struct command cmd_doctor;
extern const struct command cmd_trace;
extern const struct command cmd_replay;
extern const struct command cmd_disks;
extern const struct command cmd_profile;
extern const struct command cmd_sweep;
extern const struct command cmd_report;
extern const struct command cmd_compare;
extern const struct command cmd_export;
extern const struct command cmd_image;
extern const struct command cmd_serve;
extern const struct command cmd_box;

static const struct command *const commands[] = {
	&cmd_capture,
	&cmd_doctor,
	&cmd_trace,
	&cmd_replay,
	&cmd_disks,
	&cmd_profile,
	&cmd_sweep,
	&cmd_report,
	&cmd_compare,
	&cmd_export,
	&cmd_image,
	&cmd_serve,
	&cmd_box,
	NULL,
};

static int usage(FILE *to)
{
	const char *group = "";

	fprintf(to, "usage: iorig VERB [OPTIONS] [ARGUMENTS]\n");
	for (size_t i = 0; commands[i]; i++) {
		if (strcmp(group, commands[i]->group))
			fprintf(to, "\n%s\n", group = commands[i]->group);
		fprintf(to, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
	}
	fprintf(to, "\n'iorig VERB -h' is short help, 'iorig help VERB' the manual page.\n");
	return to == stdout ? EXIT_DONE : EXIT_USAGE;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; commands[i]; i++)
		if (!strcmp(commands[i]->name, name))
			return commands[i];
	return NULL;
}

static int help(int argc, char **argv)
{
	char page[128];

	if (argc < 2)
		return usage(stdout);
	if (!find(argv[1]))
		return fail(EXIT_USAGE, "there is no verb '%s'; see 'iorig help'", argv[1]);
	snprintf(page, sizeof(page), "iorig-%s", argv[1]);
	execlp("man", "man", page, (char *)NULL);
	return command_help(find(argv[1]));
}

static int dispatch(int argc, char **argv)
{
	const struct command *cmd;

	if (argc < 2)
		return usage(stderr);
	if (!strcmp(argv[1], "-h") || !strcmp(argv[1], "--help"))
		return usage(stdout);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version"))
		return printf("iorig %s\n", IORIG_VERSION) > 0 ? EXIT_DONE : EXIT_FAILED;
	if (!strcmp(argv[1], "help"))
		return help(argc - 1, argv + 1);
	cmd = find(argv[1]);
	if (!cmd)
		return fail(EXIT_USAGE, "there is no verb '%s'; see 'iorig help'", argv[1]);
	return cmd->run(cmd, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	int rc = dispatch(argc, argv);

	/* A full disk behind stdout is an error too. */
	if ((fflush(stdout) || ferror(stdout)) && rc == EXIT_DONE)
		rc = fail(EXIT_FAILED, "cannot write the output: the standard output is full or closed");
	return rc;
}
