#include "trace/carry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FD_LIMIT (1 << 20)
#define RENAMED_WITH_EXCHANGE 2
#define ONLY_CLOEXEC 4 /* CLOSE_RANGE_CLOEXEC */

/* Room for index n in an array of that element size; new elements are zero. */
static bool grow(struct carry *c, void *array, uint32_t *room, uint32_t n, size_t element)
{
	uint32_t wanted = *room ? *room : 64;
	char *bigger;

	if (n < *room)
		return true;
	while (wanted <= n)
		wanted *= 2;
	bigger = realloc(*(void **)array, wanted * element);
	if (!bigger) {
		c->error = -ENOMEM;
		return false;
	}
	memset(bigger + *room * element, 0, (wanted - *room) * element);
	*(void **)array = bigger;
	*room = wanted;
	return true;
}

int carry_init(struct carry *c, const struct trace_reader *reader)
{
	*c = (struct carry){.reader = reader, .process_room = 1024};
	c->process = calloc(c->process_room, sizeof(*c->process));
	return c->process ? 0 : -ENOMEM;
}

void carry_release(struct carry *c)
{
	for (uint32_t i = 0; c->process && i < c->process_room; i++)
		free(c->process[i].fd);
	for (uint32_t i = 0; i < c->texts; i++)
		free(c->text[i]);
	free(c->text);
	free(c->process);
	free(c->description);
	free(c->file);
	free(c->made);
}

/* ---- processes and their descriptors ---- */

static struct carry_process *slot_of(const struct carry *c, uint32_t pid)
{
	uint32_t at = pid * 0x9e3779b1u;

	while (c->process[at & (c->process_room - 1)].pid && c->process[at & (c->process_room - 1)].pid != pid)
		at++;
	return &c->process[at & (c->process_room - 1)];
}

struct carry_process *carry_process(const struct carry *c, uint32_t pid)
{
	struct carry_process *p = slot_of(c, pid);

	return p->pid ? p : NULL;
}

static struct carry_process *process(struct carry *c, uint32_t pid)
{
	struct carry_process *p = slot_of(c, pid);

	if (p->pid || !pid) /* 0 is no process that has files */
		return p->pid ? p : NULL;
	if (2 * c->processes >= c->process_room) {
		struct carry bigger = {.process_room = 2 * c->process_room};

		bigger.process = calloc(bigger.process_room, sizeof(*bigger.process));
		if (!bigger.process) {
			c->error = -ENOMEM;
			return NULL;
		}
		for (uint32_t i = 0; i < c->process_room; i++)
			if (c->process[i].pid)
				*slot_of(&bigger, c->process[i].pid) = c->process[i];
		free(c->process);
		c->process = bigger.process;
		c->process_room = bigger.process_room;
		p = slot_of(c, pid);
	}
	p->pid = pid;
	c->processes++;
	return p;
}

bool carry_meet(struct carry *c, uint32_t pid)
{
	struct carry_process *p = process(c, pid);
	bool first = p && !p->met;

	if (first)
		p->met = true;
	return first;
}

static struct carry_fd *fd_of(struct carry *c, uint32_t pid, int64_t fd)
{
	struct carry_process *p = carry_process(c, pid);

	return p && fd >= 0 && fd < p->room && p->fd[fd].description ? &p->fd[fd] : NULL;
}

static struct carry_description *description_of(struct carry *c, uint32_t pid, int64_t fd)
{
	struct carry_fd *f = fd_of(c, pid, fd);

	return f ? &c->description[f->description - 1] : NULL;
}

static void bind(struct carry *c, uint32_t pid, int64_t fd, uint32_t description, bool cloexec)
{
	struct carry_process *p = process(c, pid);

	if (p && description && fd >= 0 && fd < FD_LIMIT && grow(c, &p->fd, &p->room, (uint32_t)fd, sizeof(*p->fd)))
		p->fd[fd] = (struct carry_fd){description, cloexec};
}

/* Its number + 1, 0: no memory. */
static uint32_t describe(struct carry *c, uint32_t file, uint32_t flags, int64_t position)
{
	if (!grow(c, &c->description, &c->description_room, c->descriptions, sizeof(*c->description)))
		return 0;
	c->description[c->descriptions] = (struct carry_description){file, flags, position};
	return ++c->descriptions;
}

static void close_fds(struct carry *c, uint32_t pid, uint32_t first, uint32_t last, bool only_cloexec)
{
	struct carry_process *p = carry_process(c, pid);

	for (uint32_t fd = first; p && fd < p->room && fd <= last; fd++)
		if (!only_cloexec || p->fd[fd].cloexec)
			p->fd[fd] = (struct carry_fd){0};
}

