/* The plan compiler: the loop over the records, lanes and what is emitted into them. The kinds of operations are in compile_*.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "replay/ahead.h"

enum { CHUNK_FIRST = 32, CHUNK_MAX = 1024 };

/* ---- lanes ----------------------------------------------------------------------------------------------------------------- */

static void flush_lane(struct compiler *c, uint32_t lane)
{
	struct build_lane *b = &c->lane[lane];
	struct plan_lane *l = &c->plan->lane[lane];
	size_t room = l->chunks_room;

	if (!b->n)
		return;
	l->chunk = grow(l->chunk, &room, (size_t)l->chunks + 1, sizeof(*l->chunk));
	l->chunks_room = (uint32_t)room;
	l->chunk[l->chunks++] = (struct plan_chunk){.first = c->plan->spool_op.n, .first_event = b->first_event, .count = b->n};
	spool_append(&c->plan->spool_op, b->op, b->n);
	spool_append(&c->plan->spool_event, b->event, b->n);
	b->n = 0;
}

static uint32_t new_lane(struct compiler *c, uint32_t thread)
{
	struct plan *p = c->plan;

	p->lane = grow(p->lane, &c->plan_lanes_room, (size_t)p->lanes + 1, sizeof(*p->lane));
	c->lane = grow(c->lane, &c->lanes_room, (size_t)p->lanes + 1, sizeof(*c->lane));
	p->lane[p->lanes] = (struct plan_lane){.thread = thread, .first_begin_ns = c->ev->begin_ns, .creator.lane = PLAN_NONE};
	c->lane[p->lanes].last_end_ns = c->first_begin_ns;
	return p->lanes++;
}

/* Contexts of libaio are numbered by an address in their process. A ring without a number is its thread's. */
uint64_t compile_ring_key(const struct compiler *c, uint8_t via)
{
	const struct trace_event *ev = c->ev;

	if (!ev->ring)
		return (uint64_t)via << 56 | 1ULL << 55 | ev->thread;
	return (uint64_t)via << 56 | (via == TRACE_VIA_AIO ? (uint64_t)(c->pid & 0x3fffff) << 32 : 0) | ev->ring;
}

static void note_ring_of(struct compiler *c, uint32_t thread, uint32_t lane)
{
	for (uint64_t k = 0;; k++) {
		uint32_t *at = map_put(&c->rings_of, (uint64_t)thread << 32 | k);

		if (!*at)
			*at = lane + 1;
		if (*at == lane + 1)
			return;
	}
}

static uint32_t ring_lane(struct compiler *c)
{
	uint32_t *at = map_put(&c->rings, compile_ring_key(c, c->ev->via));

	if (!*at) {
		uint32_t lane = new_lane(c, c->ev->thread);

		c->plan->lane[lane].ring = c->ev->ring;
		c->plan->lane[lane].via = c->ev->via;
		order_concurrent(c->order, lane);
		*at = lane + 1;
	}
	note_ring_of(c, c->ev->thread, *at - 1);
	return *at - 1;
}

static bool of_ring(const struct trace_event *ev)
{
	return ev->via == TRACE_VIA_URING || ev->via == TRACE_VIA_AIO;
}

uint32_t compile_lane(struct compiler *c)
{
	struct thread *t = &c->thread[c->ev->thread];
	uint32_t lane;

	if (c->current_lane != PLAN_NONE)
		return c->current_lane;
	if (of_ring(c->ev)) {
		lane = ring_lane(c);
	} else {
		if (t->lane == PLAN_NONE) {
			t->lane = new_lane(c, c->ev->thread);
			if (t->origin.lane != PLAN_NONE) {
				order_after(c->order, t->lane, t->origin.lane, t->origin.sequence, 0);
				c->plan->lane[t->lane].creator = t->origin.since;
				c->lane[t->lane].last_end_ns = t->origin.since_ns;
			}
		}
		lane = t->lane;
	}
	c->current_lane = lane;
	return lane;
}

/* ---- emitting -------------------------------------------------------------------------------------------------------------- */

/*
 * A thread's requests to a ring run beside its own operations. Program order goes on between them: a request comes after what the thread
 * had done before, and what the thread does comes after the requests that had ended before.
 */
