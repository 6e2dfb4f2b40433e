/*
 * For programs that say what a recorder must have seen of them: one line a call, in the text form of a trace, without times and with paths instead of
 * file numbers. Each is one file of its own, so that everything here is static.
 */
#pragma once
#include <asm/unistd.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Shared with the processes that a program makes. */
static struct wanted {
	size_t length;
	char text[1 << 20];
} *wanted;
__attribute__((unused)) static char buffer[1 << 16];
static char dir[4096];

/* One expected line; the call's result is added. */
__attribute__((format(printf, 2, 3))) static void want(long result, const char *fmt, ...)
{
	va_list args;
	char *at = wanted->text + wanted->length;
	size_t room = sizeof(wanted->text) - wanted->length;
	int n;

	va_start(args, fmt);
	n = vsnprintf(at, room, fmt, args);
	va_end(args);
	if (result < 0 && result >= -4095)
		n += snprintf(at + n, room - (size_t)n, " = -%s\n", strerrorname_np((int)-result));
	else
		n += snprintf(at + n, room - (size_t)n, " = %ld\n", result);
	wanted->length += (size_t)n;
}

__attribute__((unused)) static long raw(long nr, long a, long b, long c, long d, long e, long f)
{
	long r = syscall(nr, a, b, c, d, e, f);

	return r == -1 ? -errno : r;
}
#define CALL1(n, a) raw(__NR_##n, (long)(a), 0, 0, 0, 0, 0)
#define CALL2(n, a, b) raw(__NR_##n, (long)(a), (long)(b), 0, 0, 0, 0)
#define CALL3(n, a, b, c) raw(__NR_##n, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define CALL4(n, a, b, c, d) raw(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define CALL5(n, a, b, c, d, e) raw(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
#define CALL6(n, a, b, c, d, e, f) raw(__NR_##n, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))

/* Into DIR, from where everything is told. */
static void begin(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) || !getcwd(dir, sizeof(dir)))
		exit(2);
	wanted = mmap(NULL, sizeof(*wanted), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (wanted == MAP_FAILED)
		exit(1);
}

static int end(void)
{
	fwrite(wanted->text, 1, wanted->length, stdout);
	return fflush(stdout) ? 1 : 0;
}
