/* `iorig image build` and `iorig image run`: the recipes are image.sh and run.sh; here are the options and the tidying up. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/exitcode.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "rootfs/image_run.h"
#include "rootfs/script.h"

#define IMAGE_DIRECTORY "iorig-image"

static struct {
	const char *output, *with;
	uint64_t level;
	struct image_run run;
} opt = {
	.output = IMAGE_DIRECTORY,
	.level = 19,
	.run = {.image = IMAGE_DIRECTORY, .net = "none", .accel = "auto", .mac = "52:54:00:10:00:01", .disks = 3, .disk_gib = 2,
		.memory_mib = 2048, .cpus = 2},
};

static int build(void)
{
	_cleanup_free_ char *share = script_share(), *out = absolute_path(opt.output);
	_cleanup_free_ char *with = opt.with ? absolute_path(opt.with) : NULL;
	char level[16];

	if (!share || !out)
		return EXIT_FAILED;
	if (opt.level < 1 || opt.level > 19)
		return fail(EXIT_USAGE, "image build: --level is from 1 (fast) to 19 (small)");
	snprintf(level, sizeof(level), "%u", (unsigned)opt.level);
	return script_become("image.sh", (const char *const[]){out, level, proc_self(), share, with, NULL});
}

static int run_image(const struct command *self, int argc, char **argv)
{
	int rest = options_parse(self, argc, argv);

	if (rest < 0)
		return -rest - 1;
	if (argc - rest != 1)
		return fail(EXIT_USAGE, "image: 'build' or 'run' is missing; see 'iorig image -h'");
	if (!strcmp(argv[rest], "build"))
		return build();
	if (!strcmp(argv[rest], "run"))
		return image_run(&opt.run);
	return fail(EXIT_USAGE, "image: there is no '%s', only 'build' and 'run'; see 'iorig image -h'", argv[rest]);
}

static const struct option_row rows[] = {
	{"output", 'o', "DIR", OPT_STRING, &opt.output, "build: where kernel and initrd go (" IMAGE_DIRECTORY ")"},
	{"level", 0, "N", OPT_U64, &opt.level, "build: zstd level, 1 to 19 (19)"},
	{"with", 0, "LIST", OPT_STRING, &opt.with, "build: more of 'bin NAME', 'module NAME', 'file PATH', one a line"},
	{"image", 0, "DIR", OPT_STRING, &opt.run.image, "run: the image to boot (" IMAGE_DIRECTORY ")"},
	{"net", 0, "MODE", OPT_STRING, &opt.run.net, "run: none, user (qemu's own), or pxe (none)"},
	{"dir", 0, "DIR", OPT_STRING, &opt.run.dir, "run: what 'iorig serve' serves, for --net pxe"},
	{"disks", 0, "N", OPT_U64, &opt.run.disks, "run: disks iorig-disk0, iorig-disk1, ... (3)"},
	{"disk-gib", 0, "G", OPT_U64, &opt.run.disk_gib, "run: size of each (2)"},
	{"disk-dir", 0, "DIR", OPT_STRING, &opt.run.disk_dir, "run: keep the disks here and take those that exist"},
	{"memory-mib", 0, "N", OPT_U64, &opt.run.memory_mib, "run: memory of the box (2048)"},
	{"cpus", 0, "N", OPT_U64, &opt.run.cpus, "run: processors of the box (2)"},
	{"accel", 0, "A", OPT_STRING, &opt.run.accel, "run: auto, kvm or tcg (auto: kvm when it proves to work)"},
	{"mac", 0, "MAC", OPT_STRING, &opt.run.mac, "run: network address, the box's name (52:54:00:10:00:01)"},
	{"kernel-append", 0, "KEYS", OPT_STRING, &opt.run.append, "run: more for the kernel command line"},
	{"uefi", 0, NULL, OPT_FLAG, &opt.run.uefi, "run: UEFI firmware (package ovmf) instead of BIOS"},
	{"timeout", 0, "DUR", OPT_DURATION, &opt.run.timeout_ns, "run: give up after that long"},
	{0}};

const struct command cmd_image = {
	.name = "image",
	.synopsis = "build [-o DIR] [--level N] [--with LIST] | run [--image DIR] [--net MODE] [--disks N] ...",
	.summary = "build the test-box image, or boot it in a virtual machine",
	.group = "box",
	.options = rows,
	.run = run_image,
};
