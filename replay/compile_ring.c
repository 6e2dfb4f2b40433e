/* When a program waited for completions of its io_uring: only then is it known what it had seen of them. */
#include <errno.h>
#include <linux/io_uring.h>

#include "replay/compiler.h"

enum { WAITS = 1024 }; /* as many can be over while one request is under way; more make the replay more careful */

struct ring_waits {
	uint64_t end_ns[WAITS]; /* in the order of ending */
	uint64_t n;
};

void compile_ring_waited(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	const uint32_t *lane = map_get(&c->rings, compile_ring_key(c, TRACE_VIA_URING));
	struct build_lane *b = lane && *lane ? &c->lane[*lane - 1] : NULL;

	if (!b || !(ev->flags & IORING_ENTER_GETEVENTS) || !ev->arg || ev->result < 0)
		return;
	if (!b->waits)
		b->waits = calloc(1, sizeof(*b->waits));
	if (!b->waits)
		c->error = -ENOMEM;
	else
		b->waits->end_ns[b->waits->n++ % WAITS] = ev->begin_ns + ev->duration_ns;
}

uint64_t compile_waited_before(const struct build_lane *b, uint64_t begin_ns)
{
	const struct ring_waits *w = b->waits;
	uint64_t i = w ? w->n : 0, oldest = i > WAITS ? i - WAITS : 0;

	while (i > oldest)
		if (w->end_ns[--i % WAITS] <= begin_ns)
			return w->end_ns[i % WAITS];
	return oldest ? begin_ns : 0;
}
