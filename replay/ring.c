/* The order and pace in which a ring's requests are handed in, and what came of them. */
#include "replay/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "lib/clock.h"
#include "replay/account.h"
#include "replay/call.h"
#include "replay/ops.h"
#include "replay/tick.h"
#include "replay/what_if.h"

enum { ROOM_MOST = 4096, IOV_MOST = 1024 };
#define BUFFERS_MOST (256ULL << 20)
#define POPULATE_MOST (64ULL << 20)

struct ring_step {
	uint64_t op;       /* index in the plan */
	uint64_t begin_ns; /* what they are sorted by */
	uint64_t gap_ns;   /* since the hand-in or the completion before it */
	uint32_t sequence;
	uint16_t limit;    /* so many were under way when it was handed in */
	uint16_t bits;
};

bool ring_moves_data(const struct plan_op *op)
{
	return replay_ops[op->op].method != METHOD_CALL && !(op->bits & PLAN_HIDDEN);
}

/* Goes to the driver; the others are calls of this thread. */
static bool is_for_driver(const struct ring *r, const struct plan_op *op, const struct plan_args *a)
{
	return ring_moves_data(op) || (!(op->bits & PLAN_HIDDEN) && r->driver->can && r->driver->can(r, op, a));
}

/* ---- the order of handing in ----------------------------------------------------------------------------------------------- */

struct cursor { /* the operations of a lane one after the other, in the order of ending */
	const struct lane *lane;
	uint32_t chunk, at;
};

static bool next_op(struct cursor *c, uint64_t *op)
{
	const struct plan_lane *p = c->lane->plan;

	while (c->chunk < p->chunks && c->at == p->chunk[c->chunk].count) {
		c->chunk++;
		c->at = 0;
	}
	if (c->chunk == p->chunks)
		return false;
	*op = p->chunk[c->chunk].first + c->at++;
	return true;
}

static const struct plan_args *args_of(const struct lane *l, uint64_t op)
{
	return &l->run->plan->args[l->run->plan->op[op].offset];
}

static uint64_t end_of(const struct plan_args *a)
{
	return a->begin_ns + a->recorded_ns;
}

static bool before(const struct ring_step *a, const struct ring_step *b)
{
	return a->begin_ns != b->begin_ns ? a->begin_ns < b->begin_ns : a->sequence < b->sequence;
}

/* Shell's sort: in place, and quick for what is nearly in order already (gaps: Tokuda 1992). */
static void sort(struct ring_step *s, size_t n)
{
	size_t gap = 1;

	while (gap < n / 3)
		gap = gap * 9 / 4 + 1;
	for (; gap; gap = gap == 1 ? 0 : gap == 2 ? 1 : gap * 4 / 9)
		for (size_t i = gap; i < n; i++) {
			struct ring_step moving = s[i];
			size_t at = i;

			for (; at >= gap && before(&moving, &s[at - gap]); at -= gap)
				s[at] = s[at - gap];
			s[at] = moving;
		}
}

/* One request after the other as they ended, without company (--order temporal). */
static bool one_by_one(const struct lane *l)
{
	return l->run->temporal;
}

static void list_steps(struct ring *r)
{
	struct cursor c = {.lane = r->lane};
	uint64_t op;

	for (uint32_t i = 0; next_op(&c, &op); i++) {
		const struct plan_args *a = args_of(r->lane, op);
		bool alone = one_by_one(r->lane);

		r->step[i] = (struct ring_step){.op = op, .begin_ns = alone ? end_of(a) : a->begin_ns, .sequence = i + 1,
						.bits = (uint16_t)(alone ? a->request & (TRACE_EV_LINK | TRACE_EV_HARDLINK) : a->request)};
	}
	sort(r->step, r->steps);
}

static bool linked(uint16_t bits)
{
	return bits & (TRACE_EV_LINK | TRACE_EV_HARDLINK);
}

/* Step i goes in with the one before it. */
static bool together(const struct ring *r, uint32_t i)
{
	if (!i || i >= r->steps || one_by_one(r->lane))
		return false;
	if (r->lane->plan->via == TRACE_VIA_AIO) /* begins are those of io_submit */
		return r->step[i].begin_ns == r->step[i - 1].begin_ns;
	return r->step[i].bits & TRACE_EV_BATCH || linked(r->step[i - 1].bits);
}

