#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "capture/calls.h"
#include "capture/drain.h"
#include "capture/elsewhere.h"
#include "capture/header.h"
#include "capture/pages.h"
#include "capture/rings.h"
#include "lib/clock.h"

/* What an event needs rarely stays out of the functions that every event goes through, with the room and registers that it takes. */
#define COLD __attribute__((cold, noinline))

/* Results that no program sees: interrupted by a signal. Where the call begins again by itself, that is an event of its own. */
#define ERESTART_FIRST -516
#define ERESTART_LAST -512

int drain_init(struct drain *d, struct trace_writer *writer, struct recorder *recorder, uint64_t start_ns)
{
	struct timespec wall;
	int rc;

	memset(d, 0, sizeof(*d));
	d->writer = writer;
	d->recorder = recorder;
	d->start_ns = d->accounted_ns = start_ns;
	d->counted = calloc((size_t)recorder_counted(recorder), sizeof(*d->counted));
	rc = d->counted ? 0 : -ENOMEM;
	rc = rc ? rc : files_init(&d->files, writer);
	rc = rc ? rc : names_init(&d->names, writer, &d->files);
	rc = rc ? rc : places_init(&d->places);
	rc = rc ? rc : tasks_init(&d->tasks, writer, recorder->pid_max);
	rc = rc ? rc : maps_init(&d->maps);
	rc = rc ? rc : async_init(&d->async);
	rc = rc ? rc : mountinfo_read(&d->mounts);
	spaces_init(&d->spaces, &d->mounts);
	d->names.spaces = &d->spaces;
	clock_gettime(CLOCK_REALTIME, &wall);
	d->names.start_realtime_ns = (uint64_t)wall.tv_sec * 1000000000ULL + (uint64_t)wall.tv_nsec - (clock_now_ns() - start_ns);
	if (rc)
		drain_release(d);
	return rc;
}

void drain_release(struct drain *d)
{
	free(d->counted);
	free(d->named);
	free(d->known);
	free(d->elsewhere);
	spaces_release(&d->spaces);
	free(d->later.name);
	mountinfo_release(&d->mounts);
	async_release(&d->async);
	maps_release(&d->maps);
	state_release(&d->state);
	tasks_release(&d->tasks);
	places_release(&d->places);
	names_release(&d->names);
	files_release(&d->files);
}

int drain_renew(struct drain *d, struct trace_writer *writer, uint64_t start_ns)
{
	struct drain next;
	int rc = drain_init(&next, writer, d->recorder, start_ns);

	if (rc)
		return rc;
	rc = places_copy(&next.places, &d->places, &next.names);
	if (rc) {
		drain_release(&next);
		return rc;
	}
	free(next.counted);
	next.counted = d->counted;
	d->counted = NULL;
	/* Places point to their namespaces. */
	mountinfo_release(&next.mounts);
	spaces_release(&next.spaces);
	next.mounts = d->mounts;
	next.spaces = d->spaces;
	memset(&d->mounts, 0, sizeof(d->mounts));
	memset(&d->spaces, 0, sizeof(d->spaces));
	state_init(&next.state, writer, d->state.cache, d->state.content);
	next.state.left_bytes = d->state.left_bytes;
	async_move(&next.async, &d->async);
	next.root_pid = d->root_pid;
	next.root_ended = d->root_ended;
	next.wakes_known_only = d->wakes_known_only;
	next.only = d->only;
	next.test = d->test;
	memcpy(next.written, d->written, sizeof(next.written));
	next.drained = d->drained;
	next.events = d->events;
	next.filtered = d->filtered;
	next.lost = d->lost;
	next.told_skipped = d->told_skipped;
	next.told_early = d->told_early;
	next.told_other = d->told_other;
	next.unfinished = d->unfinished;
	next.accounted_ns = d->accounted_ns;
	drain_release(d);
	*d = next;
	d->names.files = &d->files;
	d->names.spaces = &d->spaces;
	return 0;
}

