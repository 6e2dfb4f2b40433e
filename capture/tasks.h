#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "capture/record.h"
#include "trace/trace.h"

/* The recorded threads: tid -> id in the trace, told when a thread is seen first or has been forked. */
struct tasks {
	struct trace_writer *writer;
	uint32_t *id; /* by tid */
	uint32_t *last_child; /* by tid: the child that its running clone has made, 0: none */
	uint32_t tids;
	uint32_t count;
	uint32_t own_namespace; /* of mounts, the recorder's */
};

int tasks_init(struct tasks *tasks, struct trace_writer *writer, uint32_t pid_max);
#define TASKS_ENDED (1u << 31) /* of an id: the thread is gone, its tid may be another one's soon */

static inline bool tasks_known(const struct tasks *tasks, uint32_t tid)
{
	return tid < tasks->tids && tasks->id[tid] && !(tasks->id[tid] & TASKS_ENDED);
}

/* tasks_get's, of threads that are not known. */
uint32_t tasks_meet(struct tasks *tasks, uint32_t tid, uint32_t pid, uint64_t seen_ns);
/* The id of that thread; when it is new, name and directory are asked from /proc. */
static inline uint32_t tasks_get(struct tasks *tasks, uint32_t tid, uint32_t pid, uint64_t seen_ns)
{
	return tasks_known(tasks, tid) ? tasks->id[tid] : tasks_meet(tasks, tid, pid, seen_ns);
}

/* The same, but a thread that has just ended is meant too: its last acts come after its end. */
uint32_t tasks_get_ended(struct tasks *tasks, uint32_t tid, uint32_t pid, uint64_t seen_ns);
/* A fork or exec record. */
void tasks_fork(struct tasks *tasks, const struct rec_task *fork, uint64_t seen_ns);
/* The thread has ended: its tid may come again as another one. */
void tasks_forget(struct tasks *tasks, uint32_t tid);
/* The tid, as the host's initial namespace counts, of the child that the thread's clone call has just made; 0: not known. */
uint32_t tasks_take_child(struct tasks *tasks, uint32_t tid);
void tasks_release(struct tasks *tasks);
