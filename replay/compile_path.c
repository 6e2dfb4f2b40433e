/* Operations on paths: those that look (stat and the like) and those that change the name space. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "replay/compiler.h"

static void peek_way(struct compiler *c, const struct where *w)
{
	for (uint32_t i = 0; i < w->passed_n; i++)
		order_peek(c->order, c->model.name[w->passed[i]].resource);
}

void compile_touch_name(struct compiler *c, const struct where *w, bool change)
{
	peek_way(c, w);
	/* The call failed because a directory on the way was not there: who makes it comes later. */
	if (!w->directory && w->passed_n)
		order_read_strictly(c->order, &c->model.name[w->passed[w->passed_n - 1]].resource);
	if (!w->name)
		return;
	if (change) {
		order_write_strictly(c->order, &c->model.name[w->name].resource);
		order_write(c->order, &c->model.object[w->directory].r_children);
	} else {
		order_read_strictly(c->order, &c->model.name[w->name].resource);
	}
}

static bool known(uint32_t object)
{
	return object != OBJECT_UNKNOWN && object != OBJECT_ABSENT;
}

/* It is replayed by a call that takes a directory, and not by a request to a ring. */
static bool may_begin_anywhere(struct compiler *c)
{
	switch (c->ev->op) {
	case TRACE_OP_OPENAT: case TRACE_OP_OPENAT2: case TRACE_OP_NEWFSTATAT: case TRACE_OP_STATX: case TRACE_OP_FACCESSAT: case TRACE_OP_FACCESSAT2:
	case TRACE_OP_READLINKAT: case TRACE_OP_FCHMODAT: case TRACE_OP_FCHMODAT2: case TRACE_OP_FCHOWNAT: case TRACE_OP_UTIMENSAT: case TRACE_OP_MKDIRAT:
	case TRACE_OP_UNLINKAT:
		return c->ev->fd >= 0 && !c->plan->lane[compile_lane(c)].via;
	}
	return false;
}

void compile_at(struct compiler *c, struct plan_args *a)
{
	const struct where *w = &c->where;
	const char *last = strrchr(c->path, '/');
	uint32_t slot, text;

	if (!w->name || !last || !may_begin_anywhere(c))
		return;
	slot = handles_find(&c->handles, c->pid, c->ev->fd);
	if (slot == HANDLES_NONE || compile_slot_is_dead(c, slot) || handles_description(&c->handles, slot)->object != w->directory)
		return;
	/* Else it led on, through a symbolic link. */
	text = c->model.name[w->name].text;
	if (strcmp(last + 1, texts_text(&c->strings, text)))
		return;
	c->bits |= PLAN_AT;
	a->offset = (uint64_t)text << 32 | slot;
	order_read(c->order, &c->handles.slot[slot].r_slot);
}

/* ---- looking --------------------------------------------------------------------------------------------------------------- */

static bool follows(const struct trace_event *ev)
{
	switch (ev->op) {
	case TRACE_OP_LSTAT: case TRACE_OP_READLINK: case TRACE_OP_READLINKAT: case TRACE_OP_LCHOWN: case TRACE_OP_LSETXATTR:
	case TRACE_OP_LGETXATTR: case TRACE_OP_LLISTXATTR: case TRACE_OP_LREMOVEXATTR:
		return false;
	case TRACE_OP_NEWFSTATAT: case TRACE_OP_STATX: case TRACE_OP_FACCESSAT2: case TRACE_OP_FCHOWNAT: case TRACE_OP_UTIMENSAT:
	case TRACE_OP_FCHMODAT2:
		return !(ev->flags & AT_SYMLINK_NOFOLLOW);
	}
	return true;
}

static bool is_xattr(const struct trace_event *ev)
{
	return trace_ops[ev->op].class == TRACE_CLASS_XATTR;
}

static bool gets_xattr(const struct trace_event *ev)
{
	return ev->op == TRACE_OP_GETXATTR || ev->op == TRACE_OP_LGETXATTR || ev->op == TRACE_OP_FGETXATTR;
}