/* A new process has its parent's descriptors, whatever another one of that number had. */
static void fork_process(struct carry *c, uint32_t from_pid, uint32_t to_pid)
{
	struct carry_process *to = process(c, to_pid), *from = carry_process(c, from_pid);

	if (!to)
		return;
	close_fds(c, to_pid, 0, UINT32_MAX, false);
	if (!from || !from->room || !grow(c, &to->fd, &to->room, from->room - 1, sizeof(*to->fd)))
		return;
	memcpy(to->fd, from->fd, from->room * sizeof(*to->fd));
	to->directory = from->directory;
}

/* ---- files and their names ---- */

static struct carry_file *file_of(struct carry *c, uint32_t id)
{
	return id && id <= c->files ? &c->file[id] : NULL;
}

static const char *keep_text(struct carry *c, const char *a, const char *b)
{
	char *text = malloc(strlen(a) + strlen(b) + 1);

	if (!text || !grow(c, &c->text, &c->text_room, c->texts, sizeof(*c->text))) {
		free(text);
		c->error = -ENOMEM;
		return NULL;
	}
	strcat(strcpy(text, a), b);
	return c->text[c->texts++] = text; /* cppcheck-suppress memleak ; carry_release frees it */
}

static struct carry_file *made_at(const struct carry *c, const char *path)
{
	for (uint32_t i = 0; i < c->mades; i++)
		if (c->made[i].path && !strcmp(c->made[i].path, path))
			return &c->made[i];
	return NULL;
}

static void make(struct carry *c, uint32_t mode, uint32_t path, uint32_t target, uint64_t at_ns)
{
	struct carry_file f = {.told = {.mode = mode, .seen_ns = at_ns}, .path = trace_reader_string(c->reader, path)};

	if (!path || !grow(c, &c->made, &c->made_room, c->mades, sizeof(*c->made)))
		return;
	if (target) {
		f.target = trace_reader_string(c->reader, target);
		f.told.size = strlen(f.target);
	}
	c->made[c->mades++] = f;
}

static void add_file(struct carry *c, const struct trace_file *told)
{
	struct carry_file *f, *made;

	if (!grow(c, &c->file, &c->file_room, told->id, sizeof(*c->file)))
		return;
	f = &c->file[told->id];
	f->told = *told;
	f->path = told->path ? trace_reader_string(c->reader, told->path) : NULL;
	f->target = told->target ? trace_reader_string(c->reader, told->target) : NULL;
	c->files = told->id;
	made = f->path ? made_at(c, f->path) : NULL;
	if (made)
		made->path = NULL; /* told now */
}

static void remove_name(struct carry *c, uint32_t file, uint32_t path)
{
	const char *text = trace_reader_string(c->reader, path);
	struct carry_file *f = file_of(c, file), *made = made_at(c, text);

	if (made)
		made->path = NULL;
	if (!f)
		return;
	if (f->other && f->path && !strcmp(f->path, text)) {
		f->path = f->other;
		f->other = NULL;
	} else if (f->other && !strcmp(f->other, text)) {
		f->other = NULL;
	} else {
		f->path = NULL;
		f->gone = true;
	}
	if (f->told.nlink)
		f->told.nlink--;
}

static void move_one(struct carry *c, struct carry_file *f, const char *from, const char *to)
{
	size_t n = strlen(from);

	if (f->path && !strncmp(f->path, from, n) && (!f->path[n] || f->path[n] == '/'))
		f->path = keep_text(c, to, f->path + n);
}

static void move_below(struct carry *c, const char *from, const char *to)
{
	for (uint32_t id = 1; id <= c->files; id++)
		move_one(c, &c->file[id], from, to);
	for (uint32_t i = 0; i < c->mades; i++)
		move_one(c, &c->made[i], from, to);
}

static void rename_file(struct carry *c, const struct trace_event *e)
{
	const char *from = trace_reader_string(c->reader, e->path), *to = trace_reader_string(c->reader, e->path2);
	struct carry_file *f = file_of(c, e->file), *replaced = file_of(c, e->file2);
	bool directory = !f || S_ISDIR(f->told.mode);

	if (f && f->path && !(f->other && !strcmp(f->other, from)))
		from = f->path; /* as the kernel knows it */
	if (e->op == TRACE_OP_RENAMEAT2 && (e->flags & RENAMED_WITH_EXCHANGE)) {
		if (f && replaced) {
			f->path = to;
			replaced->path = from;
		}
		return;
	}
	if (e->file2 && e->file2 != e->file)
		remove_name(c, e->file2, e->path2);
	if (directory)
		move_below(c, from, to);
	else if (f->other && !strcmp(f->other, from))
		f->other = to;
	else
		f->path = to;
}

