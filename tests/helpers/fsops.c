/*
 * Programs whose recording is hard to replay: fsops CASE DIR works in DIR, which exists. Each is correct in whatever order the kernel lets
 * its threads and processes run.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static char block[65536];

#define MUST(call) \
	do { \
		if ((call) < 0) { \
			fprintf(stderr, "fsops: line %d: %s: %s\n", __LINE__, #call, strerror(errno)); \
			exit(1); \
		} \
	} while (0)

static int make(const char *name, size_t bytes)
{
	int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

	MUST(fd);
	for (size_t n; bytes; bytes -= n) {
		n = bytes < sizeof(block) ? bytes : sizeof(block);
		MUST(write(fd, block, n));
	}
	return fd;
}

/* Four threads move 16 files among 48 names of three directories, replace each other's, and look at what is where. */
static void *stormer(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;

	for (int i = 0; i < 600; i++) {
		char from[32], to[32];
		struct stat st;

		snprintf(from, sizeof(from), "d%d/n%d", rand_r(&seed) % 3, rand_r(&seed) % 16);
		snprintf(to, sizeof(to), "d%d/n%d", rand_r(&seed) % 3, rand_r(&seed) % 16);
		switch (rand_r(&seed) % 4) {
		case 0: rename(from, to); break;
		case 1: syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE); break;
		case 2: syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE); break;
		default:
			if (stat(from, &st))
				close(open(from, O_CREAT | O_WRONLY, 0600));
		}
	}
	return NULL;
}

static void storm(void)
{
	pthread_t t[4];
	char name[32];

	for (int d = 0; d < 3; d++) {
		snprintf(name, sizeof(name), "d%d", d);
		MUST(mkdir(name, 0755));
	}
	for (int i = 0; i < 16; i++) {
		snprintf(name, sizeof(name), "d%d/n%d", i % 3, i);
		close(make(name, (size_t)i * 100));
	}
	for (size_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, stormer, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

/* Four threads make, link, look at and remove 24 names of one directory. Inode numbers are soon used again. */
static void *linker(void *arg)
{
	unsigned seed = (unsigned)(size_t)arg;

	for (int i = 0; i < 600; i++) {
		char from[32], to[32];
		struct stat st;

		snprintf(from, sizeof(from), "d/n%d", rand_r(&seed) % 24);
		snprintf(to, sizeof(to), "d/n%d", rand_r(&seed) % 24);
		switch (rand_r(&seed) % 6) {
		case 0: link(from, to); break;
		case 1: rename(from, to); break;
		case 2: unlink(from); break;
		case 3: stat(from, &st); break;
		case 4: close(open(from, O_CREAT | O_EXCL | O_WRONLY, 0600)); break;
		default: close(open(from, O_CREAT | O_WRONLY, 0600));
		}
	}
	return NULL;
}

static void link_storm(void)
{
	pthread_t t[4];

	MUST(mkdir("d", 0755));
	for (size_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, linker, (void *)(i + 1));
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
}

static void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {0}, byte = 0;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	struct cmsghdr *head = CMSG_FIRSTHDR(&m);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	MUST(sendmsg(socket, &m, 0));
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = {&byte, 1};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)};
	int fd;

	MUST(recvmsg(socket, &m, 0));
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

/* A parent opens files and passes them to a child forked before, which reads on where the parent was, and writes. */
static void pass(void)
{
	int pair[2], status;
	pid_t child;

	MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "f%d", i);
		close(make(name, 10000));
	}
	MUST(child = fork());
	for (int i = 0; i < 20; i++) {
		char name[32], byte = 1;
		int fd;

		if (!child) {
			fd = receive_fd(pair[1]);
			MUST(read(fd, block, 4000));
			MUST(lseek(fd, 0, SEEK_CUR));
			MUST(write(fd, block, 5000));
			close(fd);
			MUST(write(pair[1], &byte, 1));
			continue;
		}
		snprintf(name, sizeof(name), "f%d", i);
		fd = open(name, O_RDWR);
		MUST(read(fd, block, 3000));
		send_fd(pair[0], fd);
		MUST(read(pair[0], &byte, 1));
		MUST(lseek(fd, 0, SEEK_CUR));
		MUST(write(fd, block, 100));
		close(fd);
	}
	if (!child)
		_exit(0);
	waitpid(child, &status, 0);
}

/* Four processes append to one log, a fifth truncates it now and then and looks at its size. */
static void append(void)
{
	for (int p = 0; p < 5; p++) {
		if (fork())
			continue;
		int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0644);

		MUST(fd);
		for (int i = 0; i < 200; i++) {
			struct stat st;

			if (p < 4)
				MUST(write(fd, block, 50 + p));
			else if (i % 50 == 49)
				MUST(ftruncate(fd, 0));
			else
				MUST(fstat(fd, &st));
		}
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

/* One thread makes a file longer and shorter, another reads it. */
static void *truncater(void *arg)
{
	int fd = *(int *)arg;

	for (int i = 0; i < 200; i++) {
		MUST(pwrite(fd, block, 30000, 0));
		MUST(ftruncate(fd, i * 100));
	}
	return NULL;
}

static void truncate_read(void)
{
	int fd = make("f", 1000), reader = open("f", O_RDONLY);
	pthread_t t;

	pthread_create(&t, NULL, truncater, &fd);
	for (int i = 0; i < 400; i++)
		MUST(pread(reader, block, 40000, 0));
	pthread_join(t, NULL);
}

static void sparse(void)
{
	int fd = open("old", O_RDWR); /* there before, with holes */

	MUST(fd);
	for (off_t at = 0; (at = lseek(fd, at, SEEK_DATA)) >= 0;)
		MUST(at = lseek(fd, at, SEEK_HOLE));
	MUST(pread(fd, block, 65536, 1 << 20));
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096, 65536));
	MUST(fallocate(fd, FALLOC_FL_ZERO_RANGE, 100000, 50000));
	MUST(pread(fd, block, 65536, 0));
	close(fd);
	fd = make("new", 300000);
	MUST(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 8192, 100000));
	MUST(pwrite(fd, block, 10, 10 << 20));
	MUST(fallocate(fd, FALLOC_FL_KEEP_SIZE, 11 << 20, 1 << 20));
	MUST(ftruncate(fd, 20 << 20));
	MUST(pread(fd, block, 65536, 19 << 20));
	close(fd);
}

