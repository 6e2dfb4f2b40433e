#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * A server that we start, listen to line by line, and end. Both its outputs come through one pipe. It dies with us. Local to rootfs/.
 *
 *	struct child c;
 *	rc = child_start(&c, "nginx", argv);         // -errno
 *	while (child_line(&c, line, sizeof(line))) ...  // after poll(2) said that c.fd is readable
 *	child_end(&c);                               // SIGTERM, 5 s later SIGKILL; safe when it never started or is gone
 */
struct child {
	const char *name;
	pid_t pid; /* 0: not running */
	int fd;    /* non-blocking; -1 after its end */
	char pending[4096];
	size_t n;
};

int child_start(struct child *c, const char *name, const char *const argv[]);
/* The next whole line without its newline, shortened to size; false when there is none yet. Closes fd at the end of the output. */
bool child_line(struct child *c, char *line, size_t size);
/* True when it has ended by itself; it is reaped then. */
bool child_gone(struct child *c);
void child_end(struct child *c);
