/*
 * Hostile sweep file, profile and catalogue of knobs: refused with a reason, or a plan comes out that checks. The catalogue is the shipped
 * one unless the input has another.
 */
#include <sys/stat.h>

#include "profiles/profile.h"
#include "sweeps/plan.h"
#include "tests/fuzz/json_input.h"

static const char *const known[] = {"s.sweep.json", "p.profile.json", "knobs.json", NULL};

/* Every failure has its line; control bytes in it are made harmless when it is said. */
static void must_say(int rc, char **why)
{
	if (rc && (!*why || !**why))
		abort();
	free(*why);
	*why = NULL;
}

static void plan_sweep(const struct knobs *knobs, const char *path, const char *trace)
{
	struct sweep sweep;
	struct cells cells;
	char *why = NULL;
	int rc = sweepfile_read(path, trace, knobs, &sweep, &why);

	must_say(rc, &why);
	if (rc)
		return;
	rc = cells_expand(&sweep, knobs, &cells, &why);
	must_say(rc, &why);
	if (!rc) {
		json_t *plan = plan_make(&sweep, &cells, "0"), *frozen = sweepfile_frozen(&sweep);

		if (!plan || plan_check(plan, &why)) {
			fprintf(stderr, "the plan: %s\n", why ? why : "none");
			abort();
		}
		json_decref(plan);
		json_decref(frozen);
		cells_release(&cells);
	}
	sweepfile_release(&sweep);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct knobs *shipped;
	json_t *files = json_loadb((const char *)data, n, 0, NULL), *resolved;
	struct knobs *own = NULL;
	char path[128], trace[128], *why = NULL;
	int rc;

	if (!shipped) {
		setenv("IORIG_SHARE", ".", 1);
		if (knobs_load("profiles/knobs.json", &shipped, &why))
			abort();
	}
	if (!json_is_object(files)) {
		json_decref(files);
		return -1;
	}
	write_documents(files, known);
	snprintf(trace, sizeof(trace), "%s/p.profile.json", scratch_folder()); /* any file will do */
	if (json_object_get(files, "knobs.json")) {
		snprintf(path, sizeof(path), "%s/knobs.json", scratch_folder());
		rc = knobs_load(path, &own, &why);
		must_say(rc, &why);
	}
	snprintf(path, sizeof(path), "%s/p.profile.json", scratch_folder());
	rc = profile_load(own ? own : shipped, path, &resolved, &why);
	must_say(rc, &why);
	if (!rc) {
		struct durability d;

		knobs_durability(own ? own : shipped, json_object_get(resolved, "set"), &d, NULL);
		free(knobs_unsupported(own ? own : shipped, json_object_get(resolved, "set")));
		rc = profile_needs(resolved, 1, &why);
		must_say(rc, &why);
		json_decref(resolved);
	}
	snprintf(path, sizeof(path), "%s/s.sweep.json", scratch_folder());
	plan_sweep(own ? own : shipped, path, trace);
	knobs_free(own);
	json_decref(files);
	return 0;
}