static void attributes(void)
{
	char value[200];

	close(make("new", 10));
	MUST(getxattr("old", "user.there", value, sizeof(value)));
	if (getxattr("old", "user.missing", value, sizeof(value)) >= 0)
		exit(1);
	MUST(setxattr("new", "user.a", "12345", 5, XATTR_CREATE));
	if (!setxattr("new", "user.a", "12345", 5, XATTR_CREATE))
		exit(1);
	MUST(setxattr("new", "user.a", value, 100, XATTR_REPLACE));
	MUST(getxattr("new", "user.a", value, sizeof(value)));
	MUST(listxattr("new", value, sizeof(value)));
	MUST(removexattr("old", "user.there"));
	if (!removexattr("old", "user.there"))
		exit(1);
}

/* Removed while open, replaced under the same name, read and written on. */
static void deleted(void)
{
	int old = open("old", O_RDWR), fd, status;
	struct stat st;

	MUST(old);
	MUST(unlink("old"));
	fd = make("old", 500);
	MUST(pread(old, block, 2000, 0));
	MUST(pwrite(old, block, 1000, 5000));
	MUST(fstat(old, &st));
	MUST(read(fd, block, 10));
	if (!fork()) {
		MUST(pread(old, block, 6000, 0));
		MUST(ftruncate(old, 10));
		_exit(0);
	}
	wait(&status);
	MUST(pread(old, block, 6000, 0));
	for (int i = 0; i < 20; i++) {
		int temporary = make("scratch", 5000);

		MUST(unlink("scratch"));
		MUST(pread(temporary, block, 5000, 0));
		close(temporary);
	}
}

static void nameless(void)
{
	for (int i = 0; i < 20; i++) {
		char name[32], self[64];
		int fd = open(".", O_TMPFILE | O_RDWR, 0600);

		MUST(fd);
		MUST(write(fd, block, 1000 + i));
		snprintf(name, sizeof(name), "linked%d", i);
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		if (i % 2)
			MUST(linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW));
		else
			MUST(linkat(fd, "", AT_FDCWD, name, AT_EMPTY_PATH));
		MUST(fsync(fd));
		close(fd);
		MUST(fd = open(name, O_RDONLY));
		MUST(read(fd, block, 4096));
		close(fd);
	}
}

static void renames(void)
{
	close(make("a", 100));
	close(make("b", 200));
	MUST(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_EXCHANGE));
	if (!syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", RENAME_NOREPLACE))
		exit(1);
	MUST(syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "c", RENAME_NOREPLACE));
	MUST(mkdir("d", 0755));
	close(make("d/f", 300));
	MUST(syscall(SYS_renameat2, AT_FDCWD, "d", AT_FDCWD, "c", RENAME_EXCHANGE)); /* a directory and a file */
	close(open("c/f", O_RDONLY));
	/* Over an empty directory, and over one that is not. */
	MUST(mkdir("x", 0755));
	close(make("x/in", 400));
	MUST(mkdir("y", 0755));
	MUST(rename("x", "y"));
	close(open("y/in", O_RDONLY));
	MUST(mkdir("z", 0755));
	if (!rename("z", "y"))
		exit(1);
	if (!rename("y", "y/in/to"))
		exit(1);
}

static void links(void)
{
	char text[100];

	MUST(link("old", "hard"));
	close(make("f", 50));
	for (int i = 0; i < 30; i++) {
		char name[32];

		snprintf(name, sizeof(name), "l%d", i);
		MUST(i % 2 ? link("f", name) : symlink("f", name));
	}
	MUST(readlink("l0", text, sizeof(text)));
	MUST(truncate("l2", 70));
	MUST(unlink("f"));
	close(open("l0", O_RDONLY)); /* leads nowhere now */
	MUST(rename("l1", "l3"));    /* the same file: nothing happens */
	MUST(rename("l1", "f"));
	close(open("l0", O_RDONLY));
	MUST(symlink("loop", "loop"));
	close(open("loop", O_RDONLY));
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"storm", storm},     {"linkstorm", link_storm}, {"pass", pass},	     {"append", append},     {"truncate", truncate_read}, {"sparse", sparse},
		     {"attributes", attributes}, {"deleted", deleted}, {"nameless", nameless}, {"renames", renames},	 {"links", links}};

	memset(block, 'x', sizeof(block));
	if (argc != 3 || chdir(argv[2]))
		return 2;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (!strcmp(argv[1], cases[i].name)) {
			cases[i].run();
			return 0;
		}
	return 2;
}
