#include "lib/share.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/proc.h"

char *share_path(const char *relative)
{
	char beside[4096], *slash, *path;
	const char *roots[] = {getenv("IORIG_SHARE"), beside, "/usr/local/share/iorig", "/usr/share/iorig"};

	snprintf(beside, sizeof(beside), "%s", proc_self());
	for (int up = 0; up < 2; up++)
		if ((slash = strrchr(beside, '/')))
			*slash = 0;
	for (unsigned i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (!roots[i] || asprintf(&path, "%s/%s", roots[i], relative) < 0)
			continue;
		if (!access(path, R_OK))
			return path;
		free(path);
	}
	return NULL;
}
