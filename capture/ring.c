#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture/record.h"
#include "capture/ring.h"

static void *map(int fd, size_t bytes, int protection, size_t offset)
{
	void *memory = mmap(NULL, bytes, protection, MAP_SHARED, fd, (off_t)offset);

	return memory == MAP_FAILED ? NULL : memory;
}

uint32_t ring_small_count(uint64_t bytes)
{
	return (uint32_t)(bytes / 2 / sizeof(struct rec_small));
}

static int open_any(struct recorder_ring *ring, uint64_t bytes)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	ring->fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "iorig_ring", 0, 0, (uint32_t)bytes, NULL);
	if (ring->fd < 0)
		return -errno;
	ring->bytes = bytes;
	ring->consumer = map(ring->fd, page, PROT_READ | PROT_WRITE, 0);
	/* The kernel maps the data twice in a row, so that no record is ever in two pieces. */
	ring->producer = map(ring->fd, page + 2 * bytes, PROT_READ, page);
	if (!ring->consumer || !ring->producer)
		return -errno;
	ring->data = (const char *)ring->producer + page;
	return 0;
}

static int open_small(struct recorder_ring *ring, uint32_t count)
{
	struct bpf_map_create_opts options = {.sz = sizeof(options), .map_flags = BPF_F_MMAPABLE};

	ring->small_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "iorig_small", sizeof(uint32_t), sizeof(struct rec_small), count, &options);
	if (ring->small_fd < 0)
		return -errno;
	ring->small_count = count;
	ring->small = map(ring->small_fd, count * sizeof(struct rec_small), PROT_READ, 0);
	return ring->small ? 0 : -errno;
}

int ring_open(struct recorder_ring *ring, uint64_t bytes)
{
	int rc;

	memset(ring, 0, sizeof(*ring));
	rc = open_any(ring, bytes / 2);
	if (!rc)
		rc = open_small(ring, ring_small_count(bytes));
	if (rc)
		ring_release(ring);
	return rc;
}

void ring_release(struct recorder_ring *ring)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	if (ring->consumer)
		munmap((void *)ring->consumer, page);
	if (ring->producer)
		munmap((void *)ring->producer, page + 2 * ring->bytes);
	if (ring->small)
		munmap((void *)ring->small, ring->small_count * sizeof(*ring->small));
	if (ring->fd > 0)
		close(ring->fd);
	if (ring->small_fd > 0)
		close(ring->small_fd);
	memset(ring, 0, sizeof(*ring));
}

int ring_processors(unsigned char *on, int count)
{
	FILE *f = fopen("/sys/devices/system/cpu/online", "re");
	int first, last, n = 0;

	memset(on, !f, (size_t)count);
	while (f && fscanf(f, "%d", &first) == 1) { /* 0-3,5 */
		last = first;
		if (fscanf(f, "-%d", &last) < 0 && ferror(f))
			break;
		for (int cpu = first; cpu <= last && cpu < count; cpu++)
			if (cpu >= 0)
				on[cpu] = 1;
		if (fgetc(f) != ',')
			break;
	}
	if (f)
		fclose(f);
	for (int cpu = 0; cpu < count; cpu++)
		n += on[cpu];
	return n;
}