static void keep_program_order(struct compiler *c)
{
	const struct thread *t = &c->thread[c->ev->thread];
	const uint32_t *lane;

	if (of_ring(c->ev)) {
		if (t->lane != PLAN_NONE)
			order_newest(c->order, t->lane);
		else if (t->origin.lane != PLAN_NONE)
			order_edge(c->order, t->origin.lane, t->origin.sequence);
		return;
	}
	for (uint64_t k = 0; (lane = map_get(&c->rings_of, (uint64_t)c->ev->thread << 32 | k)) && *lane; k++)
		order_newest(c->order, *lane - 1);
}

void compile_begin(struct compiler *c)
{
	order_begin(c->order, compile_lane(c), c->ev->begin_ns);
	compile_after_waker(c);
	keep_program_order(c);
}

static bool fits_narrow(const struct replay_op *how, const struct plan_args *a, uint16_t expect)
{
	uint64_t length = how->narrow == NARROW_LENGTH ? a->length : how->narrow == NARROW_FLAGS ? a->flags : a->mode;

	if (how->narrow == NARROW_NOT || expect == PLAN_EXPECT_VALUE || a->woken_ns)
		return false;
	return length <= UINT32_MAX && a->think_ns < UINT32_MAX && a->recorded_ns < UINT32_MAX;
}

static void append(struct compiler *c, uint32_t lane, const struct plan_op *op)
{
	struct build_lane *b = &c->lane[lane];
	struct plan_lane *l = &c->plan->lane[lane];

	if (b->n == b->room) {
		flush_lane(c, lane);
		if (b->room < CHUNK_MAX) {
			size_t room = b->room, more = room;

			b->op = grow(b->op, &room, b->room ? b->room * 2 : CHUNK_FIRST, sizeof(*b->op));
			b->event = grow(b->event, &more, room, sizeof(*b->event));
			b->room = (uint32_t)room;
		}
	}
	if (!b->n)
		b->first_event = c->number;
	else if (c->number - b->first_event > UINT32_MAX)
		return flush_lane(c, lane), append(c, lane, op);
	b->event[b->n] = (uint32_t)(c->number - b->first_event);
	b->op[b->n++] = *op;
	if (++l->operations == UINT32_MAX - 1)
		c->error = -EOVERFLOW;
}

static uint32_t add_edges(struct compiler *c, uint32_t lane, uint64_t end_ns)
{
	const struct plan_edge *edges;
	uint32_t n = order_end(c->order, c->plan->lane[lane].operations + 1, end_ns, &edges);
	uint64_t first = c->plan->spool_edge.n;

	for (uint32_t i = 0; i < n; i++) {
		struct plan_edge e = edges[i];

		if (i + 1 < n)
			e.lane |= PLAN_EDGE_MORE;
		spool_append(&c->plan->spool_edge, &e, 1);
	}
	if (first + n >= UINT32_MAX)
		c->error = -EOVERFLOW;
	return n ? (uint32_t)first + 1 : 0;
}

void compile_use_slot(struct compiler *c, uint32_t lane, uint32_t slot)
{
	uint32_t *first;

	if (slot == PLAN_NONE)
		return;
	c->slot_lane = grow(c->slot_lane, &c->slot_lanes_room, (size_t)slot + 1, sizeof(*c->slot_lane));
	first = &c->slot_lane[slot];
	if (!*first)
		*first = lane + 1;
	if (*first == lane + 1)
		return;
	c->plan->lane[*first - 1].shares_handles = true;
	if (lane != PLAN_NONE)
		c->plan->lane[lane].shares_handles = true;
}

static bool copies_handle(const struct plan_op *o, const struct plan_args *a)
{
	switch (o->op) {
	case TRACE_OP_DUP: case TRACE_OP_DUP2: case TRACE_OP_DUP3: return true;
	case TRACE_OP_FCNTL: return a->flags == F_DUPFD || a->flags == F_DUPFD_CLOEXEC;
	}
	return trace_ops[o->op].class == TRACE_CLASS_COPY;
}

static void use_slots(struct compiler *c, uint32_t lane, const struct plan_op *o, const struct plan_args *a)
{
	const struct replay_op *how = &replay_ops[o->op];

	if ((!how->by_path || o->bits & PLAN_BY_SLOT) && (how->kind != KIND_MAP || o->op == TRACE_OP_MMAP))
		compile_use_slot(c, lane, o->handle);
	if (o->bits & PLAN_AT)
		compile_use_slot(c, lane, (uint32_t)a->offset);
	if (copies_handle(o, a))
		compile_use_slot(c, lane, a->handle2);
}

