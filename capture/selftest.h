#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "capture/record.h"

/*
 * Proof that every hook fires: that it could be attached says nothing (hooks of other kinds are known to attach and never run). A process of our
 * own does one known thing for each hook; its records are recognised on their way and kept out of the trace.
 *
 *	struct selftest t;
 *	selftest_make(&t, &config, "/");          // makes the process; it waits. 0 or -errno
 *	recorder_track(&recorder, t.pid, true);
 *	selftest_begin(&t);
 *	while (!selftest_over(&t))
 *		... selftest_note() on every record ...
 *	missing = selftest_missing(&t, &config);  // NULL: all is well
 */
enum { SELFTEST_CALLS = 64, SELFTEST_ROUNDS = 16 }; /* of each kind, in turns */

/* Kinds of calls that the recorder takes differently long for. */
enum selftest_gap { GAP_DESCRIPTOR, GAP_PATH, GAP_STAT, GAP_PATHS, GAP_OPEN, GAP_COUNT };
extern const char *const selftest_gap_names[GAP_COUNT];

enum selftest_hook { HOOK_ENTER, HOOK_EXIT, HOOK_FORK, HOOK_EXEC, HOOK_END, HOOK_WAKE, HOOK_PAGES, HOOK_COUNT };
extern const char *const selftest_names[HOOK_COUNT];

struct selftest {
	pid_t pid, child;
	int go;
	bool fired[HOOK_COUNT];
	bool possible; /* false: a cgroup filter keeps it out */
	int last_nr;	      /* the call before; -1: none */
	uint64_t last_end_ns, gap_ns[GAP_COUNT][SELFTEST_CALLS]; /* after calls of each kind, to the next that it makes at once */
	uint32_t gaps[GAP_COUNT];
};

/* The process of the test is told to the configuration: what it is told about files is for it alone. */
int selftest_make(struct selftest *t, struct config *config, const char *path);
/* With the hooks attached: it acts, for some 50 ms, and ends. Whoever waits for that should empty the rings meanwhile. */
void selftest_begin(struct selftest *t);
bool selftest_over(const struct selftest *t);
/* Is the record the test's? Then it is noted, and nobody else's business. */
bool selftest_note(struct selftest *t, const struct rec_head *record);
/*
 * What lies between a call of that kind and one that a program makes right after it, as they are recorded: the way out of the kernel and into it, and
 * the recorder's own work. No pause of the program: who replays pauses takes it off. Median; 0: not known.
 */
uint64_t selftest_gap_ns(const struct selftest *t, enum selftest_gap kind);
/* The names of hooks that did not fire, with commas; NULL: none. Static storage. */
const char *selftest_missing(const struct selftest *t, const struct config *config);
