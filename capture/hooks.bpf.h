/*
 * The part of the recorder that runs in the kernel: one program at the start and one at the end of every system call.
 *
 * At the start it remembers when (and, for calls that close, which file); at the end it reads arguments, result, file identity and
 * paths, and writes one record into the ring of its processor. Nothing wakes the drainer; it comes by. What cannot be written is counted, and
 * its sequence number is missing in the ring.
 *
 * tp_btf programs run with preemption off: per-CPU scratch is safe, and no event can hide behind another one's (fentry and kprobes
 * skip events on preemptible kernels, and nobody is told).
 *
 * Built twice: as recorder.bpf.c for kernels from 6.2 on (MODERN 1: bpf_rdonly_cast makes kernel pointers directly loadable, bpf_loop), and as
 * recorder_old.bpf.c for those from 5.8 on (MODERN 0: probe reads, bounded loops).
 */
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
#define MAP_ANONYMOUS 0x20
#define AT_FDCWD -100
#define FMODE_CREATED 0x100000
#define TS_COMPAT 2
#define S_IFMT 0170000
#define S_IFREG 0100000
#define S_IFDIR 0040000
#define S_IFLNK 0120000
#define NR_EXECVE 59
#define NR_EXECVEAT 322

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

struct announced_value {
	__u64 ino, parent;
	__u32 dev, generation, hash, pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct rec_place);
	__type(value, struct announced_value);
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

#if MODERN
extern void *bpf_rdonly_cast(void *obj, __u32 btf_id) __ksym;
#define LOAD(p, member) ((p)->member)
#define TYPED(address, type) ((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))
#define CURRENT() ((struct task_struct *)bpf_get_current_task_btf())
#else
/* The copy keeps CO-RE from looking into our own structures for the pointer. */
#define LOAD(p, member) ({ typeof(p) p_ = (p); BPF_CORE_READ(p_, member); })
#define TYPED(address, type) ((type *)(address))
#define CURRENT() ((struct task_struct *)bpf_get_current_task())
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

/* ---- what is recorded ------------------------------------------------------------------------------------------------------ */

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

/* The type for rec_bits, 0 when the file is none that we record. Fills id. */
static __always_inline __u32 identify(struct file *file, struct rec_id *id)
{
	struct inode *inode;
	struct super_block *sb;
	__u32 mode, type, dev;

	if (!file)
		return 0;
	inode = LOAD(file, f_inode);
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
	if (!sb || pseudo_magic(LOAD(sb, s_magic)))
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
	id->dev = dev;
	id->ino = LOAD(inode, i_ino);
	id->generation = LOAD(inode, i_generation);
	return type;
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
			wanted |= bpf_get_current_ancestor_cgroup_id(cfg.cgroup_level[i]) == cfg.cgroup[i];
		if (!wanted)
			return false;
	}
	return true;
}

static __always_inline struct counters *my_counters(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&counters, &cpu);
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

/* ---- names ----------------------------------------------------------------------------------------------------------------- */

static __always_inline __u64 mount_of(struct vfsmount *mnt)
{
	return (__u64)mnt - bpf_core_field_offset(struct mount, mnt);
}

/*
 * One step from a directory entry towards the root; a component is a length byte and its text. 1: arrived.
 * A function of its own also without bpf_loop: inlined, clang makes a loop whose way back 5.10 and 6.1 do not accept.
 */
static __attribute__((noinline)) long step(__u32 index, struct walk **context)
{
	struct walk *w = *context;
	struct dentry *dentry = TYPED(w->dentry, struct dentry);
	struct mount *mount = TYPED(w->mount, struct mount);
	struct dentry *parent;
	__u32 length, used;
	char *at;

	if (dentry == LOAD(mount, mnt.mnt_root)) {
		struct mount *above = LOAD(mount, mnt_parent);

		if (above == mount || !above)
			return 1;
		w->dentry = (__u64)LOAD(mount, mnt_mountpoint);
		w->mount = (__u64)above;
		return 0;
	}
	parent = LOAD(dentry, d_parent);
	if (parent == dentry || !parent) {
		w->bits |= REC_UNREACHABLE;
		return 1;
	}
	length = LOAD(dentry, d_name.len);
	used = w->used;
	if (length > 255 || used > STRING_MAX - 1) {
		w->bits |= REC_TRUNCATED;
		return 1;
	}
	at = w->data + (used & (STRING_MAX - 1));
	*at = length;
	bpf_probe_read_kernel(at + 1, length & 255, LOAD(dentry, d_name.name));
	w->used = used + 1 + length;
	w->dentry = (__u64)parent;
	return 0;
}

/* Returns the bytes of components in w->data; w->bits tells what is wrong with them. */
static __always_inline __u32 walk(struct walk *w, __u64 dentry, __u64 mount)
{
	__u32 used;

	w->dentry = dentry;
	w->mount = mount;
	w->used = w->bits = 0;
#if MODERN
	if (bpf_loop(COMPONENT_MAX, step, &w, 0) >= COMPONENT_MAX)
		w->bits |= REC_TRUNCATED;
#else
	int i;

	/* Before 5.17 there is no bpf_loop (e6f2dd0f8067): the verifier goes through every turn of this one. */
#pragma clang loop unroll(disable)
	for (i = 0; i < COMPONENT_MAX; i++)
		if (step(i, &w))
			break;
	if (i == COMPONENT_MAX)
		w->bits |= REC_TRUNCATED;
#endif
	used = w->used;
	return used > STRING_MAX + 256 ? STRING_MAX + 256 : used;
}

static __always_inline __u32 namespace_of(struct task_struct *task)
{
	struct nsproxy *proxy = LOAD(task, nsproxy);
	struct mnt_namespace *ns;

	if (!proxy)
		return 0;
	ns = LOAD(proxy, mnt_ns);
	return ns ? LOAD(ns, ns.inum) : 0;
}

/* Fills what does not depend on the name and the identity. */
static __always_inline void describe(struct rec_file *f, struct dentry *dentry, struct inode *inode, __u32 bits)
{
	if (!LOAD(dentry, d_hash.pprev) && LOAD(dentry, d_parent) != dentry)
		bits |= REC_DELETED;
	f->head.type = REC_FILE;
	f->head.cpu = bpf_get_smp_processor_id();
	f->head.bits = bits;
	f->head.seq = 0;
	f->size = LOAD(inode, i_size);
	f->mode = LOAD(inode, i_mode);
	f->nlink = LOAD(inode, i_nlink);
	f->pid = bpf_get_current_pid_tgid() >> 32;
	f->reserved = 0;
}

