/*
 * Descriptors that several processes have, in one table or in tables of their own, and what becomes of them; says what a recorder must have seen of
 * each. Processes take turns, so that the order is known. Creations and ends of processes are not said.
 *
 *	iotables DIR           (an empty directory on a file system that is recorded)
 *	iotables -after A B    reads from two descriptors that it may have
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "want.h"

static int a, b; /* of files of that name */

static void look(int fd, const char *name)
{
	long r = CALL4(pread64, fd, buffer, 10, 0);

	if (name)
		want(r, "pread64 fd=%d file=<%s/%s> offset=0 length=10", fd, dir, name);
	else
		want(r, "pread64 fd=%d offset=0 length=10", fd); /* EBADF */
}

static int make(const char *name)
{
	int fd = open(name, O_RDWR | O_CREAT, 0644);

	want(fd, "openat fd=AT_FDCWD file=<%s/%s> path=\"%s/%s\" flags=O_RDWR|O_CREAT mode=0644 bits=created", dir, name, dir, name);
	want(CALL4(pwrite64, fd, buffer, 100, 0), "pwrite64 fd=%d file=<%s/%s> offset=0 length=100", fd, dir, name);
	return fd;
}

/* Runs what in a child that has the parent's table, or a copy of it. */
static void in_child(unsigned long flags, void (*what)(void))
{
	long pid = syscall(__NR_clone, flags | SIGCHLD, 0, 0, 0, 0);
	int status;

	if (!pid) {
		what();
		_exit(0);
	}
	if (pid < 0 || waitpid((pid_t)pid, &status, 0) != pid || status)
		exit(1);
}

static void opens_c(void) { make("c"); }

static void leaves_the_table(void)
{
	want(CALL1(unshare, CLONE_FILES), "unshare flags=0x400");
	want(CALL2(dup2, b, a), "dup2 fd=%d fd2=%d file=<%s/b>", b, a, dir);
	look(a, "b");
}

static void closes_its_own(void)
{
	want(CALL3(close_range, a, b, CLOSE_RANGE_UNSHARE), "close_range fd=%d fd2=%d flags=0x2", a, b);
	look(a, NULL);
}

static void replaces(void)
{
	want(CALL2(dup2, b, a), "dup2 fd=%d fd2=%d file=<%s/b>", b, a, dir);
}

static void *in_thread(void *none)
{
	want(CALL1(unshare, CLONE_FILES), "unshare flags=0x400");
	want(CALL1(close, a), "close fd=%d file=<%s/a>", a, dir);
	look(a, NULL);
	return none;
}

static void tables(void)
{
	pthread_t thread;
	int c = b + 1;

	in_child(CLONE_FILES, opens_c);
	look(c, "c");
	want(CALL1(close, c), "close fd=%d file=<%s/c>", c, dir);
	in_child(CLONE_FILES, leaves_the_table);
	look(a, "a");
	in_child(CLONE_FILES, closes_its_own);
	look(a, "a");
	in_child(0, replaces);
	look(a, "a");
	if (pthread_create(&thread, NULL, in_thread, NULL) || pthread_join(thread, NULL))
		exit(1);
	look(a, "a");
	in_child(CLONE_FILES, replaces);
	look(a, "b");
	want(CALL1(close, a), "close fd=%d file=<%s/b>", a, dir);
	a = open("a", O_RDONLY);
	want(a, "openat fd=AT_FDCWD file=<%s/a> path=\"%s/a\"", dir, dir);
}

static const char *self;

/* One descriptor is gone in the new program: once by its own flag, once by that of a range. */
static void becomes_another(void)
{
	int kept = (int)CALL1(dup, a), lost, also;
	char first[20], second[20];

	want(kept, "dup fd=%d file=<%s/a>", a, dir);
	lost = (int)CALL1(dup, b);
	want(lost, "dup fd=%d file=<%s/b>", b, dir);
	want(CALL3(close_range, lost, lost, CLOSE_RANGE_CLOEXEC), "close_range fd=%d fd2=%d flags=0x4", lost, lost);
	also = (int)CALL3(fcntl, b, F_DUPFD_CLOEXEC, 40);
	want(also, "fcntl fd=%d file=<%s/b> flags=0x406 arg=40", b, dir);
	want(10, "pread64 fd=%d file=<%s/a> offset=0 length=10", kept, dir);
	want(-EBADF, "pread64 fd=%d offset=0 length=10", lost);
	snprintf(first, sizeof(first), "%d", kept);
	snprintf(second, sizeof(second), "%d", lost);
	execl(self, self, "-after", first, second, (char *)NULL);
	_exit(1);
}

static void send_descriptor(int socket, int fd)
{
	char byte = 'x', control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {&byte, 1};
	struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	if (sendmsg(socket, &m, 0) != 1)
		exit(1);
}

static int pair[2];

static void receives_two(void)
{
	char bytes[2], control[2][CMSG_SPACE(sizeof(int))] = {{0}};
	struct iovec part[2] = {{bytes, 1}, {bytes + 1, 1}};
	struct mmsghdr m[2] = {{.msg_hdr = {.msg_iov = part, .msg_iovlen = 1, .msg_control = control[0], .msg_controllen = sizeof(control[0])}},
			       {.msg_hdr = {.msg_iov = part + 1, .msg_iovlen = 1, .msg_control = control[1], .msg_controllen = sizeof(control[1])}}};
	int got[2];

	if (recvmmsg(pair[1], m, 2, MSG_CMSG_CLOEXEC, NULL) != 2)
		_exit(1);
	for (int i = 0; i < 2; i++) {
		memcpy(&got[i], CMSG_DATA(CMSG_FIRSTHDR(&m[i].msg_hdr)), sizeof(int));
		want(got[i], "recv_fd file=<%s/%c> flags=0x%x", dir, i ? 'b' : 'a', O_CLOEXEC);
	}
	look(got[0], "a");
	look(got[1], "b");
}

static void arrivals(void)
{
	int held, pipes[2], got;
	long pidfd;
	pid_t child;
	char byte;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, pair) || pipe(pipes))
		exit(1);
	send_descriptor(pair[0], a);
	send_descriptor(pair[0], b);
	in_child(0, receives_two);
	/* A descriptor is taken out of another process, which has it alone. */
	held = pipes[1] + 1;
	child = fork();
	if (!child) {
		if (make("d") != held)
			_exit(1);
		if (write(pipes[1], "", 1) != 1)
			_exit(1);
		pause();
	}
	if (read(pipes[0], &byte, 1) != 1)
		exit(1);
	pidfd = CALL2(pidfd_open, child, 0);
	got = (int)CALL3(pidfd_getfd, pidfd, held, 0);
	want(got, "pidfd_getfd fd=%ld fd2=%d file=<%s/d>", pidfd, held, dir);
	look(got, "d");
	want(CALL3(pidfd_getfd, pidfd, 99, 0), "pidfd_getfd fd=%ld fd2=99", pidfd); /* EBADF */
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "-after")) {
		int got = CALL4(pread64, atoi(argv[2]), buffer, 10, 0) == 10;

		return !(got && CALL4(pread64, atoi(argv[3]), buffer, 10, 0) == -EBADF);
	}
	self = realpath(argv[0], NULL);
	begin(argc, argv);
	a = make("a");
	b = make("b");
	tables();
	in_child(0, becomes_another);
	arrivals();
	return end();
}
