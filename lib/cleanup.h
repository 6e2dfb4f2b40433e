#pragma once
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Owners start as NULL or -1 and are released when they leave their scope. */
static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}
static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}
#define _cleanup_free_ __attribute__((cleanup(cleanup_free)))
#define _cleanup_close_ __attribute__((cleanup(cleanup_close)))
#define _cleanup_fclose_ __attribute__((cleanup(cleanup_fclose)))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
