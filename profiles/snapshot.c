#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "profiles/kernelfile.h"
#include "profiles/machine.h"

static void take(json_t *into, const char *pattern)
{
	glob_t g;

	if (glob(pattern, 0, NULL, &g))
		return;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		_cleanup_free_ char *text = NULL;

		/* reading stat_refresh is an action, and some files cannot be read at all */
		if (strstr(g.gl_pathv[i], "stat_refresh") || kernel_read(g.gl_pathv[i], &text))
			continue;
		json_object_set_new(into, g.gl_pathv[i], json_string(text));
	}
	globfree(&g);
}

json_t *snapshot_take(const struct stage *s)
{
	json_t *all = json_object();
	const char *top = s->top ? strrchr(s->top, '/') : NULL;
	char pattern[256];

	for (size_t i = 0; i <= s->n; i++) {
		const char *disk = i < s->n ? s->leaves[i] : top ? top + 1 : "";

		for (int deep = 0; deep < 2; deep++) {
			snprintf(pattern, sizeof(pattern), "/sys/block/%s/queue/%s*", disk, deep ? "iosched/" : "");
			if (*disk)
				take(all, pattern);
		}
	}
	take(all, "/proc/sys/vm/*");
	return all;
}

json_t *snapshot_compare(const json_t *was, const json_t *is, const json_t *except)
{
	json_t *moved = json_array(), *value;
	const char *file;

	json_object_foreach((json_t *)was, file, value) {
		const char *now = json_text(is, file, NULL);

		if (!now || !strcmp(now, json_string_value(value)) || json_object_get(except, file))
			continue;
		json_array_append_new(moved, json_pack("{s:s,s:O,s:s}", "file", file, "was", value, "is", now));
	}
	return moved;
}