static bool chained(const struct ring *r, uint32_t i)
{
	return i && i < r->steps && linked(r->step[i - 1].bits);
}

static void note(struct ring *r, const struct ring_step *s)
{
	const struct plan_op *op = &r->lane->run->plan->op[s->op];

	r->names |= !ring_moves_data(op) && !(op->bits & PLAN_HIDDEN);
	r->facts.links += linked(s->bits);
	r->facts.drains += !!(s->bits & TRACE_EV_DRAIN);
	r->facts.fixed += !!(s->bits & (TRACE_EV_FIXED_FILE | TRACE_EV_FIXED_BUFFER));
	r->facts.sqpoll |= !!(s->bits & TRACE_EV_SQPOLL);
}

/* How many were under way when each was handed in: those handed in before it, less those that had ended. */
static void find_limits(struct ring *r)
{
	struct cursor c = {.lane = r->lane};
	uint64_t op, end = 0, last_end = r->lane->run->plan->first_begin_ns;
	uint32_t ended = 0;
	bool more = next_op(&c, &op);

	for (uint32_t i = 0; i < r->steps; i++) {
		struct ring_step *s = &r->step[i];
		uint32_t flying;
		uint64_t since;

		for (; more && (end = end_of(args_of(r->lane, op))) <= s->begin_ns; more = next_op(&c, &op)) {
			last_end = end;
			ended++;
		}
		flying = one_by_one(r->lane) || i < ended ? 0 : i - ended;
		since = i && r->step[i - 1].begin_ns > last_end ? r->step[i - 1].begin_ns : last_end;
		s->gap_ns = s->begin_ns > since ? s->begin_ns - since : 0;
		s->limit = (uint16_t)(flying < ROOM_MOST ? flying : ROOM_MOST - 1);
		if (flying + 1 > r->facts.recorded_depth)
			r->facts.recorded_depth = flying + 1;
		note(r, s);
	}
}

static uint64_t waited_before(const struct ring *r, uint32_t i)
{
	return args_of(r->lane, r->step[i].op)->waited_ns;
}

/* Steps [first, end) were handed in between two waits of the program, those in the first `seen` places of ending were complete at the one before. */
static void raise_between_waits(struct ring *r, uint32_t first, uint32_t end, uint32_t seen)
{
	uint32_t most = 0, batch = 1;

	for (uint32_t i = first; i < end; i++)
		most = r->step[i].limit > most ? r->step[i].limit : most;
	for (uint32_t i = end; i-- > first;) {
		struct ring_step *s = &r->step[i];
		uint32_t room = most + 1 > batch ? most + 1 - batch : 0, unseen = i > seen ? i - seen : 0, limit = unseen < room ? unseen : room;

		/* Its batch goes in with it, and all of that must have room. */
		batch = together(r, i) ? batch + 1 : 1;
		if (limit > s->limit)
			s->limit = (uint16_t)limit;
	}
}

/*
 * A request to an io_uring ends in the recording when the kernel completes it. The program need not have looked by then: fio goes on handing in
 * until its queue is full by its own count, and so keeps more under way than it would if it had waited for each of those completions. What it had
 * seen is known where it waited in the kernel. In between it had seen at least that much, and is taken to have had no more room than the kernel
 * ever had under way between these two waits. Of a program that never waits there (it polls) nothing is known, and it is taken to see all at once.
 * A request to libaio ends when the program takes it. What it had seen is known, but not whether it would have waited for all of that: where it
 * asked for one, it would have gone on with one.
 */
static void raise_limits(struct ring *r)
{
	struct cursor c = {.lane = r->lane};
	uint64_t op;
	uint32_t seen = 0;
	bool more = next_op(&c, &op);

	if (one_by_one(r->lane) || !r->steps || !waited_before(r, r->steps - 1))
		return;
	for (uint32_t first = 0, end; first < r->steps; first = end) {
		uint64_t waited = waited_before(r, first), until_ns = waited & ~PLAN_WAITED_FOR_ONE;

		for (end = first + 1; end < r->steps && waited_before(r, end) == waited;)
			end++;
		for (; more && end_of(args_of(r->lane, op)) <= until_ns; more = next_op(&c, &op))
			seen++;
		raise_between_waits(r, first, end, waited & PLAN_WAITED_FOR_ONE ? seen + 1 : seen);
	}
}