static uint64_t since_start(const struct drain *d, uint64_t ns)
{
	return ns > d->start_ns ? ns - d->start_ns : 0;
}

COLD static void lose(struct drain *d, uint64_t count, uint64_t first_ns, uint64_t last_ns, uint32_t cause, uint32_t cpu)
{
	struct trace_loss loss = {.count = count,
				  .first_ns = since_start(d, first_ns),
				  .last_ns = since_start(d, last_ns),
				  .cause = cause,
				  .cpu = cpu};

	if (!count)
		return;
	d->lost += count;
	trace_writer_loss(d->writer, &loss);
}

/* ---- files and directories announced by the kernel -------------------------------------------------------------------------- */

/* Components come from the leaf to the root. Returns the length, 0 when they do not fit or one was read while it was changed. */
static size_t join(const struct rec_file *file, uint32_t bytes, char text[2 * STRING_MAX])
{
	const unsigned char *data = (const unsigned char *)(file + 1);
	size_t end = 2 * STRING_MAX, at = end;
	uint32_t have = bytes - (uint32_t)sizeof(*file), i = 0;

	if (file->components < have)
		have = file->components;
	while (i < have) {
		size_t n = data[i];

		if (i + 1 + n > have || at < n + 1 || memchr(data + i + 1, 0, n))
			return 0;
		at -= n;
		memcpy(text + at, data + i + 1, n);
		text[--at] = '/';
		i += 1 + (uint32_t)n;
	}
	memmove(text, text + at, end - at);
	text[end - at] = 0;
	return end - at;
}

/* A look at a file that a recorded call made could tell no more than a device number that is not the kernel's own. */
static bool all_told(const struct drain *d, const struct file_sight *sight)
{
	return sight->bits & TRACE_FILE_CREATED && !mountinfo_makes_devs(&d->mounts, sight->dev);
}

uint32_t drain_file(struct drain *d, const struct rec_file *file, uint32_t bytes)
{
	struct file_sight sight = {.dev = file->id.dev,
				   .ino = file->id.ino,
				   .generation = file->id.generation,
				   .mode = file->mode,
				   .nlink = file->nlink,
				   .size = file->size,
				   .seen_ns = since_start(d, file->head.end_ns)};
	struct name *name = NULL;
	char where[SPACES_PATH];
	uint32_t known;
	size_t length = join(file, bytes, d->text[0]);
	struct space *space = elsewhere_space(d, file->mount_namespace, file->pid, file->mount_events);
	bool cut = file->head.bits & (REC_TRUNCATED | REC_UNREACHABLE) || (!length && file->components);

	d->names.now_ns = sight.seen_ns;
	sight.since_ns = since_start(d, file->head.end_ns - file->head.seq);
	if (space && !cut)
		length = elsewhere_label(d, space, length, file->id.ino);
	if (!cut && !(file->head.bits & REC_DELETED))
		name = names_resolve(&d->names, d->text[0], length, false);
	sight.made = file->head.bits & REC_CREATED;
	if (sight.made || (name && name->created))
		sight.bits |= TRACE_FILE_CREATED;
	if (file->head.bits & REC_LATE)
		sight.bits |= TRACE_FILE_SIZE_LATE;
	if (name) {
		sight.name = name;
		sight.path = names_string(&d->names, name);
		name->kind = S_ISDIR(file->mode) ? NAME_DIRECTORY : NAME_OTHER;
		name->created = sight.bits & TRACE_FILE_CREATED;
		name->looked = true;
		if (S_ISDIR(file->mode))
			places_set(&d->places, &file->place, name, space);
	}
	if (!name)
		return files_see(&d->files, &sight);
	known = files_find(&d->files, sight.dev, sight.ino, sight.generation);
	if (!known && !all_told(d, &sight))
		state_complete(&sight, spaces_where(&d->spaces, name->text, where));
	name->file = files_see(&d->files, &sight);
	effects_named(d, name->file, name);
	if (!S_ISDIR(file->mode) && name->file != known)
		state_first(&d->state, name->file, &sight, spaces_where(&d->spaces, name->text, where), file->cached_pages);
	return name->file;
}

