/* When a program waited for completions of its ring: only then is it known what it had seen of them. */
#include <errno.h>
#include <linux/io_uring.h>

#include "replay/compiler.h"

enum { WAITS = 1024 }; /* as many can be over while one request is under way; more make the replay more careful */

struct ring_waits {
	struct ring_wait {
		uint64_t end_ns, waited_ns; /* as in plan_args */
	} wait[WAITS]; /* in the order of ending */
	uint64_t n;
};

/* Of io_uring_enter: it ended and all that was complete is seen. It may only hand in. 0: no wait. */
static uint64_t uring_waited(const struct trace_event *ev)
{
	return ev->flags & IORING_ENTER_GETEVENTS && ev->arg && ev->result >= 0 ? ev->begin_ns + ev->duration_ns : 0;
}

/*
 * Of io_getevents, which tells how many it got: it has seen these, even when it did not wait. When it asked for one and got more, one would have
 * done: how many more there were is how fast the device was then.
 */
static uint64_t aio_waited(const struct trace_event *ev)
{
	if (ev->result < 0)
		return 0;
	return ev->arg == 1 && ev->result > 1 ? ev->begin_ns | PLAN_WAITED_FOR_ONE : ev->begin_ns + ev->duration_ns;
}

void compile_ring_waited(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	enum trace_via via = ev->op == TRACE_OP_IO_URING_ENTER ? TRACE_VIA_URING : TRACE_VIA_AIO;
	const uint32_t *lane = map_get(&c->rings, compile_ring_key(c, via));
	struct build_lane *b = lane && *lane ? &c->lane[*lane - 1] : NULL;
	uint64_t waited_ns = via == TRACE_VIA_URING ? uring_waited(ev) : aio_waited(ev);

	if (!b || !waited_ns)
		return;
	if (!b->waits)
		b->waits = calloc(1, sizeof(*b->waits));
	if (!b->waits) {
		c->error = -ENOMEM;
		return;
	}
	b->waits->wait[b->waits->n++ % WAITS] = (struct ring_wait){ev->begin_ns + ev->duration_ns, waited_ns};
}

uint64_t compile_waited_before(const struct build_lane *b, uint64_t begin_ns)
{
	const struct ring_waits *w = b->waits;
	uint64_t i = w ? w->n : 0, oldest = i > WAITS ? i - WAITS : 0;

	while (i > oldest)
		if (w->wait[--i % WAITS].end_ns <= begin_ns)
			return w->wait[i % WAITS].waited_ns;
	return oldest ? begin_ns : 0;
}
