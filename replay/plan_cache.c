#include "replay/plan_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

#include "lib/cleanup.h"
#include "lib/outfile.h"
#include "replay/plan_file.h"

#define MOST_BYTES (8ULL << 30)
#define WORTH_NS 500000000ULL /* what was compiled faster is compiled again */

/* A plan's structures are those of the program that wrote it. */
static uint64_t own_hash(void)
{
	struct spool self = {.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC)};
	uint64_t hash = self.fd < 0 ? 0 : spool_hash(&self);

	if (self.fd >= 0)
		close(self.fd);
	return hash;
}

static char *default_folder(void)
{
	const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char *path = NULL;
	int rc = -1;

	if (cache && *cache == '/')
		rc = asprintf(&path, "%s/iorig/plans", cache);
	else if (home && *home == '/')
		rc = asprintf(&path, "%s/.cache/iorig/plans", home);
	return rc < 0 ? NULL : path;
}

void plan_cache_open(struct plan_cache *cache, const char *folder, const char *trace_sha256, const char *options)
{
	uint64_t own;

	*cache = (struct plan_cache){.always = folder};
	if ((folder && !strcmp(folder, "none")) || !(own = own_hash()))
		return;
	cache->folder = folder ? strdup(folder) : default_folder();
	if (cache->folder && make_directories(cache->folder)) {
		free(cache->folder);
		cache->folder = NULL;
	}
	snprintf(cache->key, sizeof(cache->key), "%s-%s-%016llx", trace_sha256, options, (unsigned long long)own);
}

void plan_cache_release(struct plan_cache *cache)
{
	free(cache->folder);
	*cache = (struct plan_cache){0};
}

static void remove_plan(int folder_fd, const char *name)
{
	_cleanup_close_ int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	static const char *const parts[] = {"meta", "op", "event", "args", "edge"};

	for (size_t i = 0; fd >= 0 && i < sizeof(parts) / sizeof(parts[0]); i++)
		unlinkat(fd, parts[i], 0);
	unlinkat(folder_fd, name, AT_REMOVEDIR);
}

bool plan_cache_load(const struct plan_cache *cache, struct plan *plan)
{
	_cleanup_close_ int folder = cache->folder ? open(cache->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_close_ int fd = folder < 0 ? -1 : openat(folder, cache->key, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return false;
	rc = plan_file_load(plan, cache->key, fd);
	if (rc) {
		plan_release(plan);
		remove_plan(folder, cache->key);
		return false;
	}
	futimens(fd, NULL);
	return true;
}

/* ---- keeping it small -------------------------------------------------------------------------------------------------------- */

static uint64_t plan_size(int folder_fd, const char *name, struct timespec *used)
{
	static const char *const parts[] = {"meta", "op", "event", "args", "edge"};
	_cleanup_close_ int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t bytes = 0;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		return 0;
	*used = st.st_mtim;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (!fstatat(fd, parts[i], &st, AT_SYMLINK_NOFOLLOW))
			bytes += (uint64_t)st.st_size;
	return bytes;
}

/* Only names that this file gives. */
static bool is_plan(const char *name)
{
	return strlen(name) > 64 && strspn(name, "0123456789abcdef") == 64 && name[64] == '-';
}

/* Sum of all plans; the one that was used longest ago in oldest. */
static uint64_t survey(int folder_fd, char oldest[256])
{
	int copy = openat(folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	struct timespec least = {.tv_sec = INT64_MAX};
	const struct dirent *e;
	uint64_t sum = 0;

	oldest[0] = 0;
	while (d && (e = readdir(d))) {
		struct timespec used = {0};

		if (!is_plan(e->d_name))
			continue;
		sum += plan_size(folder_fd, e->d_name, &used);
		if (used.tv_sec < least.tv_sec || (used.tv_sec == least.tv_sec && used.tv_nsec < least.tv_nsec)) {
			least = used;
			snprintf(oldest, 256, "%s", e->d_name);
		}
	}
	if (d)
		closedir(d);
	return sum;
}

/* Less than three times what is left free: the folder may lie in the memory of a test box. False: it is too large to keep. */
static bool make_room(int folder_fd, uint64_t wanted)
{
	const char *text = getenv("IORIG_PLAN_CACHE_BYTES");
	uint64_t most = text ? strtoull(text, NULL, 10) : MOST_BYTES;
	struct statvfs fs;
	char oldest[256];

	while (survey(folder_fd, oldest) + wanted > most && oldest[0])
		remove_plan(folder_fd, oldest);
	return wanted <= most && !fstatvfs(folder_fd, &fs) && wanted / 3 <= fs.f_bavail * fs.f_frsize;
}

int plan_cache_store(const struct plan_cache *cache, const struct plan *plan, uint64_t compile_ns)
{
	_cleanup_close_ int folder = cache->folder ? open(cache->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	_cleanup_close_ int fd = -1;
	char temporary[64];
	int rc;

	if (folder < 0 || (!cache->always && compile_ns < WORTH_NS))
		return 0;
	if (!make_room(folder, plan_bytes(plan)))
		return 0;
	snprintf(temporary, sizeof(temporary), ".new-%ld", (long)getpid());
	if (mkdirat(folder, temporary, 0700))
		return -errno;
	fd = openat(folder, temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rc = fd < 0 ? -errno : plan_file_store(plan, cache->key, fd);
	if (!rc && renameat(folder, temporary, folder, cache->key))
		rc = errno == EEXIST || errno == ENOTEMPTY ? -EEXIST : -errno;
	if (rc)
		remove_plan(folder, temporary);
	return rc == -EEXIST ? 0 : rc;
}
