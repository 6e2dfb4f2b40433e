#pragma once
#include <sys/uio.h>

#include "replay/runtime.h"

/*
 * A ring of the recording (io_uring, or a context of libaio) being replayed: one thread hands in its requests in the recorded order, as
 * soon as no more are under way than there were when the recorded program handed them in, in the same batches, and takes what is complete. How
 * requests are carried out is the driver's business.
 */

struct ring_request { /* under way */
	const struct plan_op *op;
	const struct plan_args *args;
	struct iovec *iov;
	char *buffer;
	uint64_t begin_tick, late_ns;
	uint32_t sequence; /* in the order of ending, from 1 */
	uint32_t place;    /* in the order of handing in, from 1 */
	uint16_t bits;     /* enum trace_event_bits */
};

struct ring_step; /* a request to hand in */

struct ring {
	struct lane *lane;
	const struct ring_driver *driver;
	void *own; /* the driver's */
	struct ring_request *request;
	uint32_t room;      /* requests that can be under way */
	uint32_t longest_read;
	uint32_t *prepared; /* requests, to be handed in by the next work() */
	uint32_t prepared_n;
	uint32_t flying;    /* prepared ones included */
	int bell_fd;        /* readable: another lane woke this one */
	bool listen;        /* work() is to end for the bell, too */
	/* ring.c's own */
	struct ring_step *step;
	uint64_t *complete; /* bit set by sequence */
	uint32_t *free_request;
	uint32_t steps, next, done;
	char *buffers;
	size_t buffers_bytes;
	struct iovec *iov;
	uint64_t target_ns; /* when the next one is to be handed in; 0: not known yet, or at once */
	uint64_t late_ns;   /* so much later than that it was */
	uint64_t last_tick; /* something was handed in or completed */
	uint64_t now_tick;  /* of the completions being taken */
	bool chain_broken;
	bool names; /* there are requests other than reads, writes and syncs */
	uint32_t as_calls[TRACE_OP_MAX];
	struct ring_facts facts;
};

struct ring_driver {
	const char *name;
	bool links; /* it carries out chains of linked requests and drains; otherwise the ring waits for them */
	/* 0, or -errno: cannot be used here. */
	int (*open)(struct ring *r);
	/* Requests other than reads, writes and syncs: can it carry out this one? NULL: none. What it cannot is a call of the ring's thread. */
	bool (*can)(const struct ring *r, const struct plan_op *op, const struct plan_args *a);
	void (*prepare)(struct ring *r, uint32_t request);
	/*
	 * Hands in what was prepared. wait: then sleeps until something is complete, the bell rings, or timeout_ns (UINT64_MAX: none) are over.
	 * Calls ring_completed for each that is complete.
	 */
	void (*work)(struct ring *r, bool wait, uint64_t timeout_ns);
	void (*close)(struct ring *r);
};

extern const struct ring_driver ring_uring, ring_aio, ring_threads;

/* A read, write or sync: what every driver can carry out. */
bool ring_moves_data(const struct plan_op *op);
/* For drivers: the descriptor that a request goes to. */
int ring_descriptor(struct ring *r, const struct ring_request *q);
/* For drivers: a request is complete. First ring_taking. */
void ring_taking(struct ring *r);
void ring_completed(struct ring *r, uint32_t request, int64_t result);

/* Memory and order of the requests of a lane that is a ring. 0 or -errno. */
int ring_prepare(struct lane *l);
/* In the lane's thread, before the clock starts: picks the driver. */
void ring_begin(struct lane *l);
void ring_run(struct lane *l);
void ring_end(struct lane *l);
void ring_free(struct lane *l);
