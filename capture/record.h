#pragma once
#include <linux/types.h>

/*
 * What the kernel program and the drainer share: its configuration, its counters and the records in the rings. Compiles in BPF and in C.
 * Every record begins with struct rec_head. Times are CLOCK_MONOTONIC in ns.
 */

#define CALL_MAX 512 /* system call numbers below this may be recorded */
#define CLASS_MAX 32
#define REQUEST_MAX 64 /* opcodes of io_uring below this are known */
#define COMM_BYTES 16
#define FILTER_MAX 8
#define STRING_MAX 4096 /* PATH_MAX */
#define COMPONENT_MAX 128

/* How the kernel program records a call: which argument is a descriptor, a string, a base directory. */
enum call_shape {
	SHAPE_IGNORE,
	SHAPE_FOREIGN,	   /* recorded only as a call of 32-bit programs, where the number means something else */
	SHAPE_NONE,	   /* no file at all: sync, io_submit */
	SHAPE_FD,	   /* descriptor in argument 0 */
	SHAPE_IOVEC,	   /* descriptor in 0, vector in 1, its parts in 2; argument 1 is replaced by the sum of the lengths */
	SHAPE_IOVEC_WIDE,  /* the same with flags in 5 */
	SHAPE_CLOSE,	   /* descriptor in 0 that is gone at the end: identity from the start */
	SHAPE_DUP2,	   /* descriptors in 0 and 1; 1 is closed by the call: its identity from the start */
	SHAPE_FCNTL,	   /* descriptor in 0, command in 1; of locks struct flock in 2 is told as type, begin and length in 2 to 4 */
	SHAPE_MMAP,	   /* descriptor in 4 */
	SHAPE_ADDRESS,	   /* a mapping's address in 0: the drainer knows what is mapped there */
	SHAPE_COPY,	   /* descriptors in 0 and 2, offset pointers in 1 and 3 */
	SHAPE_CLONE_FILE,  /* of ioctl FICLONE and FICLONERANGE only: output descriptor in 0, the rest in 2; told as SHAPE_COPY */
	SHAPE_SENDFILE,	   /* output descriptor in 0, input in 1, offset pointer in 2 */
	SHAPE_NEW_DESCRIPTOR, /* result is a descriptor of a file that was open elsewhere */
	SHAPE_RING_SETUP,  /* struct io_uring_params in 1; result is a ring's descriptor */
	SHAPE_RING,	   /* a ring's descriptor in 0 */
	SHAPE_IO_SETUP,	   /* result: an io context at the address in 1 */
	SHAPE_IO_SUBMIT,   /* io context in 0; as many requests as the result says, by the pointers in 2 */
	SHAPE_IO_GETEVENTS, /* io context in 0; as many completions as the result says, in 3 */
	SHAPE_RECVMMSG,	   /* messages in 1, as many as the result; the same */
	SHAPE_RECVMSG,	   /* may bring descriptors: each is recorded, the call is not */
	/* from here on: calls with a text */
	SHAPE_OPEN,	   /* path in 0; result is a descriptor */
	SHAPE_CREAT,	   /* the same, always truncating */
	SHAPE_OPENAT,	   /* base in 0, path in 1; result is a descriptor */
	SHAPE_OPENAT2,	   /* the same, struct open_how in 2 */
	SHAPE_CHDIR,	   /* the same, and when it succeeds a relative one cannot be told: the new directory is */
	SHAPE_PATH,	   /* path in 0 */
	SHAPE_PATHAT,	   /* base in 0, path in 1 */
	SHAPE_PATH_PATH,   /* paths in 0 and 1 */
	SHAPE_PATHAT_PATHAT, /* bases in 0 and 2, paths in 1 and 3 */
	SHAPE_BIND,	   /* struct sockaddr in 1, its length in 2: a path if it is of AF_UNIX */
	SHAPE_TEXT_PATH,   /* a text in 0, path in 1 */
	SHAPE_TEXT_PATHAT, /* a text in 0, base in 1, path in 2 */
	SHAPE_PATH_NAME,   /* path in 0, a name that is no path in 1 */
	SHAPE_FD_NAME,	   /* descriptor in 0, a name that is no path in 1 */
	SHAPE_FORK,	   /* result is a child; once, in the parent */
	SHAPE_EXEC,	   /* path in 0; when it succeeds, recorded by the exec hook instead */
	SHAPE_EXECAT,	   /* base in 0, path in 1; the same */
};

