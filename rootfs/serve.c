/* `iorig serve`: the operator's side. Generates the configuration of nginx and dnsmasq, runs both, and says what the boxes do. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/exitcode.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/stop.h"
#include "rootfs/child.h"
#include "rootfs/events.h"
#include "rootfs/script.h"
#include "rootfs/serve.h"

#define POLL_MS 200

static struct {
	struct serve_options serve;
	struct assign_options assign;
} opt = {.serve = {.port = 8080}, .assign = {.end = "wait"}};

static int check(const struct serve_options *o)
{
	struct in_addr address;

	if (!o->dir || !o->bind)
		return fail(EXIT_USAGE, "serve: --dir and --bind are needed; see 'iorig serve -h'");
	if (strpbrk(o->dir, " \t\n\"';{}$\\#"))
		return fail(EXIT_USAGE, "serve: '%s' has a character that nginx's configuration cannot carry; choose a plain name", o->dir);
	if (inet_pton(AF_INET, o->bind, &address) != 1)
		return fail(EXIT_USAGE, "serve: --bind wants an IPv4 address of this machine, not '%s'", o->bind);
	if (o->port < 1 || o->port > 65535)
		return fail(EXIT_USAGE, "serve: --port is from 1 to 65535");
	if (o->pxe && !o->interface)
		return fail(EXIT_USAGE, "serve: --pxe answers DHCP, so it must be told on which --interface, and on no other");
	if (o->interface && (strlen(o->interface) > 15 || strpbrk(o->interface, " \t\n/,*")))
		return fail(EXIT_USAGE, "serve: '%s' is no interface name", o->interface);
	if (o->pxe && geteuid())
		return fail(EXIT_IMPOSSIBLE, "serve: --pxe needs root for the DHCP and TFTP ports");
	if (o->append && strspn(o->append, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:/,@%+=- ") != strlen(o->append))
		return fail(EXIT_USAGE, "serve: --kernel-append may have letters, digits, spaces and _.:/,@%%+=- only");
	return EXIT_DONE;
}

static int program_there(const char *name, const char *package)
{
	struct proc_result r;
	int status = 127;

	if (!proc_run((const char *const[]){name, "-v", NULL}, NULL, &r)) {
		status = r.status;
		proc_release(&r);
	}
	return status == 127 ? fail(EXIT_IMPOSSIBLE, "serve: %s is not installed: apt-get install %s", name, package) : EXIT_DONE;
}

static void drain(struct child *c, struct events *e, void (*on_line)(struct events *, const char *))
{
	char line[1200];

	while (child_line(c, line, sizeof(line)))
		on_line(e, line);
}

/* True when a server that was started has ended by itself; its last words are told first. */
static bool ended(struct child *c, struct events *e, void (*on_line)(struct events *, const char *))
{
	if (!c->name || !child_gone(c))
		return false;
	drain(c, e, on_line);
	return true;
}

/* Until a signal asks for the end (good) or one of the servers ends by itself (not good). */
static int serve_loop(struct child *http, struct child *dhcp, struct events *e)
{
	while (!stop_requested()) {
		struct pollfd fds[2] = {{http->fd, POLLIN, 0}, {dhcp->fd, POLLIN, 0}};

		poll(fds, 2, POLL_MS);
		drain(http, e, events_http);
		drain(dhcp, e, events_dhcp);
		if (ended(http, e, events_http))
			return fail(EXIT_FAILED, "serve: nginx ended by itself; the reason stands above");
		if (ended(dhcp, e, events_dhcp))
			return fail(EXIT_FAILED, "serve: dnsmasq ended by itself; the reason stands above");
	}
	events_print("ending on signal %d", stop_signal());
	return EXIT_DONE;
}

