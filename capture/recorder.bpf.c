/* The recorder for kernels from 6.2 on: typed loads and bpf_loop. */
#define MODERN 1
#include "capture/hooks.bpf.h"
