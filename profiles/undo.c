#include "profiles/undo.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/outfile.h"
#include "lib/why.h"
#include "profiles/kernelfile.h"
#include "profiles/undo_steps.h"

/* The journal in memory: the pending steps, oldest first, exactly as they stand in the file. */
struct undo {
	char *path;
	char *boot;
	json_t *steps;
	json_int_t next_id;
	bool loaded;
	int lock; /* MACHINE_LOCK, or -1 */
};

/*
 * One changer at a time: two would note each other's settings as the machine's own and leave them behind. The file names the journal of the
 * one who holds the lock, or who was killed while it did; /run is empty after a boot, as the changes are gone.
 */
#define MACHINE_LOCK "/run/iorig.lock"
#define LOCK_WAIT_S 30

static char *boot_id(void)
{
	char *id = NULL;

	if (kernel_read("/proc/sys/kernel/random/boot_id", &id))
		return strdup("unknown");
	return id;
}

static json_t *find_step(const json_t *steps, json_int_t id, size_t *at)
{
	for (*at = 0; *at < json_array_size(steps); ++*at)
		if (json_int(json_array_get(steps, *at), "id", 0) == id)
			return json_array_get(steps, *at);
	return NULL;
}

/* One line of the file. What is no whole JSON object is the torn last line of a process that died while it wrote: its change was not made. */
static void take_line(struct undo *u, const char *line)
{
	_cleanup_json_ json_t *entry = json_loads(line, 0, NULL);
	json_int_t id = json_int(entry, "id", 0);
	size_t at;

	if (!json_is_object(entry))
		return;
	if (id >= u->next_id && id < INT64_MAX)
		u->next_id = id + 1;
	if (json_text(entry, "undo", NULL))
		json_array_append(u->steps, entry);
	else if (find_step(u->steps, json_int(entry, "done", 0), &at))
		json_array_remove(u->steps, at);
}

static int load(struct undo *u, char **why)
{
	_cleanup_fclose_ FILE *f = fopen(u->path, "re");
	_cleanup_free_ char *line = NULL;
	size_t room = 0, keep = 0;
	ssize_t n;
	bool torn = false;

	if (!f)
		return errno == ENOENT ? 0 : why_set(why, -errno, "cannot read the undo journal '%s': %s", u->path, strerror(errno));
	while ((n = getline(&line, &room, f)) > 0) {
		torn = line[n - 1] != '\n';
		if (!torn)
			keep += (size_t)n;
		take_line(u, torn ? "" : line);
	}
	/* Appending behind a torn line would spoil the next one. */
	if (torn && truncate(u->path, (off_t)keep))
		return why_set(why, -errno, "cannot repair the undo journal '%s': %s", u->path, strerror(errno));
	return 0;
}

/* Steps of that journal that this boot has not set back. */
static size_t pending_in(const char *path, const char *boot)
{
	struct undo other = {.path = (char *)path, .steps = json_array(), .lock = -1};
	const json_t *step;
	size_t i, n = 0;

	if (!access(path, F_OK) && !load(&other, NULL))
		json_array_foreach(other.steps, i, step) {
			n += !strcmp(json_text(step, "boot", ""), boot);
		}
	json_decref(other.steps);
	return n;
}

