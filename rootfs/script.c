#include "rootfs/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/exitcode.h"
#include "lib/log.h"
#include "lib/share.h"

#define ARGS_MAX 32

char *script_share(void)
{
	char *path = share_path("rootfs/common.sh");

	if (!path) {
		fail(EXIT_FAILED, "rootfs/common.sh is not found beside the program, nor below $IORIG_SHARE, /usr/local/share/iorig or "
				  "/usr/share/iorig; run from the source tree or 'make install'");
		return NULL;
	}
	path[strlen(path) - strlen("/rootfs/common.sh")] = 0;
	return path;
}

int script_become(const char *name, const char *const args[])
{
	_cleanup_free_ char *share = script_share(), *path = NULL;
	const char *argv[ARGS_MAX + 3] = {"sh", NULL};
	size_t n = 0;

	if (!share || asprintf(&path, "%s/rootfs/%s", share, name) < 0)
		return EXIT_FAILED;
	argv[1] = path;
	for (; n < ARGS_MAX && args[n]; n++)
		argv[n + 2] = args[n];
	execvp("sh", (char *const *)argv);
	return fail(EXIT_FAILED, "cannot start sh for %s: %s", path, strerror(errno));
}

char *absolute_path(const char *path)
{
	_cleanup_free_ char *here = NULL;
	char *absolute = NULL;

	if (path[0] == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (!here || asprintf(&absolute, "%s/%s", here, path) < 0)
		return NULL;
	return absolute;
}
