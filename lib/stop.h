#pragma once
#include <stdbool.h>

/*
 * A clean end on SIGINT, SIGTERM and SIGHUP: stop_arm() installs handlers that only set a flag (without SA_RESTART, so that
 * blocking calls return EINTR); long work looks at stop_requested() and ends at its next safe point.
 * stop_signal() is the number of the signal, 0 when there was none.
 */
void stop_arm(void);
bool stop_requested(void);
int stop_signal(void);
/* How often it was asked for: 1 for a first SIGINT; SIGTERM and SIGHUP count 2, because nobody is there to ask again. */
int stop_count(void);
/* For a second reason to end than a signal (time is up, a disk is full): sets the same flag. Threads: any. */
void stop_request(void);