static void find_room(struct ring *r)
{
	uint32_t batch = 0, room = 1;

	for (uint32_t i = 0; i < r->steps; i++) {
		batch = together(r, i) ? batch + 1 : r->step[i].limit + 1u;
		room = batch > room ? batch : room;
	}
	r->room = room < ROOM_MOST ? room : ROOM_MOST;
}

/* ---- memory ---------------------------------------------------------------------------------------------------------------- */

static void *memory(size_t bytes)
{
	void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return p == MAP_FAILED ? NULL : p;
}

static uint64_t most_parts(const struct ring *r)
{
	uint64_t most = 1;

	for (uint32_t i = 0; i < r->steps; i++) {
		const struct plan_op *op = &r->lane->run->plan->op[r->step[i].op];
		uint64_t parts = args_of(r->lane, r->step[i].op)->arg;

		if (ring_moves_data(op) && parts > most)
			most = parts;
	}
	return most < IOV_MOST ? most : IOV_MOST;
}

/* Every request has a buffer of its own, unless that took too much memory. */
static int make_requests(struct ring *r)
{
	size_t parts = most_parts(r), each = (r->lane->plan->longest_read + 4095) & ~4095ULL, buffers;

	each = each ? each : 4096;
	buffers = each * r->room <= BUFFERS_MOST ? r->room : BUFFERS_MOST / each ? BUFFERS_MOST / each : 1;
	r->buffers_bytes = each * buffers;
	r->buffers = memory(r->buffers_bytes);
	r->request = calloc(r->room, sizeof(*r->request));
	r->prepared = calloc(r->room, sizeof(*r->prepared));
	r->free_request = calloc(r->room, sizeof(*r->free_request));
	r->iov = calloc(r->room * parts, sizeof(*r->iov));
	if (!r->buffers || !r->request || !r->prepared || !r->free_request || !r->iov)
		return -ENOMEM;
	for (uint32_t i = 0; i < r->room; i++) {
		r->free_request[i] = r->room - 1 - i;
		r->request[i].buffer = r->buffers + i % buffers * each;
		r->request[i].iov = r->iov + i * parts;
	}
	return 0;
}

int ring_prepare(struct lane *l)
{
	struct ring *r = calloc(1, sizeof(*r));

	l->ring = r;
	if (!r)
		return -ENOMEM;
	r->lane = l;
	r->bell_fd = -1;
	for (uint32_t i = 0; i < l->plan->chunks; i++)
		r->steps += l->plan->chunk[i].count;
	r->step = memory(r->steps * sizeof(*r->step));
	r->complete = memory(r->steps / 8 + 16);
	if (!r->step || !r->complete)
		return -ENOMEM;
	list_steps(r);
	find_limits(r);
	raise_limits(r);
	find_room(r);
	return make_requests(r);
}

void ring_free(struct lane *l)
{
	struct ring *r = l->ring;

	if (!r)
		return;
	if (r->step)
		munmap(r->step, r->steps * sizeof(*r->step) + !r->steps);
	if (r->complete)
		munmap(r->complete, r->steps / 8 + 16);
	if (r->buffers)
		munmap(r->buffers, r->buffers_bytes);
	free(r->request);
	free(r->prepared);
	free(r->free_request);
	free(r->iov);
	free(r);
	l->ring = NULL;
}

/* ---- the dry run's driver: everything is complete at once ------------------------------------------------------------------ */

static int open_nothing(struct ring *r)
{
	(void)r;
	return 0;
}

static void prepare_nothing(struct ring *r, uint32_t request)
{
	(void)r;
	(void)request;
}

static void work_nothing(struct ring *r, bool wait, uint64_t timeout_ns)
{
	(void)wait;
	(void)timeout_ns;
	ring_taking(r);
	for (uint32_t i = 0; i < r->prepared_n; i++) {
		const struct ring_request *q = &r->request[r->prepared[i]];

		r->lane->args = q->args;
		ring_completed(r, r->prepared[i], rehearsed(r->lane, q->op, q->args->length));
	}
	r->prepared_n = 0;
}

