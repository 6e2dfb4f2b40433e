#pragma once
#include <stddef.h>

/*
 * What the operator hears of the servers' chatter: one line on stdout an event. Local to rootfs/.
 */
struct events {
	const char *dir;
	struct events_box *boxes; /* what was last said of each box */
	size_t n;
};

/* A line of nginx's access log ('ADDRESS METHOD STATUS URI') or of its complaints. */
void events_http(struct events *e, const char *line);
/* A line of dnsmasq's log. */
void events_dhcp(struct events *e, const char *line);
void events_release(struct events *e);
/* "2026-11-21T12:00:00Z text", control bytes shown as '?', flushed. */
void events_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
