#pragma once
#include "lib/options.h"

/*
 * A verb of the command line. It stands at the bottom of the file that implements it and is
 * listed once in bin/iorig.c, which is all a new verb needs.
 */
struct command {
	const char *name;            /* "capture" */
	const char *synopsis;        /* "-o FILE [-d DURATION] [-- CMD...]" */
	const char *summary;         /* one line for `iorig help` */
	const char *group;           /* "capture", "trace", "replay", "sweep", "results" or "box" */
	const struct option_row *options; /* ends with an empty row; may be NULL */
	/* Gets argv as main() would, argv[0] being the verb. Returns an enum exit_code. */
	int (*run)(const struct command *self, int argc, char **argv);
};

/* Prints synopsis and options of the verb to stdout (for -h) and returns EXIT_DONE. */
int command_help(const struct command *cmd);
