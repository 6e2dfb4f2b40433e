#pragma once
#include <stdbool.h>
#include <stdint.h>

struct drain;

/* What a recording would be like, for --dry-run: on stdout, as text or as an iorig.capture-rates/1 document. An exit code. */
int rates_print(const struct drain *drain, uint64_t duration_ns, uint64_t bytes, uint64_t cpu_ns, bool json);
