#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The directory that a replay stays in. Work on paths is done by threads whose root directory it is (chroot of a thread of its own
 * file-system context: '..', absolute paths and symbolic links all end inside, whatever happens to the tree meanwhile), and files are opened
 * by openat2 with RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS on top (RESOLVE_BENEATH for a name in an open directory). A trace is hostile input;
 * nothing it holds can name a file outside.
 */
enum sandbox_status { SANDBOX_OK, SANDBOX_MISSING, SANDBOX_IS_ROOT, SANDBOX_NOT_EMPTY, SANDBOX_IMPOSSIBLE };

/* Opens DIR. *fd on SANDBOX_OK; else errno says more. may_be_full: an earlier run has prepared it. */
enum sandbox_status sandbox_open(const char *directory, bool may_be_full, int *fd);

/* Nothing but what mkfs makes is in it. */
bool sandbox_is_empty(int fd);

/* An ordinary user gets a user namespace in which chroot is allowed. Before any thread is made. 0 or -errno. */
int sandbox_allow(void);

/* Runs function(context) in a thread whose root is fd; threads that it makes have the same. join returns what it returned, or -errno. */
struct sandbox {
	int fd;
	int (*function)(void *context);
	void *context;
	int result;
	_Atomic uint32_t done;
	pthread_t thread;
};
int sandbox_start(struct sandbox *s, int fd, int (*function)(void *), void *context);
/* Waits until it returns, ms milliseconds at most. False: it goes on. */
bool sandbox_wait(struct sandbox *s, unsigned ms);
int sandbox_join(struct sandbox *s);
