#pragma once
#include <liburing.h>

#include "replay/runtime.h"

/* Fills in the request for a read, write or sync; flags and user data are the caller's. iov: room for the parts of a vector. */
void uring_prepare(struct io_uring_sqe *e, struct lane *l, const struct plan_op *op, const struct plan_args *a, struct iovec *iov, char *buffer,
		   int fd);