static void close_nothing(struct ring *r)
{
	(void)r;
}

static const struct ring_driver ring_nothing = {
	.name = "none", .links = true, .open = open_nothing, .prepare = prepare_nothing, .work = work_nothing, .close = close_nothing};

/* ---- completions ----------------------------------------------------------------------------------------------------------- */

int ring_descriptor(struct ring *r, const struct ring_request *q)
{
	return r->lane->run->direct ? what_if_direct(r->lane, q->op, q->args) : lane_descriptor(r->lane, q->op->handle);
}

static void mark_complete(struct ring *r, uint32_t sequence)
{
	uint32_t i = sequence - 1;

	r->complete[i / 64] |= 1ULL << i % 64;
	while (r->done < r->steps && r->complete[r->done / 64] >> r->done % 64 & 1)
		r->done++;
}

void ring_taking(struct ring *r)
{
	r->now_tick = tick_now();
}

/* From the hand-in to the taking; against a schedule from when it should have been handed in. */
static uint64_t latency_of(struct lane *l, const struct ring_request *q, uint64_t now)
{
	uint64_t service_ns = tick_ns(now - q->begin_tick);

	if (l->run->timing != TIMING_SCHEDULE || l->run->dry)
		return service_ns;
	hist_record(l->stats->service, service_ns);
	return service_ns + q->late_ns;
}

static void take_result(struct ring *r, const struct ring_request *q, int64_t result)
{
	struct lane *l = r->lane;
	struct step s;

	l->args = q->args;
	measure_of(l, q->op, &s);
	if (!(q->op->bits & PLAN_HIDDEN))
		account(l, q->op, &s, result, latency_of(l, q, r->now_tick), r->now_tick);
	/* For those that the ring links itself: then nothing else is under way. */
	if (q->place == r->next && q->bits & TRACE_EV_LINK && (result < 0 || (counts_bytes(trace_ops[q->op->op].class) && (uint64_t)result < s.length)))
		r->chain_broken = true;
	mark_complete(r, q->sequence);
}

void ring_completed(struct ring *r, uint32_t request, int64_t result)
{
	take_result(r, &r->request[request], result);
	r->last_tick = r->now_tick;
	r->flying--;
	r->free_request[r->room - 1 - r->flying] = request;
}

static void work(struct ring *r, bool wait, uint64_t timeout_ns)
{
	uint64_t now = tick_now();

	for (uint32_t i = 0; i < r->prepared_n; i++)
		r->request[r->prepared[i]].begin_tick = now;
	r->facts.batches += r->prepared_n > 0;
	if (r->prepared_n)
		r->last_tick = now;
	if (r->flying > r->facts.depth)
		r->facts.depth = r->flying;
	r->driver->work(r, wait, timeout_ns);
	lane_publish(r->lane, r->done);
}

/* ---- handing in ------------------------------------------------------------------------------------------------------------ */

static bool is_request(const struct ring *r, uint32_t i)
{
	return is_for_driver(r, &r->lane->run->plan->op[r->step[i].op], args_of(r->lane, r->step[i].op));
}

/* What comes after it in a chain may use its descriptor, which is only known when it is complete. */
static bool opens(const struct ring *r, uint32_t i)
{
	return trace_ops[r->lane->run->plan->op[r->step[i].op].op].class == TRACE_CLASS_OPEN;
}

/* Linked to the one before it, and not by the driver: that cannot link, or one of the two is a call or opens. */
static bool linked_here(const struct ring *r, uint32_t i)
{
	return chained(r, i) && (!r->driver->links || one_by_one(r->lane) || opens(r, i - 1) || !is_request(r, i) || !is_request(r, i - 1));
}

/*
 * The one before it failed. From Linux 6.0 on the failure of what is no read, write or sync does not break a chain: which of the two it was on the
 * recorded host, the recording tells.
 */