enum call_stat { CALL_STAT_NONE, CALL_STAT_1, CALL_STAT_2, CALL_STATX_4, CALL_STAT64 /* of 32-bit programs */ }; /* argument that is a struct stat or statx */

/* What of a call on one descriptor the drainer needs: whether struct rec_small can say it. */
enum small_form {
	SMALL_NOT,
	SMALL_DESCRIPTOR, /* the descriptor */
	SMALL_POSITION,	  /* and the length in argument 2, at the descriptor's position */
	SMALL_OFFSET,	  /* and the length in argument 2, at the offset in argument 3 */
	SMALL_SEEK,	  /* and argument 2, with the offset in argument 1 */
};

struct call_config {
	__u8 shape, class, stat, small;
	__u8 at_flags; /* which argument may hold AT_EMPTY_PATH, 2 or 3; 0: none */
	__u8 reserved[3];
};

/* How a request of io_uring is recorded, by its opcode; see the table of requests in calls.c. */
enum request_form {
	REQUEST_UNKNOWN,   /* newer than the table: counted as lost */
	REQUEST_OTHER,	   /* not about files: network, polls, timeouts */
	REQUEST_FD,	   /* on the descriptor */
	REQUEST_VECTOR,	   /* the same, with a vector: addr, len parts */
	REQUEST_CLOSE,	   /* what the descriptor was is known only before */
	REQUEST_SPLICE,	   /* from file_index to fd */
	REQUEST_ADDRESS,   /* of a mapping */
	REQUEST_PATH,	   /* addr is a path, fd its base */
	REQUEST_OPEN,	   /* the same; the result is a descriptor */
	REQUEST_OPEN_HOW,  /* the same, struct open_how at off */
	REQUEST_PATHS,	   /* addr with base fd, off with base len */
	REQUEST_TEXT_PATH, /* addr is a text, off a path with base fd */
	REQUEST_PATH_NAME, /* addr3 is a path without base, addr a name */
	REQUEST_FD_NAME,   /* addr is a name */
};

/*
 * Calls of 32-bit programs, see foreign.h: the call of x86-64, and for each of its arguments where it is. A register's number is in the lower three
 * bits.
 */
enum foreign_special {
	FOREIGN_NOT, /* not about files */
	FOREIGN_PLAIN,
	FOREIGN_COUNTED,    /* about files, but no call of x86-64: counted as lost */
	FOREIGN_LLSEEK,	    /* the result is in memory */
	FOREIGN_OLD_MMAP,   /* the arguments are in memory */
	FOREIGN_SOCKETCALL, /* the same; which call it is, is the first argument */
	FOREIGN_SENDFILE,   /* the offset in memory has 32 bits */
	FOREIGN_STAT64,	    /* struct stat64 of 32-bit programs */
	FOREIGN_FLOCK,	    /* struct flock with 32-bit members */
	FOREIGN_FLOCK64,    /* with 64-bit ones, packed */
};
#define FROM_NONE 0
#define FROM_U(reg) (0x08 | (reg))     /* 32 bits */
#define FROM_S(reg) (0x10 | (reg))     /* with sign */
#define FROM_LH(reg) (0x18 | (reg))    /* 64 bits, the lower half first */
#define FROM_HL(reg) (0x20 | (reg))    /* the upper half first */
#define FROM_PAGES(reg) (0x28 | (reg)) /* in units of 4096 bytes */
#define FROM_ID(reg) (0x30 | (reg))    /* a user or group in 16 bits; 65535: none */

struct foreign_config {
	__u16 nr;
	__u8 special; /* enum foreign_special */
	__u8 from[6];
	__u8 reserved;
};

