/* The recorder for kernels from 5.8 to 6.1: probe reads instead of typed loads, bounded loops instead of bpf_loop. */
#define MODERN 0
#include "capture/hooks.bpf.h"
