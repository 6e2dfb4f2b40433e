#include "lib/block.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"

char *block_whole_disk(const char *device)
{
	_cleanup_free_ char *real = strchr(device, '/') ? realpath(device, NULL) : strdup(device);
	_cleanup_free_ char *sys = NULL, *link = NULL, *partition = NULL;

	if (!real || asprintf(&sys, "/sys/class/block/%s", basename(real)) < 0)
		return NULL;
	link = realpath(sys, NULL);
	if (!link || asprintf(&partition, "%s/partition", link) < 0)
		return NULL;
	if (!access(partition, F_OK)) /* its folder stands in its disk's */
		*strrchr(link, '/') = 0;
	return strdup(basename(link));
}