/* Tells the drainer about what the scratch's walk.open.file.place names; see announce. */
SEPARATE int announce_place(__u32 bits, __u64 now)
{
	struct announced_value *value, *known;
	struct counters *c = my_counters();
	struct dentry *dentry;
	struct inode *inode;
	struct walk *w;
	struct rec_file *f;
	void *ring = my_ring();
	__u32 zero = 0, size;

	w = bpf_map_lookup_elem(&walks, &zero);
	if (!w || !ring || !c)
		return 0;
	f = &w->open.file;
	value = &w->value;
	dentry = TYPED(f->place.dentry, struct dentry);
	inode = LOAD(dentry, d_inode);
	if (!inode)
		return 0;
	value->ino = LOAD(inode, i_ino);
	value->dev = LOAD(LOAD(inode, i_sb), s_dev);
	value->generation = LOAD(inode, i_generation);
	value->parent = (__u64)LOAD(dentry, d_parent);
	value->hash = LOAD(dentry, d_name.hash);
	known = bpf_map_lookup_elem(&announced, &f->place);
	if (known && known->ino == value->ino && known->parent == value->parent && known->hash == value->hash &&
	    known->dev == value->dev && known->generation == value->generation)
		return 0;
	size = walk(w, f->place.dentry, mount_of((struct vfsmount *)f->place.mount));
	f->components = size;
	f->id.ino = value->ino;
	f->id.dev = value->dev;
	f->id.generation = value->generation;
	f->mount_namespace = namespace_of(CURRENT());
	describe(f, dentry, inode, bits | w->bits);
	f->head.end_ns = now;
	if (bpf_ringbuf_output(ring, f, sizeof(*f) + size, BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&c->definitions_dropped, 1);
		return 0;
	}
	bpf_map_update_elem(&announced, &f->place, value, BPF_ANY);
	return 0;
}

/*
 * Tells the drainer about a file or directory, once: what it is and its name. When there is no room for that, it stays unknown, so that the
 * next use tells it.
 */
static __always_inline void announce(__u64 mount, __u64 dentry, __u32 bits, __u64 now)
{
	__u32 zero = 0;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!w || !mount || !dentry)
		return;
	w->open.file.place.mount = mount;
	w->open.file.place.dentry = dentry;
	announce_place(bits, now);
}

/* ---- writing events -------------------------------------------------------------------------------------------------------- */

/* One call that ended: what its handlers share. */
struct call {
	struct task_struct *task;
	struct counters *counters;
	const volatile struct call_config *config;
	__u64 now, begin, arg[6];
	__s64 result;
	__u32 tid, pid, class, bits;
	__u16 nr;
	struct rec_id stashed; /* from the start of the call; dev 0: none */
};

static __always_inline void fill(struct rec_event *e, const struct call *c, __u8 type, __u32 seq)
{
	__u64 duration = c->begin ? c->now - c->begin : 0;

	e->head.type = type;
	e->head.cpu = bpf_get_smp_processor_id();
	e->head.bits = c->bits;
	e->head.seq = seq;
	e->head.end_ns = c->now;
	e->tid = c->tid;
	e->pid = c->pid;
	e->duration_lo = duration;
	e->duration_hi = duration >> 32;
	e->nr = c->nr;
	e->arg[0] = c->arg[0];
	e->arg[1] = c->arg[1];
	e->arg[2] = c->arg[2];
	e->arg[3] = c->arg[3];
	e->result = c->result;
}

static __always_inline int filtered(const struct call *c)
{
	c->counters->filtered[c->class & (CLASS_MAX - 1)]++;
	return 0;
}

static __always_inline int done(const struct call *c, bool written)
{
	if (!written)
		c->counters->dropped[c->class & (CLASS_MAX - 1)]++;
	else
		c->counters->emitted[c->class & (CLASS_MAX - 1)]++;
	if (c->bits & REC_UNPAIRED)
		c->counters->unpaired++;
	return 0;
}

static __always_inline int emit_event(const struct call *c, const struct rec_id *id, __s64 position)
{
	__u32 seq = c->counters->events++;
	struct rec_event *e;
	void *ring = my_ring();

	if (!ring)
		return done(c, false);
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e)
		return done(c, false);
	fill(e, c, REC_EVENT, seq);
	e->file = *id;
	e->position = position;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return done(c, true);
}

static __always_inline int emit_wide(const struct call *c, const struct rec_id *id, __s64 position, const struct rec_id *id2,
				     __s64 position2)
{
	__u32 seq = c->counters->events++;
	struct rec_wide *e;
	void *ring = my_ring();

	if (!ring)
		return done(c, false);
	e = bpf_ringbuf_reserve(ring, sizeof(*e), 0);
	if (!e)
		return done(c, false);
	fill(&e->event, c, REC_WIDE, seq);
	e->event.file = *id;
	e->event.position = position;
	e->arg4 = c->arg[4];
	e->arg5 = c->arg[5];
	e->file2 = *id2;
	e->position2 = position2;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	return done(c, true);
}

static __always_inline int emit_path(const struct call *c, struct scratch *s, const struct rec_id *id)
{
	__u32 size = (__u32)s->path.length1 + s->path.length2;
	void *ring = my_ring();

	fill(&s->event, c, REC_PATH, c->counters->events++);
	s->event.file = *id;
	s->event.position = -1;
	s->wide.arg4 = c->arg[4];
	s->wide.arg5 = c->arg[5];
	if (size > 2 * STRING_MAX)
		size = 2 * STRING_MAX;
	if (!ring)
		return done(c, false);
	return done(c, !bpf_ringbuf_output(ring, s, sizeof(struct rec_path) + size, BPF_RB_NO_WAKEUP));
}

/* ---- calls on descriptors -------------------------------------------------------------------------------------------------- */

/* No such descriptor: nobody can say that it was none of a file. */
static __always_inline bool no_descriptor(const struct call *c, struct file *file)
{
	return !file && c->result == -EBADF;
}

static __always_inline int on_fd(struct call *c, int fd)
{
	struct file *file = file_of(c->task, fd);
	struct rec_id id = {};
	__u32 type = identify(file, &id);

	if (no_descriptor(c, file))
		return emit_event(c, &id, -1);
	if (!type)
		return filtered(c);
	c->bits |= type;
	return emit_event(c, &id, LOAD(file, f_pos));
}