static void emit(struct compiler *c, enum trace_op op, uint8_t bits, uint32_t handle, struct plan_args *a, uint16_t expect, uint64_t end_ns)
{
	const struct replay_op *how = &replay_ops[op];
	uint32_t lane = compile_lane(c);
	struct plan_op o = {.op = (uint8_t)op, .bits = bits, .handle = handle, .expect = expect};

	if (!c->plan->lane[lane].via && fits_narrow(how, a, expect)) {
		o.offset = a->offset;
		o.length = (uint32_t)(how->narrow == NARROW_LENGTH ? a->length : how->narrow == NARROW_FLAGS ? a->flags : a->mode);
		o.think_ns = (uint32_t)a->think_ns;
		o.recorded_ns = (uint32_t)a->recorded_ns;
	} else {
		o.bits |= PLAN_WIDE;
		o.offset = c->plan->spool_args.n;
		a->begin_ns = c->ev->begin_ns;
		a->request = bits & PLAN_HIDDEN ? 0 : c->ev->bits;
		a->waited_ns = compile_waited_before(&c->lane[lane], c->ev->begin_ns);
		spool_append(&c->plan->spool_args, a, 1);
	}
	o.edges = add_edges(c, lane, end_ns);
	use_slots(c, lane, &o, a);
	append(c, lane, &o);
}

static void count_bytes(struct compiler *c, uint32_t lane, const struct plan_args *a)
{
	struct plan_lane *l = &c->plan->lane[lane];
	uint8_t class = trace_ops[c->ev->op].class;
	uint64_t n = a->length > INT32_MAX ? INT32_MAX : a->length;
	bool copies = (class == TRACE_CLASS_COPY && c->ev->op != TRACE_OP_FICLONERANGE) || class == TRACE_CLASS_XATTR;

	if ((class == TRACE_CLASS_READ || class == TRACE_CLASS_READDIR || class == TRACE_CLASS_STAT || copies) && n > l->longest_read)
		l->longest_read = n;
	if ((class == TRACE_CLASS_WRITE || copies) && n > l->longest_write)
		l->longest_write = n;
	if ((class == TRACE_CLASS_READ || class == TRACE_CLASS_WRITE || class == TRACE_CLASS_COPY) && c->ev->result > 0)
		c->plan->bytes_replayed += (uint64_t)c->ev->result;
}

void compile_emit(struct compiler *c, uint32_t handle, struct plan_args *a, uint16_t expect)
{
	const struct trace_event *ev = c->ev;
	uint32_t lane = compile_lane(c);
	struct build_lane *b = &c->lane[lane];
	uint8_t class = trace_ops[ev->op].class;
	struct hist **recorded = &c->plan->recorded[class];
	uint64_t end = ev->begin_ns + ev->duration_ns;

	a->think_ns = ev->begin_ns > b->last_end_ns ? ev->begin_ns - b->last_end_ns : 0;
	a->recorded_ns = ev->duration_ns;
	if (c->woken_since_ns)
		a->woken_ns = ev->begin_ns - c->woken_since_ns;
	if (a->woken_ns)
		c->bits |= PLAN_WOKEN;
	emit(c, ev->op, c->bits, handle, a, expect, end);
	b = &c->lane[lane];
	if (end > b->last_end_ns)
		b->last_end_ns = end;
	c->plan->lane[lane].classes |= 1u << class;
	count_bytes(c, lane, a);
	c->plan->replayed++;
	if (ev->bits & TRACE_EV_NO_DURATION)
		return;
	if (!*recorded) {
		*recorded = malloc(sizeof(**recorded));
		if (!*recorded) {
			c->error = -ENOMEM;
			return;
		}
		hist_init(*recorded);
	}
	hist_record(*recorded, ev->duration_ns);
}

void compile_hidden(struct compiler *c, enum trace_op op, uint32_t handle, struct plan_args *args)
{
	/* In a ring's lane the ends must not go back. */
	uint64_t end = c->ev->begin_ns + (of_ring(c->ev) ? c->ev->duration_ns : 0);

	emit(c, op, PLAN_HIDDEN, handle, args, PLAN_EXPECT_ANY, end);
}

