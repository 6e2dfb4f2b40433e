#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * One status line on stderr for long work: rewritten in place on a terminal (after the first second, at most ten times a second),
 * one line a minute otherwise.
 *
 *	struct progress p;
 *	progress_start(&p, "replay", total);      // total 0: unknown, no percentage and no ETA
 *	progress_update(&p, done, "%.0f ops/s", rate);
 *	progress_finish(&p);                      // clears the line
 */
struct progress {
	const char *what;
	uint64_t total, started_ns, shown_ns;
	int terminal, visible;
};

void progress_start(struct progress *p, const char *what, uint64_t total);
/* Would progress_update show anything now? For numbers that cost something to find. */
bool progress_due(const struct progress *p);
void progress_update(struct progress *p, uint64_t done, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void progress_finish(struct progress *p);
