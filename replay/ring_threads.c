/* Requests as plain system calls of threads, as many as requests can be under way: where no ring is to be had, and for --engine psync. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>

#include "replay/call.h"
#include "replay/ring.h"
#include "replay/what_if.h"

enum { THREADS_MOST = 512, STACK_BYTES = 128 * 1024 };

struct worker {
	struct lane lane; /* a stand-in, so that the buffer and arguments are its own */
	struct ring *ring;
	pthread_t thread;
};

struct threads {
	pthread_mutex_t lock;
	pthread_cond_t more;
	uint32_t *queue, head, tail; /* a ring of requests; as many places as there are requests */
	struct outcome {
		uint32_t request;
		int64_t result;
	} *outcome;
	uint32_t outcomes, workers;
	bool ending;
	struct worker *worker;
};

static int64_t carry_out(struct lane *l, const struct ring_request *q)
{
	l->args = q->args;
	l->buffer = q->buffer;
	l->iov = q->iov;
	return execute_by_engine(l, q->op);
}

static void *worker(void *arg)
{
	struct worker *w = arg;
	struct ring *r = w->ring;
	struct threads *t = r->own;

	pthread_mutex_lock(&t->lock);
	for (;;) {
		uint32_t request;
		int64_t result;

		while (t->head == t->tail && !t->ending)
			pthread_cond_wait(&t->more, &t->lock);
		if (t->head == t->tail)
			break;
		request = t->queue[t->head++ % r->room];
		pthread_mutex_unlock(&t->lock);
		result = carry_out(&w->lane, &r->request[request]);
		pthread_mutex_lock(&t->lock);
		t->outcome[t->outcomes++] = (struct outcome){request, result};
		if (t->outcomes == 1)
			eventfd_write(r->bell_fd, 1);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

static void close_threads(struct ring *r)
{
	struct threads *t = r->own;

	pthread_mutex_lock(&t->lock);
	t->ending = true;
	pthread_cond_broadcast(&t->more);
	pthread_mutex_unlock(&t->lock);
	for (uint32_t i = 0; i < t->workers; i++) {
		pthread_join(t->worker[i].thread, NULL);
		methods_add(&r->lane->methods, &t->worker[i].lane.methods);
	}
	free(t->worker);
	free(t->queue);
	free(t->outcome);
	free(t);
}

static int start_workers(struct ring *r, struct threads *t, uint32_t n)
{
	pthread_attr_t attr;
	int rc = 0;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	while (t->workers < n && !rc) {
		struct worker *w = &t->worker[t->workers];

		w->ring = r;
		w->lane = (struct lane){.run = r->lane->run, .plan = r->lane->plan, .number = r->lane->number};
		rc = -pthread_create(&w->thread, &attr, worker, w);
		t->workers += !rc;
	}
	pthread_attr_destroy(&attr);
	return t->workers ? 0 : rc;
}

static int open_threads(struct ring *r)
{
	struct threads *t = calloc(1, sizeof(*t));
	uint32_t n = r->room < THREADS_MOST ? r->room : THREADS_MOST;
	int rc = -ENOMEM;

	if (!t)
		return rc;
	r->own = t;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->more, NULL);
	t->queue = calloc(r->room, sizeof(*t->queue));
	t->outcome = calloc(r->room, sizeof(*t->outcome));
	t->worker = aligned_alloc(64, n * sizeof(*t->worker));
	if (t->queue && t->outcome && t->worker)
		rc = start_workers(r, t, n);
	if (rc)
		close_threads(r);
	return rc;
}

static void prepare_threads(struct ring *r, uint32_t request)
{
	(void)r;
	(void)request;
}

/* The bell rings for completions, too. */
static void sleep_for(struct ring *r, uint64_t timeout_ns)
{
	struct timespec ts = {.tv_sec = (time_t)(timeout_ns / 1000000000), .tv_nsec = (long)(timeout_ns % 1000000000)};
	struct pollfd p = {.fd = r->bell_fd, .events = POLLIN};
	eventfd_t count;

	ppoll(&p, 1, timeout_ns == UINT64_MAX ? NULL : &ts, NULL);
	eventfd_read(r->bell_fd, &count);
}

static void work_threads(struct ring *r, bool wait, uint64_t timeout_ns)
{
	struct threads *t = r->own;
	bool nothing;

	pthread_mutex_lock(&t->lock);
	for (uint32_t i = 0; i < r->prepared_n; i++) {
		t->queue[t->tail++ % r->room] = r->prepared[i];
		pthread_cond_signal(&t->more);
	}
	r->prepared_n = 0;
	nothing = !t->outcomes;
	pthread_mutex_unlock(&t->lock);
	if (wait && nothing)
		sleep_for(r, timeout_ns);
	pthread_mutex_lock(&t->lock);
	ring_taking(r);
	for (uint32_t i = 0; i < t->outcomes; i++)
		ring_completed(r, t->outcome[i].request, t->outcome[i].result);
	t->outcomes = 0;
	pthread_mutex_unlock(&t->lock);
}

const struct ring_driver ring_threads = {
	.name = "psync", .open = open_threads, .prepare = prepare_threads, .work = work_threads, .close = close_threads};