static bool sets_xattr(const struct trace_event *ev)
{
	return ev->op == TRACE_OP_SETXATTR || ev->op == TRACE_OP_LSETXATTR || ev->op == TRACE_OP_FSETXATTR;
}

static bool lists_xattr(const struct trace_event *ev)
{
	return ev->op == TRACE_OP_LISTXATTR || ev->op == TRACE_OP_LLISTXATTR || ev->op == TRACE_OP_FLISTXATTR;
}

/* The smallest list sets the mode; where the trace does not tell it, it stays as it is. */
static void set_acl(struct compiler *c, uint32_t object, struct plan_args *a, bool access)
{
	const struct trace_event *ev = c->ev;
	const struct object *o = known(object) ? &c->model.object[object] : NULL;

	if (!(ev->mode & OBJECT_MODE_KNOWN))
		a->mode = !o ? 0755 : o->mode_set ? o->mode_set & 0777 : o->mode;
	else if (o && access && !ev->result)
		model_set_mode(&c->model, object, ev->mode);
}

/*
 * Only user. attributes can be made by everybody and mean nothing to the kernel; of the others only their absence is replayed, and
 * the access control lists by which programs copy a mode.
 * An attribute that was there before belongs to the starting state. false: cannot be replayed.
 */
bool compile_xattr(struct compiler *c, uint32_t object, struct plan_args *a)
{
	const struct trace_event *ev = c->ev;
	const char *name = ev->path2 ? c->source->string(c->source->self, ev->path2) : "";
	uint32_t *seen;

	/* XATTR_SIZE_MAX and XATTR_LIST_MAX are the same. */
	if (a->length > 65536)
		a->length = 65536;
	if (lists_xattr(ev))
		return true;
	if (!*name || strlen(name) > 255)
		return false;
	a->path2 = texts_add(&c->strings, name, strlen(name));
	/* The smallest access control list says what the mode says; its bytes are known (execute.c). */
	if (!strncmp(name, "system.posix_acl_", 17) && !gets_xattr(ev)) {
		if (sets_xattr(ev))
			set_acl(c, object, a, !strcmp(name + 17, "access"));
		return !sets_xattr(ev) || ev->length == XATTR_ACL_BYTES;
	}
	if (strncmp(name, "user.", 5))
		return gets_xattr(ev) && ev->result < 0;
	if (!known(object))
		return ev->result < 0;
	if (!gets_xattr(ev))
		c->model.object[object].bits |= OBJECT_CHANGED;
	seen = map_put(&c->xattrs, (uint64_t)object << 32 | a->path2);
	if (!*seen && ev->result > 0 && gets_xattr(ev) && ev->result <= 65536 && c->model.object[object].bits & OBJECT_AT_START) {
		c->xattr = grow(c->xattr, &c->xattrs_room, c->xattrs_n + 1, sizeof(*c->xattr));
		c->xattr[c->xattrs_n++] = (struct plan_xattr){.path = object, .name = a->path2, .size = (uint64_t)ev->result};
	}
	*seen = 1;
	return true;
}

static void learn(struct compiler *c, bool follow)
{
	const struct trace_event *ev = c->ev;
	enum object_kind kind = OBJECT_FILE;

	if (ev->op == TRACE_OP_READLINK || ev->op == TRACE_OP_READLINKAT)
		kind = OBJECT_LINK;
	if (ev->op == TRACE_OP_STATFS || ev->op == TRACE_OP_CHDIR)
		kind = OBJECT_DIRECTORY;
	if (ev->result >= 0 || ev->result == -ENODATA || ev->result == -ERANGE || ev->result == -EINVAL)
		compile_exists(c, c->path, follow, ev->file, kind, &c->where);
	else if (ev->result == -ENOENT || ev->result == -ENOTDIR)
		model_absent(&c->model, c->path, follow, (int)-ev->result, &c->where);
	else
		model_walk(&c->model, c->path, follow, &c->where);
}

