#pragma once
#include <stdint.h>

/*
 * Bytes to write: random, so that no file system or drive can compress them, none of them zero pages. At least that many can be read from the
 * returned address; 16 MiB of memory, mapped as often as it takes. NULL and errno on failure. Never freed.
 */
const char *pool_make(uint64_t at_least, uint64_t *bytes);
