#include "lib/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/command.h"
#include "lib/log.h"

struct unit {
	const char *suffix;
	uint64_t factor;
};

static const struct unit size_units[] = {
	{"", 1}, {"b", 1}, {"k", 1ULL << 10}, {"m", 1ULL << 20}, {"g", 1ULL << 30}, {"t", 1ULL << 40},
	{"kib", 1ULL << 10}, {"mib", 1ULL << 20}, {"gib", 1ULL << 30}, {"tib", 1ULL << 40}, {0}};
static const struct unit duration_units[] = {
	{"", 1000000000ULL}, {"ns", 1}, {"us", 1000}, {"ms", 1000000}, {"s", 1000000000ULL},
	{"m", 60000000000ULL}, {"min", 60000000000ULL}, {"h", 3600000000000ULL}, {"d", 86400000000000ULL}, {0}};

static int parse_with_unit(const char *text, const struct unit *units, uint64_t *value)
{
	char *end;
	double number;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	number = strtod(text, &end);
	if (errno || number < 0)
		return -EINVAL;
	for (const struct unit *u = units; u->suffix; u++) {
		if (strcasecmp(end, u->suffix))
			continue;
		if (!strchr(text, '.')) {
			errno = 0;
			return __builtin_mul_overflow(strtoull(text, NULL, 10), u->factor, value) || errno ? -EINVAL : 0;
		}
		if (number * (double)u->factor >= 18446744073709551615.0)
			return -EINVAL;
		*value = (uint64_t)(number * (double)u->factor);
		return 0;
	}
	return -EINVAL;
}

int parse_size(const char *text, uint64_t *bytes)
{
	return parse_with_unit(text, size_units, bytes);
}

int parse_duration(const char *text, uint64_t *ns)
{
	return parse_with_unit(text, duration_units, ns);
}

int parse_u64(const char *text, uint64_t *value)
{
	char *end;

	if (!text || *text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*value = strtoull(text, &end, 0);
	return errno || *end ? -EINVAL : 0;
}

static int store(const struct option_row *row, const char *text)
{
	char *end;

	switch (row->type) {
	case OPT_FLAG: *(bool *)row->where = true; return 0;
	case OPT_STRING: *(const char **)row->where = text; return 0;
	case OPT_U64: return parse_u64(text, row->where);
	case OPT_SIZE: return parse_size(text, row->where);
	case OPT_DURATION: return parse_duration(text, row->where);
	case OPT_DOUBLE:
		*(double *)row->where = strtod(text, &end);
		return end == text || *end ? -EINVAL : 0;
	case OPT_LIST: {
		struct option_list *list = row->where;

		if (list->n == sizeof(list->item) / sizeof(list->item[0]))
			return -E2BIG;
		list->item[list->n++] = text;
		return 0;
	}
	}
	return -EINVAL;
}

int options_parse(const struct command *cmd, int argc, char **argv)
{
	static const struct option_row none[] = {{0}};
	const struct option_row *rows = cmd->options ? cmd->options : none;
	struct option longs[64] = {{0}};
	char shorts[160] = ":h";
	size_t n = 0;
	int c, which = 0;

	for (; n < 62 && rows[n].name; n++) {
		longs[n] = (struct option){rows[n].name, rows[n].metavar ? required_argument : no_argument, NULL,
					   256 + (int)n};
		if (rows[n].letter) {
			size_t at = strlen(shorts);

			shorts[at] = rows[n].letter;
			if (rows[n].metavar)
				shorts[at + 1] = ':';
		}
	}
	longs[n] = (struct option){"help", no_argument, NULL, 'h'};
	optind = 0;
	opterr = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, &which)) != -1) {
		const struct option_row *row = NULL;

		if (c == 'h')
			return -command_help(cmd) - 1;
		if (c == '?' || c == ':')
			return -fail(EXIT_USAGE, "%s: %s '%s'; see 'iorig %s -h'", cmd->name,
				     c == ':' ? "a value is missing after" : "unknown option", argv[optind - 1],
				     cmd->name) - 1;
		for (size_t i = 0; rows[i].name && !row; i++)
			if (c == 256 + (int)i || (rows[i].letter && c == rows[i].letter))
				row = &rows[i];
		if (!row || store(row, optarg))
			return -fail(EXIT_USAGE, "%s: '%s' is no good value for --%s", cmd->name, optarg ? optarg : "",
				     row ? row->name : "?") - 1;
	}
	return optind;
}

int command_help(const struct command *cmd)
{
	printf("usage: iorig %s %s\n\n%s\n", cmd->name, cmd->synopsis, cmd->summary);
	for (const struct option_row *row = cmd->options; row && row->name; row++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s--%s %s", row->letter ? '-' : ' ', row->letter ? row->letter : ' ',
			 row->letter ? ", " : "  ", row->name, row->metavar ? row->metavar : "");
		printf("%s  %-28s %s\n", row == cmd->options ? "\n" : "", left, row->help);
	}
	printf("\n'iorig help %s' shows the manual page.\n", cmd->name);
	return EXIT_DONE;
}
