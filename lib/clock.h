#pragma once
#include <stddef.h>
#include <stdint.h>

/* CLOCK_MONOTONIC in ns. Threads: any. */
uint64_t clock_now_ns(void);

/* CPU time that this process has used, all its threads together, in ns. */
uint64_t clock_cpu_ns(void);

/* Now (UTC) as "2026-11-21T12:00:00.123Z"; text needs 32 bytes. Returns text. */
char *clock_iso(char text[32]);

/* A time in four significant digits with its unit, "12.34 us"; text needs 16 bytes. Returns text. */
const char *clock_text(char text[16], uint64_t ns);

/* Sleeps that long, or less when a stop was requested (lib/stop.h). */
void clock_sleep_ns(uint64_t ns);
