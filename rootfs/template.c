#include "rootfs/template.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/outfile.h"

#define NAME_MAX_BYTES 32

static int explain(char **why, int rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int explain(char **why, int rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(why, fmt, ap) < 0)
		*why = NULL;
	va_end(ap);
	return rc;
}

static const char *value_of(const struct template_value *values, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(values[i].name, name))
			return values[i].value;
	return NULL;
}

/* The name behind an '@' at text, up to its closing '@'; false when this is just an '@'. */
static int name_at(const char *text, char name[NAME_MAX_BYTES])
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz_");

	if (!n || n >= NAME_MAX_BYTES || text[n] != '@')
		return 0;
	memcpy(name, text, n);
	name[n] = 0;
	return 1;
}

static int line_write(const char *line, FILE *to, const struct template_value *values, size_t n, const char **unknown)
{
	static char name[NAME_MAX_BYTES];
	const char *value;

	for (; *line; line++) {
		if (*line != '@' || !name_at(line + 1, name)) {
			fputc(*line, to);
			continue;
		}
		value = value_of(values, n, name);
		if (!value) {
			*unknown = name;
			return -EINVAL;
		}
		fputs(value, to);
		line += strlen(name) + 1;
	}
	return 0;
}

int template_write(const char *from, const char *to, const struct template_value *values, size_t n, char **why)
{
	_cleanup_fclose_ FILE *in = fopen(from, "re");
	_cleanup_free_ char *line = NULL;
	const char *unknown = NULL;
	struct outfile out;
	size_t room = 0;
	int rc;

	if (!in)
		return explain(why, -errno, "%s: %s", from, strerror(errno));
	for (size_t i = 0; i < n; i++)
		for (const char *c = values[i].value; *c; c++)
			if (iscntrl((unsigned char)*c) && *c != '\n')
				return explain(why, -EINVAL, "the value of '%s' has a control character", values[i].name);
	rc = outfile_open(&out, to);
	if (rc)
		return explain(why, rc, "%s: %s", to, strerror(-rc));
	while (!rc && getline(&line, &room, in) >= 0)
		rc = line_write(line, out.stream, values, n, &unknown);
	if (unknown)
		explain(why, rc, "%s: there is no value for @%s@", from, unknown);
	else if ((rc = outfile_commit(&out)))
		explain(why, rc, "%s: %s", to, strerror(-rc));
	outfile_abandon(&out);
	return rc;
}
