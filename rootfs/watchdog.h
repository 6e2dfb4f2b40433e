#pragma once
#include <stdint.h>

/*
 * Feeds /dev/watchdog as long as there is progress: while CLOCK_BOOTTIME is below the number of seconds in the file deadline, which the
 * agent moves on at every step (before the first one: 15 minutes). A timer alone would only prove that the feeder runs. Writes what the
 * device says about itself, and whether it caused the last reset, to the file facts. Ends at SIGTERM with the device disarmed.
 * Returns an exit code.
 */
int watchdog_feed(uint64_t timeout_s, const char *deadline, const char *facts);