/* A descriptor whose file was never announced (it came from a process that is not recorded): asked from /proc, late. */
COLD static uint32_t late_file(struct drain *d, const struct rec_event *e, int fd)
{
	struct file_sight sight = {.dev = e->file.dev,
				   .ino = e->file.ino,
				   .generation = e->file.generation,
				   .bits = TRACE_FILE_SIZE_LATE,
				   .seen_ns = since_start(d, e->head.end_ns)};
	static const uint32_t type[] = {0, S_IFREG, S_IFDIR, S_IFLNK, 0, 0, 0, 0};
	char path[64], text[STRING_MAX];
	struct stat st;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/fd/%d", e->pid, fd);
	sight.mode = type[e->head.bits & REC_TYPE_MASK];
	if (!stat(path, &st) && st.st_ino == sight.ino) {
		sight.mode = st.st_mode;
		sight.nlink = (uint32_t)st.st_nlink;
		sight.size = (uint64_t)st.st_size;
		n = readlink(path, text, sizeof(text) - 1);
		if (n > 0 && text[0] == '/' && st.st_nlink) {
			memcpy(d->text[0], text, (size_t)n);
			n = (ssize_t)elsewhere_label(d, elsewhere_space(d, spaces_number(e->pid), e->pid, 0), (size_t)n, sight.ino);
			sight.path = names_string(&d->names, names_resolve(&d->names, d->text[0], (size_t)n, false));
		}
	}
	return files_see(&d->files, &sight);
}

static inline uint32_t file_by_id(struct drain *d, const struct rec_event *e, const struct rec_id *id, int fd)
{
	uint32_t file;

	if (!(id->dev | id->ino))
		return 0;
	file = files_find(&d->files, id->dev, id->ino, id->generation);
	return file || id != &e->file ? file : late_file(d, e, fd);
}

/* ---- events ----------------------------------------------------------------------------------------------------------------- */

static inline void arguments(struct drained *e, const struct rec_event *r, const struct rec_wide *w)
{
	e->given[NOT] = 0;
	memcpy(e->given + A0, r->arg, sizeof(r->arg));
	e->given[A4] = w ? w->arg4 : 0;
	e->given[A5] = w ? w->arg5 : 0;
}

/*
 * Everything that the table of calls and the record say. Sets all of the event: it is the hottest of places, and zeroing it before
 * would take longer than the rest.
 */
static void fields(struct drain *d, struct drained *e)
{
	uint64_t ring = e->given[e->call->ring];
	const struct rec_event *r = e->record;
	const struct call *c = e->call;
	uint64_t duration = (uint64_t)r->duration_hi << 32 | r->duration_lo, end_ns = d->names.now_ns;
	uint64_t begin_ns = since_start(d, r->head.end_ns - duration);
	int64_t offset = c->offset ? (int64_t)e->given[c->offset] : -1;

	if (c->special == CALL_AT_POSITION || (c->special == CALL_SPLIT_OFFSET && offset == -1))
		offset = r->result > 0 ? r->position - r->result : r->position;
	e->event = (struct trace_event){
		.begin_ns = begin_ns,
		.duration_ns = end_ns - begin_ns,
		.thread = 0,
		.op = c->op,
		.via = TRACE_VIA_SYSCALL,
		.bits = (uint16_t)((r->head.bits & REC_UNPAIRED ? TRACE_EV_NO_DURATION : 0) |
				   (r->head.bits & REC_COMPAT ? TRACE_EV_COMPAT : 0) |
				   (r->head.bits & REC_CREATED ? TRACE_EV_CREATED : 0)),
		.fd = c->fd ? (int32_t)e->given[c->fd] : -1,
		.fd2 = c->fd2 ? (int32_t)e->given[c->fd2] : -1,
		.file = 0,
		.file2 = 0,
		.path = 0,
		.path2 = 0,
		.offset = offset,
		.offset2 = -1,
		.length = e->given[c->length],
		.flags = e->given[c->flags],
		.arg = e->given[c->arg],
		.mode = (uint32_t)e->given[c->mode],
		.ring = ring ? async_ring(&d->async, c->special == CALL_CONTEXT ? r->pid : 0, ring) : 0,
		.result = r->result >= ERESTART_FIRST && r->result <= ERESTART_LAST ? -EINTR : r->result,
	};
}

