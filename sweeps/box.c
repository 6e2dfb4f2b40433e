#include "sweeps/box.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/clock.h"
#include "lib/proc.h"
#include "profiles/disk.h"

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : json_null();
}

/* The first line of a file, without blanks around it; "" when there is none. */
static char *first_line(const char *path, char *line, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	size_t n;

	if (!f || !fgets(line, (int)size, f))
		*line = 0;
	n = strlen(line);
	while (n && (line[n - 1] == '\n' || line[n - 1] == ' '))
		line[--n] = 0;
	return line;
}

/* The text after "key<blanks>:" in /proc/cpuinfo or /proc/meminfo. */
static char *proc_value(const char *file, const char *key, char *value, size_t size)
{
	_cleanup_fclose_ FILE *f = fopen(file, "re");
	char line[512];

	*value = 0;
	while (f && fgets(line, sizeof(line), f)) {
		char *colon = strchr(line, ':');

		if (strncmp(line, key, strlen(key)) || !colon)
			continue;
		colon += 1 + strspn(colon + 1, " \t");
		colon[strcspn(colon, "\n")] = 0;
		snprintf(value, size, "%s", colon);
		break;
	}
	return value;
}

/* The first line that `tool argument` prints, on whichever stream. */
static json_t *version_of(const char *tool, const char *argument)
{
	struct proc_result got;
	json_t *version;
	char *text;

	if (proc_run((const char *[]){tool, argument, NULL}, &(struct proc_options){.timeout_ns = 10000000000ULL}, &got))
		return json_null();
	text = got.status == 127 ? NULL : *got.out ? got.out : got.err;
	if (text)
		text[strcspn(text, "\n")] = 0;
	version = text_or_null(text);
	proc_release(&got);
	return version;
}

static json_t *tools(void)
{
	static const char *const known[][2] = {{"fio", "--version"}, {"mdadm", "--version"}, {"mkfs.ext4", "-V"},
					       {"mkfs.xfs", "-V"},    {"mkfs.btrfs", "--version"}};
	json_t *list = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		json_object_set_new(list, known[i][0], version_of(known[i][0], known[i][1]));
	json_object_set_new(list, "iorig", json_string(IORIG_VERSION));
	return list;
}

static json_t *disk_facts(const char *name)
{
	char path[160], backing[512];
	struct disk disk;
	char *why = NULL;
	json_t *facts;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/backing_file", name);
	first_line(path, backing, sizeof(backing));
	if (disk_examine(name, &disk, &why)) {
		free(why);
		return json_pack("{ss}", "name", name);
	}
	facts = json_pack("{ss so so so sI sb}", "name", name, "model", text_or_null(disk.model), "serial", text_or_null(disk.serial), "wwn",
			  text_or_null(disk.wwn), "size_bytes", (json_int_t)disk.size_bytes, "rotational", disk.rotational);
	if (*backing)
		json_object_set_new(facts, "file", json_string(backing));
	disk_release(&disk);
	return facts;
}

json_t *box_facts(const char *const *names, size_t n)
{
	json_t *disks = json_array(), *box;
	char model[256], memory[64], boot[64], iso[32];
	struct utsname u;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(disks, disk_facts(names[i]));
	uname(&u);
	proc_value("/proc/cpuinfo", "model name", model, sizeof(model));
	proc_value("/proc/meminfo", "MemTotal", memory, sizeof(memory));
	first_line("/proc/sys/kernel/random/boot_id", boot, sizeof(boot));
	box = json_pack("{ss ss ss ss s{so sI} sI so so ss}", "schema", "iorig.box/1", "taken", clock_iso(iso), "host", u.nodename, "kernel",
			u.release, "cpu", "model", text_or_null(model), "count", (json_int_t)sysconf(_SC_NPROCESSORS_ONLN), "memory_bytes",
			(json_int_t)(strtoll(memory, NULL, 10) * 1024), "disks", disks, "tools", tools(), "boot", boot);
	json_object_set_new(box, "machine", json_string(u.machine));
	return box;
}