#define X32_BIT 0x40000000
#define X32_FIRST 512
#define X32_CALLS 64

enum filter_kind {
	FILTER_PID = 1 << 0, /* the tracked map decides */
	FILTER_COMM = 1 << 1,
	FILTER_UID = 1 << 2,
	FILTER_CGROUP = 1 << 3,
	FILTER_DEV = 1 << 4,
};

struct config {
	struct call_config call[CALL_MAX];
	__u32 self_pid;	  /* the recorder: never recorded */
	__u32 test_pid;	  /* its self-test: what it is told about files counts for nobody else */
	__u32 slot_mask;  /* entries of the slots map - 1 */
	__u32 small_mask; /* records that a ring of small ones has - 1 */
	__u32 cpus;	  /* possible processors */
	__u32 pid_max;
	__u32 filters;	  /* enum filter_kind: all of them must hold, any entry of one is enough */
	__u32 comm_count, uid_count, cgroup_count, dev_count, hidden_count;
	__u32 no_latency; /* no hook at the start of calls */
	__u32 wakes, pages; /* these hooks are wanted */
	__u32 faults;	    /* and of pages, not only what comes into the page cache can be seen */
	char comm[FILTER_MAX][COMM_BYTES];
	__u32 uid[FILTER_MAX];
	__u64 cgroup[FILTER_MAX];
	__u32 cgroup_level[FILTER_MAX];
	__u32 cgroup_controller[FILTER_MAX]; /* version 1: its number in the kernel, and 1; 0: version 2 */
	__u32 dev[FILTER_MAX];
	__u32 hidden_dev[FILTER_MAX]; /* devtmpfs and memfd share tmpfs's magic number */
	__s32 btrfs_root;     /* where, from an inode of btrfs, its subvolume is; and where in that its device number. 0: not known */
	__u32 btrfs_anon_dev;
	__u32 pages_class; /* and page faults */
	__u32 async_class; /* what requests count as */
	__u32 requests_by_name; /* the end of a request of io_uring is known by its user_data only */
	struct foreign_config ia32[CALL_MAX], x32[X32_CALLS];
	__u8 request[REQUEST_MAX]; /* enum request_form by opcode of io_uring */
};

struct class_counters { /* what was seen is either emitted, filtered or dropped */
	__u64 seen, emitted, filtered, dropped;
};

/*
 * Read by the drainer through a mapping. What is written at every call is in a cache line or two. Each CPU has one, and after those of all CPUs
 * another one, for the ends of io_uring's requests: before 5.19 they come in interrupts, also between two instructions of a program that counts a call.
 */
struct counters {
	__u64 events; /* sequence numbers handed out: one for every event that was tried to be written */
	__u64 small_written; /* records that were put into the ring of small ones; see capture/plain.bpf.h */
	__u64 unpaired; /* recorded, but without a begin */
	__u64 reserved1[5];
	__u64 small_read; /* how many of them the drainer has taken: it is the one who writes this */
	__u64 reserved2[7];
	struct class_counters class[CLASS_MAX];
	__u64 string_faults;	   /* a path that could not be read */
	__u64 truncated;	   /* a path that was longer than can be read */
	__u64 definitions_dropped; /* announced again later */
	__u64 tasks_dropped;	   /* fork, exec or exit records lost */
	__u64 compat;		   /* 32-bit calls that have no match: not recorded */
	__u64 requests_unknown;	   /* requests that could not be recorded */
	__u64 requests_early;	   /* requests on files that ended here, but began before the recording */
	__u64 wakes;		   /* wake-ups between recorded threads, written */
	__u64 wakes_dropped;
	__u64 faults_unresolved;   /* page faults whose mapping could not be looked up: somebody was changing the address space */
	__u64 reserved3[102];
};

#define TRACKED_PAGE 4096
struct tracked_page { /* by process id: is it recorded */
	__u8 on[TRACKED_PAGE];
};

enum rec_type { REC_EVENT = 1, REC_WIDE, REC_PATH, REC_FILE, REC_TASK, REC_ASYNC, REC_WAKE, REC_PAGES, REC_SMALL, REC_TEXTS };