/* Waits a little for whoever has the lock: a short run ends soon, a sweep does not. */
static int wait_for_lock(int fd)
{
	for (int tenth = 0; tenth < LOCK_WAIT_S * 10; tenth++) {
		if (!flock(fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		usleep(100000);
	}
	return -EBUSY;
}

static int take_machine(struct undo *u, char **why)
{
	_cleanup_free_ char *mine = realpath(u->path, NULL);
	char other[4096] = "";
	ssize_t n;
	int rc;

	u->lock = open(MACHINE_LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (u->lock < 0) /* an ordinary user cannot change the machine either */
		return 0;
	rc = wait_for_lock(u->lock);
	n = pread(u->lock, other, sizeof(other) - 1, 0);
	if (n > 0)
		other[strcspn(other, "\n")] = 0;
	if (rc)
		return why_set(why, rc, "another iorig changes this machine just now (its journal is '%s'); one at a time", other);
	if (*other && (!mine || strcmp(mine, other)) && pending_in(other, u->boot))
		return why_set(why, -EBUSY,
			       "this machine is not as it was: a run that was killed left changes, '%s' knows them; first 'iorig profile undo %.*s'", other,
			       (int)(strrchr(other, '/') ? strrchr(other, '/') - other : 1), other);
	return 0;
}

/* Puts our name into the lock file; called with the first step, when the journal exists. */
static void sign_machine(const struct undo *u)
{
	_cleanup_free_ char *mine = realpath(u->path, NULL);

	if (u->lock >= 0 && mine && (ftruncate(u->lock, 0) || pwrite(u->lock, mine, strlen(mine), 0) < 0))
		return; /* only the hint for others is lost */
}

int undo_open(const char *path, struct undo **undo, char **why)
{
	struct undo *u = calloc(1, sizeof(*u));
	int rc;

	*undo = NULL;
	if (!u)
		return why_set(why, -ENOMEM, "out of memory");
	u->path = strdup(path);
	u->boot = boot_id();
	u->steps = json_array();
	u->next_id = 1;
	u->lock = -1;
	rc = u->path && u->boot && u->steps ? take_machine(u, why) : why_set(why, -ENOMEM, "out of memory");
	if (!rc)
		rc = load(u, why);
	u->loaded = !rc;
	if (rc)
		undo_close(u);
	else
		*undo = u;
	return rc;
}

void undo_close(struct undo *undo)
{
	if (!undo)
		return;
	/* An empty journal says nothing; its file would only raise questions. */
	if (undo->loaded && !json_array_size(undo->steps)) {
		unlink(undo->path);
		if (undo->lock >= 0 && ftruncate(undo->lock, 0))
			(void)0; /* the name of a journal that is gone does no harm */
	}
	if (undo->lock >= 0)
		close(undo->lock);
	json_decref(undo->steps);
	free(undo->path);
	free(undo->boot);
	free(undo);
}

size_t undo_mark(const struct undo *undo)
{
	return json_array_size(undo->steps);
}

size_t undo_pending(const struct undo *undo)
{
	return json_array_size(undo->steps);
}

/* Takes over the reference of step. The line is on the disk when this returns 0. */
int undo_add(struct undo *u, json_t *step, char **why)
{
	int rc;

	if (!step)
		return why_set(why, -ENOMEM, "out of memory");
	json_object_set_new(step, "id", json_integer(u->next_id++));
	json_object_set_new(step, "boot", json_string(u->boot));
	rc = json_append_line(u->path, step);
	if (rc)
		why_set(why, rc, "cannot write the undo journal '%s': %s; nothing was changed", u->path, strerror(-rc));
	else if (!json_array_append(u->steps, step) && json_array_size(u->steps) == 1)
		sign_machine(u);
	json_decref(step);
	return rc;
}

static int step_back(struct undo *u, const json_t *step, char **why)
{
	const char *boot = json_text(step, "boot", "");

	if (strcmp(boot, u->boot) && !undo_step_survives_reboot(step))
		return 0;
	return undo_step_run(step, why);
}

int undo_back(struct undo *u, size_t mark, char **why)
{
	int first = 0;

	for (size_t i = json_array_size(u->steps); i-- > mark;) {
		json_t *step = json_array_get(u->steps, i);
		_cleanup_json_ json_t *done = NULL;
		_cleanup_free_ char *reason = NULL;
		int rc = step_back(u, step, &reason);

		if (!rc) {
			done = json_pack("{s:I}", "done", (json_int_t)json_int(step, "id", 0));
			rc = json_append_line(u->path, done);
			if (rc)
				why_set(&reason, rc, "cannot write the undo journal '%s': %s", u->path, strerror(-rc));
			else
				json_array_remove(u->steps, i);
		}
		if (rc && !first)
			first = why_set(why, rc, "%s", reason ? reason : strerror(-rc));
	}
	return first;
}

int undo_replay(const char *path, char **why)
{
	struct undo *u;
	int rc;

	if (access(path, F_OK) && errno == ENOENT)
		return 0;
	rc = undo_open(path, &u, why);
	if (rc)
		return rc;
	rc = undo_back(u, 0, why);
	undo_close(u);
	return rc;
}
