/* What every part of the kernel side builds on: its configuration, maps and scratch memory, and how kernel memory is read. */
#pragma once
#include <stdbool.h>
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>
#include <bpf/bpf_core_read.h>

#include "capture/kernel.h"
#include "capture/record.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct config cfg SEC(".rodata.config");

#define O_TRUNC 01000
#define O_TMPFILE_BIT 020000000
#define EBADF 9
#define EBUSY 16
#define ECANCELED 125
#define MAP_ANONYMOUS 0x20
#define AT_FDCWD -100
#define AT_EMPTY_PATH 0x1000
#define FMODE_CREATED 0x100000
#define TS_COMPAT 2
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFLNK 0120000
#define NR_EXECVE 59
#define NR_EXECVEAT 322
#define NR_IO_URING_ENTER 426
#define NR_CLONE3 435

/* ---- maps ------------------------------------------------------------------------------------------------------------------ */

struct inner_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner_ring);
} rings SEC(".maps");

/* One size for all, and no BPF_F_INNER_MAP: so look-ups in it are no helper calls. */
struct inner_small_ring {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct rec_small));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner_small_ring);
} small_rings SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct counters);
} counters SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct slot);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct tracked_page); /* small values would be padded to eight bytes each */
} tracked SEC(".maps");

static __always_inline __u8 *tracked_entry(__u32 pid)
{
	__u32 page = pid / TRACKED_PAGE;
	struct tracked_page *p = bpf_map_lookup_elem(&tracked, &page);

	return p ? &p->on[pid & (TRACKED_PAGE - 1)] : NULL;
}

/*
 * What the drainer has been told: two entries for each hash of a place, the newer one first. An array is looked up without a helper; what falls out
 * is told again. Two processors that write one entry at once may leave halves of both, which equal nothing that exists.
 */
#define ANNOUNCED_PAIRS 32768
struct announced_value {
	struct rec_place place;
	__u64 ino, parent;
	__u32 dev, generation, hash, reserved;
};
struct announced_pair {
	struct announced_value newer, older;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ANNOUNCED_PAIRS);
	__type(key, __u32);
	__type(value, struct announced_pair);
} announced SEC(".maps");

/* The recorder's own root directory: paths that begin elsewhere (chroot, containers) get a base. Found by on_open_file. */
__u64 root_dentry, root_mount;

#define SCRATCH_DATA (3 * STRING_MAX)
struct scratch {
	union {
		struct rec_path path;
		struct rec_wide wide;
		struct rec_event event;
	};
	char data[SCRATCH_DATA];
};

/* A walk from a directory entry to the root. What changes at each step is in memory that the verifier does not follow: it would never end. */
struct walk {
	__u64 dentry, mount; /* where it is */
	__u32 used, bits;    /* bytes of data; enum rec_bits */
	struct announced_value value;
	struct rec_open open; /* ends with a struct rec_file, which the components in data follow */
	char data[STRING_MAX + 512];
};

#define PER_CPU_SCRATCH(name, type_) \
	struct { \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); \
		__uint(max_entries, 1); \
		__type(key, __u32); \
		__type(value, type_); \
	} name SEC(".maps")
PER_CPU_SCRATCH(scratches, struct scratch);
PER_CPU_SCRATCH(walks, struct walk);
PER_CPU_SCRATCH(open_walks, struct walk);

/* ---- reading kernel memory ------------------------------------------------------------------------------------------------- */

/*
 * CURRENT: the running thread; IDS: its process id in the upper half, its own in the lower. Everything here prefers loads to helper calls: with
 * retpolines and safe returns one costs as much as dozens of loads (research: 36 ns).
 */
#if MODERN
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym;
#define LOAD(p, member) ((p)->member)
#define TYPED(address, type) ((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))
#define CURRENT() ((struct task_struct *)bpf_get_current_task_btf())
#define IDS(task) ((__u64)(task)->tgid << 32 | (__u32)(task)->pid)
#else
/* The copy keeps CO-RE from looking into our own structures for the pointer. */
#define LOAD(p, member) ({ typeof(p) p_ = (p); BPF_CORE_READ(p_, member); })
#define TYPED(address, type) ((type *)(address))
#define CURRENT() ((struct task_struct *)bpf_get_current_task())
#define IDS(task) bpf_get_current_pid_tgid()
#endif

/*
 * A global function is verified once, by itself, instead of again for every way that leads to it: a million steps become thousands.
 * Takes only numbers: pointers to memory are refused before 5.13 (kernel commit e5069b9c23b3).
 */
#define SEPARATE __attribute__((noinline))

static __always_inline struct file *file_in(struct files_struct *files, int fd)
{
	struct fdtable *fdt;
	struct file **slot;

	if (!files)
		return NULL;
	fdt = LOAD(files, fdt);
	if (!fdt || (__u32)fd >= LOAD(fdt, max_fds))
		return NULL;
	slot = LOAD(fdt, fd) + (__u32)fd;
#if MODERN
	return TYPED(slot, struct epoll_filefd___unpacked)->file;
#else
	struct file *file = NULL;

	bpf_probe_read_kernel(&file, sizeof(file), slot);
	return file;
#endif
}

static __always_inline struct file *file_of(struct task_struct *task, int fd)
{
	return file_in(LOAD(task, files), fd);
}
