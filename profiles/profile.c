#include "profiles/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/share.h"
#include "lib/why.h"

#define DEPTH_MAX 16

/* One load: what has been gathered and, against cycles, which files are being read just now. */
struct load {
	const struct knobs *knobs;
	const char *open[DEPTH_MAX];
	size_t depth;
	json_t *chain, *set, *why, *from, *needs;
};

static bool is_file_name(const char *name)
{
	size_t n = strlen(name);

	return strchr(name, '/') || (n > 5 && !strcmp(name + n - 5, ".json"));
}

/* "ext4-safe" beside the profile that inherits it, else the shipped one. Allocated or NULL. */
static char *locate(const char *name, const char *beside)
{
	const char *slash = beside ? strrchr(beside, '/') : NULL;
	char *path = NULL, relative[256];

	if (is_file_name(name))
		return strdup(name);
	if (beside && asprintf(&path, "%.*s%s.profile.json", slash ? (int)(slash - beside + 1) : 0, beside, name) >= 0) {
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	snprintf(relative, sizeof(relative), "profiles/%s.profile.json", name);
	return share_path(relative);
}

/* The settings of one file over what was inherited. */
static int take(struct load *l, const char *path, const json_t *doc, char **why)
{
	const json_t *set = json_object_get(doc, "set"), *reasons = json_object_get(doc, "why"), *needs = json_object_get(doc, "needs");
	const char *name = json_text(doc, "name", NULL), *key;
	_cleanup_free_ char *reason = NULL;
	json_t *value;

	if (!name || !json_is_object(set))
		return why_set(why, -EINVAL, "'%s': a profile has a \"name\" and a \"set\"", path);
	if (knobs_validate(l->knobs, set, &reason))
		return why_set(why, -EINVAL, "'%s': %s", path, reason);
	json_object_foreach((json_t *)reasons, key, value) {
		if (!knobs_entry(l->knobs, key) || !json_is_string(value))
			return why_set(why, -EINVAL, "'%s': \"why\" of '%s' is no text about a knob", path, key);
	}
	json_object_foreach((json_t *)set, key, value) {
		/* a new value does not keep the old one's reason */
		json_object_del(l->why, key);
		if (json_is_null(value)) {
			json_object_del(l->set, key);
			json_object_del(l->from, key);
			continue;
		}
		json_object_set(l->set, key, value);
		json_object_set_new(l->from, key, json_string(name));
	}
	json_object_update(l->why, (json_t *)reasons);
	json_object_update(l->needs, (json_t *)needs);
	json_array_append_new(l->chain, json_string(name));
	return 0;
}

static int load_file(struct load *l, const char *path, json_t **doc_out, char **why)
{
	_cleanup_free_ char *real = realpath(path, NULL), *reason = NULL;
	_cleanup_json_ json_t *doc = json_read(path, "iorig.profile/1", &reason);
	const json_t *parent;
	size_t i;
	int rc;

	if (!doc)
		return why_set(why, -EINVAL, "%s", reason ? reason : "out of memory");
	for (i = 0; real && i < l->depth; i++)
		if (!strcmp(l->open[i], real))
			return why_set(why, -ELOOP, "'%s' inherits itself (by way of '%s')", path, l->open[l->depth - 1]);
	if (!real || l->depth == DEPTH_MAX)
		return why_set(why, -ELOOP, "'%s': profiles inherit more than %d deep", path, DEPTH_MAX);
	l->open[l->depth++] = real;
	json_array_foreach(json_object_get(doc, "inherits"), i, parent) {
		const char *name = json_is_string(parent) ? json_string_value(parent) : "?";
		_cleanup_free_ char *file = locate(name, path);

		if (!file)
			return why_set(why, -ENOENT, "'%s' inherits '%s', which is neither beside it nor a shipped profile", path, name);
		rc = load_file(l, file, NULL, why);
		if (rc)
			return rc;
	}
	l->depth--;
	rc = take(l, path, doc, why);
	if (!rc && doc_out)
		*doc_out = json_incref(doc);
	return rc;
}

int profile_load(const struct knobs *knobs, const char *name_or_file, json_t **resolved, char **why)
{
	_cleanup_free_ char *path = locate(name_or_file, NULL);
	struct load l = {.knobs = knobs, .chain = json_array(), .set = json_object(), .why = json_object(), .from = json_object(),
			 .needs = json_object()};
	_cleanup_json_ json_t *doc = NULL;
	int rc;

	*resolved = NULL;
	if (path)
		rc = load_file(&l, path, &doc, why);
	else
		rc = why_set(why, -ENOENT, "there is no shipped profile '%s'; a file needs a slash or .json in its name", name_or_file);
	if (!rc)
		*resolved = json_pack("{s:s,s:s,s:O,s:O,s:O,s:O,s:O}", "name", json_text(doc, "name", ""), "summary",
				      json_text(doc, "summary", ""), "chain", l.chain, "set", l.set, "why", l.why, "from", l.from, "needs",
				      l.needs);
	json_decref(l.chain);
	json_decref(l.set);
	json_decref(l.why);
	json_decref(l.from);
	json_decref(l.needs);
	return rc ? rc : *resolved ? 0 : why_set(why, -ENOMEM, "out of memory");
}

int profile_needs(const json_t *resolved, size_t disks, char **why)
{
	const json_t *needs = json_object_get(resolved, "needs");
	const char *kernel = json_text(needs, "kernel", ">=0.0"), *name = json_text(resolved, "name", "?");
	json_int_t want = json_int(needs, "disks", 1);
	unsigned major = 0, minor = 0, have_major = 0, have_minor = 0;
	struct utsname u;

	if (disks < (size_t)(want > 0 ? want : 1))
		return why_set(why, -ENOTSUP, "profile '%s' needs %lld disks, here are %zu", name, (long long)want, disks);
	if (sscanf(kernel, ">=%u.%u", &major, &minor) != 2)
		return why_set(why, -EINVAL, "profile '%s': needs.kernel is '%s', it should look like '>=5.10'", name, kernel);
	uname(&u);
	sscanf(u.release, "%u.%u", &have_major, &have_minor);
	if (have_major < major || (have_major == major && have_minor < minor))
		return why_set(why, -ENOTSUP, "profile '%s' needs kernel %s, this is %s", name, kernel, u.release);
	return 0;
}