struct vector_part {
	__u64 base, length;
};

struct vector_sum {
	__u64 address, count, total;
};

static long add_part(__u32 index, struct vector_sum *sum)
{
	struct vector_part part[4] = {};

	if (index * 4 >= sum->count)
		return 1;
	if (bpf_probe_read_user(part, sizeof(part), (void *)(sum->address + index * sizeof(part)))) {
		for (int i = 0; i < 4; i++) { /* the vector ends in front of a page that is not there */
			part[i].length = 0;
			bpf_probe_read_user(&part[i], sizeof(part[i]), (void *)(sum->address + index * sizeof(part) + i * 16));
		}
	}
	for (int i = 0; i < 4; i++)
		if (index * 4 + i < sum->count)
			sum->total += part[i].length;
	return 0;
}

SEPARATE __u64 sum_vector(__u64 address, __u64 count)
{
	struct vector_sum sum = {address, count, 0};

#if MODERN
	bpf_loop(256, add_part, &sum, 0);
#else
#pragma clang loop unroll(disable)
	for (int i = 0; i < 256; i++)
		if (add_part(i, &sum))
			break;
#endif
	return sum.total;
}

static __always_inline int on_iovec(struct call *c, bool wide)
{
	struct file *file = file_of(c->task, c->arg[0]);
	struct rec_id id = {}, none = {};
	__u32 type = identify(file, &id);

	if (!type && !no_descriptor(c, file))
		return filtered(c);
	c->arg[1] = sum_vector(c->arg[1], c->arg[2]);
	c->bits |= type;
	if (wide)
		return emit_wide(c, &id, file ? LOAD(file, f_pos) : -1, &none, -1);
	return emit_event(c, &id, file ? LOAD(file, f_pos) : -1);
}

static __always_inline int on_close(struct call *c)
{
	if (!c->stashed.dev && c->result != -EBADF)
		return filtered(c);
	return emit_event(c, &c->stashed, -1);
}

static __always_inline int on_dup2(struct call *c)
{
	struct file *file = file_of(c->task, c->arg[0]);
	struct rec_id id = {};
	__u32 type = identify(file, &id);

	if (!type && !c->stashed.dev && !no_descriptor(c, file))
		return filtered(c);
	c->bits |= type;
	return emit_wide(c, &id, type ? LOAD(file, f_pos) : -1, &c->stashed, -1);
}

static __always_inline int on_mmap(struct call *c)
{
	struct file *file;
	struct rec_id id = {}, none = {};
	__u32 type;

	if (c->arg[3] & MAP_ANONYMOUS)
		return filtered(c);
	file = file_of(c->task, c->arg[4]);
	type = identify(file, &id);
	if (!type && !no_descriptor(c, file))
		return filtered(c);
	c->bits |= type;
	return emit_wide(c, &id, -1, &none, -1);
}

/* The offset that a call began at, where it was given by address: the call has moved it by its result. */
static __always_inline __u64 offset_at(__u64 address, __s64 result)
{
	__s64 offset = -1;

	if (!address || bpf_probe_read_user(&offset, sizeof(offset), (void *)address))
		return -1;
	return result > 0 ? offset - result : offset;
}

static __always_inline int on_copy(struct call *c, int in, int out, __u64 in_offset, __u64 out_offset)
{
	struct file *from = file_of(c->task, in), *to = file_of(c->task, out);
	struct rec_id id = {}, id2 = {};
	__u32 type = identify(from, &id), type2 = identify(to, &id2);

	if (!type && !type2 && !no_descriptor(c, from && to ? from : NULL))
		return filtered(c);
	c->bits |= type;
	if (type2)
		c->bits |= REC_FILE2;
	return emit_wide(c, &id, in_offset ? (__s64)offset_at(in_offset, c->result) : type ? LOAD(from, f_pos) : -1, &id2,
			 out_offset ? (__s64)offset_at(out_offset, c->result) : type2 ? LOAD(to, f_pos) : -1);
}

/* ---- calls on paths -------------------------------------------------------------------------------------------------------- */

#define BASE_PSEUDO (1u << 31)

/*
 * Where a path begins; absolute: nowhere, except inside a chroot. base_bit tells which of the scratch's bases to fill: REC_BASE1 or
 * REC_BASE2. Returns bits for the record, or BASE_PSEUDO: in a place that is not recorded.
 */
SEPARATE __u32 find_base(int dirfd, __u32 first, __u32 base_bit)
{
	struct task_struct *task = CURRENT();
	struct vfsmount *mnt = NULL;
	struct dentry *dentry = NULL;
	struct inode *inode;
	struct super_block *sb;
	struct rec_place *base;
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	if (!s)
		return 0;
	base = base_bit == REC_BASE1 ? &s->path.base1 : &s->path.base2;
	base->dentry = base->mount = 0;
	if (first == '/' || dirfd == AT_FDCWD) {
		struct fs_struct *fs = LOAD(task, fs);

		if (!fs)
			return 0;
		if (first == '/') {
			mnt = LOAD(fs, root.mnt);
			dentry = LOAD(fs, root.dentry);
			if (!root_dentry || ((__u64)dentry == root_dentry && (__u64)mnt == root_mount))
				return 0;
		} else {
			mnt = LOAD(fs, pwd.mnt);
			dentry = LOAD(fs, pwd.dentry);
		}
	} else {
		struct file *file = file_of(task, dirfd);

		if (file) {
			mnt = LOAD(file, f_path.mnt);
			dentry = LOAD(file, f_path.dentry);
		}
	}
	if (!mnt || !dentry)
		return REC_NO_BASE; /* EBADF */
	inode = LOAD(dentry, d_inode);
	if (!inode)
		return 0;
	sb = LOAD(inode, i_sb);
	if (!sb || pseudo_magic(LOAD(sb, s_magic)))
		return BASE_PSEUDO;
	base->dentry = (__u64)dentry;
	base->mount = (__u64)mnt;
	return base_bit;
}

/* Finds the base and tells it; one after the other, because the stacks of functions that wait for each other add up. */
static __always_inline bool start_of_path(struct call *c, struct scratch *s, int dirfd, __u32 first, __u32 base_bit)
{
	__u32 found = find_base(dirfd, first, base_bit);

	if (found & BASE_PSEUDO)
		return false;
	if (found & base_bit) {
		const struct rec_place *base = base_bit == REC_BASE1 ? &s->path.base1 : &s->path.base2;

		announce(base->mount, base->dentry, 2, c->now);
	}
	c->bits |= found & 0xffff;
	return true;
}

