#include "sweeps/fio.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/proc.h"
#include "lib/share.h"
#include "lib/why.h"

static int run_job(const struct sweep *sweep, const char *job, const char *target, const char *out, const char *prefix, char **why)
{
	_cleanup_free_ char *relative = NULL, *file = NULL, *output = NULL, *env_file = NULL;
	char size[64], runtime[64];
	const char *environment[] = {NULL, size, runtime, NULL};
	struct proc_options options = {.environment = environment};
	struct proc_result got;
	int rc;

	if (asprintf(&relative, "sweeps/fio/%s.fio", job) < 0 || asprintf(&output, "--output=%s/%s-%s.json", out, prefix, job) < 0 ||
	    asprintf(&env_file, "IORIG_FIO_FILE=%s", target) < 0)
		return -ENOMEM;
	file = share_path(relative);
	if (!file)
		return why_set(why, -ENOENT, "fio job %s: %s is missing", job, relative);
	environment[0] = env_file;
	snprintf(size, sizeof(size), "IORIG_FIO_SIZE_MIB=%lld", (long long)sweep->fio.size_mib);
	snprintf(runtime, sizeof(runtime), "IORIG_FIO_RUNTIME_MS=%.0f", sweep->fio.runtime_s * 1000);
	/* Laying out the file comes on top of the run time; a device of 1 MiB/s is the slowest that we wait for. */
	options.timeout_ns = (uint64_t)((4 * sweep->fio.runtime_s + 60 + 2.0 * (double)sweep->fio.size_mib) * 1e9);
	rc = proc_run((const char *[]){"fio", "--output-format=json+", output, file, NULL}, &options, &got);
	if (rc)
		return why_set(why, rc, "fio job %s: cannot run fio: %s", job, strerror(-rc));
	if (got.status == 124)
		rc = why_set(why, -ETIMEDOUT, "fio job %s had not ended after %.0f s", job, (double)options.timeout_ns / 1e9);
	else if (got.status)
		rc = why_set(why, -EIO, "fio job %s ended with status %d: %s", job, got.status, proc_last_words(&got));
	proc_release(&got);
	return rc;
}

int fio_run(const struct sweep *sweep, const json_t *jobs, const char *target, const char *out, const char *prefix, char **why)
{
	json_t *job;
	size_t i;
	int rc = 0;

	json_array_foreach((json_t *)jobs, i, job) {
		rc = run_job(sweep, json_string_value(job), target, out, prefix, why);
		if (rc)
			break;
	}
	return rc;
}
