#include "rootfs/events.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "rootfs/layout.h"

#define BOXES_MAX 1024

struct events_box {
	char id[72], said[256];
};

void events_print(const char *fmt, ...)
{
	time_t now = time(NULL);
	char stamp[32], text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	for (char *c = text; *c; c++)
		if (iscntrl((unsigned char)*c))
			*c = '?';
	strftime(stamp, sizeof(stamp), "%FT%TZ", gmtime(&now));
	printf("%s %s\n", stamp, text);
	fflush(stdout);
}

/* Prints what is new: a box that repeats itself every few seconds is heard once. */
static void tell(struct events *e, const char *box, const char *text)
{
	struct events_box *more;
	size_t i = 0;

	while (i < e->n && strcmp(e->boxes[i].id, box))
		i++;
	if (i == e->n) {
		if (e->n == BOXES_MAX || !(more = realloc(e->boxes, (e->n + 1) * sizeof(*more))))
			return;
		e->boxes = more;
		memset(&e->boxes[e->n++], 0, sizeof(*more));
		snprintf(e->boxes[i].id, sizeof(e->boxes[i].id), "%s", box);
	}
	if (!strcmp(e->boxes[i].said, text))
		return;
	snprintf(e->boxes[i].said, sizeof(e->boxes[i].said), "%s", text);
	events_print("box %s: %s", box, text);
}

static void on_status(struct events *e, const char *box)
{
	_cleanup_free_ char *path = NULL, *why = NULL;
	_cleanup_json_ json_t *status = NULL;
	char text[256];

	if (asprintf(&path, "%s/status/%s.json", e->dir, box) < 0)
		return;
	status = json_read(path, "iorig.status/1", &why);
	if (!status) {
		tell(e, box, why ? why : "an unreadable status");
		return;
	}
	snprintf(text, sizeof(text), "%s%s%s", json_text(status, "state", "?"), json_text(status, "message", NULL) ? ": " : "",
		 json_text(status, "message", ""));
	tell(e, box, text);
}

/* The box id in "/box/ID.json" or "/status/ID.json"; false when it is none. */
static int id_between(const char *uri, const char *prefix, char id[72])
{
	size_t n = strlen(prefix), length = strlen(uri);

	if (strncmp(uri, prefix, n) || length < n + 5 || strcmp(uri + length - 5, ".json") || length - n - 5 >= 72)
		return 0;
	memcpy(id, uri + n, length - n - 5);
	id[length - n - 5] = 0;
	return layout_box_valid(id);
}

static void on_get(struct events *e, const char *address, int status, const char *uri)
{
	char id[72], text[256];

	if (id_between(uri, "/box/", id)) {
		if (status == 404)
			snprintf(text, sizeof(text), "unknown, at %s; 'iorig serve assign %s --box %s ...' gives it work", address, e->dir, id);
		else
			snprintf(text, sizeof(text), "found its assignment, at %s", address);
		tell(e, id, text);
	} else if (!strcmp(uri, "/boot/boot.ipxe") && status == 200) {
		events_print("%s boots from the network", address);
	} else if (!strcmp(uri, "/boot/initrd")) {
		events_print(status < 300 ? "%s loaded kernel and image" : "%s cannot load the image: give --image", address);
	} else if (!strncmp(uri, "/traces/", 8)) {
		events_print(status < 300 ? "%s loaded the recording %.12s" : "%s asks for a recording that is not here: %.64s", address, uri + 8);
	}
}

static void on_put(struct events *e, const char *address, int status, const char *uri)
{
	char id[72];

	if (status >= 300)
		events_print("%s: upload of %.200s refused (%d)%s", address, uri, status, status == 403 ? ": not this box's token" : "");
	else if (id_between(uri, "/status/", id))
		on_status(e, id);
	else if (!strncmp(uri, "/results/", 9) && strlen(uri) > 8 && !strcmp(uri + strlen(uri) - 8, "run.json"))
		events_print("uploaded %.300s", uri + 1);
}

void events_http(struct events *e, const char *line)
{
	char address[64], method[16], uri[1024];
	int status;

	if (sscanf(line, "%63s %15s %d %1023s", address, method, &status, uri) != 4 || !isdigit((unsigned char)address[0])) {
		events_print("http: %s", line);
		return;
	}
	if (!strcmp(method, "GET"))
		on_get(e, address, status, uri);
	else if (!strcmp(method, "PUT"))
		on_put(e, address, status, uri);
}

void events_dhcp(struct events *e, const char *line)
{
	const char *ack = strstr(line, "DHCPACK(");
	char interface[32], address[64], mac[32];

	(void)e;
	if (ack && sscanf(ack, "DHCPACK(%31[^)]) %63s %31s", interface, address, mac) == 3)
		events_print("%s got the address %s", mac, address);
	else if (strstr(line, "failed") || strstr(line, "cannot") || strstr(line, "no address") ||
		 (!strncmp(line, "dnsmasq: ", 9) && !strstr(line, "started") && !strstr(line, "compile time") && !strstr(line, "exiting")))
		events_print("%s", line);
}

void events_release(struct events *e)
{
	free(e->boxes);
	e->boxes = NULL;
	e->n = 0;
}
