#pragma once
/*
 * The few kernel structures that the recorder reads, by name: libbpf finds the members' true offsets in the running kernel's BTF.
 * What a member is not declared for is not touched. Only for *.bpf.c.
 */
#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs { /* x86-64 */
	unsigned long bp, bx, r9, r8, r10, cx, dx, si, di, orig_ax;
};

struct qstr {
	union {
		struct {
			__u32 hash, len;
		};
	};
	const unsigned char *name;
};

struct inode;
struct hlist_bl_node {
	struct hlist_bl_node **pprev;
};

struct seqcount_spinlock { /* before 5.9 seqcount_t; both begin with the number */
	unsigned int sequence;
};

struct dentry {
	struct seqcount_spinlock d_seq;
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode;
};

struct super_block {
	__u32 s_dev;
	unsigned long s_magic;
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct ns_common {
	unsigned int inum;
};

struct mnt_namespace {
	struct ns_common ns;
	__u64 event;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct address_space;
struct inode {
	unsigned short i_mode;
	struct address_space *i_mapping;
	struct super_block *i_sb;
	unsigned long i_ino;
	unsigned int i_nlink;
	long long i_size;
	__u32 i_generation;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file {
	unsigned int f_mode, f_flags;
	struct inode *f_inode;
	struct path f_path;
	long long f_pos;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
	unsigned long *close_on_exec;
};

struct files_struct {
	struct fdtable *fdt;
};

/* Any structure that begins with a struct file pointer: gives a slot of the descriptor table a type. */
struct epoll_filefd___unpacked {
	struct file *file;
};

struct fs_struct {
	int umask;
	struct path root, pwd;
};

struct nsproxy {
	struct mnt_namespace *mnt_ns;
};

struct kernfs_node {
	__u64 id;
};
struct cgroup {
	struct kernfs_node *kn;
};
struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};
struct css_set {
	struct cgroup_subsys_state *subsys[1]; /* by controller */
};

struct thread_info {
	unsigned int status;
};

struct task_struct {
	struct thread_info thread_info;
	void *stack;
	unsigned int flags;
	int pid, tgid, exit_code;
	struct fs_struct *fs;
	struct files_struct *files;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
	struct io_uring_task *io_uring;
	char comm[16];
};

struct linux_binprm {
	const char *filename;
	struct file *file;
};

/* io_uring */
struct io_uring {
	__u32 head;
};
struct io_rings {
	struct io_uring sq;
};
struct io_uring_sqe;
struct io_ring_ctx {
	unsigned int flags;
	struct io_rings *rings;
	__u32 *sq_array;
	struct io_uring_sqe *sq_sqes;
	unsigned int cached_sq_head, sq_entries;
};
struct io_kiocb {
	struct file *file;
	__u8 opcode;
	struct io_ring_ctx *ctx;
};
struct io_uring_task {
	struct file *registered_rings[16];
};
struct io_uring_cqe {
	int res;
};

/* memory */
struct address_space {
	struct inode *host;
	unsigned long nrpages;
};
struct vm_area_struct {
	unsigned long vm_start, vm_pgoff, vm_flags;
	struct file *vm_file;
};
struct page { /* to 5.15 */
	struct address_space *mapping;
	unsigned long index;
};
struct folio {
	struct address_space *mapping;
	unsigned long index;
};
struct folio___with_pages { /* to 6.14 */
	unsigned int _folio_nr_pages;
};
struct folio___with_nr { /* from 6.15 on */
	unsigned int _nr_pages;
};
enum pageflags { PG_head = 6 };

struct seq_file;
struct bpf_iter_meta {
	struct seq_file *seq;
};
struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

#pragma clang attribute pop
