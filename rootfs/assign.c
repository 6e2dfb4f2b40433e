/* `iorig serve assign`: gives a box its work. */
#include <errno.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/exitcode.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "lib/proc.h"
#include "lib/sha256.h"
#include "rootfs/layout.h"
#include "rootfs/serve.h"

static int check(const struct assign_options *o)
{
	if (!o->box || !o->sweep || !o->trace)
		return fail(EXIT_USAGE, "serve assign: --box, --sweep and --trace are needed; see 'iorig serve -h'");
	if (!layout_box_valid(o->box))
		return fail(EXIT_USAGE, "serve assign: '%s' is no box id: its MAC with hyphens (52-54-00-10-00-01), or letters, digits, '_.-'", o->box);
	if (strcmp(o->end, "poweroff") && strcmp(o->end, "reboot") && strcmp(o->end, "wait"))
		return fail(EXIT_USAGE, "serve assign: --end is poweroff, reboot or wait, not '%s'", o->end);
	if (o->token && !layout_token_valid(o->token))
		return fail(EXIT_USAGE, "serve assign: a token has 16 to 64 letters, digits, '_' or '-'");
	return EXIT_DONE;
}

/* What `iorig sweep plan` does not take here would fail on the box, at night. */
static int check_plan(const struct assign_options *o)
{
	struct proc_result r;
	int rc = EXIT_DONE;

	if (proc_run((const char *const[]){proc_self(), "sweep", "plan", o->sweep, "--trace", o->trace, "--json", NULL}, NULL, &r))
		return fail(EXIT_FAILED, "cannot start 'iorig sweep plan'");
	if (r.status)
		rc = fail(EXIT_FAILED, "serve assign: nothing was assigned: %s", proc_last_words(&r));
	proc_release(&r);
	return rc;
}

/* The sweep as it will be served: bound to the recording by its sum. */
static int bind_sweep(const struct assign_options *o, const char *trace_sha256, json_t **bound)
{
	_cleanup_free_ char *why = NULL;
	json_t *sweep = json_read(o->sweep, "iorig.sweep/1", &why), *trace;
	const char *name, *sum;

	if (!sweep)
		return fail(EXIT_FAILED, "serve assign: %s", why ? why : o->sweep);
	*bound = sweep;
	name = json_text(sweep, "name", "");
	if (!layout_box_valid(name))
		return fail(EXIT_FAILED, "serve assign: %s: 'name' is '%s'; it may have letters, digits, '-', '_' and '.' only", o->sweep, name);
	trace = json_object_get(sweep, "trace");
	if (!json_is_object(trace))
		json_object_set_new(sweep, "trace", trace = json_object());
	sum = json_text(trace, "sha256", NULL);
	if (sum && strcmp(sum, trace_sha256))
		return fail(EXIT_FAILED, "serve assign: %s: 'trace.sha256' is %.12s... but %s has %.12s...: this is another recording", o->sweep, sum,
			    o->trace, trace_sha256);
	json_object_set_new(trace, "sha256", json_string(trace_sha256));
	return EXIT_DONE;
}

/* A box that already has results of another sweep of this name would mix the two. */
static int check_results(const struct assign_options *o, const char *name, const char *sweep_sha256)
{
	_cleanup_free_ char *path = NULL, *why = NULL;
	_cleanup_json_ json_t *before = NULL;

	if (asprintf(&path, "%s/results/%s/%s/assignment.json", o->dir, o->box, name) < 0)
		return EXIT_FAILED;
	if (access(path, F_OK))
		return EXIT_DONE;
	before = json_read(path, "iorig.assignment/1", &why);
	if (before && !strcmp(json_text(before, "sweep_sha256", ""), sweep_sha256))
		return EXIT_DONE;
	return fail(EXIT_REFUSED, "serve assign: %s/results/%s/%s holds results of another sweep of that name; move them away or rename the sweep",
		    o->dir, o->box, name);
}

static int store_trace(const struct assign_options *o, const char *sha256)
{
	_cleanup_free_ char *to = NULL, *part = NULL;
	struct proc_result r;
	int rc = EXIT_FAILED;

	if (asprintf(&to, "%s/traces/%s", o->dir, sha256) < 0 || asprintf(&part, "%s/conf/tmp/%s", o->dir, sha256) < 0)
		return EXIT_FAILED;
	if (!access(to, R_OK))
		return EXIT_DONE;
	if (proc_run((const char *const[]){"cp", "--reflink=auto", "--", o->trace, part, NULL}, NULL, &r))
		return fail(EXIT_FAILED, "cannot start cp");
	if (r.status)
		fail(EXIT_FAILED, "cannot copy %s to %s: %s", o->trace, to, proc_last_words(&r));
	else if (chmod(part, 0644) || layout_give(o->dir, part) || rename(part, to))
		fail(EXIT_FAILED, "%s: %s", to, strerror(errno));
	else
		rc = EXIT_DONE;
	proc_release(&r);
	return rc;
}

