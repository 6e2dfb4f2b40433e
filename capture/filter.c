#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/memfd.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "capture/controllers.h"
#include "capture/filter.h"
#include "lib/cleanup.h"
#include "lib/log.h"

static uint32_t kernel_dev(dev_t dev)
{
	return (uint32_t)(major(dev) << 20 | minor(dev));
}

static int too_many(const char *option)
{
	return fail(EXIT_USAGE, "at most %d times --%s", FILTER_MAX, option);
}

static int parse_pids(const struct option_list *list)
{
	for (size_t i = 0; i < list->n; i++) {
		uint64_t pid;
		char path[64];

		if (parse_u64(list->item[i], &pid) || !pid)
			return fail(EXIT_USAGE, "--pid %s: not a process id", list->item[i]);
		snprintf(path, sizeof(path), "/proc/%llu", (unsigned long long)pid);
		if (access(path, F_OK))
			return fail(EXIT_FAILED, "--pid %s: there is no such process", list->item[i]);
	}
	return EXIT_DONE;
}

static int parse_comms(const struct option_list *list, struct config *c)
{
	if (list->n > FILTER_MAX)
		return too_many("comm");
	for (size_t i = 0; i < list->n; i++)
		strncpy(c->comm[c->comm_count++], list->item[i], COMM_BYTES - 1); /* the kernel cuts it there too */
	return EXIT_DONE;
}

/* A name through /etc/passwd itself: getpwnam needs plug-ins that a static program cannot have. */
static bool uid_of(const char *name, uint32_t *uid)
{
	_cleanup_fclose_ FILE *f = fopen("/etc/passwd", "re");
	const struct passwd *entry;

	while (f && (entry = fgetpwent(f))) {
		if (!strcmp(entry->pw_name, name)) {
			*uid = entry->pw_uid;
			return true;
		}
	}
	return false;
}

static int parse_uids(const struct option_list *list, struct config *c)
{
	if (list->n > FILTER_MAX)
		return too_many("uid");
	for (size_t i = 0; i < list->n; i++) {
		uint64_t number;

		if (!parse_u64(list->item[i], &number) && number < UINT32_MAX)
			c->uid[c->uid_count++] = (uint32_t)number;
		else if (!uid_of(list->item[i], &c->uid[c->uid_count++]))
			return fail(EXIT_USAGE, "--uid %s: there is no such user in /etc/passwd", list->item[i]);
	}
	return EXIT_DONE;
}

/* Where -g CGROUP may be below, when it is no whole path. */
static bool find_cgroup(const char *name, char path[PATH_MAX])
{
	static const char *const roots[] = {"", "/sys/fs/cgroup/unified/", "/sys/fs/cgroup/"};
	struct stat st;

	for (size_t i = *name == '/' && !strncmp(name, "/sys/fs/cgroup", 14) ? 0 : 1; i < ARRAY_SIZE(roots); i++) {
		snprintf(path, PATH_MAX, "%s%s", roots[i], i && *name == '/' ? name + 1 : name);
		if (!stat(path, &st) && S_ISDIR(st.st_mode))
			return true;
	}
	return false;
}

static uint32_t depth_below(const char *path, const char *root)
{
	uint32_t depth = 0;

	for (const char *p = path + strlen(root); *p; p++)
		depth += *p == '/' && p[1] && p[1] != '/';
	return depth;
}

/* A cgroup's id is its directory's inode number. Of version 2 its depth is needed, of version 1 the controller whose tree it is in. */
static int parse_cgroup(const char *name, const struct mountinfo *mounts, struct config *c)
{
	const struct mountinfo_entry *m;
	char path[PATH_MAX], *real;
	uint32_t at = c->cgroup_count;
	struct stat st;

	real = find_cgroup(name, path) ? realpath(path, NULL) : NULL;
	m = real ? mountinfo_of(mounts, real, strlen(real)) : NULL;
	if (!m || stat(real, &st) || (strcmp(m->type, "cgroup2") != 0 && strcmp(m->type, "cgroup") != 0)) {
		free(real);
		return fail(EXIT_USAGE, "--cgroup %s: there is no such cgroup below /sys/fs/cgroup", name);
	}
	c->cgroup[at] = st.st_ino;
	c->cgroup_level[at] = depth_below(real, m->path);
	c->cgroup_controller[at] = strcmp(m->type, "cgroup") ? 0 : controller_of(m->options);
	free(real);
	if (!strcmp(m->type, "cgroup") && !c->cgroup_controller[at])
		return fail(EXIT_USAGE, "--cgroup %s: it has no controller; give one of memory, cpu, pids or the like", name);
	c->cgroup_count++;
	return EXIT_DONE;
}

static int parse_cgroups(const struct option_list *list, struct config *c)
{
	struct mountinfo mounts;
	int rc = EXIT_DONE;

	if (!list->n)
		return rc;
	if (list->n > FILTER_MAX)
		return too_many("cgroup");
	if (mountinfo_read(&mounts))
		return fail(EXIT_FAILED, "--cgroup: cannot read the mounts: %s", strerror(errno));
	for (size_t i = 0; i < list->n && !rc; i++)
		rc = parse_cgroup(list->item[i], &mounts, c);
	mountinfo_release(&mounts);
	return rc;
}

