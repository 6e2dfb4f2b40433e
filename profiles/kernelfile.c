#include "profiles/kernelfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define TEXT_MAX 65536

int kernel_read(const char *path, char **text)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *t;
	size_t n = 0;
	ssize_t got;

	*text = NULL;
	if (fd < 0)
		return -errno;
	t = malloc(TEXT_MAX + 1);
	if (!t)
		return -ENOMEM;
	while (n < TEXT_MAX && (got = read(fd, t + n, TEXT_MAX - n)) != 0) {
		if (got < 0) {
			int rc = -errno;

			free(t);
			return rc;
		}
		n += (size_t)got;
	}
	while (n && (t[n - 1] == '\n' || t[n - 1] == ' '))
		n--;
	t[n] = 0;
	*text = t;
	return 0;
}

int kernel_write(const char *path, const char *value)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	_cleanup_free_ char *line = NULL;
	int n;

	if (fd < 0)
		return -errno;
	n = asprintf(&line, "%s\n", value);
	if (n < 0)
		return -ENOMEM;
	return write(fd, line, (size_t)n) < 0 ? -errno : 0;
}

char *kernel_bracket(char *text)
{
	char *open = strchr(text, '['), *close = open ? strchr(open, ']') : NULL;

	if (!close)
		return text;
	*close = 0;
	memmove(text, open + 1, strlen(open + 1) + 1);
	return text;
}

long long kernel_number(const char *path, long long otherwise)
{
	_cleanup_free_ char *text = NULL;
	char *end;
	long long value;

	if (kernel_read(path, &text))
		return otherwise;
	value = strtoll(text, &end, 10);
	return end == text ? otherwise : value;
}

int kernel_log_open(void)
{
	int fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);

	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	return fd;
}

char *kernel_log_since(int fd)
{
	char record[8192], *all = strdup("");
	size_t n = 0;
	ssize_t got;

	while (all && fd >= 0 && ((got = read(fd, record, sizeof(record) - 1)) > 0 || (got < 0 && errno == EPIPE))) {
		char *line, *end, *more;

		if (got < 0)
			continue; /* overwritten in the ring before we read it */
		record[got] = 0;
		line = strchr(record, ';');
		if (!line)
			continue;
		line++;
		end = strchr(line, '\n');
		if (end)
			*end = 0;
		more = realloc(all, n + strlen(line) + 2);
		if (!more)
			break;
		all = more;
		n += (size_t)sprintf(all + n, "%s%s", n ? "\n" : "", line);
	}
	if (fd >= 0)
		close(fd);
	return all;
}
