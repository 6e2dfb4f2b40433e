#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * One table describes a verb's options: it drives parsing and -h, and a test holds it against the man page.
 *
 *	static struct { const char *out; uint64_t duration_ns; bool json; struct option_list pids; } opt;
 *	static const struct option_row rows[] = {
 *		{"output", 'o', "FILE", OPT_STRING, &opt.out, "where the trace goes"},
 *		{"duration", 'd', "DUR", OPT_DURATION, &opt.duration_ns, "stop after DUR (90s, 5m, 1h)"},
 *		{"json", 0, NULL, OPT_FLAG, &opt.json, "machine-readable output"},
 *		{0}};
 *	int rest = options_parse(cmd, argc, argv);     // index of the first argument that is no option
 *	if (rest < 0) return -rest - 1;                // an exit code, after -h or a usage error was printed
 *
 * Options and arguments may be mixed; "--" ends the options and stays out of the arguments.
 */
enum option_type {
	OPT_FLAG,     /* bool: set to true */
	OPT_STRING,   /* const char *: points into argv */
	OPT_U64,      /* uint64_t: a plain number */
	OPT_DOUBLE,   /* double */
	OPT_SIZE,     /* uint64_t bytes: 64, 64k, 1MiB, 2G (powers of 1024) */
	OPT_DURATION, /* uint64_t ns: 500ms, 90s, 5m, 1h; a bare number is seconds */
	OPT_LIST      /* struct option_list: may be given several times */
};

struct option_list {
	const char *item[64];
	size_t n;
};

struct option_row {
	const char *name; /* long form without dashes */
	char letter;      /* short form or 0 */
	const char *metavar; /* NULL for a flag */
	enum option_type type;
	void *where;
	const char *help;
};

struct command;
/* Permutes argv so that the arguments come last; returns the index of the first, or -(exit code) - 1. */
int options_parse(const struct command *cmd, int argc, char **argv);

/* Text to number; return 0 or -EINVAL. Threads: any. */
int parse_size(const char *text, uint64_t *bytes);
int parse_duration(const char *text, uint64_t *ns);
int parse_u64(const char *text, uint64_t *value);