static bool is_cancelled(const struct ring *r, uint32_t i)
{
	const struct plan_op *op = r->lane->run->plan->op;

	return r->chain_broken && linked_here(r, i) && (op[r->step[i].op].expect == ECANCELED || ring_moves_data(&op[r->step[i - 1].op]));
}

/* What the driver cannot do, or the compiler put in: a call of this thread. */
static void do_at_once(struct ring *r, struct ring_request *q)
{
	int64_t result;

	r->lane->args = q->args;
	q->begin_tick = tick_now();
	result = r->lane->run->dry ? rehearsed(r->lane, q->op, q->args->length) : execute_by_engine(r->lane, q->op);
	ring_taking(r);
	if (!(q->op->bits & PLAN_HIDDEN)) {
		r->facts.calls++;
		r->as_calls[q->op->op]++;
	}
	take_result(r, q, result);
	lane_publish(r->lane, r->done);
}

static void hand_in(struct ring *r)
{
	const struct ring_step *s = &r->step[r->next];
	const struct plan *p = r->lane->run->plan;
	struct ring_request *q, call;
	uint32_t request;
	bool cancelled = is_cancelled(r, r->next);

	call = (struct ring_request){.op = &p->op[s->op], .args = args_of(r->lane, s->op), .sequence = s->sequence, .bits = s->bits, .place = r->next + 1,
				     .late_ns = r->late_ns};
	r->next++;
	r->chain_broken = cancelled;
	if (cancelled) {
		call.begin_tick = tick_now();
		ring_taking(r);
		take_result(r, &call, -ECANCELED);
		return;
	}
	if (!is_for_driver(r, call.op, call.args)) {
		/* Those before it are under way by then. */
		if (r->prepared_n)
			work(r, false, 0);
		do_at_once(r, &call);
		return;
	}
	request = r->free_request[r->room - 1 - r->flying];
	r->flying++;
	q = &r->request[request];
	call.iov = q->iov;
	call.buffer = q->buffer;
	*q = call;
	r->prepared[r->prepared_n++] = request;
	r->facts.requests++;
	r->facts.names += !ring_moves_data(call.op);
	r->driver->prepare(r, request);
}

enum blocked { BLOCKED_NOT, BLOCKED_FULL, BLOCKED_EDGE, BLOCKED_TIME };

/*
 * The first edge of the next request that is not satisfied. Those linked to it go in with it: they were handed in together, so theirs are
 * the same, and waiting for what ended between their begins could be waiting for one another.
 */
static const struct plan_edge *open_edge(struct ring *r)
{
	uint32_t edges = r->lane->run->plan->op[r->step[r->next].op].edges;

	return edges ? edge_unreached(r->lane, edges) : NULL;
}

static bool must_be_alone(const struct ring *r)
{
	uint32_t i = r->next;

	if (linked_here(r, i))
		return true;
	return !r->driver->links && (r->step[i].bits & TRACE_EV_DRAIN || (i && r->step[i - 1].bits & TRACE_EV_DRAIN));
}

/* The time at which the next one is to be handed in, now that nothing else holds it up. */
static void find_target(struct ring *r)
{
	const struct runtime *run = r->lane->run;
	const struct ring_step *s = &r->step[r->next];
	uint64_t since_start = run->timing == TIMING_THINK ? tick_ns(r->last_tick - run->start_tick) + scaled(run, s->gap_ns)
							     : scaled(run, s->begin_ns - run->plan->first_begin_ns);

	r->target_ns = run->start_ns + since_start;
}

static enum blocked blocked(struct ring *r, const struct plan_edge **edge)
{
	const struct runtime *run = r->lane->run;

	*edge = NULL;
	if (r->next == r->steps || r->flying >= r->room || r->flying > r->step[r->next].limit || (must_be_alone(r) && r->flying))
		return BLOCKED_FULL;
	if (run->dry)
		return BLOCKED_NOT;
	*edge = open_edge(r);
	if (*edge)
		return BLOCKED_EDGE;
	if (run->timing == TIMING_ASAP)
		return BLOCKED_NOT;
	if (!r->target_ns)
		find_target(r);
	return clock_now_ns() < r->target_ns ? BLOCKED_TIME : BLOCKED_NOT;
}

