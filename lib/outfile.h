#pragma once
#include <stddef.h>
#include <stdio.h>

/*
 * A file that is either there whole or not at all: written under a temporary name in the same directory, synced, renamed, and the
 * directory synced.
 *
 *	struct outfile out;
 *	int rc = outfile_open(&out, path);       // -errno
 *	fprintf(out.stream, ...);
 *	rc = outfile_commit(&out);               // -errno; on failure the temporary file is gone and path is as before
 *	outfile_abandon(&out);                   // safe at any time, also after commit
 */
struct outfile {
	FILE *stream;
	char *path, *temporary;
};

int outfile_open(struct outfile *out, const char *path);
int outfile_commit(struct outfile *out);
void outfile_abandon(struct outfile *out);

/* The whole of it in one call. */
int outfile_write(const char *path, const void *data, size_t n);

/* Appends one line (a newline is added) and syncs it to the disk before it returns: a journal. Creates the file. -errno. */
int append_line_synced(const char *path, const char *line);

/* mkdir -p. 0 or -errno. */
int make_directories(const char *path);
