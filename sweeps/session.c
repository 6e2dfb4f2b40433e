#include "sweeps/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "lib/stop.h"
#include "lib/why.h"
#include "profiles/profile.h"
#include "sweeps/box.h"
#include "sweeps/plan.h"

static char *in_folder(const struct session *s, const char *name)
{
	char *path;

	return asprintf(&path, "%s/%s", s->folder, name) < 0 ? NULL : path;
}

static int begin_common(struct session *s, const struct session_options *options, char **why)
{
	*s = (struct session){.options = *options, .lock = -1, .machine_lock = -1};
	return knobs_load(NULL, &s->knobs, why);
}

/* s->folder and s->mount_point are set only when the folder is ours: session_end tidies up in there. */
static int lock_folder(struct session *s, char **why)
{
	_cleanup_free_ char *folder = realpath(s->options.folder, NULL);

	if (!folder)
		return why_set(why, -errno, "'%s': %s", s->options.folder, strerror(errno));
	s->lock = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return why_set(why, -errno, "'%s': %s", folder, strerror(errno));
	if (flock(s->lock, LOCK_EX | LOCK_NB))
		return why_set(why, -EBUSY, "'%s' is in use by another runner; wait for it or stop it first", folder);
	s->folder = strdup(folder);
	s->mount_point = in_folder(s, "mnt");
	return s->mount_point ? 0 : -ENOMEM;
}

/* One sweep at a time; the next waits for its turn. The file names the folder of the one that is at work. */
static int lock_machine(struct session *s, char **why)
{
	const char *path = "/run/iorig-sweep.lock";
	char holder[4096] = "";
	bool said = false;

	make_directories("/run");
	s->machine_lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (s->machine_lock < 0)
		return why_set(why, -errno, "cannot open '%s': %s", path, strerror(errno));
	while (flock(s->machine_lock, LOCK_EX | LOCK_NB)) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return why_set(why, -errno, "cannot lock '%s': %s", path, strerror(errno));
		if (!said && pread(s->machine_lock, holder, sizeof(holder) - 1, 0) >= 0)
			say("waiting for the sweep in '%s' to end: two would change each other's settings", holder);
		said = true;
		if (stop_requested())
			return why_set(why, -EINTR, "stopped while another sweep was at work");
		clock_sleep_ns(200000000);
	}
	if (ftruncate(s->machine_lock, 0) || pwrite(s->machine_lock, s->options.folder, strlen(s->options.folder), 0) < 0)
		return why_set(why, -errno, "cannot write '%s': %s", path, strerror(errno));
	return 0;
}

static int open_undo(struct session *s, char **why)
{
	_cleanup_free_ char *path = in_folder(s, "undo.ndjson");

	return undo_open(path, &s->undo, why);
}

/* ---- a new sweep ------------------------------------------------------------------------------------------------------------------ */

static int write_document(const struct session *s, const char *name, const json_t *doc, char sha256[SHA256_HEX], char **why)
{
	_cleanup_free_ char *path = in_folder(s, name), *text = plan_text(doc);
	int rc = text ? outfile_write(path, text, strlen(text)) : -ENOMEM;

	if (rc)
		return why_set(why, rc, "cannot write '%s': %s", path, strerror(-rc));
	if (sha256)
		sha256_text(text, strlen(text), sha256);
	return 0;
}

static int freeze(struct session *s, const struct cells *cells, char **why)
{
	_cleanup_json_ json_t *frozen = sweepfile_frozen(&s->sweep);
	char sweep_sha256[SHA256_HEX];
	int rc = write_document(s, "sweep.json", frozen, sweep_sha256, why);

	if (rc)
		return rc;
	s->plan = plan_make(&s->sweep, cells, sweep_sha256);
	rc = write_document(s, "plan.json", s->plan, s->plan_sha256, why);
	if (!rc)
		rc = journal_open(s->folder, &s->journal, why);
	if (rc)
		return rc;
	s->journal.program = s->options.program;
	rc = journal_add(&s->journal, "plan", json_pack("{ss sI}", "plan_sha256", s->plan_sha256, "runs", (json_int_t)plan_runs(s->plan)));
	return rc ? why_set(why, rc, "cannot write '%s': %s", s->journal.path, strerror(-rc)) : 0;
}

/* A folder that holds a sweep is never used for another. */
static int make_folder(const struct session *s, char **why)
{
	_cleanup_free_ char *journal = NULL;
	int rc = make_directories(s->options.folder);

	if (rc)
		return why_set(why, rc, "cannot make '%s': %s", s->options.folder, strerror(-rc));
	if (asprintf(&journal, "%s/runs.ndjson", s->options.folder) < 0)
		return -ENOMEM;
	if (!access(journal, F_OK))
		return why_set(why, -EEXIST, "'%s' holds a sweep already; go on with 'iorig sweep resume %s' or give another --out",
			       s->options.folder, s->options.folder);
	return 0;
}

