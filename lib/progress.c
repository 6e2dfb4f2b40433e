#include "lib/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/clock.h"

#define SECOND 1000000000ULL

void progress_start(struct progress *p, const char *what, uint64_t total)
{
	*p = (struct progress){.what = what, .total = total, .started_ns = clock_now_ns()};
	p->terminal = isatty(STDERR_FILENO) && tcgetpgrp(STDERR_FILENO) == getpgrp();
	p->shown_ns = p->started_ns;
}

bool progress_due(const struct progress *p)
{
	uint64_t now = clock_now_ns(), every = p->terminal ? SECOND / 10 : 60 * SECOND;

	return now - p->shown_ns >= every && now - p->started_ns >= SECOND;
}

void progress_update(struct progress *p, uint64_t done, const char *fmt, ...)
{
	uint64_t now = clock_now_ns();
	char text[160], line[256];
	va_list ap;
	int n;

	if (!progress_due(p))
		return;
	p->shown_ns = now;
	p->visible = 1;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	n = snprintf(line, sizeof(line), "%siorig: %s: ", p->terminal ? "\r" : "", p->what);
	if (p->total && done) {
		uint64_t left_s = (uint64_t)((double)(now - p->started_ns) * (double)(p->total - (done < p->total ? done : p->total)) /
					     (double)done / 1e9);

		n += snprintf(line + n, sizeof(line) - (size_t)n, "%llu/%llu (%.0f %%), ETA %llu:%02llu, ", (unsigned long long)done,
			      (unsigned long long)p->total, 100.0 * (double)done / (double)p->total,
			      (unsigned long long)left_s / 60, (unsigned long long)left_s % 60);
	} else if (done) {
		n += snprintf(line + n, sizeof(line) - (size_t)n, "%llu, ", (unsigned long long)done);
	}
	dprintf(STDERR_FILENO, "%.*s%s%s", n, line, text, p->terminal ? "\033[K" : "\n");
}

void progress_finish(struct progress *p)
{
	if (p->visible && p->terminal)
		dprintf(STDERR_FILENO, "\r\033[K");
	p->visible = 0;
}
