#pragma once
#include <liburing.h>
#include <linux/openat2.h>

#include "replay/ring.h"

/* Requests to an io_uring that are no reads, writes or syncs. */

/* The request of the kernel (enum io_uring_op) that an operation is, -1: none, it is a call of the ring's thread. */
int ring_names_request(const struct ring *r, const struct plan_op *op, const struct plan_args *a);
/* how is the request's own until it is complete. */
void ring_names_prepare(struct io_uring_sqe *e, struct ring *r, const struct ring_request *q, struct open_how *how);
/* What a result changes in the replay. Returns the result, of the call that had to be made in its place if there was one. */
int64_t ring_names_complete(struct ring *r, const struct ring_request *q, int64_t result);
/* A worker of the kernel for this ring sees the replay's root as its root directory. Waits for its answer; nothing else may be under way. */
bool ring_names_confined(struct ring *r, struct io_uring *ring);