int session_create(struct session *s, const struct session_options *options, char **why)
{
	struct cells cells = {0};
	struct plan_estimate estimate;
	int rc = begin_common(s, options, why);

	if (!rc)
		rc = sweepfile_read(options->sweep, options->trace, s->knobs, &s->sweep, why);
	if (!rc)
		rc = cells_expand(&s->sweep, s->knobs, &cells, why);
	if (!rc)
		rc = plan_estimate(&s->sweep, NULL, &estimate, why); /* is the trace a trace? */
	if (!rc && s->sweep.needs) {
		_cleanup_json_ json_t *profile = json_pack("{sO}", "needs", s->sweep.needs);

		rc = profile_needs(profile, json_array_size(json_at(s->sweep.doc, "box.disks")), why);
	}
	if (!rc)
		rc = devices_check(&s->sweep, options->erase, why);
	if (!rc)
		rc = lock_machine(s, why);
	if (!rc)
		rc = make_folder(s, why);
	if (!rc)
		rc = lock_folder(s, why);
	if (!rc)
		rc = open_undo(s, why);
	if (!rc)
		rc = freeze(s, &cells, why);
	cells_release(&cells);
	return rc;
}

/* ---- an old one ------------------------------------------------------------------------------------------------------------------- */

/* plan.json is the one that the journal's first line promised, sweep.json the one that the plan was made from. */
static int check_frozen(struct session *s, char **why)
{
	_cleanup_free_ char *sweep = in_folder(s, "sweep.json"), *plan = in_folder(s, "plan.json");
	const json_t *first = json_array_get(s->journal.lines, 0);
	char sweep_sha256[SHA256_HEX];
	int rc;

	if (strcmp(json_text(first, "ev", ""), "plan"))
		return why_set(why, -EINVAL, "'%s' holds no frozen sweep; start one with 'iorig sweep run'", s->folder);
	s->plan = json_read(plan, "iorig.plan/1", why);
	if (!s->plan)
		return -EINVAL;
	rc = sha256_file(plan, s->plan_sha256);
	if (!rc)
		rc = sha256_file(sweep, sweep_sha256);
	if (rc)
		return why_set(why, rc, "cannot read '%s': %s", sweep, strerror(-rc));
	if (strcmp(json_text(first, "plan_sha256", ""), s->plan_sha256))
		return why_set(why, -EINVAL, "'%s' is not the plan that this sweep began with; put the original back", plan);
	if (strcmp(json_text(s->plan, "sweep_sha256", ""), sweep_sha256))
		return why_set(why, -EINVAL, "'%s' is not the sweep that the plan was made from; put the original back", sweep);
	rc = plan_check(s->plan, why);
	if (rc)
		return rc;
	rc = sweepfile_read(sweep, s->options.trace, s->knobs, &s->sweep, why);
	if (!rc && strcmp(s->sweep.trace_sha256, json_text(s->plan, "trace_sha256", "")))
		rc = why_set(why, -EINVAL, "the trace '%s' is not the one that the plan was made for (sha256 differs)", s->sweep.trace);
	return rc;
}

int session_resume(struct session *s, const struct session_options *options, char **why)
{
	_cleanup_free_ char *undo = NULL;
	int rc = begin_common(s, options, why);

	if (!rc)
		rc = lock_folder(s, why);
	if (!rc)
		rc = lock_machine(s, why);
	if (!rc) {
		undo = in_folder(s, "undo.ndjson");
		rc = undo_replay(undo, why); /* first of all: this machine must be as it was */
	}
	if (!rc)
		rc = journal_open(s->folder, &s->journal, why);
	if (!rc)
		rc = check_frozen(s, why);
	if (!rc)
		rc = devices_check(&s->sweep, options->erase, why);
	if (!rc)
		rc = open_undo(s, why);
	s->journal.program = options->program;
	return rc;
}

/* ---- both ------------------------------------------------------------------------------------------------------------------------- */

int session_begin(struct session *s, char **why)
{
	_cleanup_json_ json_t *box = NULL;
	int rc = devices_take(&s->devices, &s->sweep, s->folder, s->options.erase, s->undo, why);

	if (rc)
		return rc;
	box = box_facts((const char *const *)s->devices.name, s->devices.n);
	return write_document(s, "box.json", box, NULL, why);
}

int session_end(struct session *s, char **why)
{
	int rc = 0;

	if (s->undo) {
		rc = undo_back(s->undo, 0, why);
		undo_close(s->undo);
	}
	devices_release(&s->devices);
	if (s->mount_point)
		rmdir(s->mount_point);
	if (s->folder) {
		_cleanup_free_ char *disks = in_folder(s, "disks");

		rmdir(disks);
	}
	journal_close(&s->journal);
	sweepfile_release(&s->sweep);
	knobs_free(s->knobs);
	json_decref(s->plan);
	free(s->mount_point);
	free(s->folder);
	if (s->lock >= 0)
		close(s->lock);
	if (s->machine_lock >= 0)
		close(s->machine_lock);
	*s = (struct session){.lock = -1, .machine_lock = -1};
	return rc;
}
