#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "capture/selftest.h"
#include "lib/proc.h"

const char *const selftest_names[HOOK_COUNT] = {"sys_enter", "sys_exit", "sched_process_fork", "sched_process_exec", "sched_process_exit", "sched_waking",
						 "page_fault_user"};

const char *const selftest_gap_names[GAP_COUNT] = {"descriptor", "path", "stat", "paths", "open"};

/* Calls of each kind, one right after the other. By paths of a file that is there: our own program. */
static void call_in_turns(int fd)
{
	const char *file = proc_self();
	struct stat st;

	for (int round = 0; round < SELFTEST_ROUNDS; round++) {
		for (int i = 0; i < SELFTEST_CALLS / SELFTEST_ROUNDS; i++)
			lseek(fd, 0, SEEK_CUR);
		for (int i = 0; i < SELFTEST_CALLS / SELFTEST_ROUNDS; i++)
			syscall(SYS_access, file, F_OK);
		for (int i = 0; i < SELFTEST_CALLS / SELFTEST_ROUNDS; i++)
			syscall(SYS_newfstatat, AT_FDCWD, file, &st, 0);
		for (int i = 0; i < SELFTEST_CALLS / SELFTEST_ROUNDS; i++)
			syscall(SYS_renameat2, AT_FDCWD, file, AT_FDCWD, file, RENAME_NOREPLACE); /* EEXIST */
		for (int i = 0; i < SELFTEST_CALLS / SELFTEST_ROUNDS; i++) {
			int opened = (int)syscall(SYS_openat, AT_FDCWD, file, O_RDONLY | O_CLOEXEC);

			lseek(opened, 0, SEEK_CUR);
			close(opened);
		}
		usleep(2000); /* small rings would be full of it */
	}
}