/* readlink returned so many bytes: a target that the trace does not tell gets that length. */
static void learn_target(struct compiler *c, uint32_t object, int64_t length)
{
	char text[4096];
	struct object *o;

	if (!known(object) || length <= 0 || length >= (int64_t)sizeof(text))
		return;
	o = &c->model.object[object];
	if (o->kind != OBJECT_LINK || strcmp(texts_text(&c->strings, o->target), "unknown"))
		return;
	memset(text, 'x', (size_t)length);
	o->target = texts_add(&c->strings, text, (size_t)length);
}

static uint16_t looked_up_expect(struct compiler *c, struct plan_args *a)
{
	const struct trace_event *ev = c->ev;

	if (ev->result >= 0 && (lists_xattr(ev) || ev->op == TRACE_OP_STATFS))
		return PLAN_EXPECT_SUCCESS;
	return compile_expect(c, a, false);
}

void compile_path_event(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.flags = ev->flags, .arg = ev->arg, .mode = ev->mode & 0777, .length = ev->length};
	bool follow = follows(ev);
	uint32_t object;

	/* fstat in other clothes. */
	if (!ev->path && ev->fd >= 0) {
		c->bits = PLAN_BY_SLOT;
		compile_fd_event(c);
		return;
	}
	if (!compile_paths(c, true, false) || compile_environmental(ev->result)) {
		compile_skip(c);
		return;
	}
	learn(c, follow);
	object = c->where.object;
	if (ev->op == TRACE_OP_CHDIR) {
		compile_books(c);
		return;
	}
	if (is_xattr(ev) && !compile_xattr(c, object, &a)) {
		compile_skip(c);
		return;
	}
	if (ev->op == TRACE_OP_READLINK || ev->op == TRACE_OP_READLINKAT)
		learn_target(c, object, ev->result);
	a.flags &= AT_SYMLINK_NOFOLLOW | AT_EACCESS | XATTR_CREATE | XATTR_REPLACE;
	if (!is_xattr(ev))
		a.flags &= ~(uint64_t)(XATTR_CREATE | XATTR_REPLACE);
	if (!follow)
		a.flags |= is_xattr(ev) ? 0 : AT_SYMLINK_NOFOLLOW;
	if (known(object) && (ev->op == TRACE_OP_CHOWN || ev->op == TRACE_OP_LCHOWN || ev->op == TRACE_OP_FCHOWNAT))
		c->model.object[object].bits |= OBJECT_CHANGED;
	if (known(object) && !ev->result && (ev->op == TRACE_OP_CHMOD || ev->op == TRACE_OP_FCHMODAT || ev->op == TRACE_OP_FCHMODAT2))
		model_set_mode(&c->model, object, ev->mode);
	compile_begin(c);
	compile_touch_name(c, &c->where, false);
	if (ev->op == TRACE_OP_TRUNCATE && known(object)) {
		compile_touch_cut(c, object);
		if (ev->result == 0)
			model_resize(&c->model, object, ev->length);
	}
	compile_at(c, &a);
	a.path = model_way_text(&c->model, c->path, c->where.way);
	compile_emit(c, a.path, &a, looked_up_expect(c, &a));
}

/* ---- changing -------------------------------------------------------------------------------------------------------------- */

static bool removes_directory(const struct trace_event *ev)
{
	return ev->op == TRACE_OP_RMDIR || (ev->op == TRACE_OP_UNLINKAT && ev->flags & AT_REMOVEDIR);
}

static void make_something(struct compiler *c, enum object_kind kind)
{
	const struct trace_event *ev = c->ev;
	uint32_t object;

	model_reach(&c->model, c->path, false, ev->file, &c->where);
	if (!c->where.name)
		return;
	compile_vanished(c, c->path, &c->where);
	object = model_new_object(&c->model, kind, ev->mode);
	if (kind == OBJECT_FILE && !S_ISREG(ev->mode) && ev->mode & S_IFMT)
		model_set_special(&c->model, object, ev->mode);
	model_tie(&c->model, ev->file, object);
	model_bind(&c->model, c->where.name, object);
}