void compile_skip(struct compiler *c)
{
	int64_t result = c->ev->result;

	order_drop(c->order);
	c->plan->skipped[c->ev->op]++;
	if (result < 0 && result > -PLAN_ERRORS && compile_environmental(result))
		c->plan->refused[-result]++;
}

void compile_books(struct compiler *c)
{
	order_drop(c->order);
	c->plan->kept_books++;
}

/* ---- what every kind needs ------------------------------------------------------------------------------------------------- */

/* NULL: not known well enough. */
static const char *path_text(struct compiler *c, uint32_t id, uint32_t file, char copy[PATH_ROOM], struct where *where)
{
	struct way *way = id && !(c->ev->bits & (TRACE_EV_PATH_UNRESOLVED | TRACE_EV_PATH_TRUNCATED)) ? model_way(&c->model, id) : NULL;
	const char *text;

	where->way = id;
	if (way && way->given)
		return way->given;
	text = way ? c->source->string(c->source->self, id) : "";
	if (text[0] == '/')
		return way->given = strlen(text) < PATH_ROOM ? text : NULL;
	where->way = 0;
	if (!file || file >= c->model.files_room || !c->model.file[file].path)
		return NULL;
	/* Texts of the plan move when there are more of them. */
	text = texts_text(&c->strings, c->model.file[file].path);
	return strlen(text) < PATH_ROOM ? strcpy(copy, text) : NULL;
}

bool compile_paths(struct compiler *c, bool first, bool second)
{
	if (first)
		c->path = path_text(c, c->ev->path, c->ev->file, c->path_copy, &c->where);
	if (second)
		c->path2 = path_text(c, c->ev->path2, c->ev->file2, c->path2_copy, &c->where2);
	return (!first || c->path) && (!second || c->path2);
}

static uint32_t hidden_path(struct compiler *c, enum trace_op op, const char *path, const struct where *where, struct plan_args *a)
{
	a->path = texts_add(&c->strings, path, strlen(path));
	compile_begin(c);
	order_write_strictly(c->order, &c->model.name[where->name].resource);
	order_write(c->order, &c->model.object[where->directory].r_children);
	compile_hidden(c, op, a->path, a);
	return a->path;
}

bool compile_tells_file(const struct trace_event *ev)
{
	/* Of a call that failed the recorder says what it believes to have been there. */
	if (ev->result < 0)
		return false;
	switch (ev->op) {
	case TRACE_OP_STAT: case TRACE_OP_LSTAT: case TRACE_OP_NEWFSTATAT: case TRACE_OP_STATX: case TRACE_OP_EXECVE: case TRACE_OP_EXECVEAT:
		return true;
	}
	return trace_ops[ev->op].class == TRACE_CLASS_OPEN;
}

/* The file to look for at path: one that the recorder only believes there tells nothing when the results tell what is there. */
static uint32_t file_at(struct compiler *c, const char *path, bool follow, uint32_t file, struct where *where)
{
	uint32_t here;

	if (!file || compile_tells_file(c->ev))
		return file;
	model_walk(&c->model, path, follow, where);
	if (where->object == OBJECT_UNKNOWN || where->object == OBJECT_ABSENT)
		return file;
	here = c->model.object[where->object].file;
	return !c->model.file[file].object && (!here || model_same_file(&c->model, here, file)) ? file : 0;
}

void compile_exists(struct compiler *c, const char *path, bool follow, uint32_t file, enum object_kind kind, struct where *where)
{
	const struct object *o;
	struct plan_args a = {0};

	file = file_at(c, path, follow, file, where);
	model_exists(&c->model, path, follow, file, kind, where);
	if (!where->appeared)
		return;
	o = &c->model.object[where->object];
	a.mode = o->mode | o->type;
	hidden_path(c, o->kind == OBJECT_DIRECTORY ? TRACE_OP_MKDIR : TRACE_OP_MKNOD, path, where, &a);
	a.length = o->size;
	if (o->kind == OBJECT_FILE && o->size)
		hidden_path(c, TRACE_OP_TRUNCATE, path, where, &a);
}

void compile_whiteout(struct compiler *c, const char *path, const struct where *where)
{
	struct plan_args a = {.mode = 0600};
	uint32_t object = model_new_object(&c->model, OBJECT_FILE, 0600);

	c->model.object[object].bits |= OBJECT_SPECIAL;
	model_bind(&c->model, where->name, object);
	hidden_path(c, TRACE_OP_MKNOD, path, where, &a);
}

