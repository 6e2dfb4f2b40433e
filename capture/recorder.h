#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/record.h"
#include "capture/ring.h"

/*
 * The kernel side, from the program's point of view: loads the BPF program that fits this kernel, gives it its configuration, attaches it,
 * and maps its rings and counters. One recorder a process.
 *
 *	struct recorder r;
 *	struct config config = {...};                    // recorder_open adds the calls and what depends on the machine
 *	rc = recorder_open(&r, &config, ring_bytes, why);  // loaded, not yet recording; -errno and a reason
 *	recorder_track(&r, pid, true);
 *	rc = recorder_attach(&r, why);
 *	... capture/rings.h reads r.ring[] ...
 *	recorder_detach(&r);                              // nothing is added to the rings any more
 *	recorder_close(&r);
 */
#define RECORDER_WHY 256
#define RECORDER_HOOKS 16

/* Which tracepoints of io_uring a kernel has: one for the begin of requests and one for their end, or none that are of use. */
enum uring {
	URING_UNSEEN,
	URING_BY_REQUEST = 1,
	URING_BY_ENTRY = 2,
	URING_BY_RING = 4,
	URING_ENDS_WITH_CQE = 8,
	URING_ENDS_WITH_RESULT = 16,
	URING_ENDS_BY_NAME = 32, /* by user_data: of requests with the same one it is not known which has ended */
};

struct recorder {
	struct bpf_object *object;
	struct bpf_link *link[RECORDER_HOOKS];
	struct bpf_program *program[RECORDER_HOOKS];
	size_t hooks;
	bool modern;	    /* the program for kernels from 6.2 on */
	enum uring uring;
	int cpus;	    /* possible ones */
	struct recorder_ring *ring; /* one a possible processor; those that were never on have none */
	unsigned char *on;	    /* recorder_cover's: which of them work */
	uint64_t ring_bytes;
	volatile struct counters *counters; /* recorder_counted of them */
	size_t counters_bytes;
	volatile uint8_t *tracked; /* one a process id */
	size_t tracked_bytes;
	uint32_t pid_max;
};

/* How many struct counters there are: see there. */
static inline int recorder_counted(const struct recorder *r)
{
	return 2 * r->cpus;
}

/* From a kernel's type information (NULL: none). */
struct btf;
enum uring recorder_uring(const struct btf *btf);

/* Does the kernel tell its types? Nothing can be recorded without. */
bool recorder_has_types(void);
int recorder_open(struct recorder *r, struct config *config, uint64_t ring_bytes, char why[RECORDER_WHY]);
/* Makes rings for processors that have come since. How many, or -errno; until then their events are counted as lost. */
int recorder_cover(struct recorder *r);
int recorder_attach(struct recorder *r, char why[RECORDER_WHY]);
void recorder_track(struct recorder *r, uint32_t pid, bool on);
/* Opens the iterator over all descriptor tables; read(2) gives struct rec_open. A descriptor or -errno. */
int recorder_open_files(struct recorder *r);
/* How often a program was skipped because it was running already on that CPU: each one is an event nobody saw. */
uint64_t recorder_skipped(const struct recorder *r);
/* What was announced already is announced again at its next use. */
void recorder_announce_again(struct recorder *r);
/* The requests of io_uring that have begun and not ended, one after the other; *key is 0 at first. False: that was all. */
struct rec_async;
bool recorder_next_request(const struct recorder *r, uint64_t *key, struct rec_async *request);
/* The calls that have begun and not ended: at most room of them into slots. Returns how many. */
struct slot;
size_t recorder_unfinished(const struct recorder *r, struct slot *slots, size_t room);
void recorder_detach(struct recorder *r);
void recorder_close(struct recorder *r);
