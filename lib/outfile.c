#include "lib/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"

static int sync_directory_of(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd = -1;
	char *slash;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	if (slash)
		slash[slash == copy] = 0;
	fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		return -errno; /* cppcheck-suppress memleak ; the cleanup attribute frees it */
	return 0;		/* cppcheck-suppress memleak */
}

int outfile_open(struct outfile *out, const char *path)
{
	int fd, rc;

	*out = (struct outfile){.path = strdup(path)};
	if (!out->path || asprintf(&out->temporary, "%s.XXXXXX", path) < 0) {
		out->temporary = NULL;
		outfile_abandon(out);
		return -ENOMEM;
	}
	fd = mkostemp(out->temporary, O_CLOEXEC);
	if (fd < 0) {
		rc = -errno;
		free(out->temporary);
		out->temporary = NULL;
		outfile_abandon(out);
		return rc;
	}
	fchmod(fd, 0644);
	out->stream = fdopen(fd, "w");
	return 0;
}

int outfile_commit(struct outfile *out)
{
	int rc = 0;

	if (fflush(out->stream) || ferror(out->stream) || fsync(fileno(out->stream)))
		rc = errno ? -errno : -EIO;
	if (fclose(out->stream) && !rc)
		rc = -errno;
	out->stream = NULL;
	if (!rc && rename(out->temporary, out->path))
		rc = -errno;
	if (!rc) {
		free(out->temporary);
		out->temporary = NULL;
		rc = sync_directory_of(out->path);
	}
	outfile_abandon(out);
	return rc;
}

void outfile_abandon(struct outfile *out)
{
	if (out->stream)
		fclose(out->stream);
	if (out->temporary)
		unlink(out->temporary);
	free(out->temporary);
	free(out->path);
	*out = (struct outfile){0};
}

int outfile_write(const char *path, const void *data, size_t n)
{
	struct outfile out;
	int rc = outfile_open(&out, path);

	if (rc)
		return rc;
	fwrite(data, 1, n, out.stream);
	return outfile_commit(&out);
}

int append_line_synced(const char *path, const char *line)
{
	_cleanup_close_ int fd = -1;
	_cleanup_free_ char *text = NULL;
	int n = asprintf(&text, "%s\n", line);

	if (n < 0)
		return -ENOMEM;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	if (write(fd, text, (size_t)n) != n || fdatasync(fd))
		return errno ? -errno : -EIO;
	return 0;
}

int make_directories(const char *path)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1;; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (mkdir(copy, 0755) && errno != EEXIST)
			return -errno;
		*p = c;
		if (!c)
			return 0;
	}
}