static int parse_mounts(const struct option_list *list, struct config *c)
{
	if (list->n > FILTER_MAX)
		return too_many("mount");
	for (size_t i = 0; i < list->n; i++) {
		struct mountinfo mounts;
		const struct mountinfo_entry *entry;
		char *path = realpath(list->item[i], NULL);
		bool usable;

		if (!path || mountinfo_read(&mounts)) {
			free(path);
			return fail(EXIT_USAGE, "--mount %s: %s", list->item[i], strerror(errno));
		}
		entry = mountinfo_of(&mounts, path, strlen(path));
		usable = entry && !entry->pseudo;
		if (usable)
			c->dev[c->dev_count++] = (uint32_t)entry->dev;
		mountinfo_release(&mounts);
		free(path);
		if (!usable)
			return fail(EXIT_USAGE, "--mount %s: not on a file system that can be recorded", list->item[i]);
	}
	return EXIT_DONE;
}

/* Two file systems that look like tmpfs: /dev itself, and the one that memfd and shared memory live on. */
static void hide(struct config *c)
{
	struct mountinfo mounts;
	struct stat st;
	int fd = memfd_create("iorig", MFD_CLOEXEC);

	if (fd >= 0) {
		if (!fstat(fd, &st))
			c->hidden_dev[c->hidden_count++] = kernel_dev(st.st_dev);
		close(fd);
	}
	if (mountinfo_read(&mounts))
		return;
	for (size_t i = 0; i < mounts.n && c->hidden_count < FILTER_MAX; i++)
		if (!strcmp(mounts.entry[i].type, "devtmpfs"))
			c->hidden_dev[c->hidden_count++] = (uint32_t)mounts.entry[i].dev;
	mountinfo_release(&mounts);
}

int filter_parse(const struct filter_options *options, struct config *config, bool has_command)
{
	int rc = parse_pids(&options->pid);

	rc = rc ? rc : parse_comms(&options->comm, config);
	rc = rc ? rc : parse_uids(&options->uid, config);
	rc = rc ? rc : parse_cgroups(&options->cgroup, config);
	rc = rc ? rc : parse_mounts(&options->mount, config);
	if (rc)
		return rc;
	config->filters = (options->pid.n || has_command ? FILTER_PID : 0) | (options->comm.n ? FILTER_COMM : 0) |
			  (options->uid.n ? FILTER_UID : 0) | (options->cgroup.n ? FILTER_CGROUP : 0) |
			  (options->mount.n ? FILTER_DEV : 0);
	hide(config);
	return EXIT_DONE;
}

/* From /proc/PID/stat: the state's letter and the parent. False: there is no such process. */
static bool read_stat(uint32_t pid, char *state, uint32_t *parent)
{
	char path[64], line[512], *tail;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return false;
	tail = fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	fclose(f);
	return tail && sscanf(tail + 1, " %c %u", state, parent) == 2;
}

static uint32_t parent_of(uint32_t pid)
{
	uint32_t parent;
	char state;

	return read_stat(pid, &state, &parent) ? parent : 0;
}

static bool is_running(uint32_t pid)
{
	uint32_t parent;
	char state;

	return read_stat(pid, &state, &parent) && state != 'Z' && state != 'X';
}

bool filter_alive(const struct filter_options *options, const struct recorder *recorder)
{
	const uint8_t *tracked = (const uint8_t *)recorder->tracked;
	uint64_t pid;

	for (size_t i = 0; i < options->pid.n; i++)
		if (!parse_u64(options->pid.item[i], &pid) && is_running((uint32_t)pid))
			return true;
	for (const uint8_t *at = tracked; (at = memchr(at, 1, recorder->tracked_bytes - (size_t)(at - tracked))); at++)
		if (is_running((uint32_t)(at - tracked)))
			return true;
	return false;
}

/* Children of recorded processes, until nothing new comes up: /proc is in the order of process ids, not of descent. */
static void track_descendants(struct recorder *r)
{
	bool again = true;

	while (again) {
		DIR *dir = opendir("/proc");
		struct dirent *entry;

		again = false;
		while (dir && (entry = readdir(dir))) {
			uint32_t pid = (uint32_t)strtoul(entry->d_name, NULL, 10), parent;

			if (!isdigit((unsigned char)entry->d_name[0]) || pid >= r->tracked_bytes || r->tracked[pid])
				continue;
			parent = parent_of(pid);
			if (parent && parent < r->tracked_bytes && r->tracked[parent]) {
				r->tracked[pid] = 1;
				again = true;
			}
		}
		if (dir)
			closedir(dir);
	}
}

void filter_start(const struct filter_options *options, const struct config *config, struct recorder *recorder, struct drain *drain)
{
	for (size_t i = 0; i < options->pid.n; i++) {
		uint64_t pid = 0;

		if (!parse_u64(options->pid.item[i], &pid))
			recorder_track(recorder, (uint32_t)pid, true);
	}
	if (options->pid.n)
		track_descendants(recorder);
	for (drain->only.n = 0; drain->only.n < config->dev_count; drain->only.n++)
		drain->only.dev[drain->only.n] = config->dev[drain->only.n];
}
