#include "lib/why.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int why_set(char **why, int rc, const char *fmt, ...)
{
	char *text;
	va_list ap;

	if (!why)
		return rc;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	free(*why);
	*why = text;
	return rc;
}
