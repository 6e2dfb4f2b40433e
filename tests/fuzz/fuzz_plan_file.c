/*
 * A kept plan that was damaged: five files, any bytes of which are changed, cut off or added. It is loaded when it is what was stored,
 * and refused in every other case. An edit takes six bytes: file, what is done, position (2), value, length.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "replay/compile.h"
#include "replay/plan_file.h"
#include "tests/fuzz/fuzz.h"

#define KEY "a key"

static const char *const part_name[] = {"meta", "op", "event", "args", "edge"};
static struct {
	uint8_t *data;
	size_t n;
} good[5];
static char folder[64];

static bool next(void *self, struct trace_record *record)
{
	return trace_reader_next(self, record);
}

static const char *string(void *self, uint32_t id)
{
	return trace_reader_string(self, id);
}

static void path_of(int part, char path[128])
{
	snprintf(path, 128, "%s/%s", folder, part_name[part]);
}

static void load_good(int part)
{
	char path[128];
	FILE *f;

	path_of(part, path);
	f = fopen(path, "re");
	if (!f)
		abort();
	good[part].data = malloc(1 << 20);
	good[part].n = fread(good[part].data, 1, 1 << 20, f);
	fclose(f);
	unlink(path);
}

/* Two threads with everything that a plan keeps: names, holes, edges, extended attributes, residency, an open descriptor. */
static void make_good(void)
{
	static const char text[] =
		"thread 1 tid=100 pid=100 comm=\"a\" cwd=\"/\"\nthread 2 tid=101 pid=100 parent=1\n"
		"file 1 dev=253:0 ino=12 mode=0100644 nlink=1 size=8192 path=\"/a\"\nfile 2 dev=253:0 ino=13 mode=0100644 nlink=1 size=1048576 path=\"/b\"\n"
		"hole file=2 offset=4096 bytes=8192\nresidency file=1 page=0 pages=2\nfd pid=100 fd=3 file=1 flags=O_RDWR pos=4096 desc=1\n"
		"0.000100+0.000001 1 read fd=3 file=1 offset=4096 length=4096 = 4096\n0.000110+0.000001 2 getxattr path=\"/b\" file=2 path2=\"user.x\" length=10 = 4\n"
		"0.000120+0.000001 1 rename path=\"/a\" path2=\"/c\" file=1 = 0\n0.000130+0.000001 2 newfstatat fd=AT_FDCWD path=\"/c\" file=1 = 0\n"
		"0.000140+0.000001 2 pwrite64 fd=3 file=1 offset=1099511627776 length=5000000000 = 2147479552\n";
	struct memory_file f = memory_file(NULL, 0);
	FILE *from = fmemopen((void *)text, sizeof(text) - 1, "r");
	struct plan_options options = {.folder = folder};
	struct record_source source = {.next = next, .string = string};
	struct text_error wrong;
	struct trace_error error;
	struct plan plan;
	int fd;

	snprintf(folder, sizeof(folder), "/dev/shm/iorig-fuzz.%d", getpid());
	if (mkdir(folder, 0700) || (fd = open(folder, O_RDONLY | O_DIRECTORY)) < 0)
		abort();
	if (text_build(from, f.path, NULL, &wrong) || !(source.self = trace_reader_open(f.path, &error)) || plan_compile(&plan, &source, &options) ||
	    plan_file_store(&plan, KEY, fd)) {
		fprintf(stderr, "%s\n", wrong.text);
		abort();
	}
	plan_release(&plan);
	trace_reader_close(source.self);
	for (int i = 0; i < 5; i++)
		load_good(i);
	fclose(from);
	close(f.fd);
	close(fd);
}

/* The file with the edits that are meant for it. True: that is other bytes. */
static bool write_part(int part, const uint8_t *data, size_t n)
{
	size_t bytes = good[part].n, room = bytes + 65536 + 256;
	uint8_t *now = calloc(1, room);
	char path[128];
	bool other;
	int fd;

	memcpy(now, good[part].data, bytes);
	for (; n >= 6; data += 6, n -= 6) {
		size_t at = (size_t)data[2] << 8 | data[3];

		if (data[0] % 5 != part)
			continue;
		if (data[1] % 3 == 0)
			bytes = at < bytes ? at : bytes;
		else if (data[1] % 3 == 1)
			bytes = bytes + data[5] < room ? bytes + data[5] : bytes;
		else if (bytes)
			memset(now + at % bytes, data[4], at % bytes + data[5] <= bytes ? data[5] : 1);
	}
	other = bytes != good[part].n || memcmp(now, good[part].data, bytes);
	path_of(part, path);
	unlink(path); /* a mapping of the one before may still be read */
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(fd, now, bytes) != (ssize_t)bytes)
		abort();
	close(fd);
	free(now);
	return other;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	bool other = false;
	struct plan plan;
	int fd, rc;

	if (!folder[0])
		make_good();
	for (int i = 0; i < 5; i++)
		other |= write_part(i, data, n);
	fd = open(folder, O_RDONLY | O_DIRECTORY);
	rc = plan_file_load(&plan, KEY, fd);
	if (other ? rc != -EBADMSG : rc != 0)
		abort();
	plan_release(&plan);
	close(fd);
	return 0;
}
