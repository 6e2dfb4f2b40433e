/* The recorder for kernels from 5.17 to 6.1: probe reads instead of typed loads. */
#define MODERN 0
#include "capture/hooks.bpf.h"
