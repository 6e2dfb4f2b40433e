#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "capture/able.h"
#include "lib/cleanup.h"

#ifndef CAP_PERFMON
#define CAP_PERFMON 38
#define CAP_BPF 39
#endif

const char *able_lockdown(void)
{
	_cleanup_fclose_ FILE *f = fopen("/sys/kernel/security/lockdown", "re");
	char line[128];

	if (!f || !fgets(line, sizeof(line), f) || !strstr(line, "[confidentiality]"))
		return NULL; /* cppcheck-suppress resourceLeak ; the cleanup attribute closes it */
	/* cppcheck-suppress resourceLeak ; the same */
	return "the kernel is locked down for confidentiality: nobody may read its memory; boot it without lockdown=confidentiality";
}

static uint64_t effective(void)
{
	_cleanup_fclose_ FILE *f = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	return caps;
}

const char *able_capabilities(void)
{
	static const struct {
		int number;
		const char *name;
	} needed[] = {{CAP_BPF, "CAP_BPF"}, {CAP_PERFMON, "CAP_PERFMON"}};
	static char text[128];
	uint64_t have = effective();
	size_t n = 0;

	if (have >> CAP_SYS_ADMIN & 1)
		return NULL; /* includes the others */
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!(have >> needed[i].number & 1))
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", n ? ", " : "no ", needed[i].name);
	if (!n)
		return NULL;
	snprintf(text + n, sizeof(text) - n, "; run it as root");
	return text;
}

const char *able_why_not(void)
{
	const char *why = able_lockdown();

	return why ? why : able_capabilities();
}
