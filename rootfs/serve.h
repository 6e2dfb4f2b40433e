#pragma once
#include <stdbool.h>
#include <stdint.h>

/* What `iorig serve` was asked for. Local to rootfs/. */
struct serve_options {
	const char *dir, *bind, *interface, *image, *dhcp_range, *append;
	uint64_t port;
	bool pxe, proxy;
};

/*
 * Writes the generated configuration of the servers and the boot scripts into the directory, and copies kernel and image there.
 * Returns an exit code; the one line was printed.
 */
int serve_configure(const struct serve_options *o);

/* `iorig serve assign`. Returns an exit code. */
struct assign_options {
	const char *dir, *box, *sweep, *trace, *end, *token;
};
int serve_assign(const struct assign_options *o);
