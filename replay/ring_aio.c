/* Requests through a real context of libaio (io_submit and io_getevents; the library itself adds nothing to them). */
#include <errno.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "replay/call.h"
#include "replay/ring.h"

#define BELL UINT64_MAX

struct aio {
	aio_context_t context;
	struct iocb *block;  /* by request; the last one polls the bell */
	struct iocb **list;  /* prepared */
	struct io_event *event;
	bool listening;
};

static void free_aio(struct aio *a)
{
	free(a->block);
	free(a->list);
	free(a->event);
	free(a);
}

static int open_aio(struct ring *r)
{
	struct aio *a = calloc(1, sizeof(*a));
	int rc = -ENOMEM;

	if (!a)
		return rc;
	a->block = calloc(r->room + 1, sizeof(*a->block));
	a->list = calloc(r->room + 1, sizeof(struct iocb *));
	a->event = calloc(r->room + 1, sizeof(*a->event));
	if (a->block && a->list && a->event)
		rc = (int)CALL2(SYS_io_setup, r->room + 1, &a->context);
	if (rc)
		free_aio(a);
	else
		r->own = a;
	return rc;
}

static void prepare_data(struct ring *r, struct iocb *b, const struct ring_request *q)
{
	const struct plan_args *a = q->args;
	bool writes = trace_ops[q->op->op].class == TRACE_CLASS_WRITE;
	char *base = writes ? (char *)lane_bytes(r->lane, a->offset, a->length) : q->buffer;

	b->aio_offset = (int64_t)a->offset;
	b->aio_rw_flags = (int)a->flags;
	switch (q->op->op) {
	case TRACE_OP_READV: case TRACE_OP_PREADV: case TRACE_OP_PREADV2: case TRACE_OP_WRITEV: case TRACE_OP_PWRITEV: case TRACE_OP_PWRITEV2:
		b->aio_lio_opcode = writes ? IOCB_CMD_PWRITEV : IOCB_CMD_PREADV;
		b->aio_buf = (uint64_t)(uintptr_t)q->iov;
		b->aio_nbytes = (uint64_t)lane_vector(q->iov, a, base);
		break;
	default:
		b->aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
		b->aio_buf = (uint64_t)(uintptr_t)base;
		b->aio_nbytes = a->length;
	}
}

static void prepare_aio(struct ring *r, uint32_t request)
{
	struct aio *a = r->own;
	const struct ring_request *q = &r->request[request];
	struct iocb *b = &a->block[request];

	*b = (struct iocb){.aio_data = request, .aio_fildes = (uint32_t)ring_descriptor(r, q)};
	if (q->op->op == TRACE_OP_FSYNC || q->op->op == TRACE_OP_FDATASYNC)
		b->aio_lio_opcode = q->op->op == TRACE_OP_FSYNC ? IOCB_CMD_FSYNC : IOCB_CMD_FDSYNC;
	else
		prepare_data(r, b, q);
}

/* io_submit stops at the first request that is wrong, and says why only when that is the first. */
static void submit(struct ring *r, struct aio *a, uint32_t n)
{
	for (uint32_t at = 0; at < n;) {
		int64_t done = CALL3(SYS_io_submit, a->context, n - at, a->list + at);

		if (done == -EAGAIN || done == -EINTR)
			continue;
		if (done < 0) {
			uint64_t request = a->list[at++]->aio_data;

			ring_taking(r);
			if (request == BELL)
				a->listening = false;
			else
				ring_completed(r, (uint32_t)request, done);
			continue;
		}
		at += (uint32_t)done;
	}
}

static uint32_t listen_to_bell(struct ring *r, struct aio *a, uint32_t n)
{
	struct iocb *b = &a->block[r->room];

	if (!r->listen || a->listening)
		return n;
	*b = (struct iocb){.aio_data = BELL, .aio_fildes = (uint32_t)r->bell_fd, .aio_lio_opcode = IOCB_CMD_POLL, .aio_buf = POLLIN};
	a->list[n] = b;
	a->listening = true;
	return n + 1;
}

static void work_aio(struct ring *r, bool wait, uint64_t timeout_ns)
{
	struct aio *a = r->own;
	struct timespec ts = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)}, none = {0};
	uint32_t n = r->prepared_n, flying = r->flying;
	int64_t got;

	for (uint32_t i = 0; i < n; i++)
		a->list[i] = &a->block[r->prepared[i]];
	r->prepared_n = 0;
	submit(r, a, listen_to_bell(r, a, n));
	/* A look costs a system call: the next one is due when no more can be handed in. */
	if (n && !wait)
		return;
	/* Refused requests are complete. */
	wait = wait && r->flying == flying;
	got = CALL5(SYS_io_getevents, a->context, wait ? 1 : 0, r->room + 1, a->event, !wait ? &none : timeout_ns == UINT64_MAX ? NULL : &ts);
	ring_taking(r);
	for (int64_t i = 0; i < got; i++) {
		eventfd_t count;

		if (a->event[i].data != BELL) {
			ring_completed(r, (uint32_t)a->event[i].data, a->event[i].res);
			continue;
		}
		a->listening = false;
		eventfd_read(r->bell_fd, &count);
	}
}

static void close_aio(struct ring *r)
{
	struct aio *a = r->own;

	CALL1(SYS_io_destroy, a->context);
	free_aio(a);
}

const struct ring_driver ring_aio = {
	.name = "libaio", .open = open_aio, .prepare = prepare_aio, .work = work_aio, .close = close_aio};