static void make_failed(struct compiler *c, enum object_kind kind)
{
	const struct trace_event *ev = c->ev;

	if (ev->result == -EEXIST)
		compile_exists(c, c->path, false, ev->file, kind, &c->where);
	else if (ev->result == -ENOTDIR)
		model_absent(&c->model, c->path, false, ENOTDIR, &c->where);
	else if (ev->result == -ENOENT)
		model_absent_directory(&c->model, c->path, false, &c->where);
	else
		model_walk(&c->model, c->path, false, &c->where);
}

static void compile_make(struct compiler *c, enum object_kind kind)
{
	struct plan_args a = {.mode = c->ev->mode & 0777};

	if (S_ISFIFO(c->ev->mode) || S_ISSOCK(c->ev->mode))
		a.mode |= c->ev->mode & S_IFMT;
	if (c->ev->result == 0)
		make_something(c, kind);
	else
		make_failed(c, kind);
	compile_begin(c);
	compile_touch_name(c, &c->where, c->ev->result == 0);
	compile_at(c, &a);
	a.path = model_way_text(&c->model, c->path, c->where.way);
	compile_emit(c, a.path, &a, compile_expect(c, &a, false));
}

/* What the kernel says of an address that is taken is EEXIST for a name. */
static void compile_bind(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct trace_event as = *ev;

	if (as.result == -EADDRINUSE)
		as.result = -EEXIST;
	if (as.result && as.result != -EEXIST && as.result != -ENOENT && as.result != -ENOTDIR && as.result != -ELOOP) {
		compile_skip(c);
		return;
	}
	c->ev = &as;
	compile_make(c, OBJECT_FILE);
	c->ev = ev;
}

static void compile_symlink(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	const char *target = ev->path ? c->source->string(c->source->self, ev->path) : "";
	struct plan_args a = {0};

	if (strlen(target) >= PATH_ROOM || !*target) {
		compile_skip(c);
		return;
	}
	a.path2 = texts_add(&c->strings, target, strlen(target));
	c->path = c->path2;
	c->where.way = c->where2.way;
	if (ev->result == 0) {
		make_something(c, OBJECT_LINK);
		if (c->where.name)
			c->model.object[c->model.name[c->where.name].now].target = a.path2;
	} else {
		make_failed(c, OBJECT_FILE);
	}
	compile_begin(c);
	compile_touch_name(c, &c->where, ev->result == 0);
	a.path = model_way_text(&c->model, c->path, c->where.way);
	compile_emit(c, a.path, &a, compile_expect(c, &a, false));
}

static void compile_remove(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	bool directory = removes_directory(ev);
	struct plan_args a = {.flags = directory ? AT_REMOVEDIR : 0};

	if (ev->result == 0 || ev->result == -EISDIR || ev->result == -ENOTEMPTY)
		compile_exists(c, c->path, false, ev->file,
			     directory || ev->result == -EISDIR ? OBJECT_DIRECTORY : OBJECT_FILE, &c->where);
	else if (ev->result == -ENOTDIR && directory && ev->file)
		compile_exists(c, c->path, false, ev->file, OBJECT_FILE, &c->where);
	else if (ev->result == -ENOENT || ev->result == -ENOTDIR)
		model_absent(&c->model, c->path, false, (int)-ev->result, &c->where);
	else
		model_walk(&c->model, c->path, false, &c->where);
	if (ev->result == -ENOTEMPTY && known(c->where.object))
		model_populate(&c->model, c->where.object);
	compile_begin(c);
	compile_touch_name(c, &c->where, ev->result == 0);
	if (directory && known(c->where.object))
		ev->result ? order_read_strictly(c->order, &c->model.object[c->where.object].r_children) :
			     order_write_strictly(c->order, &c->model.object[c->where.object].r_children);
	if (ev->result == 0 && c->where.name)
		model_unbind(&c->model, c->where.name);
	compile_at(c, &a);
	a.path = model_way_text(&c->model, c->path, c->where.way);
	compile_emit(c, a.path, &a, compile_expect(c, &a, false));
}