static void reach(struct carry *c, uint32_t file, int64_t offset, int64_t bytes)
{
	struct carry_file *f = file_of(c, file);

	if (f && offset >= 0 && bytes > 0 && (uint64_t)(offset + bytes) > f->told.size)
		f->told.size = (uint64_t)(offset + bytes);
}

static void resize(struct carry *c, const struct trace_event *e)
{
	struct carry_file *f = file_of(c, e->file);

	if (!f)
		return;
	if (e->op != TRACE_OP_FALLOCATE)
		f->told.size = e->length;
	else if (e->flags & FALLOC_FL_COLLAPSE_RANGE)
		f->told.size -= e->length < f->told.size ? e->length : f->told.size;
	else if (e->flags & FALLOC_FL_INSERT_RANGE)
		f->told.size += e->length;
	else if (!(e->flags & FALLOC_FL_KEEP_SIZE))
		reach(c, e->file, e->offset, (int64_t)e->length);
}

/* ---- events ---- */

static void on_open(struct carry *c, const struct trace_event *e, uint32_t pid)
{
	uint32_t flags = e->op == TRACE_OP_CREAT ? O_WRONLY | O_TRUNC : (uint32_t)e->flags;
	struct carry_file *f = file_of(c, e->file);

	if (f && (flags & O_TRUNC) && (flags & O_ACCMODE) != O_RDONLY)
		f->told.size = 0;
	bind(c, pid, e->result, describe(c, e->file, flags & ~(uint32_t)(O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC | O_NOCTTY), 0),
	     flags & O_CLOEXEC);
}

static void on_fcntl(struct carry *c, const struct trace_event *e, uint32_t pid)
{
	struct carry_fd *fd = fd_of(c, pid, e->fd);

	if (!fd)
		return;
	if (e->flags == F_DUPFD || e->flags == F_DUPFD_CLOEXEC)
		bind(c, pid, e->result, fd->description, e->flags == F_DUPFD_CLOEXEC);
	else if (e->flags == F_SETFD)
		fd->cloexec = e->arg & FD_CLOEXEC;
	else if (e->flags == F_SETFL)
		c->description[fd->description - 1].flags = (c->description[fd->description - 1].flags & O_ACCMODE) | (uint32_t)e->arg;
}

static void on_dup(struct carry *c, const struct trace_event *e, uint32_t pid)
{
	struct carry_fd *fd = fd_of(c, pid, e->fd);

	if (fd && e->fd != e->result)
		bind(c, pid, e->result, fd->description, e->op == TRACE_OP_DUP3 && (e->flags & O_CLOEXEC));
	else if (!fd)
		close_fds(c, pid, (uint32_t)e->result, (uint32_t)e->result, false); /* of something that is no file */
}

/* One that came over a socket or from another process: how it was opened nobody has told. */
static void on_arrival(struct carry *c, const struct trace_event *e, uint32_t pid)
{
	const struct carry_file *f = file_of(c, e->file);

	bind(c, pid, e->result, describe(c, e->file, f && S_ISDIR(f->told.mode) ? O_DIRECTORY : O_RDWR, 0), false);
}

static void on_directory(struct carry *c, const struct trace_event *e, uint32_t pid)
{
	struct carry_process *p = process(c, pid);
	const struct carry_file *f = file_of(c, e->file);

	if (p)
		p->directory = f && f->path ? f->path : e->path ? trace_reader_string(c->reader, e->path) : p->directory;
}

static void on_link(struct carry *c, const struct trace_event *e)
{
	struct carry_file *f = file_of(c, e->file);

	if (!f)
		return;
	f->told.nlink++;
	if (!f->path)
		f->path = trace_reader_string(c->reader, e->path2);
	else
		f->other = trace_reader_string(c->reader, e->path2);
	f->gone = false;
}

static void cloned(struct carry *c, const struct trace_event *e)
{
	const struct carry_file *from = file_of(c, e->file);
	uint64_t length = e->length;

	if (!length && from && e->offset >= 0 && from->told.size > (uint64_t)e->offset)
		length = from->told.size - (uint64_t)e->offset;
	reach(c, e->file2, e->offset2, (int64_t)length);
}