/* The mode of what a call made, as the process's umask left it. */
static void mode_of_made(struct drained *e, uint32_t umask)
{
	if (e->call->special == CALL_BIND)
		e->event.mode = S_IFSOCK | 0777;
	if (e->call->special == CALL_MKDIR || e->call->special == CALL_MKNOD || e->call->special == CALL_BIND)
		e->event.mode &= ~umask;
}

/* Does that name lead to a file of that number, as far as we were told? */
static bool is_known(const struct drain *d, const struct name *name, uint64_t dev, uint64_t ino)
{
	return name->file && name->looked && files_find(&d->files, dev, ino, 0) == name->file;
}

/* A file that stat tells of, and that was not known there. */
COLD static bool file_told(struct drain *d, struct drained *e, const struct rec_path *p)
{
	struct file_sight sight = {.dev = p->stat.dev,
				   .ino = p->stat.ino,
				   .mode = p->stat.mode,
				   .nlink = p->stat.nlink,
				   .size = p->stat.size,
				   .seen_ns = d->names.now_ns,
				   .since_ns = e->event.begin_ns,
				   .name = e->name};
	uint32_t type = p->stat.mode & S_IFMT;

	if ((type != S_IFREG && type != S_IFDIR && type != S_IFLNK) || mountinfo_pseudo_dev(&d->mounts, p->stat.dev))
		return false;
	if (!e->name)
		return true; /* of a descriptor: identity is in the record */
	sight.dev = spaces_kernel_dev(&d->spaces, e->name->text, e->name->length, p->stat.dev);
	sight.user_dev = sight.dev == p->stat.dev ? 0 : p->stat.dev;
	if (is_known(d, e->name, sight.dev, sight.ino)) {
		e->event.file = e->name->file;
		return true;
	}
	if (type == S_IFLNK) {
		e->name->looked = false;
		names_look(&d->names, e->name);
	}
	sight.bits = e->name->created ? TRACE_FILE_CREATED : 0;
	sight.path = names_string(&d->names, e->name);
	if (type == S_IFLNK && e->name->target)
		sight.target = trace_writer_string(d->writer, e->name->target, strlen(e->name->target));
	e->event.file = files_see(&d->files, &sight);
	if (files_gone(&d->files, e->event.file))
		return true; /* since it was met */
	e->name->kind = type == S_IFDIR ? NAME_DIRECTORY : type == S_IFLNK ? NAME_LINK : NAME_OTHER;
	e->name->looked = true;
	e->name->file = e->event.file;
	return true;
}

/* stat, lstat and the like have told what the path led to: the same again, mostly. False: no file that we record. */
static bool file_by_stat(struct drain *d, struct drained *e, const struct rec_path *p)
{
	if (!e->name || !is_known(d, e->name, p->stat.dev, p->stat.ino))
		return file_told(d, e, p);
	e->event.file = e->name->file;
	return true;
}

/* An open that made a file, of which nothing was announced: the kernel takes it for the last one that had its place and number. */
COLD static uint32_t made_file(struct drain *d, const struct drained *e)
{
	const struct rec_event *r = e->record;
	struct file_sight sight = {.dev = r->file.dev, .ino = r->file.ino, .mode = S_IFREG | (e->event.mode & 0755), .nlink = 1,
				   .bits = TRACE_FILE_CREATED, .seen_ns = since_start(d, r->head.end_ns), .made = true};

	sight.path = names_string(&d->names, e->name);
	return files_see(&d->files, &sight);
}

