#pragma once
#include <stdint.h>

#include "capture/record.h"

/*
 * The other interfaces that a 64-bit kernel has for the same system calls: ia32 (int 0x80 and 32-bit programs) with numbers of its own and 64-bit
 * values in two registers, and x32 with a bit in the number and a few numbers of its own. Each row says which call of calls.h it
 * is and where that call's arguments come from, so that everything behind it is the same.
 */
struct foreign_call {
	const char *name; /* NULL: not about files */
	struct foreign_config config;
};

extern const struct foreign_call foreign_ia32[CALL_MAX];
/* By number - X32_FIRST. Below that x32 has the numbers and the arguments of x86-64. */
extern const struct foreign_call foreign_x32[X32_CALLS];

/* The kernel program's part of the tables; after that of calls.h. */
void foreign_configure(struct config *config);
