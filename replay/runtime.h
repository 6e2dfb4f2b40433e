#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "replay/pace.h"
#include "replay/plan.h"
#include "replay/stats.h"

/* A plan being replayed: what the lanes share, and what each has for itself. */

enum replay_timing { TIMING_ASAP, TIMING_THINK, TIMING_SCHEDULE };
/* How reads, writes and syncs are done: as recorded, or what-ifs. */
enum replay_engine { ENGINE_TRACED, ENGINE_PSYNC, ENGINE_URING, ENGINE_MMAP };

struct methods { /* of reads, writes and syncs under a what-if */
	uint64_t mapped, uring, direct, rounded; /* rounded: of direct ones, reads of more than was asked for */
	uint64_t as_traced[TRACE_CLASS_COUNT];   /* which it could not do */
	int refused;                             /* why there is no io_uring, an errno */
};
void methods_add(struct methods *to, const struct methods *from);

struct ring_facts { /* of a ring of the recording and its replay */
	const char *driver; /* what carried its requests out: io_uring, libaio or psync */
	int refused;        /* why the first choice could not (an errno), 0 */
	uint32_t number, via;
	uint32_t recorded_depth, depth; /* most requests under way at a time, recorded and replayed */
	uint64_t requests, calls;       /* done by the ring; by its thread as system calls */
	uint64_t names;                 /* of the requests, those that are no reads, writes or syncs */
	uint64_t batches, links, drains, fixed;
	bool sqpoll, polled; /* recorded with a polling kernel thread; replayed with one */
};

struct mapped {
	_Atomic(char *) address; /* NULL: not mapped */
	uint64_t bytes;
};

struct lane {
	/* Read by other lanes: on a cache line of its own. */
	_Alignas(64) _Atomic uint32_t done; /* operations completed */
	_Atomic uint32_t wake_at;           /* somebody sleeps until done reaches this; UINT32_MAX: nobody */
	pthread_mutex_t sleepers_lock;
	struct lane *sleepers;              /* by what they want, least first */
	/* While it sleeps for another lane. */
	struct lane *next_sleeper;
	uint32_t wants;
	bool listed;
	_Atomic uint32_t bell;              /* what it sleeps on */
	uint64_t woken_tick;                /* when the other lane was there; 0: it did not sleep */
	int bell_fd;                        /* a ring: eventfd that wakes it as well; -1 */
	/* Its own. */
	_Alignas(64) struct runtime *run;
	const struct plan_lane *plan;
	uint32_t number;
	char *buffer; /* for what is read */
	void *iov;    /* 1024 entries */
	const struct plan_args *args; /* of the current operation when it is wide */
	struct lane_stats *stats;
	struct naps naps;
	uint64_t begin_tick;   /* the run's start, or when its creator created it */
	uint64_t bin_end_tick; /* of the statistics' time bin */
	uint64_t end_ns;       /* its last operation was over */
	struct ring *ring; /* NULL: a thread of the recording */
	struct methods methods;
	struct io_uring *uring; /* --engine uring: of a thread */
	pthread_t thread;
	bool started;
};

struct runtime {
	const struct plan *plan;
	struct lane *lane;
	_Atomic int *slot;      /* handle slots: real descriptors, -1 */
	uint32_t *slot_path;    /* what is open there, for messages */
	struct mapped *map;
	const char *pool;       /* random bytes to write, as long as the longest write */
	uint64_t pool_bytes;
	int root_fd, null_fd;   /* in the descriptor table of every lane; nothing above them is */
	enum replay_timing timing;
	enum replay_engine engine;
	bool direct;            /* --direct */
	bool what_if;           /* an engine that does other calls than the recorded ones */
	int proc_fd;            /* /proc */
	struct companion *companion; /* by slot, with what-ifs */
	_Atomic uint32_t truncations; /* operations that may have made a file shorter */
	struct methods methods; /* of the lanes that have ended */
	bool temporal;          /* --order temporal */
	bool rings;             /* there are lanes that are rings */
	struct ring_facts *ring; /* by lane, when it has ended */
	_Atomic uint64_t as_calls[TRACE_OP_MAX]; /* requests of rings that were system calls of the ring's thread */
	double speed;
	uint64_t gap_ns[TRACE_OP_MAX]; /* what of the recorded pause after an operation was the recorder */
	uint64_t start_ns, start_tick;
	bool dry;               /* no system calls: measures the replayer itself */
	bool no_barrier;        /* membarrier(2) is missing */
	_Atomic bool stop;
	_Atomic uint32_t ready; /* lanes that wait at the gate; futex */
	_Atomic uint64_t finished_ops; /* of lanes that ended */
	_Atomic uint32_t open_gate; /* 0: wait, 1: go; futex */
	struct totals *totals;
	int error; /* why lanes could not be started */
};

/* Executes one operation, returns what the system call returned. */
int64_t execute(struct lane *l, const struct plan_op *op);
/* The descriptor of a handle slot, -1. */
int lane_descriptor(const struct lane *l, uint32_t slot);
/* So many bytes to write there. */
const char *lane_bytes(const struct lane *l, uint64_t offset, uint64_t length);
/* How an open is done: confined to the root. */
struct open_how;
struct open_how lane_open_how(const struct lane *l, const struct plan_args *a);
/* It was: the descriptor is the slot's from now on. */
void lane_opened(struct lane *l, uint32_t slot, const struct plan_args *a, int fd);
/* The vector of a readv or writev: as many parts as recorded (1024 at most), of equal length, aligned for O_DIRECT where that is possible. */
int lane_vector(struct iovec *iov, const struct plan_args *a, char *base);

/* Waits until every edge of an operation is satisfied. False: the run is being stopped. */
bool wait_for_edges(struct lane *l, uint32_t edges);
/* Waits until the lane has been created. False: the run is being stopped. */
bool wait_for_creator(struct lane *l);
/* The same in parts, for a lane that has something else to wait for meanwhile: the first edge that is not satisfied, NULL: all are. */
const struct plan_edge *edge_unreached(const struct lane *l, uint32_t edges);
bool edge_reached(const struct lane *l, const struct plan_edge *edge);
/* Between the two the lane's bell rings when the edge is satisfied; look once more whether it is after wait_begin. */
void wait_begin(struct lane *l, const struct plan_edge *edge);
void wait_end(struct lane *l, const struct plan_edge *edge);
/* Sleeps until it is satisfied. False: the run is being stopped. */
bool wait_for_edge_asleep(struct lane *l, const struct plan_edge *edge);
/* For lane_publish: somebody sleeps until less than that is done. */
void wake_sleepers(struct lane *l, uint32_t done);
/* run->stop was set: nobody sleeps on. */
void wake_all(struct runtime *run);

/* The body of a lane's thread; also the dry run. */
void lane_run(struct lane *l);

/* After an operation: tells lanes that sleep. */
static inline void lane_publish(struct lane *l, uint32_t done)
{
	atomic_store_explicit(&l->done, done, memory_order_release);
	if (l->run->no_barrier)
		atomic_thread_fence(memory_order_seq_cst);
	else
		atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(done >= atomic_load_explicit(&l->wake_at, memory_order_relaxed), 0))
		wake_sleepers(l, done);
}
