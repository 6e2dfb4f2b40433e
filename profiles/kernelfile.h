#pragma once
#include <stdbool.h>

/*
 * Files of /proc and /sys: short text, one write(2) a value. Threads: any.
 */

/* The whole text without the newline at its end. 0 or -errno; *text is allocated. */
int kernel_read(const char *path, char **text);

/* Writes the value and a newline (some files want one: bcache's sizes). 0 or the kernel's -errno. */
int kernel_write(const char *path, const char *value);

/* "none [mq-deadline] bfq" -> "mq-deadline", in place; text without brackets stays. Returns text. */
char *kernel_bracket(char *text);

/* A number in such a file, or otherwise. */
long long kernel_number(const char *path, long long otherwise);

/*
 * The kernel's log: kernel_log_open before an action, kernel_log_since after it returns the new lines (without their headers), separated by
 * newlines, allocated, never NULL. fd -1 (no permission): "". Closes fd.
 */
int kernel_log_open(void);
char *kernel_log_since(int fd);