/* The token that the box already has, or false. */
static bool token_there(const char *folder, char token[65])
{
	DIR *d = opendir(folder);
	bool found = false;

	for (struct dirent *e; d && !found && (e = readdir(d));)
		if ((found = layout_token_valid(e->d_name)))
			memcpy(token, e->d_name, strlen(e->d_name) + 1);
	if (d)
		closedir(d);
	return found;
}

/* conf/tokens/BOX/TOKEN: an empty file whose name is all that counts. */
static int register_token(const struct assign_options *o, char token[65])
{
	_cleanup_free_ char *folder = NULL, *path = NULL, *old = NULL;
	unsigned char random[16];
	bool there;

	if (asprintf(&folder, "%s/conf/tokens/%s", o->dir, o->box) < 0)
		return EXIT_FAILED;
	if ((mkdir(folder, 0700) && errno != EEXIST) || layout_give(o->dir, folder))
		return fail(EXIT_FAILED, "%s: %s", folder, strerror(errno));
	there = token_there(folder, token);
	if (there && (!o->token || !strcmp(o->token, token)))
		return EXIT_DONE;
	if (there && asprintf(&old, "%s/%s", folder, token) > 0)
		unlink(old);
	if (o->token)
		snprintf(token, 65, "%s", o->token);
	else if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return fail(EXIT_FAILED, "serve assign: the kernel has no random bytes for a token");
	for (size_t i = 0; !o->token && i < sizeof(random); i++)
		sprintf(token + 2 * i, "%02x", random[i]);
	if (asprintf(&path, "%s/%s", folder, token) < 0 || outfile_write(path, "", 0) || layout_give(o->dir, path))
		return fail(EXIT_FAILED, "serve assign: cannot write the token into %s", folder);
	return EXIT_DONE;
}

static int write_document(const struct assign_options *o, const char *folder, const char *name, const char *suffix, json_t *doc)
{
	char path[4096];
	int rc;

	snprintf(path, sizeof(path), "%s/%s/%s%s", o->dir, folder, name, suffix);
	rc = json_write(path, doc);
	if (!rc && !chmod(path, 0644))
		rc = layout_give(o->dir, path);
	return rc ? fail(EXIT_FAILED, "%s: %s", path, strerror(-rc)) : EXIT_DONE;
}

/* Serves the sweep unless that would mix results; its sum is the served file's, which the box compares. */
static int store_sweep(const struct assign_options *o, json_t *sweep, char sha256[SHA256_HEX])
{
	const char *name = json_text(sweep, "name", "");
	char part[4096], to[4096];
	int rc;

	snprintf(part, sizeof(part), "%s/conf/tmp/%s.sweep.json", o->dir, name);
	snprintf(to, sizeof(to), "%s/sweeps/%s.sweep.json", o->dir, name);
	if (write_document(o, "conf/tmp", name, ".sweep.json", sweep))
		return EXIT_FAILED;
	rc = sha256_file(part, sha256);
	if (rc)
		return fail(EXIT_FAILED, "%s: %s", part, strerror(-rc));
	rc = check_results(o, name, sha256);
	if (rc != EXIT_DONE) {
		unlink(part);
		return rc;
	}
	return rename(part, to) ? fail(EXIT_FAILED, "%s: %s", to, strerror(errno)) : EXIT_DONE;
}

int serve_assign(const struct assign_options *o)
{
	char trace_sha256[SHA256_HEX], sweep_sha256[SHA256_HEX], token[65];
	_cleanup_json_ json_t *sweep = NULL, *assignment = NULL;
	_cleanup_free_ char *why = NULL;
	const char *name;
	int rc = check(o);

	if (rc != EXIT_DONE)
		return rc;
	umask(022);
	rc = sha256_file(o->trace, trace_sha256);
	if (rc)
		return fail(EXIT_FAILED, "serve assign: %s: %s", o->trace, strerror(-rc));
	rc = check_plan(o);
	if (rc == EXIT_DONE)
		rc = bind_sweep(o, trace_sha256, &sweep);
	if (rc != EXIT_DONE)
		return rc;
	name = json_text(sweep, "name", "");
	if (layout_make(o->dir, &why))
		return fail(EXIT_FAILED, "serve assign: %s", why ? why : o->dir);
	rc = store_sweep(o, sweep, sweep_sha256);
	if (rc != EXIT_DONE)
		return rc;
	if (store_trace(o, trace_sha256) || register_token(o, token))
		return EXIT_FAILED;
	assignment = json_pack("{ss ss ss ss ss ss}", "schema", "iorig.assignment/1", "box", o->box, "sweep", name, "sweep_sha256", sweep_sha256,
			       "trace_sha256", trace_sha256, "end", o->end);
	if (!assignment || write_document(o, "box", o->box, ".json", assignment))
		return EXIT_FAILED;
	printf("%s\n", token);
	say("box %s runs %s at its next start; the token above goes into its chassis asset tag. Next: iorig serve --dir %s --bind ADDR --pxe --interface IF",
	    o->box, name, o->dir);
	return EXIT_DONE;
}
