#include "rootfs/image_run.h"

#include <errno.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/exitcode.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/stop.h"
#include "rootfs/script.h"

#define POLL_NS 100000000ULL

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

/* The child: process 1 of its namespaces; when it ends, or we do, the kernel ends everything below it. */
static int inside(const struct image_run *run, const char *work)
{
	_cleanup_free_ char *image = absolute_path(run->image), *dir = run->dir ? absolute_path(run->dir) : NULL;
	_cleanup_free_ char *disk_dir = absolute_path(run->disk_dir ? run->disk_dir : work);
	const char *names[] = {"IORIG_IMAGE", "IORIG_NET", "IORIG_DIR", "IORIG_DISK_DIR", "IORIG_ACCEL", "IORIG_MAC", "IORIG_APPEND",
			       "IORIG_WORK", "IORIG_PROGRAM"};
	const char *values[] = {image, run->net, dir, disk_dir, run->accel, run->mac, run->append, work, proc_self()};
	const char *number_names[] = {"IORIG_DISKS", "IORIG_DISK_GIB", "IORIG_MEMORY_MIB", "IORIG_CPUS", "IORIG_UEFI"};
	uint64_t numbers[] = {run->disks, run->disk_gib, run->memory_mib, run->cpus, run->uefi};
	char text[32];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("proc", "/proc", "proc", 0, NULL))
		return fail(EXIT_FAILED, "image run: cannot mount /proc in a namespace of its own: %s", strerror(errno));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		setenv(names[i], values[i] ? values[i] : "", 1);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(text, sizeof(text), "%llu", (unsigned long long)numbers[i]);
		setenv(number_names[i], text, 1);
	}
	return script_become("run.sh", (const char *const[]){NULL});
}

/* Waits for the child; ends it when a signal asks for that or its time is up. */
static int supervise(pid_t pid, uint64_t timeout_ns)
{
	uint64_t start = clock_now_ns();
	bool late = false;
	int status;

	while (waitpid(pid, &status, WNOHANG) != pid) {
		late = timeout_ns && clock_now_ns() - start > timeout_ns;
		if (late || stop_requested()) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			break;
		}
		clock_sleep_ns(POLL_NS);
	}
	if (late)
		return fail(EXIT_FAILED, "image run: the box did not end within %llu s; --timeout gives it more",
			    (unsigned long long)(timeout_ns / 1000000000ULL));
	if (stop_requested())
		return fail(EXIT_FAILED, "image run: ended by signal %d; the box was cut off", stop_signal());
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return fail(EXIT_FAILED, "image run: its script died by signal %d", WTERMSIG(status));
}

static int check(const struct image_run *run)
{
	static const char *const nets[] = {"none", "user", "pxe"}, *const accels[] = {"auto", "kvm", "tcg"};
	bool net = false, accel = false;

	for (int i = 0; i < 3; i++) {
		net |= !strcmp(run->net, nets[i]);
		accel |= !strcmp(run->accel, accels[i]);
	}
	if (!net)
		return fail(EXIT_USAGE, "image run: --net is none, user or pxe, not '%s'", run->net);
	if (!accel)
		return fail(EXIT_USAGE, "image run: --accel is auto, kvm or tcg, not '%s'", run->accel);
	if (!strcmp(run->net, "pxe") && !run->dir)
		return fail(EXIT_USAGE, "image run: --net pxe needs --dir, the directory that 'iorig serve assign' prepared");
	if (run->disks > 16 || !run->disk_gib || run->disk_gib > 65536 || !run->cpus || run->cpus > 64 || run->memory_mib < 512)
		return fail(EXIT_USAGE, "image run: at most 16 disks of 1 to 65536 GiB, 1 to 64 cpus, at least 512 MiB of memory");
	if (strlen(run->mac) != 17 || strspn(run->mac, "0123456789abcdefABCDEF:") != 17)
		return fail(EXIT_USAGE, "image run: --mac wants a form like 52:54:00:10:00:01, not '%s'", run->mac);
	if (run->append && !strcmp(run->net, "pxe"))
		return fail(EXIT_USAGE, "image run: with --net pxe the kernel command line is the server's; see DIR/boot/default.ipxe");
	return EXIT_DONE;
}

int image_run(const struct image_run *run)
{
	const char *base = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
	_cleanup_free_ char *work = NULL;
	int rc = check(run);
	pid_t pid;

	if (rc != EXIT_DONE)
		return rc;
	if (geteuid())
		return fail(EXIT_IMPOSSIBLE, "image run: needs root for namespaces of its own; run it with sudo");
	if (asprintf(&work, "%s/iorig-run-XXXXXX", base) < 0 || !mkdtemp(work))
		return fail(EXIT_FAILED, "cannot create a directory in %s: %s", base, strerror(errno));
	stop_arm();
	rc = EXIT_FAILED;
	if (unshare(CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS))
		fail(EXIT_FAILED, "image run: cannot make namespaces: %s", strerror(errno));
	else if ((pid = fork()) < 0)
		fail(EXIT_FAILED, "image run: cannot start a process: %s", strerror(errno));
	else if (pid == 0)
		_exit(inside(run, work));
	else
		rc = supervise(pid, run->timeout_ns);
	nftw(work, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return rc;
}
