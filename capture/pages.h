#pragma once
#include "capture/drain.h"

/* Records of mapped access and of threads that wake others, into the trace. */
void pages_record(struct drain *d, const struct rec_pages *record);
void wakes_record(struct drain *d, const struct rec_wake *record);
