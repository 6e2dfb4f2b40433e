/* Any text as /proc/PID/mountinfo (a mount's source and options are whatever the one who mounted it said), and questions about it. */
#include "capture/mountinfo.c"

#include "tests/fuzz/fuzz.h"

/* No mount with storage is missing in the header of a trace. */
static void must_be_told(const struct mountinfo *mounts)
{
	json_t *list = mountinfo_json(mounts);
	size_t told = 0;

	for (size_t i = 0; i < mounts->n; i++)
		told += !mounts->entry[i].pseudo;
	if (json_array_size(list) != told)
		abort();
	json_decref(list);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct memory_file f = memory_file(data, n);
	struct mountinfo mounts;

	if (!read_file(&mounts, f.path)) {
		for (size_t i = 0; i < mounts.n; i++) {
			const struct mountinfo_entry *e = &mounts.entry[i];

			mountinfo_of(&mounts, e->path, strlen(e->path));
			mountinfo_of(&mounts, e->root, strlen(e->root));
			mountinfo_pseudo_dev(&mounts, e->dev);
			mountinfo_makes_devs(&mounts, e->dev);
		}
		mountinfo_of(&mounts, "/a/b", 4);
		must_be_told(&mounts);
		mountinfo_release(&mounts);
	}
	close(f.fd);
	return 0;
}