/* What a rename means for the names. */
static void move(struct compiler *c)
{
	uint32_t from = c->where.object, to = c->where2.object;

	if (!c->where.name || !c->where2.name || !known(from))
		return;
	if (c->ev->flags & RENAME_EXCHANGE && c->ev->op == TRACE_OP_RENAMEAT2) {
		model_bind(&c->model, c->where2.name, from);
		if (known(to))
			model_bind(&c->model, c->where.name, to);
		return;
	}
	/* Two names of one file: rename does nothing. */
	if (from == to)
		return;
	model_unbind(&c->model, c->where.name);
	model_bind(&c->model, c->where2.name, from);
}

/* What the rename found at its second name. */
static void learn_target_name(struct compiler *c, bool exchange)
{
	const struct trace_event *ev = c->ev;

	if (!ev->result && !exchange) {
		model_reach(&c->model, c->path2, false, 0, &c->where2);
		/* Whatever was there is replaced: an overlapping call may have moved what the recorder saw there. */
		if (!ev->file2 || c->where2.object != OBJECT_UNKNOWN)
			return;
	}
	compile_exists(c, c->path2, false, ev->file2, ev->result == -ENOTEMPTY ? OBJECT_DIRECTORY : OBJECT_FILE, &c->where2);
}

/* ENOENT: the first name was missing; of an exchange, the first or the second. */
static void learn_missing(struct compiler *c, bool exchange)
{
	model_walk(&c->model, c->path2, false, &c->where2);
	if (exchange && !known(c->where2.object))
		model_walk(&c->model, c->path, false, &c->where);
	else
		model_absent(&c->model, c->path, false, ENOENT, &c->where);
}

static void compile_rename(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	uint32_t source_file = ev->file;
	struct plan_args a = {.flags = ev->op == TRACE_OP_RENAMEAT2 ? ev->flags & (RENAME_NOREPLACE | RENAME_EXCHANGE) : 0};
	bool directory;

	/* Flags that the kernel does not take, or not together: one such pair stands for all. */
	if (ev->result == -EINVAL && ev->op == TRACE_OP_RENAMEAT2 && ev->flags & ~(uint64_t)(RENAME_NOREPLACE | RENAME_EXCHANGE))
		a.flags = RENAME_NOREPLACE | RENAME_EXCHANGE;

	if (ev->result == 0 || ev->result == -EEXIST || ev->result == -ENOTEMPTY) {
		compile_exists(c, c->path, false, source_file, OBJECT_FILE, &c->where);
		learn_target_name(c, a.flags & RENAME_EXCHANGE);
	} else if (ev->result == -ENOENT) {
		learn_missing(c, a.flags & RENAME_EXCHANGE);
	} else {
		model_walk(&c->model, c->path, false, &c->where);
		model_walk(&c->model, c->path2, false, &c->where2);
	}
	if (ev->result == -ENOTEMPTY && known(c->where2.object))
		model_populate(&c->model, c->where2.object);
	directory = known(c->where.object) && c->model.object[c->where.object].kind == OBJECT_DIRECTORY;
	compile_begin(c);
	compile_touch_name(c, &c->where, ev->result == 0);
	compile_touch_name(c, &c->where2, ev->result == 0);
	if (directory && ev->result == 0)
		order_all(c->order);
	if (ev->result == -ENOTEMPTY && known(c->where2.object))
		order_read_strictly(c->order, &c->model.object[c->where2.object].r_children);
	/* Nobody lists a directory that has been replaced. */
	if (directory && !ev->result && !a.flags && known(c->where2.object))
		order_write_strictly(c->order, &c->model.object[c->where2.object].r_children);
	if (ev->result == 0)
		move(c);
	a.path = model_way_text(&c->model, c->path, c->where.way);
	a.path2 = model_way_text(&c->model, c->path2, c->where2.way);
	compile_emit(c, a.path, &a, compile_expect(c, &a, false));
	if (!ev->result && ev->op == TRACE_OP_RENAMEAT2 && ev->flags & RENAME_WHITEOUT && c->where.name)
		compile_whiteout(c, c->path, &c->where);
}

/* What the call had met was gone when it made its second name: another name serves. */
static void link_from(struct compiler *c, uint32_t name)
{
	uint32_t text = model_path(&c->model, name, false);

	if (!text || strlen(texts_text(&c->strings, text)) >= sizeof(c->path_copy))
		return;
	c->path = strcpy(c->path_copy, texts_text(&c->strings, text));
	c->where.way = 0;
}