enum rec_bits {
	REC_TYPE_MASK = 7,	 /* of the file: 1 regular, 2 directory, 3 symbolic link; 0 none */
	REC_UNPAIRED = 1 << 3,
	REC_CREATED = 1 << 4,	 /* the open made the file */
	REC_TRUNCATED = 1 << 5,	 /* a string or walk was cut */
	REC_FAULT = 1 << 6,	 /* a string could not be read */
	REC_BASE1 = 1 << 7,	 /* base1 is meant; else the path is absolute */
	REC_BASE2 = 1 << 8,
	REC_DELETED = 1 << 9,	 /* the name is gone already */
	REC_UNREACHABLE = 1 << 10, /* the walk ended at the root of a detached mount */
	REC_LATE = 1 << 11,	 /* the size may be the call's own doing */
	REC_STAT = 1 << 12,	 /* stat is filled */
	REC_NO_BASE = 1 << 13,	 /* the base directory is not a directory of a recorded file system */
	REC_FILE2 = 1 << 14,
	REC_MAGIC = 1 << 15, /* the first path is /proc/self/fd/N, and file what that leads to */
	REC_COMPAT = REC_DELETED, /* of a call: a 32-bit program's */
};

struct rec_head {
	__u8 type, cpu; /* cpu: low 8 bits, for a look at raw rings */
	__u16 bits;
	__u32 seq; /* events: consecutive on a CPU; a gap is a loss. Of a file: ns since the call began that met it, 0: not known */
	__u64 end_ns;
};

struct rec_id {
	__u64 ino;
	__u32 dev, generation;
};

struct slot { /* a call that has begun */
	__u64 begin_ns; /* 0: none */
	__u32 tid;
	__u16 nr, reserved;
	struct rec_id file; /* of calls that close it */
};

struct rec_event {
	struct rec_head head;
	__u32 tid, pid;
	__u32 duration_lo;
	__u16 duration_hi;
	__u16 nr;
	__u64 arg[4];
	__s64 result;
	struct rec_id file;
	__s64 position; /* of the descriptor, after the call */
};

/*
 * The frequent calls in two thirds of the room: what a busy processor writes is not in its cache, and the rings last longer. rings_drain gives a
 * struct rec_event for it.
 */
struct rec_small {
	struct rec_head head; /* in place of the cpu: the call's number, below 256 */
	__u32 tid, pid;
	__u32 duration;
	__s32 result, fd;
	__u32 length;	/* argument 2 */
	struct rec_id file;
	__s64 offset; /* argument 1 or 3, or the descriptor's position after the call: enum small_form */
};

struct rec_wide {
	struct rec_event event;
	__u64 arg4, arg5;
	struct rec_id file2;
	__s64 position2;
};

struct rec_place { /* a directory entry in a mount: kernel addresses, good as a name until announced again */
	__u64 dentry, mount;
};

struct rec_stat {
	__u64 ino, size;
	__u32 dev, mode, nlink, reserved;
};

struct rec_path {
	struct rec_wide wide;
	struct rec_place base1, base2;
	struct rec_stat stat;
	__u16 length1, length2; /* without a final 0; one text after the other follows */
	__u32 umask;
};

struct rec_file { /* a file or directory at first sight, and its name */
	struct rec_head head;
	struct rec_id id;
	struct rec_place place;
	__u64 size;
	__u32 mode, nlink;
	__u32 pid, mount_namespace;
	/* bytes of the components that follow, from the leaf to the root, each a length byte and its text */
	__u32 components;
	__u32 cached_pages; /* of it, in the page cache at this moment */
	__u64 mount_events; /* of the namespace: another number, other mounts */
};

enum rec_task_kind { TASK_FORK = 1, TASK_EXEC, TASK_EXIT };

struct rec_task {
	struct rec_head head;
	__u32 tid, pid;
	__u32 parent_tid, parent_pid; /* fork: who made it; exec: parent_tid is the tid that called */
	__u32 kind, code;	      /* exit: code as wait(2) tells it */
	__u32 mount_namespace, reserved;
	char comm[COMM_BYTES];
};

