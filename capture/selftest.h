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
 *	selftest_run(&t);                         // with the hooks attached: it acts and ends
 *	... selftest_note() on every record ...
 *	missing = selftest_missing(&t, &config);  // NULL: all is well
 */
enum { SELFTEST_CALLS = 256 };

enum selftest_hook { HOOK_ENTER, HOOK_EXIT, HOOK_FORK, HOOK_EXEC, HOOK_END, HOOK_WAKE, HOOK_PAGES, HOOK_COUNT };
extern const char *const selftest_names[HOOK_COUNT];

struct selftest {
	pid_t pid, child;
	int go;
	bool fired[HOOK_COUNT];
	bool possible; /* false: a cgroup filter keeps it out */
	uint64_t last_end_ns, gap_ns[SELFTEST_CALLS]; /* between calls that it makes one right after the other */
	uint32_t gaps;
};

/* The process of the test is told to the configuration: its files are not announced. */
int selftest_make(struct selftest *t, struct config *config, const char *path);
void selftest_run(struct selftest *t);
/* Is the record the test's? Then it is noted, and nobody else's business. */
bool selftest_note(struct selftest *t, const struct rec_head *record);
/*
 * What lies between two calls that a program makes one right after the other, as they are recorded: the way into and out of the kernel and
 * the recorder's own work. No pause of the program: who replays pauses takes it off. Median; 0: not known.
 */
uint64_t selftest_call_gap_ns(const struct selftest *t);
/* The names of hooks that did not fire, with commas; NULL: none. Static storage. */
const char *selftest_missing(const struct selftest *t, const struct config *config);
