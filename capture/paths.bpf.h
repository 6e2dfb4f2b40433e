/* Calls on paths. */
#pragma once
#include "capture/descriptors.bpf.h"

#define BASE_PSEUDO (1u << 31)
#define AF_UNIX 1

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
			if (!root_dentry)
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

/* Does an absolute path of the thread begin where the recorder's do? */
static __always_inline bool same_root(struct task_struct *task)
{
	struct fs_struct *fs = LOAD(task, fs);

	return fs && root_dentry && (__u64)LOAD(fs, root.dentry) == root_dentry && (__u64)LOAD(fs, root.mnt) == root_mount;
}

/* Finds the base and tells it; one after the other, because the stacks of functions that wait for each other add up. */
static __always_inline bool start_of_path(struct call *c, struct scratch *s, int dirfd, __u32 first, __u32 base_bit)
{
	__u32 found;

	if (first == '/' && same_root(c->task))
		return true;
	found = find_base(dirfd, first, base_bit);
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

/* st_dev as programs get it, to the kernel's own number. */
static __always_inline __u32 kernel_dev(__u64 dev)
{
	return (dev >> 8 & 0xfff) << 20 | (dev & 0xff) | (dev >> 12 & 0xfff00);
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
	} else if (kind == CALL_STAT64) {
		struct {
			__u64 dev;
			__u32 pad, short_ino, mode, nlink, uid, gid;
			__u64 rdev;
			__u32 pad2, size[2], blksize, blocks[2], times[6], ino[2];
		} x;

		if (bpf_probe_read_user(&x, sizeof(x), (void *)address))
			return 0;
		out->ino = x.ino[0] | (__u64)x.ino[1] << 32;
		out->size = x.size[0] | (__u64)x.size[1] << 32;
		out->mode = x.mode;
		out->nlink = x.nlink;
		out->dev = kernel_dev(x.dev);
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
		out->dev = kernel_dev(x.dev);
	}
	return REC_STAT;
}

static __always_inline void read_stat(struct call *c)
{
	__u32 kind = c->config->stat;
	__u64 address = kind == CALL_STATX_4 ? c->arg[4] : kind == CALL_STAT_1 ? c->arg[1] : c->arg[2];

	if (kind == CALL_STAT_NONE || c->result)
		return;
	if (c->bits & REC_COMPAT && kind != CALL_STATX_4) {
		if (c->special != FOREIGN_STAT64) /* older structures: the drainer looks itself */
			return;
		kind = CALL_STAT64;
	}
	c->bits |= copy_stat(kind, address);
}

static __always_inline struct scratch *clean_scratch(void)
{
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);

	if (s) /* what is in front of that is always written */
		__builtin_memset(&s->wide.file2, 0, sizeof(s->path) - __builtin_offsetof(struct rec_wide, file2));
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

/*
 * An attribute's value is data, and not told. Only the smallest of access control lists says no more than a mode does, and is a way to set
 * that (cp -p): owner, group and others, in the form of linux/posix_acl_xattr.h. 0: another value.
 */
SEPARATE __u32 mode_of_acl(__u64 address, __u64 size)
{
	struct {
		__u32 version;
		struct {
			__u16 tag, permissions;
			__u32 id;
		} entry[3];
	} acl = {};

	if (size != sizeof(acl) || bpf_probe_read_user(&acl, sizeof(acl), (void *)address))
		return 0;
	if (acl.version != 2 || acl.entry[0].tag != 1 || acl.entry[1].tag != 4 || acl.entry[2].tag != 0x20)
		return 0;
	return 01000 | (acl.entry[0].permissions & 7) << 6 | (acl.entry[1].permissions & 7) << 3 | (acl.entry[2].permissions & 7);
}

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
	case SHAPE_BIND: {
		__u16 family = 0;

		bpf_probe_read_user(&family, sizeof(family), (void *)c->arg[1]);
		t->address1 = family == AF_UNIX && c->arg[2] > sizeof(family) ? c->arg[1] + sizeof(family) : 0;
		break;
	}
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
	case SHAPE_PATH_NAME:
		t->address2 = c->arg[1];
		c->arg[2] = mode_of_acl(c->arg[2], c->arg[3]);
		break;
	case SHAPE_FD_NAME:
		t->path1 = false;
		t->dirfd1 = c->arg[0];
		t->address1 = 0;
		t->address2 = c->arg[1];
		c->arg[2] = mode_of_acl(c->arg[2], c->arg[3]);
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
	announce_after((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type | more, c->now, c->begin ? c->now - c->begin : 0);
	c->bits |= type | (more & REC_CREATED);
	return true;
}