enum rec_async_kind { ASYNC_AIO_BEGIN = 1, ASYNC_AIO_END, ASYNC_URING, ASYNC_URING_SILENT /* ended at some time before */ };

enum rec_async_bits { /* beside those of head.bits */
	ASYNC_BATCH = 1 << 0,  /* not the first that its call submitted */
	ASYNC_SQPOLL = 1 << 1, /* the kernel's polling thread took it */
	ASYNC_COMPAT = 1 << 2, /* of a 32-bit program */
	ASYNC_TEXTS = 1 << 3,  /* its texts came before, as a REC_TEXTS with the same key */
	ASYNC_MARKED = 1 << 4, /* its file is known since its begin */
	ASYNC_FOREIGN = 1 << 5, /* not about a file that is recorded */
};

/* A submission queue entry, the part that all kernels agree on (struct io_uring_sqe). */
struct rec_sqe {
	__u8 opcode, flags;
	__u16 priority;
	__s32 fd;
	__u64 off, addr;
	__u32 len, op_flags;
	__u64 user_data;
	__u16 buf_index, personality;
	__s32 file_index;
	__u64 addr3;
};

/*
 * A request of libaio (its begin and its end are joined by the drainer) or of io_uring (joined in the kernel). A struct iocb comes as an sqe: opcode is
 * IOCB_CMD_*, addr the buffer, op_flags RWF_*; its length stands in length.
 */
struct rec_async {
	struct rec_head head;
	__u32 tid, pid; /* who asked for it */
	__u64 begin_ns;
	__u64 key;     /* libaio: the iocb's address; io_uring: the request's, only good while it runs */
	__u64 context; /* io context, or the ring's address */
	__s64 result;
	__s64 position; /* of the descriptor, at the end */
	__u64 length;	/* of a vector: the sum */
	struct rec_id file, file2;
	__u16 kind, bits; /* enum rec_async_kind, enum rec_async_bits */
	__u32 reserved;
	struct rec_sqe sqe;
};

/*
 * The texts of a request, told at its begin: a struct rec_path. Its event has the ring in arg[0], the request's key in arg[1], and of a struct
 * open_how flags, mode and resolve in arg[2], arg[3] and arg4.
 */

struct rec_wake { /* one thread has made another one runnable */
	struct rec_head head;
	__u32 waker_tid, waker_pid;
	__u32 wakee_tid, wakee_pid;
};

enum rec_pages_kind { PAGES_READ_FAULT = 1, PAGES_WRITE_FAULT, PAGES_FILLED };

struct rec_pages { /* pages of a file that were touched through a mapping, or came into the page cache */
	struct rec_head head;
	__u32 tid, pid;
	struct rec_id file;
	__u64 first_page, pages;
	__u32 kind;
	__u32 in_call; /* filled: by a system call of that thread; otherwise by touching a mapping */
};

/* From the iterator over descriptor tables: followed by a struct rec_file and its components. */
struct rec_open {
	__u32 bytes; /* all of it */
	__u32 pid, tid;
	__s32 fd;
	__u32 flags, cloexec;
	__s64 position;
	__u64 description;
	struct rec_file file;
};

#define REC_SIZE_ASSERT(type, size) _Static_assert(sizeof(type) == (size), #type " has padding that was not meant")
REC_SIZE_ASSERT(struct counters, 2048);
REC_SIZE_ASSERT(struct rec_event, 96);
REC_SIZE_ASSERT(struct rec_small, 64);
REC_SIZE_ASSERT(struct rec_wide, 136);
REC_SIZE_ASSERT(struct rec_path, 208);
REC_SIZE_ASSERT(struct rec_file, 88);
REC_SIZE_ASSERT(struct rec_task, 64);
REC_SIZE_ASSERT(struct rec_sqe, 56);
REC_SIZE_ASSERT(struct rec_async, 168);
REC_SIZE_ASSERT(struct rec_wake, 32);
REC_SIZE_ASSERT(struct rec_pages, 64);
REC_SIZE_ASSERT(struct rec_open, 128);
