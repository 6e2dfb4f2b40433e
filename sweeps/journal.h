#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * runs.ndjson: what happened, one synced line before and after each step, so that a kill at any byte costs at most the run in flight
 * (events: docs/architecture.md). State is what the lines say, never what files happen to exist. A torn last line is cut off when the
 * journal is opened: what it announced had not begun.
 */
struct journal {
	char *path, *folder;
	const char *program; /* told about every line (--on-journal), borrowed; NULL: nobody */
	bool program_failed; /* said once */
	char boot[40];       /* of this kernel */
	json_t *lines;       /* all that were read and written */
};

/* 0 or -errno with *why; a journal that is not there is empty. */
int journal_open(const char *folder, struct journal *j, char **why);
/* For readers: changes nothing, a torn last line is ignored. */
int journal_read(const char *folder, struct journal *j, char **why);
void journal_close(struct journal *j);

/*
 * Adds {"t", "ev", ...more, "boot"} and syncs it, then tells the program. more is taken over; it may be NULL. A journal that cannot be
 * written ends everything: 0 or -errno.
 */
int journal_add(struct journal *j, const char *ev, json_t *more);

/* What the lines say of one run. */
struct run_state {
	const char *over;   /* the newest terminal event ("done", "failed", ...); NULL: none yet, or it must be done again because the
			     * attempt died or was aborted */
	const char *step;   /* the newest line of any kind; NULL: it never began */
	const char *reason; /* of the newest line that has one; borrowed */
	const char *boot;   /* of the newest line */
	int64_t attempts;   /* armed lines */
	int64_t failures;   /* attempts that failed by themselves */
	int64_t deaths;     /* attempts during which the runner went away while the box stayed up */
	bool in_flight;     /* armed and not over: whoever did it is gone */
	double elapsed_s;   /* of a done run */
	double took_s;      /* from armed to done, settings and fio included; 0 unknown */
};
struct run_state journal_run(const struct journal *j, int64_t seq);
bool journal_has(const struct journal *j, const char *ev);
/* Seconds that runners were at work, from the times of the lines; pauses between a stop or a death and the resume do not count. */
double journal_worked_s(const struct journal *j);
/* Times that the box went down (another boot id, no terminal event) while a run of this cell was on. */
int64_t journal_box_deaths(const struct journal *j, const char *cell);

/* An ISO time of the journal in seconds since 1970; < 0 when it is none. */
double journal_time_s(const char *iso);