void drain_event(struct drain *d, const struct rec_head *head, uint32_t bytes, const struct drain_request *request)
{
	const struct rec_event *r = (const struct rec_event *)head;
	const struct rec_wide *w = head->type != REC_EVENT ? (const struct rec_wide *)head : NULL;
	const struct rec_path *p = head->type == REC_PATH ? (const struct rec_path *)head : NULL;
	struct drained e;

	if (r->nr >= CALL_MAX || !calls[r->nr].op || (w && bytes < sizeof(*w)) ||
	    (p && bytes < sizeof(*p) + p->length1 + p->length2))
		return;
	e.record = r;
	e.call = &calls[r->nr];
	e.name = e.name2 = NULL;
	arguments(&e, r, w);
	d->names.now_ns = since_start(d, head->end_ns);
	fields(d, &e);
	if (request) {
		e.event.via = request->via;
		e.event.ring = request->ring;
		e.event.bits |= request->bits;
	}
	if (p)
		mode_of_made(&e, p->umask);
	if ((p && !paths_of(d, &e, p)) || (p && head->bits & REC_STAT && !file_by_stat(d, &e, p))) {
		d->filtered++;
		return;
	}
	e.event.thread = tasks_get(&d->tasks, r->tid, r->pid, d->names.now_ns);
	if (head->bits & REC_CREATED && !r->file.generation && e.name)
		e.event.file = made_file(d, &e);
	if (!e.event.file)
		e.event.file = file_by_id(d, r, &r->file, e.call->op <= TRACE_OP_CREAT ? (int)r->result : e.event.fd);
	if (w)
		e.event.file2 = file_by_id(d, r, &w->file2, e.event.fd2);
	effects_apply(d, &e);
	if (!e.event.op) { /* a mapping of nothing */
		d->filtered++;
		return;
	}
	drain_write(d, &e.event);
}

static void on_task(struct drain *d, const struct rec_task *t)
{
	uint64_t at = since_start(d, t->head.end_ns);
	struct trace_event end = {.op = TRACE_OP_EXIT, .begin_ns = at, .arg = t->code, .fd = -1, .fd2 = -1, .offset = -1, .offset2 = -1};

	switch (t->kind) {
	case TASK_FORK:
		tasks_fork(&d->tasks, t, at);
		if (t->pid != t->parent_pid)
			maps_copy(&d->maps, t->parent_pid, t->pid);
		break;
	case TASK_EXEC:
		maps_drop(&d->maps, t->pid);
		break;
	case TASK_EXIT:
		if (t->tid == t->pid)
			async_exit(d, t->pid, t->head.end_ns);
		end.thread = tasks_get(&d->tasks, t->tid, t->pid, at);
		drain_write(d, &end);
		tasks_forget(&d->tasks, t->tid);
		if (t->tid == t->pid)
			maps_drop(&d->maps, t->pid);
		if (t->tid == d->root_pid)
			d->root_ended = true;
		break;
	}
}

/* The record's number: what is missing before it was lost. */
static inline void count(struct drain *d, struct drain_counted *c, const struct rec_head *record, uint32_t cpu)
{
	if (record->seq != c->next_seq)
		lose(d, record->seq - c->next_seq, c->last_ns ? c->last_ns : d->start_ns, record->end_ns, TRACE_LOSS_RING_FULL, cpu);
	c->next_seq = record->seq + 1;
	c->last_ns = record->end_ns;
	d->drained++;
}

static inline bool of_test(struct drain *d, const struct rec_head *record)
{
	return d->test.pid && selftest_note(&d->test, record);
}

