#include "replay/system.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "lib/block.h"
#include "lib/cleanup.h"

static void add_disk(struct system_disks *disks, const char *name)
{
	_cleanup_free_ char *whole = NULL;
	char path[512];
	DIR *d;
	const struct dirent *e;

	for (uint32_t i = 0; i < disks->n; i++)
		if (!strcmp(disks->name[i], name))
			return;
	if (disks->n == SYSTEM_DISKS || strlen(name) >= sizeof(disks->name[0]))
		return;
	whole = block_whole_disk(name);
	snprintf(disks->whole[disks->n], sizeof(disks->whole[0]), "%s", whole ? whole : name);
	strcpy(disks->name[disks->n++], name);
	snprintf(path, sizeof(path), "/sys/class/block/%s/slaves", name);
	d = opendir(path);
	while (d && (e = readdir(d)))
		if (e->d_name[0] != '.')
			add_disk(disks, e->d_name);
	if (d)
		closedir(d);
}

/* File systems over several devices (btrfs) and unnamed ones have a device number of their own: the mount table knows the source. */
static dev_t source_of(dev_t dev)
{
	char line[4096], wanted[32];
	struct stat st;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	dev_t found = dev;

	snprintf(wanted, sizeof(wanted), "%u:%u", major(dev), minor(dev));
	while (f && fgets(line, sizeof(line), f)) {
		char id[32], source[1024];
		const char *dash = strstr(line, " - ");

		if (!dash || sscanf(line, "%*d %*d %31s", id) != 1 || strcmp(id, wanted))
			continue;
		if (sscanf(dash + 3, "%*s %1023s", source) == 1 && !stat(source, &st) && S_ISBLK(st.st_mode))
			found = st.st_rdev;
	}
	if (f)
		fclose(f);
	return found;
}

void system_disks_find(struct system_disks *disks, int root_fd)
{
	char path[64], target[512], *name;
	struct stat st;
	ssize_t n;
	dev_t dev;

	disks->n = 0;
	if (fstat(root_fd, &st))
		return;
	dev = major(st.st_dev) ? st.st_dev : source_of(st.st_dev);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = 0;
	name = strrchr(target, '/');
	if (name)
		add_disk(disks, name + 1);
}

static void sample_disks(struct system_sample *s, const struct system_disks *disks)
{
	char line[512], name[32];
	FILE *f = fopen("/proc/diskstats", "re");

	s->disks = disks->n;
	for (uint32_t i = 0; i < disks->n; i++)
		strcpy(s->disk[i].name, disks->name[i]);
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long v[16] = {0};
		int n = sscanf(line, "%*u %*u %31s %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", name,
			       &v[0], &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10], &v[11], &v[12], &v[13],
			       &v[14], &v[15]);

		for (uint32_t i = 0; n > 7 && i < disks->n; i++) {
			if (!strcmp(disks->whole[i], name))
				s->disk[i].flushes = v[15];
			if (strcmp(disks->name[i], name))
				continue;
			s->disk[i].reads = v[0];
			s->disk[i].read_sectors = v[2];
			s->disk[i].writes = v[4];
			s->disk[i].write_sectors = v[6];
		}
	}
	if (f)
		fclose(f);
}

void system_sample(struct system_sample *s, const struct system_disks *disks)
{
	unsigned long long user = 0, nice = 0, sys = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
	FILE *f = fopen("/proc/stat", "re");

	*s = (struct system_sample){0};
	sample_disks(s, disks);
	if (f && fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &sys, &idle, &iowait, &irq, &softirq) == 7) {
		s->user_ticks = user + nice;
		s->system_ticks = sys + irq + softirq;
		s->iowait_ticks = iowait;
	}
	if (f)
		fclose(f);
}

uint64_t system_dirty_bytes(void)
{
	unsigned long long kib, sum = 0;
	char line[256];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Dirty: %llu", &kib) == 1 || sscanf(line, "Writeback: %llu", &kib) == 1)
			sum += kib;
	if (f)
		fclose(f);
	return sum * 1024;
}

void system_memory_begin(struct system_memory *m)
{
	FILE *f = fopen("/proc/self/clear_refs", "we");

	*m = (struct system_memory){0};
	if (f) {
		fputs("5", f);
		fclose(f);
	}
}

void system_memory_peak(struct system_memory *m)
{
	unsigned long long kib, anonymous = 0, mapped = 0;
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmHWM: %llu", &kib) == 1)
			m->peak_bytes = kib * 1024;
		else if (sscanf(line, "RssAnon: %llu", &kib) == 1)
			anonymous = kib * 1024;
		else if (sscanf(line, "RssFile: %llu", &kib) == 1 || sscanf(line, "RssShmem: %llu", &kib) == 1)
			mapped += kib * 1024;
	}
	if (f)
		fclose(f);
	m->anonymous_bytes = anonymous > m->anonymous_bytes ? anonymous : m->anonymous_bytes;
	m->mapped_bytes = mapped > m->mapped_bytes ? mapped : m->mapped_bytes;
}

json_t *system_document(const struct system_sample *before, const struct system_sample *after, uint64_t peak_dirty_bytes)
{
	json_t *disk = json_object();
	struct utsname name;
	double hz = (double)sysconf(_SC_CLK_TCK);

	uname(&name);
	for (uint32_t i = 0; i < after->disks && i < before->disks; i++)
		json_object_set_new(disk, after->disk[i].name,
				    json_pack("{s:I, s:I, s:I, s:I, s:I}", "reads", (json_int_t)(after->disk[i].reads - before->disk[i].reads),
					      "read_bytes", (json_int_t)((after->disk[i].read_sectors - before->disk[i].read_sectors) * 512),
					      "writes", (json_int_t)(after->disk[i].writes - before->disk[i].writes), "write_bytes",
					      (json_int_t)((after->disk[i].write_sectors - before->disk[i].write_sectors) * 512), "flushes",
					      (json_int_t)(after->disk[i].flushes - before->disk[i].flushes)));
	return json_pack("{s:o, s:{s:f, s:f, s:f}, s:I, s:s}", "disk", disk, "cpu_s", "user",
			 (double)(after->user_ticks - before->user_ticks) / hz, "system",
			 (double)(after->system_ticks - before->system_ticks) / hz, "iowait",
			 (double)(after->iowait_ticks - before->iowait_ticks) / hz, "peak_dirty_bytes", (json_int_t)peak_dirty_bytes, "kernel",
			 name.release);
}
