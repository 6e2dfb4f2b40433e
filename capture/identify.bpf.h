/* Which files and which processes are recorded. */
#pragma once
#include "capture/base.bpf.h"

static __always_inline bool pseudo_magic(__u32 magic)
{
	switch (magic) {
	case 0x9fa0:	 /* proc */
	case 0x62656572: /* sysfs */
	case 0x0027e0eb: /* cgroup */
	case 0x63677270: /* cgroup2 */
	case 0x64626720: /* debugfs */
	case 0x74726163: /* tracefs */
	case 0xcafe4a11: /* bpf */
	case 0x73636673: /* securityfs */
	case 0x1cd1:	 /* devpts */
	case 0x50495045: /* pipefs */
	case 0x534f434b: /* sockfs */
	case 0x09041934: /* anon_inodefs */
	case 0x6e736673: /* nsfs */
	case 0x50494446: /* pidfs */
	case 0x19800202: /* mqueue */
	case 0x958458f6: /* hugetlbfs */
	case 0x42494e4d: /* binfmt_misc */
	case 0x62656570: /* configfs */
	case 0x65735543: /* fusectl */
	case 0xf97cff8c: /* selinuxfs */
	case 0x43415d53: /* smackfs */
	case 0x6165676c: /* pstore */
	case 0xde5e81e4: /* efivarfs */
	case 0x67596969: /* rpc_pipefs */
	case 0x6e667364: /* nfsd */
	case 0x0187:	 /* autofs */
	case 0x454d444d: /* devmem */
	case 0x444d4142: /* dma-buf */
	case 0x5345434d: /* secretmem */
		return true;
	}
	return false;
}

#define BTRFS_MAGIC 0x9123683e

/*
 * The device that an inode number belongs to, as st_dev tells it. On btrfs each subvolume numbers its files anew and has a device number of its own;
 * where that stands the configuration tells, since btrfs may be a module, whose types nobody relocates for a recorder without CAP_SYS_ADMIN.
 */
#if MODERN
static __always_inline __u32 subvolume_dev(__u64 inode, __u32 otherwise) /* a separate function takes no typed pointer */
#else
SEPARATE __u32 subvolume_dev(__u64 inode, __u32 otherwise)
#endif
{
	__u64 root = 0;
	__u32 dev = 0;

	bpf_probe_read_kernel(&root, sizeof(root), (void *)(inode + cfg.btrfs_root));
	bpf_probe_read_kernel(&dev, sizeof(dev), (void *)(root + cfg.btrfs_anon_dev));
	return dev ? dev : otherwise;
}

static __always_inline __u32 dev_of(struct inode *inode, __u32 dev, __u32 magic)
{
	return cfg.btrfs_root && magic == BTRFS_MAGIC ? subvolume_dev((__u64)inode, dev) : dev;
}

/* The type for rec_bits, 0 when the file is none that we record. Fills id. */
static __always_inline __u32 identify_inode(struct inode *inode, struct rec_id *id)
{
	struct super_block *sb;
	__u32 mode, type, dev, magic;

	if (!inode)
		return 0;
	mode = LOAD(inode, i_mode) & S_IFMT;
	if (mode == S_IFREG)
		type = 1;
	else if (mode == S_IFDIR)
		type = 2;
	else if (mode == S_IFLNK)
		type = 3;
	else
		return 0;
	sb = LOAD(inode, i_sb);
	if (!sb)
		return 0;
	magic = LOAD(sb, s_magic);
	if (pseudo_magic(magic))
		return 0;
	dev = LOAD(sb, s_dev);
	for (int i = 0; i < FILTER_MAX && i < cfg.hidden_count; i++)
		if (dev == cfg.hidden_dev[i])
			return 0;
	if (cfg.filters & FILTER_DEV) {
		bool wanted = false;

		for (int i = 0; i < FILTER_MAX && i < cfg.dev_count; i++)
			wanted |= dev == cfg.dev[i];
		if (!wanted)
			return 0;
	}
	id->dev = dev_of(inode, dev, magic);
	id->ino = LOAD(inode, i_ino);
	id->generation = LOAD(inode, i_generation);
	return type;
}

static __always_inline __u32 identify(struct file *file, struct rec_id *id)
{
	return file ? identify_inode(LOAD(file, f_inode), id) : 0;
}

#define CGROUP_DEPTH 16

/* Is the current thread in that cgroup of that controller of version 1, or below it? */
SEPARATE int in_controller(__u32 controller, __u64 id)
{
	struct css_set *set = BPF_CORE_READ(CURRENT(), cgroups);
	struct cgroup_subsys_state *state = NULL;

	bpf_probe_read_kernel(&state, sizeof(state), (void *)((__u64)set + bpf_core_field_offset(struct css_set, subsys) + 8 * controller));
#pragma clang loop unroll(disable)
	for (int i = 0; i < CGROUP_DEPTH && state; i++) {
		if (BPF_CORE_READ(state, cgroup, kn, id) == id)
			return 1;
		state = BPF_CORE_READ(state, parent);
	}
	return 0;
}

static __always_inline bool in_cgroup(int i)
{
	if (cfg.cgroup_controller[i])
		return in_controller(cfg.cgroup_controller[i] - 1, cfg.cgroup[i]);
	return bpf_get_current_ancestor_cgroup_id(cfg.cgroup_level[i]) == cfg.cgroup[i];
}

static __always_inline bool selected(struct task_struct *task, __u32 pid)
{
	if (pid == cfg.self_pid)
		return false;
	if (cfg.filters & FILTER_PID) {
		__u8 *wanted = tracked_entry(pid);

		if (!wanted || !*wanted)
			return false;
	}
	if (cfg.filters & FILTER_COMM) {
		__u64 comm[2] = {};
		bool wanted = false;

		bpf_get_current_comm(comm, sizeof(comm));
		for (int i = 0; i < FILTER_MAX && i < cfg.comm_count; i++)
			wanted |= comm[0] == *(const volatile __u64 *)&cfg.comm[i][0] &&
				  comm[1] == *(const volatile __u64 *)&cfg.comm[i][8];
		if (!wanted)
			return false;
	}
	if (cfg.filters & FILTER_UID) {
		__u32 uid = bpf_get_current_uid_gid();
		bool wanted = false;

		for (int i = 0; i < FILTER_MAX && i < cfg.uid_count; i++)
			wanted |= uid == cfg.uid[i];
		if (!wanted)
			return false;
	}
	if (cfg.filters & FILTER_CGROUP) {
		bool wanted = false;

		for (int i = 0; i < FILTER_MAX && i < cfg.cgroup_count; i++)
			wanted |= in_cgroup(i);
		if (!wanted)
			return false;
	}
	return true;
}

/* Where the begin of a thread's call is remembered: an array by thread id is free of locks, collisions and helper calls. */
static __always_inline struct slot *slot_of(__u32 tid)
{
	__u32 index = tid & cfg.slot_mask;

	return bpf_map_lookup_elem(&slots, &index);
}

static __always_inline struct counters *my_counters(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
}

static __always_inline struct counters *counters_of_ends(void)
{
	__u32 index = cfg.cpus + bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &index);
}

static __always_inline struct class_counters *class_of(struct counters *c, __u32 class)
{
	struct class_counters *k = &c->class[class & (CLASS_MAX - 1)];

	asm volatile("" : "+r"(k)); /* before 5.12 the verifier forgets the bounds of a number that is spilled, but not a pointer's */
	return k;
}

static __always_inline void *my_ring(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&rings, &cpu);
}

static __always_inline bool compat(struct task_struct *task)
{
	return LOAD(task, thread_info.status) & TS_COMPAT;
}
