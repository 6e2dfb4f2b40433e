#include "rootfs/layout.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/outfile.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"

static const char *const folders[] = {"boot", "box", "sweeps", "traces", "results", "status", "conf", "conf/tokens", "conf/tmp"};

int layout_give(const char *dir, const char *path)
{
	struct stat st;

	if (geteuid())
		return 0;
	return stat(dir, &st) || lchown(path, st.st_uid, st.st_gid) ? -errno : 0;
}

int layout_make(const char *dir, char **why)
{
	int rc = make_directories(dir);

	for (size_t i = 0; !rc && i < ARRAY_SIZE(folders); i++) {
		_cleanup_free_ char *path = NULL;

		if (asprintf(&path, "%s/%s", dir, folders[i]) < 0)
			rc = -ENOMEM;
		else if (mkdir(path, strncmp(folders[i], "conf", 4) ? 0755 : 0700) && errno != EEXIST)
			rc = -errno;
		else
			rc = layout_give(dir, path);
		if (rc && path && asprintf(why, "%s: %s", path, strerror(-rc)) >= 0)
			return rc;
	}
	if (rc && asprintf(why, "%s: %s", dir, strerror(-rc)) < 0)
		*why = NULL;
	return rc;
}

bool layout_box_valid(const char *box)
{
	size_t n = strlen(box);

	return n && n <= 64 && *box != '.' && strspn(box, LETTERS ".") == n;
}

bool layout_token_valid(const char *token)
{
	size_t n = strlen(token);

	return n >= 16 && n <= 64 && strspn(token, LETTERS) == n;
}
