#pragma once
#include <stddef.h>

/*
 * What a machine may forbid to a recorder, as one line that says what to do about it; NULL: nothing. Static storage.
 */
const char *able_lockdown(void);
/* Capabilities that this process would need and does not have. */
const char *able_capabilities(void);
/* The reason for a program that the kernel did not take: the first of the above. */
const char *able_why_not(void);