#define TEXT_FAULT (1u << 31)
#define TEXT_CUT (1u << 30)

/* Reads a text of the program behind what the scratch holds already. Returns its length without the final 0, and what went wrong. */
SEPARATE __u32 copy_text(__u32 used, __u64 address)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	long n;

	if (!s)
		return TEXT_FAULT;
	if (used > STRING_MAX)
		used = STRING_MAX;
	n = bpf_probe_read_user_str(s->data + used, STRING_MAX, (void *)address);
	if (n <= 0) { /* before 6.14 an empty text is 0 long, not 1 (strncpy_from_user_nofault) */
		s->data[used] = 0;
		return n < 0 && address ? TEXT_FAULT : 0;
	}
	return ((n - 1) & (STRING_MAX - 1)) | (n == STRING_MAX ? TEXT_CUT : 0);
}

static __always_inline __u32 read_text(struct call *c, __u32 used, __u64 address)
{
	__u32 got = copy_text(used, address);

	if (got & TEXT_FAULT) {
		c->bits |= REC_FAULT;
		c->counters->string_faults++;
	}
	if (got & TEXT_CUT) {
		c->bits |= REC_TRUNCATED;
		c->counters->truncated++;
	}
	return got & (STRING_MAX - 1);
}

/* Reads a program's struct stat or statx into the scratch. Returns bits for the record. */
SEPARATE __u32 copy_stat(__u32 kind, __u64 address)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	struct rec_stat *out;

	if (!s)
		return 0;
	out = &s->path.stat;
	if (kind == CALL_STATX_4) {
		struct {
			__u32 mask, blksize;
			__u64 attributes;
			__u32 nlink, uid, gid;
			__u16 mode, pad;
			__u64 ino, size;
			__u64 more[10];
			__u32 rdev[2], dev_major, dev_minor;
		} x;

		if (bpf_probe_read_user(&x, sizeof(x), (void *)address))
			return 0;
		out->ino = x.ino;
		out->size = x.size;
		out->mode = x.mode;
		out->nlink = x.nlink;
		out->dev = x.dev_major << 20 | x.dev_minor;
	} else {
		struct {
			__u64 dev, ino, nlink;
			__u32 mode, uid, gid, pad;
			__u64 rdev, size;
		} x;

		if (bpf_probe_read_user(&x, sizeof(x), (void *)address))
			return 0;
		out->ino = x.ino;
		out->size = x.size;
		out->mode = x.mode;
		out->nlink = x.nlink;
		out->dev = (x.dev >> 8 & 0xfff) << 20 | (x.dev & 0xff) | (x.dev >> 12 & 0xfff00);
	}
	return REC_STAT;
}

static __always_inline void read_stat(struct call *c)
{
	__u32 kind = c->config->stat;

	if (kind != CALL_STAT_NONE && !c->result)
		c->bits |= copy_stat(kind, kind == CALL_STATX_4 ? c->arg[4] : kind == CALL_STAT_1 ? c->arg[1] : c->arg[2]);
}

static __always_inline struct scratch *clean_scratch(void)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	if (s)
		__builtin_memset(&s->path, 0, sizeof(s->path));
	return s;
}

/* What of a call's arguments is text: up to two of them, each a path with a base directory, or a plain text. */
struct texts {
	__u64 address1, address2; /* 0: none */
	int dirfd1, dirfd2;
	bool path1, path2; /* a path, with a base */
	__u64 open_flags;
	bool open;
};

static __always_inline void texts_of(struct call *c, __u32 shape, struct texts *t)
{
	t->dirfd1 = t->dirfd2 = AT_FDCWD;
	t->address1 = c->arg[0];
	t->path1 = true;
	switch (shape) {
	case SHAPE_CREAT: t->open_flags = O_TRUNC; t->open = true; break;
	case SHAPE_OPEN: t->open_flags = c->arg[1]; t->open = true; break;
	case SHAPE_OPENAT2: {
		__u64 how[3] = {};

		bpf_probe_read_user(how, sizeof(how), (void *)c->arg[2]);
		c->arg[2] = how[0];
		c->arg[3] = how[1];
		c->arg[4] = how[2];
	} /* fallthrough */
	case SHAPE_OPENAT:
		t->open_flags = c->arg[2];
		t->open = true; /* fallthrough */
	case SHAPE_EXECAT:
	case SHAPE_PATHAT:
		t->dirfd1 = c->arg[0];
		t->address1 = c->arg[1];
		break;
	case SHAPE_PATH_PATH:
		t->address2 = c->arg[1];
		t->path2 = true;
		break;
	case SHAPE_PATHAT_PATHAT:
		t->dirfd1 = c->arg[0];
		t->address1 = c->arg[1];
		t->dirfd2 = c->arg[2];
		t->address2 = c->arg[3];
		t->path2 = true;
		break;
	case SHAPE_TEXT_PATH:
		t->path1 = false;
		t->address2 = c->arg[1];
		t->path2 = true;
		break;
	case SHAPE_TEXT_PATHAT:
		t->path1 = false;
		t->dirfd2 = c->arg[1];
		t->address2 = c->arg[2];
		t->path2 = true;
		break;
	case SHAPE_PATH_NAME: t->address2 = c->arg[1]; break;
	case SHAPE_FD_NAME:
		t->path1 = false;
		t->dirfd1 = c->arg[0];
		t->address1 = 0;
		t->address2 = c->arg[1];
		break;
	}
}