void drain_record(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data)
{
	struct drain *d = data;
	struct drain_counted *c = &d->counted[cpu];

	switch (record->type) {
	case REC_EVENT:
	case REC_WIDE:
	case REC_PATH:
		count(d, c, record, cpu);
		if (!of_test(d, record))
			drain_event(d, record, bytes, NULL);
		return;
	case REC_FILE:
		if (!of_test(d, record) && bytes >= sizeof(struct rec_file))
			drain_file(d, (const struct rec_file *)record, bytes);
		return;
	case REC_TASK:
		if (!of_test(d, record) && bytes >= sizeof(struct rec_task))
			on_task(d, (const struct rec_task *)record);
		return;
	case REC_WAKE:
		if (!of_test(d, record) && bytes >= sizeof(struct rec_wake))
			wakes_record(d, (const struct rec_wake *)record);
		return;
	case REC_ASYNC:
		count(d, rings_numbered_apart(record) ? c + d->recorder->cpus : c, record, cpu);
		if (bytes >= sizeof(struct rec_async))
			async_record(d, (const struct rec_async *)record);
		return;
	case REC_PAGES:
		count(d, c, record, cpu);
		if (!of_test(d, record) && bytes >= sizeof(struct rec_pages))
			pages_record(d, (const struct rec_pages *)record);
		return;
	case REC_TEXTS:
		count(d, c, record, cpu);
		async_texts(d, (const struct rec_path *)record, bytes);
		return;
	}
}

void drain_account(struct drain *d, uint64_t now_ns)
{
	uint64_t skipped = recorder_skipped(d->recorder), other = d->async.unknown, early = d->async.early;

	for (int i = 0; i < recorder_counted(d->recorder); i++) {
		const volatile struct counters *c = &d->recorder->counters[i];

		other += c->compat + c->tasks_dropped + c->requests_unknown + c->wakes_dropped + c->faults_unresolved;
		early += c->requests_early;
	}
	lose(d, skipped - d->told_skipped, d->accounted_ns, now_ns, TRACE_LOSS_SKIPPED, 0);
	lose(d, early - d->told_early, d->accounted_ns, now_ns, TRACE_LOSS_UNPAIRED, 0);
	lose(d, other - d->told_other, d->accounted_ns, now_ns, TRACE_LOSS_OTHER, 0);
	d->told_skipped = skipped;
	d->told_early = early;
	d->told_other = other;
	d->accounted_ns = now_ns;
}

bool drain_settled(const struct drain *d)
{
	struct totals t;

	totals_read(d->recorder, &t);
	return t.all_emitted <= d->drained && t.all_seen <= t.all_emitted + t.all_filtered + t.all_dropped;
}

void drain_finish(struct drain *d, uint64_t now_ns)
{
	struct totals t;

	async_finish(d, now_ns);
	for (int i = 0; i < recorder_counted(d->recorder); i++) {
		const volatile struct counters *c = &d->recorder->counters[i];
		struct drain_counted *at = &d->counted[i];
		uint32_t cpu = (uint32_t)(i % d->recorder->cpus);

		lose(d, (uint32_t)c->events - at->next_seq, at->last_ns ? at->last_ns : d->start_ns, now_ns, TRACE_LOSS_RING_FULL, cpu);
		at->next_seq = (uint32_t)c->events;
	}
	/* What the kernel says it wrote has come out of the rings, and what it saw has gone one of three ways. */
	totals_read(d->recorder, &t);
	if (t.all_emitted > d->drained)
		lose(d, t.all_emitted - d->drained, d->start_ns, now_ns, TRACE_LOSS_OTHER, 0);
	if (t.all_seen > t.all_emitted + t.all_filtered + t.all_dropped)
		lose(d, t.all_seen - t.all_emitted - t.all_filtered - t.all_dropped, d->start_ns, now_ns, TRACE_LOSS_OTHER, 0);
	drain_account(d, now_ns);
}

void drain_refused(struct drain *d)
{
	uint64_t refused = trace_writer_refused(d->writer);

	d->lost += refused;
	d->events -= refused < d->events ? refused : d->events;
}
