#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/exitcode.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "rootfs/layout.h"
#include "rootfs/script.h"
#include "rootfs/serve.h"
#include "rootfs/template.h"

#define IPXE_DIRECTORY "/usr/lib/ipxe"

/* DHCP ranges: our own addresses, or none of them beside a DHCP server that is already there. */
static int dhcp_lines(const struct serve_options *o, char *text, size_t size)
{
	char first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN], extra;
	struct in_addr address;
	uint32_t net;

	inet_pton(AF_INET, o->bind, &address);
	net = ntohl(address.s_addr) & 0xffffff00u;
	if (o->proxy) {
		address.s_addr = htonl(net);
		inet_ntop(AF_INET, &address, first, sizeof(first));
		snprintf(text, size,
			 "dhcp-range=%s,proxy\n"
			 "pxe-service=tag:!ipxe,x86PC,\"iorig\",undionly.kpxe\n"
			 "pxe-service=tag:!ipxe,X86-64_EFI,\"iorig\",ipxe.efi\n"
			 "pxe-service=tag:!ipxe,BC_EFI,\"iorig\",ipxe.efi",
			 first);
		return EXIT_DONE;
	}
	if (o->dhcp_range) {
		if (sscanf(o->dhcp_range, "%15[0-9.],%15[0-9.]%c", first, last, &extra) != 2 || inet_pton(AF_INET, first, &address) != 1 ||
		    inet_pton(AF_INET, last, &address) != 1)
			return fail(EXIT_USAGE, "serve: --dhcp-range wants FIRST,LAST, two addresses, not '%s'", o->dhcp_range);
	} else {
		address.s_addr = htonl(net + 100);
		inet_ntop(AF_INET, &address, first, sizeof(first));
		address.s_addr = htonl(net + 199);
		inet_ntop(AF_INET, &address, last, sizeof(last));
	}
	/* Router advertisements: without them iPXE waits 15 s for an IPv6 router at every boot. */
	snprintf(text, size, "dhcp-authoritative\ndhcp-range=%s,%s,12h\nenable-ra\ndhcp-range=::,constructor:%s,ra-only", first, last,
		 o->interface);
	return EXIT_DONE;
}

/* Copies through a temporary name, so that a box never loads half a file. */
static int copy_file(const char *from, const char *dir, const char *to_name)
{
	_cleanup_free_ char *to = NULL, *part = NULL;
	struct proc_result r;
	int rc = EXIT_FAILED;

	if (asprintf(&to, "%s/%s", dir, to_name) < 0 || asprintf(&part, "%s/conf/tmp/copy", dir) < 0)
		return EXIT_FAILED;
	if (proc_run((const char *const[]){"cp", "--reflink=auto", "--", from, part, NULL}, NULL, &r))
		return fail(EXIT_FAILED, "cannot start cp");
	if (r.status)
		fail(EXIT_FAILED, "cannot copy %s to %s: %s", from, to, proc_last_words(&r));
	else if (layout_give(dir, part) || rename(part, to))
		fail(EXIT_FAILED, "%s: %s", to, strerror(errno));
	else
		rc = EXIT_DONE;
	proc_release(&r);
	return rc;
}

static int copy_boot_files(const struct serve_options *o)
{
	static const char *const image_files[] = {"kernel", "initrd"}, *const ipxe_files[] = {"undionly.kpxe", "ipxe.efi"};
	char from[4096], to[64];

	for (int i = 0; o->image && i < 2; i++) {
		snprintf(from, sizeof(from), "%s/%s", o->image, image_files[i]);
		snprintf(to, sizeof(to), "boot/%s", image_files[i]);
		if (access(from, R_OK))
			return fail(EXIT_FAILED, "serve: %s: %s; 'iorig image build -o %s' makes it", from, strerror(errno), o->image);
		if (copy_file(from, o->dir, to))
			return EXIT_FAILED;
	}
	for (int i = 0; o->pxe && i < 2; i++) {
		snprintf(from, sizeof(from), IPXE_DIRECTORY "/%s", ipxe_files[i]);
		snprintf(to, sizeof(to), "boot/%s", ipxe_files[i]);
		if (access(from, R_OK))
			return fail(EXIT_IMPOSSIBLE, "serve: %s is not there: apt-get install ipxe", from);
		if (copy_file(from, o->dir, to))
			return EXIT_FAILED;
	}
	return EXIT_DONE;
}

/* The servers run as whoever owns the directory: "user NAME GROUP;" for nginx, NAME for dnsmasq. */
static int owner_of(const char *dir, char *name, size_t size)
{
	struct proc_result r;
	int rc = EXIT_FAILED;

	if (proc_run((const char *const[]){"stat", "-c", "%U %G", "--", dir, NULL}, NULL, &r))
		return fail(EXIT_FAILED, "cannot start stat");
	if (r.status || strspn(r.out, "abcdefghijklmnopqrstuvwxyz0123456789_- \n") != strlen(r.out))
		fail(EXIT_FAILED, "serve: %s: its owner has no usable name: %s", dir, proc_last_words(&r));
	else
		rc = EXIT_DONE;
	snprintf(name, size, "%s", r.out);
	name[strcspn(name, "\n")] = 0;
	proc_release(&r);
	return rc;
}

static int write_one(const char *dir, const char *share, const char *name, const char *to_folder, const struct template_value *values, size_t n)
{
	char from[4096], to[4096];
	_cleanup_free_ char *why = NULL;

	snprintf(from, sizeof(from), "%s/rootfs/serve/%s", share, name);
	snprintf(to, sizeof(to), "%s/%s/%s", dir, to_folder, name);
	if (template_write(from, to, values, n, &why) || layout_give(dir, to))
		return fail(EXIT_FAILED, "serve: %s", why ? why : to);
	return EXIT_DONE;
}

int serve_configure(const struct serve_options *o)
{
	_cleanup_free_ char *share = script_share(), *why = NULL;
	char owner[128], nginx_user[160] = "", dhcp[512] = "", port[8];

	if (!share)
		return EXIT_FAILED;
	if (layout_make(o->dir, &why))
		return fail(EXIT_FAILED, "serve: %s", why ? why : o->dir);
	if (owner_of(o->dir, owner, sizeof(owner)) || (o->pxe && dhcp_lines(o, dhcp, sizeof(dhcp))) || copy_boot_files(o))
		return EXIT_FAILED;
	if (geteuid() == 0)
		snprintf(nginx_user, sizeof(nginx_user), "user %s;", owner);
	owner[strcspn(owner, " ")] = 0;
	snprintf(port, sizeof(port), "%u", (unsigned)o->port);

	const struct template_value values[] = {{"dir", o->dir}, {"bind", o->bind}, {"port", port}, {"nginx_user", nginx_user},
						{"user", owner}, {"interface", o->interface ? o->interface : ""}, {"dhcp", dhcp},
						{"append", o->append ? o->append : ""}};
	const size_t n = ARRAY_SIZE(values);

	if (write_one(o->dir, share, "nginx.conf", "conf", values, n) || write_one(o->dir, share, "boot.ipxe", "boot", values, n) ||
	    write_one(o->dir, share, "default.ipxe", "boot", values, n) ||
	    (o->pxe && write_one(o->dir, share, "dnsmasq.conf", "conf", values, n)))
		return EXIT_FAILED;
	return EXIT_DONE;
}
