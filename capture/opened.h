#pragma once
#include "capture/drain.h"

/* Tells the trace about every descriptor that is open now. 0 or -errno; *n is how many. */
int opened_tell(struct drain *d, uint64_t *n);
