#pragma once
#include <stdbool.h>
#include <stdint.h>

/*
 * The drainer's turn on a host whose processors are all busy: what it does not empty in time is lost. Rings of 16 MiB last for 0.2 s at a million
 * events a second; a fair share of a busy processor may come later than that.
 */
enum turn { TURN_REALTIME, TURN_NICE, TURN_PLAIN };

/* Before the recording begins: SCHED_RR where that is allowed, else nice -20, else nothing. Children and threads made later do not inherit it. */
enum turn turn_take(void);

/* Keeps the program's memory, now and later as far as it is used, from being swapped out in the moment of the greatest load. False: not allowed. */
bool turn_lock_memory(void);

/* How long until the rings are emptied again, when the last pause filled the fullest of them that far (0 to 1). */
uint64_t turn_pause_ns(uint64_t last_pause_ns, double fill);
