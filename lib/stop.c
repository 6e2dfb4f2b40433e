#include "lib/stop.h"

#include <signal.h>
#include <stdatomic.h>

static atomic_int requested, signal_number, count;

static void on_signal(int number)
{
	atomic_store(&signal_number, number);
	atomic_fetch_add(&count, number == SIGINT ? 1 : 2);
	atomic_store(&requested, 1);
}

void stop_arm(void)
{
	struct sigaction sa = {.sa_handler = on_signal};

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
}

bool stop_requested(void)
{
	return atomic_load(&requested);
}

int stop_signal(void)
{
	return atomic_load(&signal_number);
}

void stop_request(void)
{
	atomic_store(&requested, 1);
}

int stop_count(void)
{
	return atomic_load(&count);
}
