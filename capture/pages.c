#include <sys/stat.h>

#include "capture/pages.h"

#define PAGE_BYTES 4096

static uint64_t since_start(const struct drain *d, const struct rec_head *head)
{
	return head->end_ns > d->start_ns ? head->end_ns - d->start_ns : 0;
}

/* A fault has told its file before; what only came into the cache may be of a file that nobody opened. */
static uint32_t file_of(struct drain *d, const struct rec_pages *r, uint64_t at_ns)
{
	struct file_sight sight = {.dev = r->file.dev, .ino = r->file.ino, .generation = r->file.generation, .mode = S_IFREG,
				   .bits = TRACE_FILE_SIZE_LATE, .seen_ns = at_ns};
	uint32_t id = files_find(&d->files, r->file.dev, r->file.ino, r->file.generation);

	return id ? id : files_see(&d->files, &sight);
}

void pages_record(struct drain *d, const struct rec_pages *r)
{
	static const uint8_t op[] = {0, TRACE_OP_FAULT_READ, TRACE_OP_FAULT_WRITE, TRACE_OP_CACHE_FILL};
	struct trace_event event = {.begin_ns = since_start(d, &r->head),
				    .bits = TRACE_EV_NO_DURATION,
				    .via = r->in_call ? TRACE_VIA_SYSCALL : TRACE_VIA_FAULT,
				    .fd = -1,
				    .fd2 = -1,
				    .offset = (int64_t)(r->first_page * PAGE_BYTES),
				    .offset2 = -1,
				    .length = r->pages * PAGE_BYTES};

	if (!r->kind || r->kind >= sizeof(op))
		return;
	event.op = op[r->kind];
	event.file = file_of(d, r, event.begin_ns);
	event.thread = tasks_get(&d->tasks, r->tid, r->pid, event.begin_ns);
	drain_write(d, &event);
}

void wakes_record(struct drain *d, const struct rec_wake *r)
{
	struct trace_wake wake = {.at_ns = since_start(d, &r->head)};

	/* The kernel knows who is recorded of the one that runs; of the other one, only by its process. */
	if (d->wakes_known_only && !tasks_known(&d->tasks, r->wakee_tid))
		return;
	wake.waker = tasks_get_ended(&d->tasks, r->waker_tid, r->waker_pid, wake.at_ns);
	wake.wakee = tasks_get(&d->tasks, r->wakee_tid, r->wakee_pid, wake.at_ns);
	trace_writer_wake(d->writer, &wake);
}