#define PROC_BEGIN 0x6f72702f /* "/pro" */

/* N of "/proc/self/fd/N", the way to act on what a descriptor leads to by a call that takes a path; -1: another path. */
SEPARATE int magic_descriptor(__u32 length)
{
	static const char prefix[] = "/proc/self/fd/";
	__u32 zero = 0;
	struct scratch *s = bpf_map_lookup_elem(&scratches, &zero);
	int fd = 0;

	if (!s || length < sizeof(prefix) || length > sizeof(prefix) + 5)
		return -1;
	for (int i = 0; i < (int)sizeof(prefix) - 1; i++)
		if (s->data[i] != prefix[i])
			return -1;
	for (int i = 0; i < 6; i++) {
		char c = s->data[sizeof(prefix) - 1 + i];

		if (sizeof(prefix) - 1 + i >= length) /* another text may follow */
			break;
		if (c < '0' || c > '9')
			return -1;
		fd = fd * 10 + c - '0';
	}
	return fd;
}

/* A call by such a path is about the file that the descriptor leads to. False: none that is recorded. */
static __always_inline bool on_magic(struct call *c, struct scratch *s, struct rec_id *id, int fd)
{
	struct file *file = file_of(c->task, fd);
	__u32 type = identify(file, id);

	if (!type)
		return false;
	announce((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type, c->now);
	c->bits |= type | REC_MAGIC;
	return true;
}

/* Reads the texts into the scratch, and the mask for what is made there. Returns the length of the first. */
static __always_inline __u32 read_texts(struct call *c, struct scratch *s, const struct texts *t)
{
	struct fs_struct *fs = LOAD(c->task, fs);
	__u32 used;

	s->path.umask = fs ? LOAD(fs, umask) : 0;
	if (t->address1)
		s->path.length1 = read_text(c, 0, t->address1);
	used = s->path.length1;
	if (used > STRING_MAX)
		used = STRING_MAX;
	if (t->address2)
		s->path.length2 = read_text(c, used, t->address2);
	return used;
}

/* Finds where the paths begin. False: in a place that is not recorded. */
static __always_inline bool place_texts(struct call *c, struct scratch *s, const struct texts *t, __u32 used)
{
	if (t->path1 && !start_of_path(c, s, t->dirfd1, s->path.length1 ? s->data[0] : 0, REC_BASE1))
		return false;
	return !t->path2 || start_of_path(c, s, t->dirfd2, s->path.length2 ? s->data[used & (STRING_MAX - 1)] : 0, REC_BASE2);
}

/* A call with texts. Without a path (AT_EMPTY_PATH, futimens, fgetxattr) it is about the descriptor itself. */
static __always_inline int on_path_call(struct call *c, __u32 shape)
{
	struct scratch *s = clean_scratch();
	struct rec_id id = {};
	struct texts t = {};
	__u32 used;
	int magic = -1;

	if (!s)
		return filtered(c);
	texts_of(c, shape, &t);
	used = read_texts(c, s, &t);
	if (shape == SHAPE_BIND) {
		if (!s->path.length1) /* another family, or a name in no file system */
			return filtered(c);
		if (s->path.length1 > c->arg[2] - 2) /* it needs no final 0 */
			s->path.length1 = c->arg[2] - 2;
	}
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
	if (!t.open && t.path1 && *(const __u32 *)s->data == PROC_BEGIN) /* a function for the few that may be one */
		magic = magic_descriptor(s->path.length1);
	if (magic >= 0) {
		if (!on_magic(c, s, &id, magic))
			return filtered(c);
		t.path1 = false;
	}
	if (!place_texts(c, s, &t, used))
		return filtered(c);
	/* What a successful chdir was relative to is not the current directory any more: the new one is told instead. */
	if (shape == SHAPE_CHDIR && !c->result && s->data[0] != '/')
		s->path.length1 = 0;
	read_stat(c);
	return emit_path(c, s, &id);
}
