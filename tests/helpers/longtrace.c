/*
 * A long recording in text form, as a busy server makes it: longtrace EVENTS [THREADS [FILES]] | iorig trace build - -o X
 * Threads open one of FILES files that are there, look at it, read or overwrite parts, close it; now and then one delivers a new file
 * (create in tmp, write, fsync, rename, unlink a while later). Every result is what a kernel would have said. Deterministic.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FILE_BYTES = 16384, BLOCK_BYTES = 4096, SCRIPT_MAX = 16 };

struct thread {
	uint32_t file, step, steps, created, last;
	int delivers;
};

static uint64_t now_us = 1000000, seed = 88172645463325252ULL;

static uint32_t any(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static void begin(uint32_t thread)
{
	now_us += 1 + any(3);
	printf("%llu.%06llu+0.0000005 %u ", (unsigned long long)(now_us / 1000000), (unsigned long long)(now_us % 1000000), thread);
}

/* One event of opening, looking, reading, writing, closing a file that is there. */
static void use(struct thread *t, uint32_t number, uint32_t files)
{
	if (!t->step) {
		t->file = 1 + any(files);
		t->steps = 4 + any(SCRIPT_MAX - 4);
		begin(number);
		if (any(4))
			printf("openat fd=AT_FDCWD file=%u path=\"/srv/data/d%u/file-%u\" flags=O_RDWR = 3\n", t->file, t->file % 256, t->file);
		else {
			printf("newfstatat fd=AT_FDCWD file=%u path=\"/srv/data/d%u/file-%u\"\n", t->file, t->file % 256, t->file);
			return;
		}
	} else if (t->step == 1) {
		begin(number);
		printf("fstat fd=3 file=%u\n", t->file);
	} else if (t->step < t->steps) {
		uint32_t block = any(FILE_BYTES / BLOCK_BYTES) * BLOCK_BYTES;

		begin(number);
		printf("%s fd=3 file=%u offset=%u length=%d = %d\n", any(4) ? "pread64" : "pwrite64", t->file, block, BLOCK_BYTES, BLOCK_BYTES);
	} else {
		begin(number);
		printf("close fd=3 file=%u\n", t->file);
		t->step = 0;
		return;
	}
	t->step++;
}

static void deliver(struct thread *t, uint32_t number, uint32_t *files)
{
	switch (t->step++) {
	case 0:
		t->created = ++*files;
		printf("file %u dev=8:1 ino=%u mode=0100600 bits=created path=\"/srv/mail/tmp/%u\"\n", t->created, t->created + 100, t->created);
		begin(number);
		printf("openat fd=AT_FDCWD file=%u path=\"/srv/mail/tmp/%u\" flags=O_CREAT|O_EXCL|O_WRONLY mode=0600 bits=created = 4\n",
		       t->created, t->created);
		return;
	case 1:
		begin(number);
		printf("write fd=4 file=%u offset=0 length=3000 = 3000\n", t->created);
		return;
	case 2:
		begin(number);
		printf("fsync fd=4 file=%u\n", t->created);
		return;
	case 3:
		begin(number);
		printf("close fd=4 file=%u\n", t->created);
		return;
	case 4:
		begin(number);
		printf("rename path=\"/srv/mail/tmp/%u\" path2=\"/srv/mail/new/%u\" file=%u\n", t->created, t->created, t->created);
		return;
	}
	t->step = 0;
	t->delivers = 0;
	if (t->last) {
		begin(number);
		printf("unlink path=\"/srv/mail/new/%u\" file=%u\n", t->last, t->last);
	}
	t->last = t->created;
}

int main(int argc, char **argv)
{
	uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 1000000;
	uint32_t threads = argc > 2 ? (uint32_t)atoi(argv[2]) : 32, files = argc > 3 ? (uint32_t)atoi(argv[3]) : 20000, existing = files;
	struct thread *thread = calloc(threads + 1, sizeof(*thread));

	if (!thread || !threads || !files)
		return 1;
	for (uint32_t t = 1; t <= threads; t++)
		printf("thread %u tid=%u pid=%u\n", t, 1000 + t, 1000 + t);
	for (uint32_t f = 1; f <= files; f++)
		printf("file %u dev=8:1 ino=%u mode=0100644 size=%d path=\"/srv/data/d%u/file-%u\"\n", f, f + 100, FILE_BYTES, f % 256, f);
	printf("0.5 1 newfstatat fd=AT_FDCWD path=\"/srv/mail/new\"\n0.6 1 newfstatat fd=AT_FDCWD path=\"/srv/mail/tmp\"\n");
	for (uint64_t i = 2; i < events; i++) {
		uint32_t number = 1 + any(threads);
		struct thread *t = &thread[number];

		if (!t->step && !any(40))
			t->delivers = 1;
		if (t->delivers)
			deliver(t, number, &files);
		else
			use(t, number, existing);
	}
	return ferror(stdout) || fclose(stdout);
}