/* Of an open that succeeded: which file, told to the drainer first. False: none that is recorded. */
static __always_inline bool opened(struct call *c, struct rec_id *id, __u64 flags)
{
	struct file *file = file_of(c->task, c->result);
	__u32 type = identify(file, id), more = 0;

	if (!type)
		return false;
	if ((LOAD(file, f_mode) & FMODE_CREATED) || (flags & O_TMPFILE_BIT))
		more |= REC_CREATED;
	if (flags & O_TRUNC)
		more |= REC_LATE;
	announce((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type | more, c->now);
	c->bits |= type | (more & REC_CREATED);
	return true;
}

/* A call with texts. Without a path (AT_EMPTY_PATH, futimens, fgetxattr) it is about the descriptor itself. */
static __always_inline int on_path_call(struct call *c, __u32 shape)
{
	struct scratch *s = clean_scratch();
	struct rec_id id = {};
	struct texts t = {};
	__u32 used;

	if (!s)
		return filtered(c);
	texts_of(c, shape, &t);
	if (t.address1)
		s->path.length1 = read_text(c, 0, t.address1);
	used = s->path.length1;
	if (used > STRING_MAX)
		used = STRING_MAX;
	if (t.address2)
		s->path.length2 = read_text(c, used, t.address2);
	if (t.open && c->result >= 0 && !opened(c, &id, t.open_flags))
		return filtered(c);
	if (!t.open && !s->path.length1 && !(c->bits & REC_FAULT) && t.dirfd1 != AT_FDCWD && !t.path2) {
		struct file *file = file_of(c->task, t.dirfd1);
		__u32 type = identify(file, &id);

		if (!type && !no_descriptor(c, file))
			return filtered(c);
		c->bits |= type;
		t.path1 = false;
	}
	if (t.path1 && !start_of_path(c, s, t.dirfd1, s->path.length1 ? s->data[0] : 0, REC_BASE1))
		return filtered(c);
	if (t.path2 && !start_of_path(c, s, t.dirfd2, s->path.length2 ? s->data[used] : 0, REC_BASE2))
		return filtered(c);
	/* What a successful chdir was relative to is not the current directory any more: the new one is told instead. */
	if (shape == SHAPE_CHDIR && !c->result && s->data[0] != '/')
		s->path.length1 = 0;
	read_stat(c);
	return emit_path(c, s, &id);
}

/* ---- descriptors that arrive ----------------------------------------------------------------------------------------------- */

#define SOL_SOCKET 1
#define SCM_RIGHTS 1
#define MSG_CMSG_CLOEXEC 0x40000000
#define O_CLOEXEC 02000000
#define RIGHTS_MAX 32
#define CONTROL_MAX 4

/* Calls step(index, data) until it says 1. Before 5.17 there is no bpf_loop, and the verifier goes through every turn. */
#if MODERN
#define REPEAT(times, step, data) bpf_loop(times, step, data, 0)
#else
#define REPEAT(times, step, data) \
	do { \
		_Pragma("clang loop unroll(disable)") \
		for (__u32 turn_ = 0; turn_ < ((times) > 16 ? 16 : (times)); turn_++) { \
			if (step(turn_, data)) \
				break; \
		} \
	} while (0)
#endif

/* A descriptor that the process did not open itself: its file is told like that of an open. */
static __always_inline int on_new_descriptor(struct call *c, int fd)
{
	struct rec_id id = {};
	struct file *file = file_of(c->task, fd);
	__u32 type = identify(file, &id);

	if (!type)
		return filtered(c);
	announce((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type, c->now);
	c->bits = type;
	return emit_event(c, &id, LOAD(file, f_pos));
}

struct arrival {
	struct call *call;
	__u64 address; /* of the descriptors */
	__u32 count, cloexec;
};

static long receive_one(__u32 index, struct arrival *a)
{
	struct call *c = a->call;
	int fd = -1;

	if (index >= a->count || bpf_probe_read_user(&fd, sizeof(fd), (void *)(a->address + index * 4)))
		return 1;
	c->result = fd;
	c->counters->seen[c->class & (CLASS_MAX - 1)]++;
	on_new_descriptor(c, fd);
	return 0;
}

/* Looks for SCM_RIGHTS in what a recvmsg has brought. Other messages are none of our business. */
static __always_inline int on_recvmsg(struct call *c, __u64 message, __u64 flags)
{
	__u64 control[2] = {}; /* address and length, as the kernel left it */
	struct arrival a = {};

	if (c->result < 0 || bpf_probe_read_user(control, sizeof(control), (void *)(message + 32)))
		return 0;
	c->begin = c->now;
	a.call = c;
	c->arg[1] = flags & MSG_CMSG_CLOEXEC ? O_CLOEXEC : 0;
	for (int i = 0; i < CONTROL_MAX; i++) {
		struct {
			__u64 length;
			__u32 level, type;
		} head = {};

		if (control[1] < sizeof(head) || bpf_probe_read_user(&head, sizeof(head), (void *)control[0]) ||
		    head.length < sizeof(head) || head.length > control[1])
			return 0;
		if (head.level == SOL_SOCKET && head.type == SCM_RIGHTS) {
			a.address = control[0] + sizeof(head);
			a.count = (head.length - sizeof(head)) / 4;
			REPEAT(RIGHTS_MAX, receive_one, &a);
			return 0;
		}
		head.length = (head.length + 7) & ~7ULL;
		if (head.length > control[1])
			return 0;
		control[0] += head.length;
		control[1] -= head.length;
	}
	return 0;
}

/* ---- asynchronous requests ------------------------------------------------------------------------------------------------- */

#define ASYNC_MAX 1024 /* 16 without bpf_loop: what is beyond is counted as lost */
#define IOCB_PREADV 7
#define IOCB_PWRITEV 8

static __always_inline int emit_async(const struct rec_async *from, struct counters *c, __u32 class)
{
	__u32 seq = c->events++;
	struct rec_async *e;
	void *ring = my_ring();

	c->seen[class & (CLASS_MAX - 1)]++;
	e = ring ? bpf_ringbuf_reserve(ring, sizeof(*e), 0) : NULL;
	if (!e) {
		c->dropped[class & (CLASS_MAX - 1)]++;
		return 0;
	}
	*e = *from;
	e->head.type = REC_ASYNC;
	e->head.cpu = bpf_get_smp_processor_id();
	e->head.seq = seq;
	bpf_ringbuf_submit(e, BPF_RB_NO_WAKEUP);
	c->emitted[class & (CLASS_MAX - 1)]++;
	return 0;
}

PER_CPU_SCRATCH(asyncs, struct rec_async);

static __always_inline struct rec_async *clean_async(void)
{
	__u32 zero = 0;
	struct rec_async *a = bpf_map_lookup_elem(&asyncs, &zero);

	if (a)
		__builtin_memset(a, 0, sizeof(*a));
	return a;
}

struct batch {
	struct call *call;
	__u64 list;
	__u32 count;
};

static long submit_one(__u32 index, struct batch *b)
{
	struct call *c = b->call;
	struct rec_async *a = clean_async();
	__u64 address = 0;
	struct {
		__u64 data;
		__u32 key, rw_flags;
		__u16 opcode;
		__s16 priority;
		__s32 fd;
		__u64 buffer, bytes;
		__s64 offset;
	} iocb;

	if (!a || index >= b->count || bpf_probe_read_user(&address, sizeof(address), (void *)(b->list + index * 8)) ||
	    bpf_probe_read_user(&iocb, sizeof(iocb), (void *)address))
		return 1;
	a->head.bits = identify(file_of(c->task, iocb.fd), &a->file);
	if (!a->head.bits)
		return 0;
	a->length = iocb.bytes;
	if (iocb.opcode == IOCB_PREADV || iocb.opcode == IOCB_PWRITEV) {
		a->length = sum_vector(iocb.buffer, iocb.bytes);
		a->parts = iocb.bytes;
	}
	a->head.end_ns = c->now;
	a->begin_ns = c->begin ? c->begin : c->now;
	a->tid = c->tid;
	a->pid = c->pid;
	a->key = address;
	a->context = c->arg[0];
	a->offset = iocb.offset;
	a->fd = iocb.fd;
	a->flags = iocb.rw_flags;
	a->kind = ASYNC_AIO_BEGIN;
	a->opcode = iocb.opcode;
	return emit_async(a, c->counters, c->class);
}

static long complete_one(__u32 index, struct batch *b)
{
	struct call *c = b->call;
	struct rec_async *a = clean_async();
	struct {
		__u64 data, object;
		__s64 result, result2;
	} event;

	if (!a || index >= b->count || bpf_probe_read_user(&event, sizeof(event), (void *)(b->list + index * sizeof(event))))
		return 1;
	a->head.end_ns = c->now;
	a->tid = c->tid;
	a->pid = c->pid;
	a->key = event.object;
	a->context = c->arg[0];
	a->result = event.result;
	a->kind = ASYNC_AIO_END;
	return emit_async(a, c->counters, c->class);
}

static __always_inline int on_batch(struct call *c, bool submit)
{
	struct rec_id none = {};
	struct batch b = {c, submit ? c->arg[2] : c->arg[3], c->result > 0 ? c->result : 0};

	if (submit)
		REPEAT(ASYNC_MAX, submit_one, &b);
	else
		REPEAT(ASYNC_MAX, complete_one, &b);
	if (!MODERN && b.count > 16)
		c->counters->async_unknown += b.count - 16;
	return emit_wide(c, &none, -1, &none, -1);
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, __u64);
	__type(value, struct rec_async);
} requests SEC(".maps");

enum { URING_READV = 1, URING_WRITEV, URING_FSYNC, URING_READ_FIXED, URING_WRITE_FIXED, URING_READ = 22, URING_WRITE };

/* Requests on files that are counted, but not recorded. */
static __always_inline bool other_file_request(__u32 opcode)
{
	switch (opcode) {
	case 8:  /* sync_file_range */
	case 17: /* fallocate */
	case 18: /* openat */
	case 19: /* close */
	case 21: /* statx */
	case 24: /* fadvise */
	case 28: /* openat2 */
	case 30: /* splice */
	case 35 ... 39: /* renameat, unlinkat, mkdirat, symlinkat, linkat */
	case 41 ... 44: /* xattr */
	case 49: /* read_multishot */
	case 55: /* ftruncate */
		return true;
	}
	return false;
}

static __always_inline int uring_begin(struct io_kiocb *req)
{
	struct rec_async *a = clean_async();
	__u64 key = (__u64)req, ids = bpf_get_current_pid_tgid();
	__u32 opcode = LOAD(req, opcode);

	if (!a || !selected(CURRENT(), ids >> 32))
		return 0;
	if (opcode == URING_FSYNC) {
		struct io_sync *sync = TYPED(req, struct io_sync);

		a->offset = -1;
		a->flags = LOAD(sync, flags);
	} else if ((opcode >= URING_READV && opcode <= URING_WRITE_FIXED) || opcode == URING_READ || opcode == URING_WRITE) {
		struct io_rw *rw = TYPED(req, struct io_rw);

		a->offset = LOAD(rw, kiocb.ki_pos);
		a->length = LOAD(rw, len);
		a->flags = LOAD(rw, flags);
		if (opcode == URING_READV || opcode == URING_WRITEV) {
			a->parts = a->length;
			a->length = sum_vector(LOAD(rw, addr), a->length);
		}
	} else {
		struct counters *c = my_counters();

		if (c && other_file_request(opcode))
			c->async_unknown++;
		return 0;
	}
	a->begin_ns = bpf_ktime_get_ns();
	a->tid = ids;
	a->pid = ids >> 32;
	a->context = (__u64)LOAD(req, ctx);
	a->fd = LOAD(req, cqe.fd);
	a->kind = ASYNC_URING;
	a->opcode = opcode;
	if (bpf_map_update_elem(&requests, &key, a, BPF_ANY)) {
		struct counters *c = my_counters();

		if (c)
			c->async_unknown++;
	}
	return 0;
}

static __always_inline int uring_end(__u64 key, __s64 result)
{
	struct rec_async *a = bpf_map_lookup_elem(&requests, &key);
	struct counters *c = my_counters();
	struct io_kiocb *req = TYPED(key, struct io_kiocb);
	__u32 type, class = cfg.async_class;

	if (!a || !c)
		return 0;
	type = identify(LOAD(req, file), &a->file);
	if (type) {
		a->head.bits = type;
		a->head.end_ns = bpf_ktime_get_ns();
		a->result = result;
		emit_async(a, c, class);
	}
	bpf_map_delete_elem(&requests, &key);
	return 0;
}

/* The same moments have other names and arguments from kernel to kernel; recorder.c picks what this one has. */
SEC("tp_btf/io_uring_submit_req")
int BPF_PROG(on_uring_submit_req, struct io_kiocb *req)
{
	return uring_begin(req);
}

SEC("tp_btf/io_uring_submit_sqe")
int BPF_PROG(on_uring_submit_sqe, struct io_kiocb *req, bool force_nonblock)
{
	return uring_begin(req);
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_cqe, void *ring, void *req, struct io_uring_cqe *cqe)
{
	return uring_end((__u64)req, LOAD(cqe, res));
}

SEC("tp_btf/io_uring_complete")
int BPF_PROG(on_uring_complete_result, void *ring, void *req, __u64 user_data, int res)
{
	return uring_end((__u64)req, res);
}

/* ---- the hooks ------------------------------------------------------------------------------------------------------------- */

SEC("tp_btf/sys_enter")
int BPF_PROG(on_sys_enter, struct pt_regs *regs, long nr)
{
	struct task_struct *task;
	struct slot *slot;
	__u64 ids;
	__u32 tid, index, shape;
	struct rec_id id = {};

	if ((unsigned long)nr >= CALL_MAX)
		return 0;
	shape = cfg.call[nr].shape;
	if (shape == SHAPE_IGNORE || shape == SHAPE_RECVMSG)
		return 0;
	ids = bpf_get_current_pid_tgid();
	tid = ids;
	task = CURRENT();
	if (!selected(task, ids >> 32) || compat(task))
		return 0;
	index = tid & cfg.slot_mask;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (!slot)
		return 0;
	if (shape == SHAPE_CLOSE || shape == SHAPE_DUP2)
		identify(file_of(task, shape == SHAPE_CLOSE ? regs->di : regs->si), &id);
	slot->ino = id.ino;
	slot->dev = id.dev;
	slot->generation = id.generation;
	slot->tid = tid;
	slot->nr = nr;
	slot->begin_ns = bpf_ktime_get_ns();
	return 0;
}

/* Takes the begin out of the thread's slot: only when it is this very call's. */
static __always_inline void pair(struct call *c)
{
	__u32 index = c->tid & cfg.slot_mask;
	struct slot *slot = bpf_map_lookup_elem(&slots, &index);

	if (slot && slot->tid == c->tid && slot->nr == c->nr && slot->begin_ns) {
		c->begin = slot->begin_ns;
		c->stashed.ino = slot->ino;
		c->stashed.dev = slot->dev;
		c->stashed.generation = slot->generation;
		slot->begin_ns = 0;
	} else {
		c->bits |= REC_UNPAIRED;
	}
}

static __always_inline int on_call(struct call *c, __u32 shape)
{
	struct rec_id none = {};

	switch (shape) {
	case SHAPE_FD: return on_fd(c, c->arg[0]);
	case SHAPE_IOVEC: return on_iovec(c, false);
	case SHAPE_IOVEC_WIDE: return on_iovec(c, true);
	case SHAPE_CLOSE: return on_close(c);
	case SHAPE_DUP2: return on_dup2(c);
	case SHAPE_MMAP: return on_mmap(c);
	case SHAPE_COPY: return on_copy(c, c->arg[0], c->arg[2], c->arg[1], c->arg[3]);
	case SHAPE_SENDFILE: return on_copy(c, c->arg[1], c->arg[0], c->arg[2], 0);
	case SHAPE_NONE:
	case SHAPE_FORK:
	case SHAPE_ADDRESS: return emit_wide(c, &none, -1, &none, -1);
	}
	c->counters->events++;
	return done(c, false); /* a call with a text that came here: its program is missing */
}

/* What all calls have in common at their end. False: not recorded. */
static __always_inline bool begin(struct call *c, struct pt_regs *regs, unsigned long nr, long ret)
{
	__u64 ids = bpf_get_current_pid_tgid(), index = nr;
	__u32 shape;

	/* nr is below CALL_MAX, but before 6.8 the verifier forgets that of a number that was spilled; so must clang. */
	asm volatile("" : "+r"(index));
	c->config = &cfg.call[index & (CALL_MAX - 1)];
	shape = c->config->shape;
	c->pid = ids >> 32;
	c->tid = ids;
	c->task = CURRENT();
	if (!selected(c->task, c->pid))
		return false;
	c->counters = my_counters();
	if (!c->counters)
		return false;
	if (compat(c->task)) {
		c->counters->compat++;
		return false;
	}
	/* The child of a fork returns here too, and a new program from the call that its parent made. */
	if (ret == 0 && (shape == SHAPE_FORK || shape == SHAPE_EXEC || shape == SHAPE_EXECAT))
		return false;
	c->now = bpf_ktime_get_ns();
	c->nr = nr;
	c->result = ret;
	c->class = c->config->class;
	if (shape != SHAPE_RECVMSG) /* a descriptor that comes with it is an event, the call is none */
		c->counters->seen[c->class & (CLASS_MAX - 1)]++;
	c->arg[0] = regs->di;
	c->arg[1] = regs->si;
	c->arg[2] = regs->dx;
	c->arg[3] = regs->r10;
	c->arg[4] = regs->r8;
	c->arg[5] = regs->r9;
	if (shape != SHAPE_RECVMSG)
		pair(c);
	return true;
}

/* Calls with texts have a program of their own: before 6.13 the stacks of all functions that wait for each other share 512 bytes. */
int on_path_exit(unsigned long long *ctx);
int on_many_exit(unsigned long long *ctx);

enum { PROGRAM_PATH, PROGRAM_MANY };

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(unsigned long long *));
} other_programs SEC(".maps") = {.values = {[PROGRAM_PATH] = &on_path_exit, [PROGRAM_MANY] = &on_many_exit}};

