#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture/spaces.h"
#include "capture/tasks.h"

int tasks_init(struct tasks *tasks, struct trace_writer *writer, uint32_t pid_max)
{
	memset(tasks, 0, sizeof(*tasks));
	tasks->writer = writer;
	tasks->tids = pid_max + 1;
	tasks->own_namespace = spaces_number(0);
	tasks->id = calloc(tasks->tids, sizeof(*tasks->id));
	tasks->last_child = calloc(tasks->tids, sizeof(*tasks->last_child));
	if (tasks->id && tasks->last_child)
		return 0;
	tasks_release(tasks);
	return -ENOMEM;
}

void tasks_release(struct tasks *tasks)
{
	free(tasks->id);
	free(tasks->last_child);
	memset(tasks, 0, sizeof(*tasks));
}

static uint32_t comm_of(struct tasks *tasks, uint32_t pid, uint32_t tid)
{
	char path[64], comm[64] = "";
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/comm", pid, tid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	n = fread(comm, 1, sizeof(comm) - 1, f);
	fclose(f);
	while (n && comm[n - 1] == '\n')
		n--;
	return n ? trace_writer_string(tasks->writer, comm, n) : 0;
}

static uint32_t directory_of(struct tasks *tasks, uint32_t pid)
{
	char path[64], text[PATH_MAX];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/cwd", pid);
	n = readlink(path, text, sizeof(text));
	return n > 0 ? trace_writer_string(tasks->writer, text, (size_t)n) : 0;
}

uint32_t tasks_get_ended(struct tasks *tasks, uint32_t tid, uint32_t pid, uint64_t seen_ns)
{
	return tid < tasks->tids && tasks->id[tid] ? tasks->id[tid] & ~TASKS_ENDED : tasks_get(tasks, tid, pid, seen_ns);
}

uint32_t tasks_meet(struct tasks *tasks, uint32_t tid, uint32_t pid, uint64_t seen_ns)
{
	struct trace_thread thread = {.tid = tid, .pid = pid, .seen_ns = seen_ns};

	if (tid >= tasks->tids)
		tid = tasks->tids - 1;
	if (tasks_known(tasks, tid))
		return tasks->id[tid];
	thread.comm = comm_of(tasks, pid, tid);
	thread.mount_namespace = spaces_number(tid);
	/* What /proc tells is a path of the thread's own namespace. */
	if (thread.mount_namespace == tasks->own_namespace)
		thread.cwd = directory_of(tasks, pid);
	tasks->count++;
	return tasks->id[tid] = trace_writer_thread(tasks->writer, &thread);
}

void tasks_fork(struct tasks *tasks, const struct rec_task *fork, uint64_t seen_ns)
{
	struct trace_thread thread = {.tid = fork->tid, .pid = fork->pid, .seen_ns = seen_ns, .mount_namespace = fork->mount_namespace};

	if (fork->tid >= tasks->tids || fork->parent_tid >= tasks->tids)
		return;
	thread.parent = tasks_get(tasks, fork->parent_tid, fork->parent_pid, seen_ns);
	thread.comm = trace_writer_string(tasks->writer, fork->comm, strnlen(fork->comm, sizeof(fork->comm)));
	tasks->count++;
	tasks->id[fork->tid] = trace_writer_thread(tasks->writer, &thread);
	tasks->last_child[fork->parent_tid] = fork->tid;
}

void tasks_forget(struct tasks *tasks, uint32_t tid)
{
	if (tid >= tasks->tids)
		return;
	tasks->id[tid] |= tasks->id[tid] ? TASKS_ENDED : 0;
	tasks->last_child[tid] = 0;
}

uint32_t tasks_take_child(struct tasks *tasks, uint32_t tid)
{
	uint32_t child;

	if (tid >= tasks->tids)
		return 0;
	child = tasks->last_child[tid];
	tasks->last_child[tid] = 0;
	return child;
}