/* What moves bytes at the descriptor's position, or elsewhere in the file. */
static void on_data(struct carry *c, const struct trace_event *e, uint32_t pid)
{
	bool plain = e->op == TRACE_OP_READ || e->op == TRACE_OP_READV || e->op == TRACE_OP_WRITE || e->op == TRACE_OP_WRITEV;
	struct carry_description *d = plain && e->via == TRACE_VIA_SYSCALL ? description_of(c, pid, e->fd) : NULL;

	if (d && e->offset >= 0)
		d->position = e->offset + e->result;
	if (trace_ops[e->op].class == TRACE_CLASS_WRITE)
		reach(c, e->file, e->offset, e->result);
	if (e->op == TRACE_OP_FICLONERANGE)
		cloned(c, e);
	else if (trace_ops[e->op].class == TRACE_CLASS_COPY)
		reach(c, e->file2, e->offset2, e->result);
}

void carry_definition(struct carry *c, const struct trace_record *r)
{
	const struct trace_thread *parent;

	if (r->type == TRACE_FILE)
		add_file(c, &r->file);
	if (r->type == TRACE_FD)
		bind(c, r->fd.pid, r->fd.fd, describe(c, r->fd.file, r->fd.flags & ~(uint32_t)O_CLOEXEC, r->fd.position),
		     r->fd.flags & O_CLOEXEC);
	if (r->type == TRACE_THREAD && r->thread.parent) {
		parent = trace_reader_thread(c->reader, r->thread.parent);
		if (parent->pid != r->thread.pid)
			fork_process(c, parent->pid, r->thread.pid);
	}
}

void carry_event(struct carry *c, const struct trace_event *e)
{
	const struct trace_thread *thread = trace_reader_thread(c->reader, e->thread);
	uint32_t pid = thread->pid;
	struct carry_description *d;
	struct carry_file *f;

	if ((e->result < 0 && e->result >= -4095) || (e->bits & TRACE_EV_UNFINISHED))
		return;
	switch (e->op) {
	case TRACE_OP_OPEN: case TRACE_OP_OPENAT: case TRACE_OP_OPENAT2: case TRACE_OP_CREAT: on_open(c, e, pid); break;
	case TRACE_OP_CLOSE: close_fds(c, pid, (uint32_t)e->fd, (uint32_t)e->fd, false); break;
	case TRACE_OP_CLOSE_RANGE:
		if (!(e->flags & ONLY_CLOEXEC))
			close_fds(c, pid, (uint32_t)e->fd, (uint32_t)e->fd2, false);
		break;
	case TRACE_OP_DUP: case TRACE_OP_DUP2: case TRACE_OP_DUP3: on_dup(c, e, pid); break;
	case TRACE_OP_FCNTL: on_fcntl(c, e, pid); break;
	case TRACE_OP_RECV_FD: case TRACE_OP_PIDFD_GETFD: case TRACE_OP_OPEN_BY_HANDLE_AT: on_arrival(c, e, pid); break;
	case TRACE_OP_EXECVE: case TRACE_OP_EXECVEAT: close_fds(c, pid, 0, UINT32_MAX, true); break;
	case TRACE_OP_EXIT:
		if (thread->tid == pid)
			close_fds(c, pid, 0, UINT32_MAX, false);
		break;
	case TRACE_OP_LSEEK:
		d = description_of(c, pid, e->fd);
		if (d)
			d->position = e->result;
		break;
	case TRACE_OP_CHDIR: case TRACE_OP_FCHDIR: on_directory(c, e, pid); break;
	case TRACE_OP_TRUNCATE: case TRACE_OP_FTRUNCATE: case TRACE_OP_FALLOCATE: resize(c, e); break;
	case TRACE_OP_MKDIR: case TRACE_OP_MKDIRAT: make(c, S_IFDIR | (e->mode & 07777), e->path, 0, e->begin_ns); break;
	case TRACE_OP_SYMLINK: case TRACE_OP_SYMLINKAT: make(c, S_IFLNK | 0777, e->path2, e->path, e->begin_ns); break;
	case TRACE_OP_UNLINK: case TRACE_OP_UNLINKAT: case TRACE_OP_RMDIR: remove_name(c, e->file, e->path); break;
	case TRACE_OP_RENAME: case TRACE_OP_RENAMEAT: case TRACE_OP_RENAMEAT2: rename_file(c, e); break;
	case TRACE_OP_LINK: case TRACE_OP_LINKAT: on_link(c, e); break;
	case TRACE_OP_CHMOD: case TRACE_OP_FCHMOD: case TRACE_OP_FCHMODAT: case TRACE_OP_FCHMODAT2:
		f = file_of(c, e->file);
		if (f && f->told.mode)
			f->told.mode = (f->told.mode & S_IFMT) | (e->mode & 07777);
		break;
	default: on_data(c, e, pid);
	}
}