static __always_inline bool has_text(__u32 shape)
{
	return shape >= SHAPE_OPEN && shape != SHAPE_FORK;
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_sys_exit, struct pt_regs *regs, long ret)
{
	struct call c = {};
	unsigned long nr = regs->orig_ax;
	__u32 shape;

	if (nr >= CALL_MAX)
		return 0;
	shape = cfg.call[nr].shape;
	if (shape == SHAPE_IGNORE)
		return 0;
	if (has_text(shape))
		bpf_tail_call(ctx, &other_programs, PROGRAM_PATH);
	if (shape >= SHAPE_NEW_DESCRIPTOR && shape <= SHAPE_RECVMSG)
		bpf_tail_call(ctx, &other_programs, PROGRAM_MANY);
	if (!begin(&c, regs, nr, ret))
		return 0;
	return on_call(&c, shape);
}

SEC("tp_btf/sys_exit")
int BPF_PROG(on_path_exit, struct pt_regs *regs, long ret)
{
	struct call c = {};
	unsigned long nr = regs->orig_ax;

	if (nr >= CALL_MAX || !begin(&c, regs, nr, ret))
		return 0;
	return on_path_call(&c, c.config->shape);
}

/* Calls that bring several things at once, and are rare enough for a program of their own. */
SEC("tp_btf/sys_exit")
int BPF_PROG(on_many_exit, struct pt_regs *regs, long ret)
{
	struct call c = {};
	unsigned long nr = regs->orig_ax;

	if (nr >= CALL_MAX || !begin(&c, regs, nr, ret))
		return 0;
	switch (c.config->shape) {
	case SHAPE_RECVMSG: return on_recvmsg(&c, c.arg[1], c.arg[2]);
	case SHAPE_NEW_DESCRIPTOR: return on_new_descriptor(&c, c.result);
	case SHAPE_IO_SUBMIT: return on_batch(&c, true);
	case SHAPE_IO_GETEVENTS: return on_batch(&c, false);
	}
	return 0;
}

