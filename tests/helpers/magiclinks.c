/*
 * magiclinks DIR: works on files in DIR by /proc/self/fd/N and /dev/stdin, as fchmodat(3) of older C libraries and every program with O_TMPFILE does.
 * DIR must have a file "in", which is also the standard input.
 */
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static const char *magic(int fd)
{
	static char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return path;
}

static void check(long result, const char *what)
{
	if (result < 0)
		err(1, "%s", what);
}

int main(int argc, char **argv)
{
	char text[4096] = {0};
	int fd, again;

	if (argc != 2 || chdir(argv[1]))
		err(2, "usage: magiclinks DIR");
	check(fd = open(".", O_TMPFILE | O_RDWR, 0640), "O_TMPFILE");
	check(write(fd, text, sizeof(text)), "write");
	check(linkat(AT_FDCWD, magic(fd), AT_FDCWD, "named", AT_SYMLINK_FOLLOW), "linkat");
	check(again = open(magic(fd), O_WRONLY | O_APPEND), "open");
	check(write(again, text, 100), "append");
	close(again);
	check(chmod(magic(fd), 0604), "chmod");
	check(setxattr(magic(fd), "user.note", text, 8, 0), "setxattr");
	check(rename("named", "moved"), "rename");
	check(truncate(magic(fd), 77), "truncate");
	check(readlink(magic(fd), text, sizeof(text)), "readlink"); /* of the link itself: no file of ours */
	close(fd);
	check(fd = open("/dev/stdin", O_RDONLY), "/dev/stdin");
	check(read(fd, text, 5), "read");
	return 0;
}
