#include "replay/pool.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/cleanup.h"

#define POOL_BYTES (16ULL << 20)

static int fill(int fd)
{
	uint64_t *map, x = 0x2545f4914f6cdd1dULL;

	if (ftruncate(fd, (off_t)POOL_BYTES))
		return -errno;
	map = mmap(NULL, POOL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	for (size_t i = 0; i < POOL_BYTES / sizeof(*map); i++) { /* xorshift64* (Vigna 2016) */
		x ^= x >> 12;
		x ^= x << 25;
		x ^= x >> 27;
		map[i] = x * 0x2545f4914f6cdd1dULL;
	}
	munmap(map, POOL_BYTES);
	return 0;
}

const char *pool_make(uint64_t at_least, uint64_t *bytes)
{
	_cleanup_close_ int fd = memfd_create("iorig-pool", MFD_CLOEXEC);
	uint64_t n = (at_least / POOL_BYTES + 1) * POOL_BYTES;
	char *all;

	if (fd < 0 || fill(fd))
		return NULL;
	all = mmap(NULL, n, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (all == MAP_FAILED)
		return NULL;
	for (uint64_t at = 0; at < n; at += POOL_BYTES)
		if (mmap(all + at, POOL_BYTES, PROT_READ, MAP_SHARED | MAP_FIXED | MAP_POPULATE, fd, 0) == MAP_FAILED)
			return NULL;
	*bytes = n;
	return all;
}