static __always_inline void emit_task(__u32 kind, __u32 tid, __u32 pid, __u32 ptid, __u32 ppid, __u32 code, struct task_struct *task)
{
	struct counters *c = my_counters();
	void *ring = my_ring();
	struct rec_task *t;

	if (!c || !ring)
		return;
	t = bpf_ringbuf_reserve(ring, sizeof(*t), 0);
	if (!t) {
		__sync_fetch_and_add(&c->tasks_dropped, 1);
		return;
	}
	t->head.type = REC_TASK;
	t->head.cpu = bpf_get_smp_processor_id();
	t->head.bits = 0;
	t->head.seq = 0;
	t->head.end_ns = bpf_ktime_get_ns();
	t->tid = tid;
	t->pid = pid;
	t->parent_tid = ptid;
	t->parent_pid = ppid;
	t->kind = kind;
	t->code = code;
	bpf_probe_read_kernel_str(t->comm, sizeof(t->comm), task->comm);
	bpf_ringbuf_submit(t, BPF_RB_NO_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(on_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 ppid = LOAD(parent, tgid), pid = LOAD(child, tgid);

	if (cfg.filters & FILTER_PID && ppid != pid) {
		__u8 *from = tracked_entry(ppid), *to = tracked_entry(pid);

		if (from && to)
			*to = *from;
	}
	if (!selected(parent, ppid))
		return 0;
	emit_task(TASK_FORK, LOAD(child, pid), pid, LOAD(parent, pid), ppid, 0, child);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(on_exit, struct task_struct *task)
{
	__u32 pid = LOAD(task, tgid);

	if (!selected(task, pid))
		return 0;
	emit_task(TASK_EXIT, LOAD(task, pid), pid, 0, 0, LOAD(task, exit_code), task);
	return 0;
}

/* A program was replaced: the call itself never reports its path, its memory is gone. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(on_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	struct call c = {};
	struct scratch *s;
	struct slot *slot;
	__u32 zero = 0, index;
	struct rec_id id = {};
	long n;

	c.pid = LOAD(task, tgid);
	c.tid = LOAD(task, pid);
	if (!selected(task, c.pid))
		return 0;
	c.task = task;
	c.now = bpf_ktime_get_ns();
	c.counters = my_counters();
	s = bpf_map_lookup_elem(&scratches, &zero);
	if (!s || !c.counters)
		return 0;
	emit_task(TASK_EXEC, c.tid, c.pid, old_pid, 0, 0, task);
	c.nr = NR_EXECVE;
	index = old_pid & cfg.slot_mask;
	slot = bpf_map_lookup_elem(&slots, &index);
	if (slot && slot->tid == (__u32)old_pid && slot->begin_ns && (slot->nr == NR_EXECVE || slot->nr == NR_EXECVEAT)) {
		c.begin = slot->begin_ns;
		c.nr = slot->nr;
		slot->begin_ns = 0;
	} else {
		c.bits |= REC_UNPAIRED;
	}
	c.config = &cfg.call[NR_EXECVE];
	c.class = c.config->class;
	c.counters->seen[c.class & (CLASS_MAX - 1)]++;
	__builtin_memset(&s->path, 0, sizeof(s->path));
	n = bpf_probe_read_kernel_str(s->data, STRING_MAX, LOAD(bprm, filename));
	s->path.length1 = n > 0 ? (n - 1) & (STRING_MAX - 1) : 0;
	c.bits |= identify(LOAD(bprm, file), &id);
	if (!start_of_path(&c, s, AT_FDCWD, s->data[0], REC_BASE1))
		return filtered(&c);
	return emit_path(&c, s, &id);
}

/* Every descriptor that is open now, for what began before the recording. */
SEC("iter/task_file")
int on_open_file(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct files_struct *files;
	struct fdtable *fdt;
	struct rec_id id = {};
	struct walk *w;
	struct dentry *dentry;
	unsigned long word = 0;
	__u32 zero = 0, type, size, pid, fd = ctx->fd;

	if (!task || !file)
		return 0;
	pid = task->tgid;
	if (pid == cfg.self_pid) {
		struct fs_struct *fs = LOAD(task, fs);

		if (fs) {
			root_dentry = (__u64)LOAD(fs, root.dentry);
			root_mount = (__u64)LOAD(fs, root.mnt);
		}
		return 0;
	}
	if (cfg.filters & FILTER_PID) {
		__u8 *wanted = tracked_entry(pid);

		if (!wanted || !*wanted)
			return 0;
	}
	type = identify(file, &id);
	w = bpf_map_lookup_elem(&open_walks, &zero);
	if (!type || !w)
		return 0;
	dentry = LOAD(file, f_path.dentry);
	size = walk(w, (__u64)dentry, mount_of(LOAD(file, f_path.mnt)));
	w->open.file.components = size;
	w->open.file.id = id;
	describe(&w->open.file, dentry, LOAD(file, f_inode), type | w->bits);
	w->open.file.head.end_ns = bpf_ktime_get_ns();
	w->open.file.place.dentry = (__u64)dentry;
	w->open.file.place.mount = (__u64)LOAD(file, f_path.mnt);
	w->open.file.pid = pid;
	w->open.file.mount_namespace = namespace_of(task);
	files = LOAD(task, files);
	fdt = files ? LOAD(files, fdt) : NULL;
	if (fdt)
		bpf_probe_read_kernel(&word, sizeof(word), LOAD(fdt, close_on_exec) + fd / 64);
	w->open.pid = pid;
	w->open.tid = task->pid;
	w->open.fd = fd;
	w->open.flags = LOAD(file, f_flags);
	w->open.cloexec = word >> (fd & 63) & 1;
	w->open.position = LOAD(file, f_pos);
	w->open.description = (__u64)file;
	size = (sizeof(w->open) + size + 7) & ~7; /* so that the next one is aligned */
	w->open.bytes = size;
	bpf_seq_write(ctx->meta->seq, &w->open, size);
	return 0;
}