void compile_vanished(struct compiler *c, const char *path, const struct where *where)
{
	struct plan_args a = {0};

	if (!where->name || where->object == OBJECT_UNKNOWN || where->object == OBJECT_ABSENT)
		return;
	c->model.conflicts++;
	if (c->model.object[where->object].kind == OBJECT_DIRECTORY)
		a.flags = AT_REMOVEDIR;
	hidden_path(c, TRACE_OP_UNLINKAT, path, where, &a);
}

uint16_t compile_expect(struct compiler *c, struct plan_args *args, bool full)
{
	int64_t result = c->ev->result;

	/* Nobody saw how it ended. */
	if (c->ev->bits & TRACE_EV_UNFINISHED)
		return PLAN_EXPECT_ANY;
	if (c->ev->bits & TRACE_EV_END_LATE)
		return PLAN_EXPECT_SUCCESS;
	if (result < 0)
		return result > -4096 ? (uint16_t)-result : PLAN_EXPECT_ANY;
	if (full ? (uint64_t)result == args->length : result == 0)
		return PLAN_EXPECT_FULL;
	args->result = result;
	return PLAN_EXPECT_VALUE;
}

bool compile_environmental(int64_t result)
{
	switch (result) {
	case -EACCES: case -EPERM: case -EROFS: case -ENOSPC: case -EDQUOT: case -EMFILE: case -ENFILE: case -EINTR: case -EIO:
	case -ENOMEM: case -ETXTBSY: case -EBUSY: case -EFAULT: case -EAGAIN: case -ENXIO: case -ENODEV: case -EXDEV: case -ENOSYS:
	case -EOPNOTSUPP: case -EFBIG: case -ECANCELED: case -ENOTTY: case -ESPIPE:
		return true;
	}
	/* Codes that the kernel never shows to a program. */
	return result <= -512;
}

static void event(struct compiler *c, const struct trace_event *ev)
{
	uint8_t class = trace_ops[ev->op].class;
	uint64_t end = ev->begin_ns + ev->duration_ns;

	c->ev = ev;
	c->model.now_ns = end;
	c->current_lane = PLAN_NONE;
	c->woken_since_ns = 0;
	c->bits = 0;
	c->pid = ev->thread < c->threads_room ? c->thread[ev->thread].pid : 0;
	if (!c->plan->events || ev->begin_ns < c->first_begin_ns)
		c->first_begin_ns = ev->begin_ns;
	if (end >= ev->begin_ns && end > c->last_end_ns)
		c->last_end_ns = end;
	c->plan->events++;
	if ((class == TRACE_CLASS_READ || class == TRACE_CLASS_WRITE || class == TRACE_CLASS_COPY) && ev->result > 0)
		c->plan->bytes += (uint64_t)ev->result;
	/* Ids that no definition gave: only a source that is not a trace file can do that. */
	if (ev->thread >= c->threads_room || ev->file >= c->model.files_room || ev->file2 >= c->model.files_room ||
	    ev->begin_ns + ev->duration_ns < ev->begin_ns) {
		compile_skip(c);
		return;
	}
	if (class == TRACE_CLASS_OPEN && ev->file && !c->model.file[ev->file].object)
		c->bits |= PLAN_FIRST;
	if (of_ring(ev) && ev->bits & TRACE_EV_FIXED_FILE && ev->op != TRACE_OP_RECV_FD)
		compile_registered(c);
	switch (replay_ops[ev->op].kind) {
	case KIND_PATH: compile_path_event(c); break;
	case KIND_CHANGE: compile_change_event(c); break;
	case KIND_FD: compile_fd_event(c); break;
	case KIND_HANDLE: compile_handle_event(c); break;
	case KIND_MAP: compile_map_event(c); break;
	case KIND_PROCESS: compile_process_event(c); break;
	default:
		if (ev->op == TRACE_OP_IO_URING_ENTER || ev->op == TRACE_OP_IO_GETEVENTS || ev->op == TRACE_OP_IO_PGETEVENTS)
			compile_ring_waited(c);
		if (replay_ops[ev->op].how == REPLAY_BOOKS)
			compile_books(c);
		else
			compile_skip(c);
	}
}