static void compile_link(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	bool follow = ev->op == TRACE_OP_LINKAT && ev->flags & AT_SYMLINK_FOLLOW;
	struct plan_args a = {.flags = follow ? AT_SYMLINK_FOLLOW : 0};

	if (c->instead)
		link_from(c, c->instead);
	if (ev->result == 0) {
		compile_exists(c, c->path, follow, ev->file, OBJECT_FILE, &c->where);
		model_reach(&c->model, c->path2, false, 0, &c->where2);
		if (c->where2.name && known(c->where.object))
			model_bind(&c->model, c->where2.name, c->where.object);
	} else {
		if (ev->result == -EEXIST)
			compile_exists(c, c->path2, false, 0, OBJECT_FILE, &c->where2);
		else
			model_walk(&c->model, c->path2, false, &c->where2);
		if (ev->result == -EEXIST)
			compile_exists(c, c->path, follow, ev->file, OBJECT_FILE, &c->where);
		else
			model_walk(&c->model, c->path, follow, &c->where);
	}
	compile_begin(c);
	compile_touch_name(c, &c->where, false);
	compile_touch_name(c, &c->where2, ev->result == 0);
	a.path = model_way_text(&c->model, c->path, c->where.way);
	a.path2 = model_way_text(&c->model, c->path2, c->where2.way);
	compile_emit(c, a.path, &a, compile_expect(c, &a, false));
}

/* linkat(2) of a descriptor: how a file that was made without a name (O_TMPFILE) gets one. */
static void compile_link_descriptor(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct plan_args a = {.flags = AT_EMPTY_PATH};
	uint32_t slot = compile_slot(c, ev->fd, ev->file), object;

	if (slot == HANDLES_NONE || compile_slot_is_dead(c, slot)) {
		compile_skip(c);
		return;
	}
	object = handles_description(&c->handles, slot)->object;
	if (ev->result == 0) {
		model_reach(&c->model, c->path2, false, 0, &c->where2);
		if (c->where2.name && known(object))
			model_bind(&c->model, c->where2.name, object);
	} else if (ev->result == -EEXIST) {
		compile_exists(c, c->path2, false, 0, OBJECT_FILE, &c->where2);
	} else {
		model_walk(&c->model, c->path2, false, &c->where2);
	}
	c->bits = PLAN_BY_SLOT;
	compile_begin(c);
	order_read(c->order, &c->handles.slot[slot].r_slot);
	compile_touch_name(c, &c->where2, ev->result == 0);
	a.path2 = model_way_text(&c->model, c->path2, c->where2.way);
	compile_emit(c, slot, &a, compile_expect(c, &a, false));
}

void compile_change_event(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	bool symbolic = ev->op == TRACE_OP_SYMLINK || ev->op == TRACE_OP_SYMLINKAT;
	bool two = trace_ops[ev->op].fields & TRACE_F_PATH2;
	bool descriptor = ev->op == TRACE_OP_LINKAT && !ev->path && ev->fd >= 0;

	if (!compile_paths(c, !symbolic && !descriptor, two) || compile_environmental(ev->result)) {
		compile_skip(c);
		return;
	}
	switch (ev->op) {
	case TRACE_OP_MKDIR: case TRACE_OP_MKDIRAT: compile_make(c, OBJECT_DIRECTORY); break;
	case TRACE_OP_MKNOD: case TRACE_OP_MKNODAT: compile_make(c, OBJECT_FILE); break;
	case TRACE_OP_BIND: compile_bind(c); break;
	case TRACE_OP_SYMLINK: case TRACE_OP_SYMLINKAT: compile_symlink(c); break;
	case TRACE_OP_RMDIR: case TRACE_OP_UNLINK: case TRACE_OP_UNLINKAT: compile_remove(c); break;
	case TRACE_OP_LINK: case TRACE_OP_LINKAT: descriptor ? compile_link_descriptor(c) : compile_link(c); break;
	default: compile_rename(c);
	}
}
