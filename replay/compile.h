#pragma once
#include "replay/order.h"
#include "replay/plan.h"

/* Where records come from: a trace file, or a test's array. string() is valid as long as the source is: records are read ahead. */
struct record_source {
	bool (*next)(void *self, struct trace_record *record);
	const char *(*string)(void *self, uint32_t id);
	void *self;
};

struct plan_options {
	enum order_mode order;
	const char *folder; /* where it will be kept, see spool_open; may be NULL */
	/* Called now and then with the number of events so far; may be NULL. */
	void (*progress)(void *context, uint64_t events);
	void *context;
};

/*
 * Compiles a whole trace. 0, or -errno when the plan could not be stored, or -EOVERFLOW when a thread has more than 2^32 - 2
 * operations. The plan must be released in every case. Reads nothing but the source, touches no file system but the spool's.
 */
int plan_compile(struct plan *plan, const struct record_source *source, const struct plan_options *options);
