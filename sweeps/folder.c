#include "sweeps/folder.h"

#include <fts.h>
#include <unistd.h>

void folder_empty(const char *path)
{
	FTS *tree = fts_open((char *const[]){(char *)path, NULL}, FTS_PHYSICAL | FTS_XDEV | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	while (tree && (entry = fts_read(tree))) {
		if (entry->fts_level == 0 || entry->fts_info == FTS_D)
			continue;
		if (entry->fts_info == FTS_DP)
			rmdir(entry->fts_accpath);
		else
			unlink(entry->fts_accpath);
	}
	if (tree)
		fts_close(tree);
}
