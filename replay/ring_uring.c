/* Requests through a real io_uring. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "replay/ring.h"
#include "replay/ring_names.h"
#include "replay/uring.h"

#define BELL UINT64_MAX

struct uring {
	struct io_uring ring;
	bool listening; /* a poll of the bell is under way */
	bool fixed;     /* buffers are registered */
	struct io_uring_probe *known; /* what the kernel can do besides data and syncs; NULL: nothing */
	struct open_how *how;         /* by request */
};

static void free_uring(struct uring *u)
{
	io_uring_free_probe(u->known);
	free(u->how);
	free(u);
}

/* With a kernel thread that polls, where the recording had one and this kernel gives us one. */
static int make_ring(struct ring *r, struct uring *u)
{
	struct io_uring_params p = {.flags = IORING_SETUP_CLAMP}, polled = {.flags = IORING_SETUP_CLAMP | IORING_SETUP_SQPOLL};

	r->facts.polled = r->facts.sqpoll && !io_uring_queue_init_params(r->room + 1, &u->ring, &polled);
	return r->facts.polled ? 0 : io_uring_queue_init_params(r->room + 1, &u->ring, &p);
}

static int open_uring(struct ring *r)
{
	struct uring *u = calloc(1, sizeof(*u));
	int rc = -ENOMEM;

	if (u)
		u->how = calloc(r->room, sizeof(*u->how));
	if (u && u->how)
		rc = make_ring(r, u);
	if (rc) {
		if (u)
			free_uring(u);
		return rc;
	}
	r->own = u;
	if (r->facts.fixed)
		u->fixed = !io_uring_register_buffers(&u->ring, &(struct iovec){r->buffers, r->buffers_bytes}, 1);
	/* A what-if's other descriptors of a file are made and closed by calls. */
	if (r->names && !r->lane->run->what_if && ring_names_confined(r, &u->ring))
		u->known = io_uring_get_probe_ring(&u->ring);
	return 0;
}

static bool can_uring(const struct ring *r, const struct plan_op *op, const struct plan_args *a)
{
	const struct uring *u = r->own;
	int request = u->known ? ring_names_request(r, op, a) : -1;

	return request >= 0 && io_uring_opcode_supported(u->known, request);
}

static struct io_uring_sqe *entry(struct uring *u)
{
	struct io_uring_sqe *e = io_uring_get_sqe(&u->ring);

	while (!e) {
		io_uring_submit(&u->ring);
		e = io_uring_get_sqe(&u->ring);
	}
	return e;
}

static void prepare_uring(struct ring *r, uint32_t request)
{
	struct uring *u = r->own;
	const struct ring_request *q = &r->request[request];
	struct io_uring_sqe *e = entry(u);

	/* It would wait for the poll, too. */
	if (q->bits & TRACE_EV_DRAIN && u->listening)
		eventfd_write(r->bell_fd, 1);
	if (ring_moves_data(q->op))
		uring_prepare(e, r->lane, q->op, q->args, q->iov, q->buffer, ring_descriptor(r, q));
	else
		ring_names_prepare(e, r, q, &u->how[request]);
	if (u->fixed && q->bits & TRACE_EV_FIXED_BUFFER && e->opcode == IORING_OP_READ)
		e->opcode = IORING_OP_READ_FIXED;
	e->flags |= (unsigned char)((q->bits & TRACE_EV_LINK ? IOSQE_IO_LINK : 0) | (q->bits & TRACE_EV_HARDLINK ? IOSQE_IO_HARDLINK : 0) |
				    (q->bits & TRACE_EV_DRAIN ? IOSQE_IO_DRAIN : 0) | (q->bits & TRACE_EV_ASYNC ? IOSQE_ASYNC : 0));
	io_uring_sqe_set_data64(e, request);
}

static void listen_to_bell(struct ring *r)
{
	struct uring *u = r->own;
	struct io_uring_sqe *e;

	if (u->listening)
		return;
	e = entry(u);
	io_uring_prep_poll_add(e, r->bell_fd, POLLIN);
	io_uring_sqe_set_data64(e, BELL);
	u->listening = true;
}

static void complete(struct ring *r, uint32_t request, int64_t result)
{
	const struct ring_request *q = &r->request[request];

	ring_completed(r, request, ring_moves_data(q->op) ? result : ring_names_complete(r, q, result));
}

static void take(struct ring *r)
{
	struct uring *u = r->own;
	struct io_uring_cqe *cqe;
	unsigned head, n = 0;

	ring_taking(r);
	io_uring_for_each_cqe(&u->ring, head, cqe) {
		n++;
		if (cqe->user_data == BELL) {
			eventfd_t count;

			u->listening = false;
			eventfd_read(r->bell_fd, &count);
			continue;
		}
		complete(r, (uint32_t)cqe->user_data, cqe->res);
	}
	io_uring_cq_advance(&u->ring, n);
}

static void work_uring(struct ring *r, bool wait, uint64_t timeout_ns)
{
	struct uring *u = r->own;
	struct io_uring_cqe *cqe;

	if (wait && r->listen)
		listen_to_bell(r);
	if (!wait) {
		if (r->prepared_n)
			io_uring_submit(&u->ring);
	} else if (timeout_ns == UINT64_MAX) {
		io_uring_submit_and_wait(&u->ring, 1);
	} else {
		struct __kernel_timespec ts = {.tv_sec = (long long)(timeout_ns / 1000000000), .tv_nsec = (long long)(timeout_ns % 1000000000)};

		io_uring_submit_and_wait_timeout(&u->ring, &cqe, 1, &ts, NULL);
	}
	/* What the kernel did not take yet (memory, a full queue) goes in with the next call. */
	r->prepared_n = 0;
	take(r);
}

static void close_uring(struct ring *r)
{
	struct uring *u = r->own;

	io_uring_queue_exit(&u->ring);
	free_uring(u);
}

const struct ring_driver ring_uring = {
	.name = "io_uring", .links = true, .open = open_uring, .can = can_uring, .prepare = prepare_uring, .work = work_uring, .close = close_uring};