static int serve(struct serve_options *o)
{
	struct child http = {.fd = -1}, dhcp = {.fd = -1};
	struct events events = {.dir = o->dir};
	char conf[4096], dhcp_conf[4200];
	int rc;

	snprintf(conf, sizeof(conf), "%s/conf/nginx.conf", o->dir);
	snprintf(dhcp_conf, sizeof(dhcp_conf), "--conf-file=%s/conf/dnsmasq.conf", o->dir);
	stop_arm();
	rc = child_start(&http, "nginx", (const char *const[]){"nginx", "-e", "stderr", "-p", o->dir, "-c", conf, NULL});
	if (!rc && o->pxe)
		rc = child_start(&dhcp, "dnsmasq", (const char *const[]){"dnsmasq", "--keep-in-foreground", dhcp_conf, NULL});
	if (rc) {
		rc = fail(EXIT_FAILED, "serve: cannot start the servers: %s", strerror(-rc));
	} else {
		events_print("serving %s on http://%s:%u%s%s", o->dir, o->bind, (unsigned)o->port, o->pxe ? " with network boot on " : "",
			     o->pxe ? o->interface : "");
		rc = serve_loop(&http, &dhcp, &events);
	}
	drain(&http, &events, events_http);
	drain(&dhcp, &events, events_dhcp);
	child_end(&dhcp);
	child_end(&http);
	events_release(&events);
	return rc;
}

static int run_serve(const struct command *self, int argc, char **argv)
{
	int rest = options_parse(self, argc, argv), rc;
	_cleanup_free_ char *dir = NULL, *path = NULL;

	if (rest < 0)
		return -rest - 1;
	if (rest < argc && !strcmp(argv[rest], "assign")) {
		if (argc - rest != 2)
			return fail(EXIT_USAGE, "serve assign: name one directory; see 'iorig serve -h'");
		opt.assign.dir = argv[rest + 1];
		return serve_assign(&opt.assign);
	}
	if (rest < argc)
		return fail(EXIT_USAGE, "serve: '%s' is too much; only 'assign DIR' may stand there", argv[rest]);
	rc = check(&opt.serve);
	if (rc != EXIT_DONE)
		return rc;
	if (asprintf(&path, "%s:/usr/local/sbin:/usr/sbin:/sbin", getenv("PATH") ? getenv("PATH") : "/usr/bin:/bin") > 0)
		setenv("PATH", path, 1);
	if (program_there("nginx", "nginx-light") || (opt.serve.pxe && program_there("dnsmasq", "dnsmasq-base")))
		return EXIT_IMPOSSIBLE;
	opt.serve.dir = dir = absolute_path(opt.serve.dir);
	umask(022);
	rc = serve_configure(&opt.serve);
	return rc == EXIT_DONE ? serve(&opt.serve) : rc;
}

static const struct option_row rows[] = {
	{"dir", 0, "DIR", OPT_STRING, &opt.serve.dir, "what is served and where results arrive"},
	{"bind", 0, "ADDR", OPT_STRING, &opt.serve.bind, "the only address to listen on"},
	{"port", 0, "PORT", OPT_U64, &opt.serve.port, "HTTP port (8080)"},
	{"image", 0, "DIR", OPT_STRING, &opt.serve.image, "take kernel and initrd from here ('iorig image build')"},
	{"pxe", 0, NULL, OPT_FLAG, &opt.serve.pxe, "answer DHCP and TFTP too, on --interface"},
	{"interface", 0, "IF", OPT_STRING, &opt.serve.interface, "the only interface for --pxe"},
	{"dhcp-range", 0, "A,B", OPT_STRING, &opt.serve.dhcp_range, "addresses to give out (.100 to .199 beside --bind)"},
	{"proxy-dhcp", 0, NULL, OPT_FLAG, &opt.serve.proxy, "another DHCP server gives addresses, we add the boot file"},
	{"kernel-append", 0, "KEYS", OPT_STRING, &opt.serve.append, "more for the boxes' kernel command line"},
	{"box", 0, "ID", OPT_STRING, &opt.assign.box, "assign: the box, its MAC with hyphens"},
	{"sweep", 0, "FILE", OPT_STRING, &opt.assign.sweep, "assign: what it shall run"},
	{"trace", 0, "FILE", OPT_STRING, &opt.assign.trace, "assign: the recording to replay"},
	{"end", 0, "WHAT", OPT_STRING, &opt.assign.end, "assign: poweroff, reboot or wait afterwards (wait)"},
	{"token", 0, "T", OPT_STRING, &opt.assign.token, "assign: the box's upload token (made when it has none)"},
	{0}};

const struct command cmd_serve = {
	.name = "serve",
	.synopsis = "--dir DIR --bind ADDR [--port PORT] [--pxe --interface IF] ... | assign DIR --box ID --sweep FILE --trace FILE",
	.summary = "boot test boxes, give them work, take their results",
	.group = "box",
	.options = rows,
	.run = run_serve,
};
