#include "sweeps/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/why.h"

#define PROGRAM_TIMEOUT_NS 300000000000ULL

static const char *const terminal[] = {"done", "failed", "not-applied", "unsupported", "crashed"};

static bool is_terminal(const char *ev)
{
	for (size_t i = 0; i < ARRAY_SIZE(terminal); i++)
		if (!strcmp(terminal[i], ev))
			return true;
	return false;
}

static void read_boot_id(char boot[40])
{
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || fscanf(f, "%39s", boot) != 1)
		snprintf(boot, 40, "unknown");
	if (f)
		fclose(f);
}

/* *whole: how many bytes of the file are whole lines. */
static int read_lines(struct journal *j, off_t *whole, char **why)
{
	_cleanup_fclose_ FILE *f = fopen(j->path, "re");
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	*whole = 0;
	if (!f)
		return errno == ENOENT ? 0 : why_set(why, -errno, "cannot read '%s': %s", j->path, strerror(errno));
	while ((n = getline(&line, &size, f)) > 0) {
		json_t *entry;

		if (line[n - 1] != '\n')
			break;
		entry = json_loadb(line, (size_t)n, 0, NULL);
		if (!json_is_object(entry)) {
			json_decref(entry);
			/* Only a crash of the file system leaves such a line; what follows it cannot be trusted either way. */
			return why_set(why, -EINVAL, "'%s' is damaged at byte %lld: no JSON object", j->path, (long long)*whole);
		}
		json_array_append_new(j->lines, entry);
		*whole += n;
	}
	return 0;
}

static int open_any(const char *folder, struct journal *j, off_t *whole, char **why)
{
	int rc;

	*j = (struct journal){.folder = strdup(folder), .lines = json_array()};
	read_boot_id(j->boot);
	if (asprintf(&j->path, "%s/runs.ndjson", folder) < 0)
		j->path = NULL;
	rc = j->path ? read_lines(j, whole, why) : -ENOMEM;
	if (rc)
		journal_close(j);
	return rc;
}

int journal_read(const char *folder, struct journal *j, char **why)
{
	off_t whole;

	return open_any(folder, j, &whole, why);
}

int journal_open(const char *folder, struct journal *j, char **why)
{
	struct stat st;
	off_t whole;
	int rc = open_any(folder, j, &whole, why);

	if (!rc && !stat(j->path, &st) && st.st_size > whole && truncate(j->path, whole)) {
		rc = why_set(why, -errno, "cannot cut the torn last line off '%s': %s", j->path, strerror(errno));
		journal_close(j);
	}
	return rc;
}

void journal_close(struct journal *j)
{
	free(j->path);
	free(j->folder);
	json_decref(j->lines);
	*j = (struct journal){0};
}

static void tell(struct journal *j, const char *ev, int64_t seq)
{
	char number[24];
	const char *argv[] = {j->program, j->folder, ev, number, NULL};
	struct proc_result got;

	snprintf(number, sizeof(number), "%lld", (long long)seq);
	if (proc_run(argv, &(struct proc_options){.timeout_ns = PROGRAM_TIMEOUT_NS}, &got))
		return;
	if (got.status && !j->program_failed) {
		j->program_failed = true;
		warn("%s ended with status %d at '%s' (%s); the sweep goes on", j->program, got.status, ev, proc_last_words(&got));
	}
	proc_release(&got);
}

int journal_add(struct journal *j, const char *ev, json_t *more)
{
	_cleanup_json_ json_t *rest = more;
	char iso[32];
	json_t *line = json_pack("{ss ss}", "t", clock_iso(iso), "ev", ev);
	int rc;

	if (rest)
		json_object_update(line, rest);
	json_object_set_new(line, "boot", json_string(j->boot));
	json_array_append_new(j->lines, line);
	rc = json_append_line(j->path, line);
	if (rc) {
		say("cannot write the journal '%s': %s; nothing more is begun", j->path, strerror(-rc));
		return rc;
	}
	if (j->program)
		tell(j, ev, json_int(line, "seq", 0));
	return 0;
}

double journal_time_s(const char *iso)
{
	struct tm tm = {0};
	double fraction = 0;
	const char *rest = iso ? strptime(iso, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (!rest)
		return -1;
	if (*rest == '.')
		fraction = strtod(rest, NULL);
	return (double)timegm(&tm) + fraction;
}

static void on_terminal(struct run_state *s, const json_t *line, double armed_s)
{
	bool died = json_flag(line, "died", false), aborted = json_flag(line, "aborted", false);
	const char *ev = json_text(line, "ev", "");

	s->in_flight = false;
	s->over = !strcmp(ev, "failed") && (died || aborted) ? NULL : ev;
	s->deaths += died && !json_flag(line, "rebooted", false);
	s->failures += !strcmp(ev, "failed") && !died && !aborted;
	s->elapsed_s = json_number(line, "elapsed_ns", 0) / 1e9;
	s->took_s = armed_s > 0 ? journal_time_s(json_text(line, "t", NULL)) - armed_s : 0;
}

struct run_state journal_run(const struct journal *j, int64_t seq)
{
	struct run_state s = {0};
	double armed_s = 0;
	json_t *line;
	size_t i;

	json_array_foreach(j->lines, i, line) {
		const char *ev = json_text(line, "ev", "");

		if (json_int(line, "seq", 0) != seq)
			continue;
		s.step = ev;
		s.boot = json_text(line, "boot", s.boot);
		s.reason = json_text(line, "reason", s.reason);
		if (!strcmp(ev, "armed")) {
			s.attempts++;
			s.over = NULL;
			s.in_flight = true;
			armed_s = journal_time_s(json_text(line, "t", NULL));
		} else if (is_terminal(ev)) {
			on_terminal(&s, line, armed_s);
		}
	}
	return s;
}

bool journal_has(const struct journal *j, const char *ev)
{
	json_t *line;
	size_t i;

	json_array_foreach(j->lines, i, line)
		if (!strcmp(json_text(line, "ev", ""), ev))
			return true;
	return false;
}

double journal_worked_s(const struct journal *j)
{
	double worked = 0, before = -1;
	json_t *line;
	size_t i;

	json_array_foreach(j->lines, i, line) {
		const char *ev = json_text(line, "ev", "");
		double now = journal_time_s(json_text(line, "t", NULL));

		if (before >= 0 && now > before && strcmp(ev, "start") && strcmp(ev, "resume"))
			worked += now - before;
		before = now;
	}
	return worked;
}

int64_t journal_box_deaths(const struct journal *j, const char *cell)
{
	int64_t deaths = 0;
	json_t *line;
	size_t i;

	json_array_foreach(j->lines, i, line)
		if (json_flag(line, "died", false) && json_flag(line, "rebooted", false) && !strcmp(json_text(line, "cell", ""), cell))
			deaths++;
	return deaths;
}
