#pragma once
#include <stdbool.h>
#include <sys/types.h>

/*
 * The command that is recorded: made at once, started when the hooks are in place. Until then it holds nothing but its standard
 * descriptors; when the recorder dies before that, it ends without having started.
 */
struct tracee {
	pid_t pid;
	int go, failed; /* pipes: close go to start; failed tells the errno of a failed exec */
	bool ended;
	int status; /* as a shell tells it: exit status, or 128 + signal */
};

/* 0, or -errno: -ENOENT when there is no such program. argv ends with NULL. */
int tracee_make(struct tracee *c, char *const argv[]);
/* 0, or -errno of the exec. */
int tracee_start(struct tracee *c);
/* Has it ended? Never blocks. */
bool tracee_ended(struct tracee *c);
/* Sends the signal and waits up to that long. */
bool tracee_stop(struct tracee *c, int signal, unsigned int milliseconds);
void tracee_release(struct tracee *c);