static void hand_in_batch(struct ring *r)
{
	if (r->prepared_n)
		work(r, false, 0);
	if (r->target_ns) {
		r->late_ns = clock_now_ns() - r->target_ns;
		hist_record(r->lane->stats->lateness, r->late_ns);
	}
	do
		hand_in(r);
	while (together(r, r->next) && r->flying < r->room && !must_be_alone(r) && (r->lane->run->dry || chained(r, r->next) || !open_edge(r)));
	r->target_ns = 0;
}

/* ---- waiting --------------------------------------------------------------------------------------------------------------- */

static void wait_for_edge(struct ring *r, const struct plan_edge *edge)
{
	struct lane *l = r->lane;

	if (!r->flying) {
		/* What it waits for within the ring is under way, or the trace lies. */
		if ((edge->lane & ~PLAN_EDGE_MORE) == l->number)
			hand_in_batch(r);
		else
			wait_for_edge_asleep(l, edge);
		return;
	}
	if ((edge->lane & ~PLAN_EDGE_MORE) == l->number) {
		work(r, true, UINT64_MAX);
		return;
	}
	r->listen = true;
	wait_begin(l, edge);
	work(r, !edge_reached(l, edge), UINT64_MAX);
	wait_end(l, edge);
	r->listen = false;
}

static void wait_for_time(struct ring *r)
{
	uint64_t now = clock_now_ns(), margin_ns = naps_margin_ns(&r->lane->naps);

	if (!r->flying)
		pace_until(r->lane, r->target_ns);
	else if (now + margin_ns < r->target_ns)
		work(r, true, r->target_ns - margin_ns - now);
	else
		work(r, false, 0);
}

void ring_run(struct lane *l)
{
	struct ring *r = l->ring;
	const struct plan_edge *edge;

	r->last_tick = l->run->start_tick;
	l->bin_end_tick = l->run->start_tick + tick_of_ns(l->stats->bin_end_ns);
	while ((r->next < r->steps || r->flying) && !atomic_load_explicit(&l->run->stop, memory_order_relaxed))
		switch (blocked(r, &edge)) {
		case BLOCKED_NOT: hand_in_batch(r); break;
		case BLOCKED_EDGE: wait_for_edge(r, edge); break;
		case BLOCKED_TIME: wait_for_time(r); break;
		case BLOCKED_FULL: work(r, true, UINT64_MAX); break;
		}
	while (r->flying)
		work(r, true, UINT64_MAX);
	atomic_fetch_add(&l->run->finished_ops, r->done);
}

/* ---- drivers --------------------------------------------------------------------------------------------------------------- */

static bool try_driver(struct ring *r, const struct ring_driver *driver)
{
	int rc;

	r->driver = driver;
	rc = driver->open(r);
	if (rc && !r->facts.refused)
		r->facts.refused = -rc;
	return !rc;
}

/* As recorded; what is not to be had here is done by threads. */
void ring_begin(struct lane *l)
{
	struct ring *r = l->ring;
	bool uring = l->plan->via == TRACE_VIA_URING;

	r->driver = &ring_nothing;
	if (l->run->dry)
		return;
	r->bell_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->bell_fd = r->bell_fd;
	if (l->run->engine == ENGINE_URING)
		uring = true;
	if (r->bell_fd < 0 || l->run->engine == ENGINE_PSYNC || l->run->engine == ENGINE_MMAP || (!(uring ? try_driver(r, &ring_uring) : try_driver(r, &ring_aio)) &&
								     (uring || !try_driver(r, &ring_uring))))
		if (!try_driver(r, &ring_threads)) {
			l->run->error = EAGAIN;
			atomic_store(&l->run->stop, true);
			r->driver = &ring_nothing;
		}
	r->facts.driver = r->driver->name;
}

void ring_end(struct lane *l)
{
	struct ring *r = l->ring;

	r->driver->close(r);
	r->facts.number = l->plan->ring;
	r->facts.via = l->plan->via;
	for (int i = 0; i < TRACE_OP_MAX; i++)
		if (r->as_calls[i])
			atomic_fetch_add(&l->run->as_calls[i], r->as_calls[i]);
	l->bell_fd = -1;
	if (r->bell_fd >= 0)
		close(r->bell_fd);
}
