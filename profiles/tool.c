#include "profiles/tool.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/proc.h"
#include "lib/why.h"

#define TOOL_TIMEOUT_NS 120000000000ULL

const char *const tool_environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", NULL};

static void note(json_t *log, const char *const argv[])
{
	char line[2048];
	size_t n = 0;

	for (size_t i = 0; argv[i] && n < sizeof(line) - 1; i++) {
		int wrote = snprintf(line + n, sizeof(line) - n, "%s%s", i ? " " : "", argv[i]);

		n += wrote > 0 ? (size_t)wrote : 0;
	}
	json_array_append_new(log, json_string(line));
}

/* The whole complaint in one line: its first line may be the point, or its last. */
static char *complaint(struct proc_result *result)
{
	static char none[] = "it said nothing";
	char *text = result->err && result->err[strspn(result->err, " \n\t")] ? result->err : result->out, *to = text;

	if (!text || !text[strspn(text, " \n\t")])
		return none;
	for (const char *from = text; *from && to - text < 400; from++) {
		bool blank = *from == ' ' || *from == '\n' || *from == '\t' || *from == '\r';

		if (!blank)
			*to++ = *from;
		else if (to > text && to[-1] != ' ')
			*to++ = ' ';
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = 0;
	return text;
}

int tool_run(const char *const argv[], json_t *log, char **out, char **why)
{
	struct proc_options options = {.timeout_ns = TOOL_TIMEOUT_NS, .environment = tool_environment};
	struct proc_result result;
	int rc;

	if (log)
		note(log, argv);
	if (out)
		*out = NULL;
	rc = proc_run(argv, &options, &result);
	if (rc)
		return why_set(why, rc, "cannot start %s: %s", argv[0], strerror(-rc));
	if (result.status == 127)
		rc = why_set(why, -ENOENT, "%s is not installed here", argv[0]);
	else if (result.status == 124)
		rc = why_set(why, -ETIMEDOUT, "%s took longer than two minutes", argv[0]);
	else if (result.status >= 128)
		rc = why_set(why, -EINTR, "%s was ended by signal %d", argv[0], result.status - 128);
	if (!rc && result.status)
		rc = why_set(why, -EPROTO, "%s", complaint(&result));
	if (out) {
		*out = result.out;
		result.out = NULL;
	}
	proc_release(&result);
	return rc;
}
