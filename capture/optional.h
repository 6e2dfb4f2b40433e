#pragma once
#include <stdbool.h>

#include "capture/record.h"

/* Hooks that are loaded only when asked for, and which of them a kernel has. */
struct btf;
struct bpf_object;

struct optional {
	bool wakes;	 /* sched_waking */
	bool faults;	 /* page faults of programs: x86's tracepoint, and bpf_find_vma (from 5.17 on) */
	bool fills;	 /* pages that come into the page cache */
	bool fill_pages; /* these as single pages, up to 5.15 */
};

/* What the kernel with that type information (NULL: none) has. */
struct optional optional_of(const struct btf *btf);
/* Before the object is loaded: takes out what is not wanted or not there, and says so in the configuration. */
void optional_choose(struct bpf_object *object, struct config *config);