static void record(struct compiler *c, const struct trace_record *r)
{
	switch (r->type) {
	case TRACE_FILE: {
		char path[4096];

		snprintf(path, sizeof(path), "%s", c->source->string(c->source->self, r->file.path));
		model_define(&c->model, &r->file, path, c->source->string(c->source->self, r->file.target));
		break;
	}
	case TRACE_THREAD: compile_record_thread(c, &r->thread); break;
	case TRACE_FD: compile_record_fd(c, &r->fd); break;
	case TRACE_EVENT: event(c, &r->event); break;
	case TRACE_RESIDENCY: compile_record_residency(c, &r->residency); break;
	case TRACE_WAKE: compile_record_wake(c, &r->wake); break;
	case TRACE_HOLE: compile_record_hole(c, &r->hole); break;
	case TRACE_CONTENT: compile_record_content(c, &r->content); break;
	case TRACE_LOSS: c->plan->lost += r->loss.count; break;
	default: break;
	}
}

static int open_parts(struct plan *p, const char *folder)
{
	struct {
		struct spool *spool;
		size_t bytes;
	} part[] = {{&p->spool_op, sizeof(struct plan_op)},
		    {&p->spool_event, sizeof(uint32_t)},
		    {&p->spool_args, sizeof(struct plan_args)},
		    {&p->spool_edge, sizeof(struct plan_edge)}};
	int rc = 0;

	for (size_t i = 0; i < sizeof(part) / sizeof(part[0]) && !rc; i++)
		rc = spool_open(part[i].spool, part[i].bytes, folder);
	return rc;
}

static int map_parts(struct plan *p)
{
	p->ops = p->spool_op.n;
	p->args_n = p->spool_args.n;
	p->edges_n = p->spool_edge.n;
	p->op = spool_map(&p->spool_op);
	p->event = spool_map(&p->spool_event);
	p->args = spool_map(&p->spool_args);
	p->edge = spool_map(&p->spool_edge);
	return p->spool_op.error ? p->spool_op.error : p->spool_event.error ? p->spool_event.error :
	       p->spool_args.error ? p->spool_args.error : p->spool_edge.error;
}

static void release(struct compiler *c)
{
	for (uint32_t i = 0; i < c->plan->lanes; i++) {
		free(c->lane[i].op);
		free(c->lane[i].event);
		free(c->lane[i].waits);
	}
	free(c->lane);
	free(c->thread);
	free(c->clone);
	free(c->mapping);
	free(c->start_open);
	free(c->slot_lane);
	free(c->xattr);
	free(c->resident);
	free(c->hole);
	free(c->content);
	map_release(&c->clones);
	map_release(&c->by_tid);
	map_release(&c->living);
	map_release(&c->rings);
	map_release(&c->rings_of);
	map_release(&c->fds_by_description);
	map_release(&c->xattrs);
	handles_release(&c->handles);
	model_release(&c->model);
	order_free(c->order);
	free(c);
}

int plan_compile(struct plan *plan, const struct record_source *source, const struct plan_options *options)
{
	struct compiler *c = calloc(1, sizeof(*c));
	struct ahead *ahead = calloc(1, sizeof(*ahead));
	const struct ahead_record *r;
	int rc;

	*plan = (struct plan){0};
	if (!c || !ahead) {
		free(c);
		free(ahead);
		return -ENOMEM;
	}
	c->plan = plan;
	c->source = source;
	c->order = order_new(options->order);
	texts_init(&c->strings);
	model_init(&c->model, &c->strings);
	c->model.file = grow(c->model.file, &c->model.files_room, 1, sizeof(*c->model.file));
	c->thread = grow(c->thread, &c->threads_room, 1, sizeof(*c->thread));
	rc = c->order ? open_parts(plan, options->folder) : -ENOMEM;
	while (!rc && (r = ahead_next(ahead, c))) {
		c->number = r->number;
		c->instead = r->instead;
		record(c, &r->record);
		rc = c->error;
		if (options->progress && r->record.type == TRACE_EVENT && !(plan->events & 0xffff))
			options->progress(options->context, plan->events);
	}
	if (!rc) {
		for (uint32_t i = 0; i < plan->lanes; i++)
			flush_lane(c, i);
		/* One of the largest parts, while the two trees are yet to be made. */
		order_free(c->order);
		c->order = NULL;
		compile_finish(c);
		rc = c->error ? c->error : map_parts(plan);
	}
	plan->strings_n = c->strings.n;
	plan->strings = texts_take(&c->strings);
	release(c);
	free(ahead->search);
	free(ahead);
	return rc;
}