/* Opens a directory, calls, makes children that end, becomes another program. */
__attribute__((noreturn)) static void act(const struct config *config, const char *path, int go)
{
	char byte;
	int fd, null = open("/dev/null", O_RDWR | O_CLOEXEC);
	pid_t child;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (config->filters & FILTER_COMM)
		prctl(PR_SET_NAME, config->comm[0]);
	if ((config->filters & FILTER_UID) && setresuid(config->uid[0], config->uid[0], config->uid[0]))
		_exit(1);
	if (read(go, &byte, 1) != 1)
		_exit(1);
	fd = open(path, O_RDONLY | O_DIRECTORY);
	call_in_turns(fd);
	if (fd >= 0)
		close(fd);
	/* The end of a child wakes its parent, if that waits already: it does for one of three, however busy the machine is. */
	for (int i = 0; i < 3; i++) {
		child = fork();
		if (!child) {
			usleep(1000);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	execl(proc_self(), "iorig", "version", (char *)NULL);
	_exit(1);
}

int selftest_make(struct selftest *t, struct config *config, const char *path)
{
	int go[2];

	memset(t, 0, sizeof(*t));
	t->go = t->last_nr = -1;
	t->possible = !(config->filters & FILTER_CGROUP);
	if (!t->possible)
		return 0;
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	t->pid = fork();
	if (!t->pid) {
		close(go[1]);
		act(config, path, go[0]);
	}
	config->test_pid = t->pid > 0 ? (uint32_t)t->pid : 0;
	close(go[0]);
	t->go = go[1];
	return t->pid < 0 ? -errno : 0;
}

void selftest_begin(struct selftest *t)
{
	if (t->pid <= 0)
		return;
	if (write(t->go, "", 1) != 1) /* it has died: the test will say what did not fire */
		t->possible = true;
	close(t->go);
	t->go = -1;
}

bool selftest_over(const struct selftest *t)
{
	return t->pid <= 0 || waitpid(t->pid, NULL, WNOHANG);
}

/* The kind whose calls stand in pairs of these: the one before, the one after. */
static enum selftest_gap gap_kind(int before, int after)
{
	static const struct {
		int before, after;
	} pair[GAP_COUNT] = {[GAP_DESCRIPTOR] = {__NR_lseek, __NR_lseek},
			     [GAP_PATH] = {__NR_access, __NR_access},
			     [GAP_STAT] = {__NR_newfstatat, __NR_newfstatat},
			     [GAP_PATHS] = {__NR_renameat2, __NR_renameat2},
			     [GAP_OPEN] = {__NR_openat, __NR_lseek}};
	enum selftest_gap kind = 0;

	while (kind < GAP_COUNT && (pair[kind].before != before || pair[kind].after != after))
		kind++;
	return kind;
}

static void note_gap(struct selftest *t, const struct rec_event *e)
{
	uint64_t begin_ns = e->head.end_ns - e->duration_lo - ((uint64_t)e->duration_hi << 32);
	bool paired = !(e->head.bits & REC_UNPAIRED);
	enum selftest_gap kind = paired ? gap_kind(t->last_nr, e->nr) : GAP_COUNT;

	if (kind < GAP_COUNT && begin_ns > t->last_end_ns && t->gaps[kind] < SELFTEST_CALLS)
		t->gap_ns[kind][t->gaps[kind]++] = begin_ns - t->last_end_ns;
	t->last_nr = e->nr;
	t->last_end_ns = e->head.end_ns;
}

static int ascending(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

uint64_t selftest_gap_ns(const struct selftest *t, enum selftest_gap kind)
{
	uint64_t gap_ns[SELFTEST_CALLS];

	if (t->gaps[kind] < SELFTEST_CALLS / 2)
		return 0;
	memcpy(gap_ns, t->gap_ns[kind], sizeof(gap_ns));
	qsort(gap_ns, t->gaps[kind], sizeof(*gap_ns), ascending);
	return gap_ns[t->gaps[kind] / 2];
}

bool selftest_note(struct selftest *t, const struct rec_head *record)
{
	const struct rec_event *e = (const struct rec_event *)record;
	const struct rec_task *task = (const struct rec_task *)record;
	uint32_t pid = (uint32_t)t->pid, child = (uint32_t)t->child;

	if (!pid)
		return false;
	if (record->type == REC_TASK) {
		if (task->kind == TASK_FORK && task->parent_pid == pid) {
			t->fired[HOOK_FORK] = true;
			t->child = (pid_t)task->pid;
			return true;
		}
		if (task->pid != pid && (!child || task->pid != child))
			return false;
		t->fired[HOOK_EXEC] |= task->kind == TASK_EXEC;
		t->fired[HOOK_END] |= task->kind == TASK_EXIT;
		return true;
	}
	if (record->type == REC_WAKE) {
		const struct rec_wake *wake = (const struct rec_wake *)record;

		if (wake->waker_pid != pid && (!child || wake->waker_pid != child))
			return wake->wakee_pid == pid;
		t->fired[HOOK_WAKE] = true; /* the child's end wakes its parent, at least */
		return true;
	}
	if (record->type == REC_FILE)
		return ((const struct rec_file *)record)->pid == pid;
	if (record->type == REC_ASYNC || (e->pid != pid && (!child || e->pid != child)))
		return false;
	if (record->type == REC_PAGES) {
		t->fired[HOOK_PAGES] |= ((const struct rec_pages *)record)->kind != PAGES_FILLED; /* its own program, at least */
		return true;
	}
	if (e->pid == pid)
		note_gap(t, e);
	if (e->nr == __NR_openat || e->nr == __NR_close) {
		t->fired[HOOK_EXIT] = true;
		t->fired[HOOK_ENTER] |= !(record->bits & REC_UNPAIRED);
	}
	return true;
}

static bool expected(const struct config *config, enum selftest_hook hook)
{
	/* Under another name or user the test's child, which is another program by then, may not be recorded. */
	bool child_is_seen = !(config->filters & (FILTER_COMM | FILTER_UID));

	switch (hook) {
	case HOOK_ENTER: return !config->no_latency;
	case HOOK_EXEC: return child_is_seen;
	case HOOK_WAKE: return config->wakes && child_is_seen;
	case HOOK_PAGES: return config->faults && child_is_seen;
	default: return true;
	}
}

const char *selftest_missing(const struct selftest *t, const struct config *config)
{
	static char text[256];
	size_t n = 0;

	if (!t->possible)
		return NULL;
	for (int i = 0; i < HOOK_COUNT; i++)
		if (!t->fired[i] && expected(config, (enum selftest_hook)i))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "", selftest_names[i]);
	return n ? text : NULL;
}
