#pragma once
#include <jansson.h>
#include <stdint.h>

/*
 * What a recorded pause holds that is none: the way out of the kernel and into it again, and what the recorder did after the end of the one call and
 * before the begin of the next. It depends on the call before; the recorder measured that for some kinds (docs/iorig-trace.5, call_gap_ns and
 * call_gaps_ns).
 */
enum gap_kind {
	GAP_DESCRIPTOR, /* on a descriptor, and all that is none of the others */
	GAP_PATH,
	GAP_STAT,  /* a path whose struct stat was read */
	GAP_PATHS, /* two texts */
	GAP_OPEN,  /* of a file that was told then */
	GAP_KINDS,
};

/* From a trace's trailer (NULL: it has none). A kind that was not measured takes the next simpler one; 0: nothing was. */
void gaps_read(uint64_t gap_ns[GAP_KINDS], const json_t *trailer);
/* Of an operation on its path; an open that meets its file: GAP_OPEN instead. */
enum gap_kind gap_kind_of(uint8_t op);
