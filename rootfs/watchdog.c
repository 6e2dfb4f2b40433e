#include "rootfs/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/exitcode.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/stop.h"

#define DEVICE "/dev/watchdog"
#define FIRST_DEADLINE_S 900

static uint64_t uptime_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (uint64_t)now.tv_sec;
}

/* The file is replaced by rename, so that it is whole; without one the first deadline holds. */
static uint64_t deadline_s(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	return got > 0 ? strtoull(text, NULL, 10) : FIRST_DEADLINE_S;
}

static void write_facts(int fd, uint64_t timeout_s, const char *path)
{
	struct watchdog_info info = {0};
	_cleanup_json_ json_t *facts = NULL;
	int boot_status = 0, rc;

	ioctl(fd, WDIOC_GETSUPPORT, &info);
	ioctl(fd, WDIOC_GETBOOTSTATUS, &boot_status);
	info.identity[sizeof(info.identity) - 1] = 0;
	facts = json_pack("{ss sI sI sb}", "identity", info.identity, "timeout_s", (json_int_t)timeout_s, "boot_status", (json_int_t)boot_status,
			  "caused_last_reset", (boot_status & WDIOF_CARDRESET) != 0);
	rc = facts ? json_write(path, facts) : -ENOMEM;
	if (rc)
		warn("watchdog: %s: %s", path, strerror(-rc));
}

int watchdog_feed(uint64_t timeout_s, const char *deadline, const char *facts)
{
	int fd = open(DEVICE, O_WRONLY | O_CLOEXEC), timeout = (int)timeout_s;
	bool hungry = false;

	if (fd < 0)
		return fail(EXIT_IMPOSSIBLE, "watchdog: %s: %s; a box that hangs stays down", DEVICE, strerror(errno));
	if (ioctl(fd, WDIOC_SETTIMEOUT, &timeout))
		warn("watchdog: it does not take %d s (%s), its own timeout holds", timeout, strerror(errno));
	ioctl(fd, WDIOC_GETTIMEOUT, &timeout);
	write_facts(fd, (uint64_t)timeout, facts);
	stop_arm();
	/* Memory pressure must not look like a hang. */
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		warn("watchdog: cannot lock memory: %s", strerror(errno));
	while (!stop_requested()) {
		if (uptime_s() < deadline_s(deadline)) {
			ioctl(fd, WDIOC_KEEPALIVE, 0);
			hungry = false;
		} else if (!hungry) {
			hungry = true;
			warn("watchdog: no progress until the deadline, the box will be reset in %d s", timeout);
		}
		clock_sleep_ns(1000000000ULL * (timeout > 20 ? 5 : 1));
	}
	/* The magic character disarms; without it the board counts on. */
	if (write(fd, "V", 1) != 1)
		warn("watchdog: it cannot be disarmed");
	close(fd);
	return EXIT_DONE;
}
