#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * Runs other programs. Never through a shell; standard input is /dev/null unless in_file says otherwise; the child dies with us (PR_SET_PDEATHSIG).
 * Threads: any.
 */
struct proc_result {
	int status;       /* exit status; 128+n after signal n; 127 when it could not be started; 124 when it ran out of time */
	char *out, *err;  /* what it printed, cut at 1 MiB each, always a string; proc_release frees them */
	uint64_t elapsed_ns;
};

struct proc_options {
	uint64_t timeout_ns;   /* 0: none. At the end SIGTERM, 5 s later SIGKILL */
	const char *directory; /* NULL: ours */
	const char *in_file;   /* standard input comes from there instead of /dev/null */
	const char *out_file;  /* standard output goes there instead of .out */
	const char *const *environment; /* "NAME=value" entries to add, ends with NULL; may be NULL */
	int keep_stderr;       /* 1: standard error goes to ours instead of .err */
};

/* 0 when the program ran (whatever its status), -errno when not even a process could be made. argv ends with NULL. */
int proc_run(const char *const argv[], const struct proc_options *options, struct proc_result *result);
void proc_release(struct proc_result *result);

/*
 * For work that must be ended in order: from now on every child has a process group of its own, so that Ctrl-C at a terminal reaches
 * only us, and we decide. PROC_ABORTABLE: the second request to stop (stop_count() >= 2) ends the running child; PROC_SHIELDED: nothing
 * but its time limit does, for putting things back.
 */
enum proc_group { PROC_SHARED, PROC_ABORTABLE, PROC_SHIELDED };
void proc_set_group(enum proc_group group);

/* The last non-empty line of a program's error output (or of its output when it said nothing), for error messages. Borrowed. */
const char *proc_last_words(struct proc_result *result);

/* The absolute name of the running iorig program, for starting verbs of our own. Static storage. */
const char *proc_self(void);
