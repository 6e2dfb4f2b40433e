#include <linux/capability.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "capture/turn.h"

#define PAUSE_MIN_NS 1000000ULL
#define PAUSE_MAX_NS 10000000ULL /* rare visits are cheap ones */
#define FILL_AIM 0.125

enum turn turn_take(void)
{
	struct sched_param low = {.sched_priority = 2}; /* a program that spins at the lowest one does not keep us from the processor */

	if (!sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &low))
		return TURN_REALTIME;
	return setpriority(PRIO_PROCESS, 0, -20) ? TURN_PLAIN : TURN_NICE;
}

/* Without a limit: under one, memory that the program may have could not be had any more. */
static bool may_lock_all(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct cap[2];
	struct rlimit limit;

	if (!syscall(SYS_capget, &head, cap) && (cap[0].effective >> CAP_IPC_LOCK & 1))
		return true;
	return !getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur == RLIM_INFINITY;
}

bool turn_lock_memory(void)
{
	return may_lock_all() && !mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT);
}

uint64_t turn_pause_ns(uint64_t last_pause_ns, double fill)
{
	double pause = fill > 0 ? (double)last_pause_ns * FILL_AIM / fill : (double)PAUSE_MAX_NS;

	if (pause > 2.0 * (double)last_pause_ns) /* one quiet moment does not tell of the next */
		pause = 2.0 * (double)last_pause_ns;
	if (pause < (double)PAUSE_MIN_NS)
		return PAUSE_MIN_NS;
	return pause > (double)PAUSE_MAX_NS ? PAUSE_MAX_NS : (uint64_t)pause;
}
