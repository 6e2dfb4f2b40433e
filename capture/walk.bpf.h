/* Names: from a directory entry to the root, told once. */
#pragma once
#include "capture/identify.bpf.h"

static __always_inline __u64 mount_of(struct vfsmount *mnt)
{
	return (__u64)mnt - bpf_core_field_offset(struct mount, mnt);
}

/* Odd while the entry is being renamed, and another one afterwards. */
static __always_inline __u32 renames_of(struct dentry *dentry)
{
	__u32 sequence = 0;

	bpf_probe_read_kernel(&sequence, sizeof(sequence), (void *)((__u64)dentry + bpf_core_field_offset(struct dentry, d_seq)));
	return sequence;
}

/*
 * One step from a directory entry towards the root; a component is a length byte and its text. 1: arrived. An entry that is renamed meanwhile is
 * read again in the next step: half of one name and half of another would be a third one.
 * A function of its own also without bpf_loop: inlined, clang makes a loop whose way back 5.10 and 6.1 do not accept.
 */
static __attribute__((noinline)) long step(__u32 index, struct walk **context)
{
	struct walk *w = *context;
	struct dentry *dentry = TYPED(w->dentry, struct dentry);
	struct mount *mount = TYPED(w->mount, struct mount);
	struct dentry *parent;
	__u32 length, used, renames = renames_of(dentry);
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
	if (renames & 1 || renames_of(dentry) != renames)
		return 0;
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

static __always_inline struct mnt_namespace *namespace_of(struct task_struct *task)
{
	struct nsproxy *proxy = LOAD(task, nsproxy);

	return proxy ? LOAD(proxy, mnt_ns) : NULL;
}

static __always_inline void tell_namespace(struct rec_file *f, struct task_struct *task)
{
	struct mnt_namespace *ns = namespace_of(task);

	f->mount_namespace = ns ? LOAD(ns, ns.inum) : 0;
	f->mount_events = ns ? LOAD(ns, event) : 0;
}

/* Fills what does not depend on the name and the identity. */
static __always_inline void describe(struct rec_file *f, struct dentry *dentry, struct inode *inode, __u32 bits)
{
	if (!LOAD(dentry, d_hash.pprev) && LOAD(dentry, d_parent) != dentry)
		bits |= REC_DELETED;
	f->head.type = REC_FILE;
	f->head.cpu = bpf_get_smp_processor_id();
	f->head.bits = bits;
	f->size = LOAD(inode, i_size);
	f->mode = LOAD(inode, i_mode);
	f->nlink = LOAD(inode, i_nlink);
	f->pid = bpf_get_current_pid_tgid() >> 32;
	f->cached_pages = LOAD(LOAD(inode, i_mapping), nrpages);
}

static __always_inline struct announced_pair *announced_at(const struct rec_place *place)
{
	__u32 index = ((place->dentry ^ place->mount << 7) * 0x9e3779b97f4a7c15) >> 49;

	return bpf_map_lookup_elem(&announced, &index);
}

static __always_inline bool same(const struct announced_value *a, const struct announced_value *b)
{
	return a->place.dentry == b->place.dentry && a->place.mount == b->place.mount && a->ino == b->ino && a->parent == b->parent &&
	       a->hash == b->hash && a->dev == b->dev && a->generation == b->generation;
}

/* What tells this state of a directory entry from another one. False: it is none of a file. */
static __always_inline bool look_at_place(const struct rec_place *place, struct announced_value *value)
{
	struct dentry *dentry = TYPED(place->dentry, struct dentry);
	struct inode *inode = LOAD(dentry, d_inode);

	if (!inode)
		return false;
	value->place = *place;
	value->ino = LOAD(inode, i_ino);
	value->dev = LOAD(LOAD(inode, i_sb), s_dev);
	value->generation = LOAD(inode, i_generation);
	value->parent = (__u64)LOAD(dentry, d_parent);
	value->hash = LOAD(dentry, d_name.hash);
	return true;
}

/* Tells the drainer about what the scratch's walk.open.file.place names; see announce. */
SEPARATE int announce_place(__u32 bits, __u64 now)
{
	struct announced_value *value;
	struct announced_pair *known;
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
	if (!look_at_place(&f->place, value))
		return 0;
	known = announced_at(&f->place);
	if (!known || same(&known->newer, value) || same(&known->older, value))
		return 0;
	size = walk(w, f->place.dentry, mount_of((struct vfsmount *)f->place.mount));
	f->components = size;
	f->id.ino = value->ino;
	f->id.generation = value->generation;
	tell_namespace(f, CURRENT());
	dentry = TYPED(f->place.dentry, struct dentry);
	inode = LOAD(dentry, d_inode);
	f->id.dev = dev_of(inode, value->dev, LOAD(LOAD(inode, i_sb), s_magic));
	describe(f, dentry, inode, bits | w->bits);
	f->head.end_ns = now;
	if (bpf_ringbuf_output(ring, f, sizeof(*f) + size, BPF_RB_NO_WAKEUP)) {
		__sync_fetch_and_add(&c->definitions_dropped, 1);
		return 0;
	}
	if (f->pid == cfg.test_pid) /* which measures how long telling takes; nobody else has been told */
		return 0;
	known->older = known->newer;
	known->newer = *value;
	return 0;
}

/*
 * Tells the drainer about a file or directory, once: what it is and its name, and how long the call took that met it. When there is no room for
 * that, it stays unknown, so that the next use tells it.
 */
static __always_inline void announce_after(__u64 mount, __u64 dentry, __u32 bits, __u64 now, __u64 duration)
{
	__u32 zero = 0;
	struct walk *w = bpf_map_lookup_elem(&walks, &zero);

	if (!w || !mount || !dentry)
		return;
	w->open.file.place.mount = mount;
	w->open.file.place.dentry = dentry;
#if MODERN /* where it is nothing but loads, most files need not go further; through memory pointers become numbers */
	const volatile struct rec_place *stored = &w->open.file.place;
	const struct rec_place place = {.dentry = stored->dentry, .mount = stored->mount};
	struct announced_pair *known = announced_at(&place);
	struct announced_value value;

	if (known && look_at_place(&place, &value) && (same(&known->newer, &value) || same(&known->older, &value)))
		return;
#endif
	w->open.file.head.seq = duration > (__u32)-1 ? (__u32)-1 : duration;
	announce_place(bits, now);
}

static __always_inline void announce(__u64 mount, __u64 dentry, __u32 bits, __u64 now)
{
	announce_after(mount, dentry, bits, now, 0);
}
