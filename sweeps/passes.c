#include "sweeps/passes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/why.h"

enum { NAME_ROOM = 4400 };

struct pass {
	int64_t number, elapsed_ns, ranked_ns;
};

static void name_of(char name[NAME_ROOM], const char *folder, int64_t n, const char *kind)
{
	if (n)
		snprintf(name, NAME_ROOM, "%s/pass-%lld.%s", folder, (long long)n, kind);
	else
		snprintf(name, NAME_ROOM, "%s/run.%s", folder, kind);
}

int passes_keep(const char *folder, int64_t n)
{
	char from[NAME_ROOM], to[NAME_ROOM];
	int rc = 0;

	for (int i = 0; i < 2 && !rc; i++) {
		name_of(from, folder, 0, i ? "hist" : "json");
		name_of(to, folder, n, i ? "hist" : "json");
		rc = rename(from, to) ? -errno : 0;
	}
	return rc;
}

static int by_time(const void *a, const void *b)
{
	const struct pass *x = a, *y = b;

	return x->ranked_ns != y->ranked_ns ? x->ranked_ns < y->ranked_ns ? -1 : 1 : (x->number > y->number) - (x->number < y->number);
}

static int read_pass(struct pass *p, const char *folder, int64_t n, int with_sync, char **why)
{
	_cleanup_json_ json_t *doc = NULL;
	char name[NAME_ROOM];

	name_of(name, folder, n, "json");
	doc = json_read(name, "iorig.run/1", why);
	*p = (struct pass){.number = n, .elapsed_ns = json_int(doc, "elapsed_ns", -1)};
	p->ranked_ns = p->elapsed_ns + (with_sync ? json_int(doc, "sync_ns", 0) : 0);
	return doc && p->elapsed_ns >= 0 ? 0 : -EINVAL;
}

static int take(const char *folder, int64_t n)
{
	char from[NAME_ROOM], to[NAME_ROOM];
	int rc = 0;

	for (int i = 0; i < 2 && !rc; i++) {
		name_of(from, folder, n, i ? "hist" : "json");
		name_of(to, folder, 0, i ? "hist" : "json");
		rc = link(from, to) ? -errno : 0;
	}
	return rc;
}

int passes_choose(const char *folder, int64_t n, int with_sync, json_t **facts, char **why)
{
	_cleanup_free_ struct pass *pass = calloc((size_t)n, sizeof(*pass));
	json_t *elapsed = json_array();
	int rc = pass && elapsed ? 0 : -ENOMEM;

	for (int64_t i = 0; i < n && !rc; i++) {
		rc = read_pass(&pass[i], folder, i + 1, with_sync, why);
		json_array_append_new(elapsed, json_integer((json_int_t)pass[i].elapsed_ns));
	}
	if (!rc) {
		qsort(pass, (size_t)n, sizeof(*pass), by_time);
		rc = take(folder, pass[(n - 1) / 2].number);
	}
	if (rc) {
		json_decref(elapsed);
		return *why ? rc : why_set(why, rc, "cannot choose among the passes in '%s'", folder);
	}
	*facts = json_pack("{sI so}", "pass", (json_int_t)pass[(n - 1) / 2].number, "passes_ns", elapsed);
	return 0;
}
