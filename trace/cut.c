/*
 * `iorig trace cut`: a part of a trace that is a trace of its own. Two passes: the first follows what the events before the cut have left
 * behind, the second writes that as the starting state, then the records of the cut.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "trace/carry.h"
#include "trace/verbs.h"
#include "trace/who.h"

static struct {
	const char *out, *from, *to;
	uint64_t from_ns, to_ns;
	struct who who;
} opt;

static const struct option_row rows[] = {
	{"output", 'o', "FILE", OPT_STRING, &opt.out, "where the part goes"},
	{"from", 0, "TIME", OPT_STRING, &opt.from, "events that began so long after the recording's start, or later (90s, 5m)"},
	{"to", 0, "TIME", OPT_STRING, &opt.to, "events that began before that time"},
	{"pid", 'p', "PID", OPT_LIST, &opt.who.pid, "events of that process (may be repeated, like the next ones)"},
	{"comm", 'c', "COMM", OPT_LIST, &opt.who.comm, "events of threads of that name"},
	{"path", 0, "PATH", OPT_LIST, &opt.who.path, "events on that file, or below that directory"},
	{0},
};

struct cut {
	struct trace_reader *reader;
	struct trace_writer *writer;
	struct carry carry;
	uint32_t *string, *file, *thread; /* new ids by old; 0: not written */
	uint32_t string_room, file_room, thread_room;
	uint64_t events;
	int error;
};

static uint32_t *new_id(struct cut *c, uint32_t **table, uint32_t *room, uint32_t old)
{
	static uint32_t nowhere;
	uint32_t wanted = *room ? *room : 1024, *bigger;

	if (old < *room)
		return &(*table)[old];
	while (wanted <= old)
		wanted *= 2;
	bigger = realloc(*table, wanted * sizeof(*bigger));
	if (!bigger) {
		c->error = -ENOMEM;
		return &nowhere;
	}
	memset(bigger + *room, 0, (wanted - *room) * sizeof(*bigger));
	*table = bigger;
	*room = wanted;
	return &(*table)[old];
}

static uint32_t text(struct cut *c, const char *text)
{
	return text && *text ? trace_writer_string(c->writer, text, strlen(text)) : 0;
}

static uint32_t string(struct cut *c, uint32_t old)
{
	uint32_t *id = new_id(c, &c->string, &c->string_room, old);

	if (old && !*id)
		*id = text(c, trace_reader_string(c->reader, old));
	return old ? *id : 0;
}

static uint64_t shifted(uint64_t ns)
{
	return ns > opt.from_ns ? ns - opt.from_ns : 0;
}

static uint32_t write_carried(struct cut *c, const struct carry_file *f)
{
	struct trace_file told = f->told;

	if (told.seen_ns < opt.from_ns)
		told.bits &= ~(uint32_t)TRACE_FILE_CREATED;
	told.seen_ns = shifted(told.seen_ns);
	told.path = text(c, f->path);
	told.target = text(c, f->target);
	return trace_writer_file(c->writer, &told);
}

/* The new id of a file, which is written when it was not yet. */
static uint32_t file(struct cut *c, uint32_t old)
{
	uint32_t *id = new_id(c, &c->file, &c->file_room, old);

	if (old && !*id && old <= c->carry.files)
		*id = write_carried(c, &c->carry.file[old]);
	return old ? *new_id(c, &c->file, &c->file_room, old) : 0;
}

/* A process that comes into the cut without its parent: what it has open. */
static void tell_descriptors(struct cut *c, uint32_t pid)
{
	const struct carry_process *p = carry_process(&c->carry, pid);

	for (uint32_t fd = 0; p && fd < p->room; fd++) {
		const struct carry_fd *f = &p->fd[fd];
		const struct carry_description *d = f->description ? &c->carry.description[f->description - 1] : NULL;
		struct trace_fd told = {.pid = pid, .fd = (int32_t)fd, .description = f->description};

		if (!d || !d->file)
			continue;
		told.file = file(c, d->file);
		told.flags = d->flags | (f->cloexec ? 02000000 : 0);
		told.position = d->position;
		trace_writer_fd(c->writer, &told);
	}
}

/* The new id of a thread, which is written when it was not yet; its parent before it, when that is in the cut and lives then. */
static uint32_t thread(struct cut *c, uint32_t old)
{
	const struct trace_thread *was = trace_reader_thread(c->reader, old);
	const struct carry_process *p = carry_process(&c->carry, was->pid);
	struct trace_thread now = *was;
	uint32_t known = *new_id(c, &c->thread, &c->thread_room, old), written;

	if (known)
		return known;
	now.parent = was->parent && was->seen_ns >= opt.from_ns && who_thread(&opt.who, trace_reader_thread(c->reader, was->parent), c->reader)
			     ? thread(c, was->parent)
			     : 0;
	now.seen_ns = shifted(was->seen_ns);
	now.comm = string(c, was->comm);
	now.cwd = was->seen_ns < opt.from_ns && p && p->directory ? text(c, p->directory) : string(c, was->cwd);
	written = trace_writer_thread(c->writer, &now);
	*new_id(c, &c->thread, &c->thread_room, old) = written;
	if (carry_meet(&c->carry, was->pid) && (!now.parent || trace_reader_thread(c->reader, was->parent)->pid == was->pid))
		tell_descriptors(c, was->pid);
	return written;
}

/* What exists when the cut begins. Without a choice of paths and threads all of it, else the directories and links that lead to it. */
static void tell_state(struct cut *c)
{
	bool all = !who_chosen(&opt.who);

	for (uint32_t id = 1; id <= c->carry.files; id++) {
		const struct carry_file *f = &c->carry.file[id];

		if (f->path && !f->gone && f->told.seen_ns < opt.to_ns && (all || S_ISDIR(f->told.mode) || S_ISLNK(f->told.mode)))
			file(c, id);
	}
	for (uint32_t i = 0; i < c->carry.mades; i++)
		if (c->carry.made[i].path)
			write_carried(c, &c->carry.made[i]);
}

static void write_event(struct cut *c, const struct trace_event *was)
{
	unsigned fields = trace_ops[was->op].fields;
	struct trace_event e = *was;

	e.thread = thread(c, was->thread);
	e.begin_ns -= opt.from_ns;
	e.file = fields & TRACE_F_FILE ? file(c, was->file) : 0;
	e.file2 = fields & TRACE_F_FILE2 ? file(c, was->file2) : 0;
	e.path = fields & TRACE_F_PATH ? string(c, was->path) : 0;
	e.path2 = fields & TRACE_F_PATH2 ? string(c, was->path2) : 0;
	trace_writer_event(c->writer, &e);
	c->events++;
}

static bool in_time(const struct trace_event *e)
{
	return e->begin_ns >= opt.from_ns && e->begin_ns < opt.to_ns;
}

/* Records that say something of one file, or of what was lost. */
static void write_other(struct cut *c, struct trace_record *r)
{
	switch (r->type) {
	case TRACE_WAKE:
		if (r->wake.at_ns < opt.from_ns || r->wake.at_ns >= opt.to_ns || !*new_id(c, &c->thread, &c->thread_room, r->wake.waker) ||
		    !*new_id(c, &c->thread, &c->thread_room, r->wake.wakee))
			break;
		r->wake.at_ns -= opt.from_ns;
		r->wake.waker = thread(c, r->wake.waker);
		r->wake.wakee = thread(c, r->wake.wakee);
		trace_writer_wake(c->writer, &r->wake);
		break;
	case TRACE_RESIDENCY: /* of the moment when the recording began */
		if (opt.from_ns || !*new_id(c, &c->file, &c->file_room, r->residency.file))
			break;
		r->residency.file = file(c, r->residency.file);
		trace_writer_residency(c->writer, &r->residency);
		break;
	case TRACE_CONTENT:
		if (!*new_id(c, &c->file, &c->file_room, r->content.file))
			break;
		r->content.file = file(c, r->content.file);
		trace_writer_content(c->writer, &r->content);
		break;
	case TRACE_HOLE:
		if (opt.from_ns || !*new_id(c, &c->file, &c->file_room, r->hole.file))
			break;
		r->hole.file = file(c, r->hole.file);
		trace_writer_hole(c->writer, &r->hole);
		break;
	case TRACE_LOSS:
		if (r->loss.last_ns < opt.from_ns || r->loss.first_ns >= opt.to_ns)
			break;
		r->loss.first_ns = shifted(r->loss.first_ns);
		r->loss.last_ns = shifted(r->loss.last_ns);
		trace_writer_loss(c->writer, &r->loss);
		break;
	default: break;
	}
}

/* What the events before the cut did. A thread that was made later has the descriptors of then: copy() follows that. */
static void follow(struct carry *carry, struct trace_reader *reader)
{
	struct trace_record r;

	while (!carry->error && trace_reader_next(reader, &r)) {
		if (r.type == TRACE_EVENT) {
			if (r.event.begin_ns < opt.from_ns)
				carry_event(carry, &r.event);
		} else if (r.type != TRACE_THREAD || r.thread.seen_ns < opt.from_ns) {
			carry_definition(carry, &r);
		}
	}
}

static void copy_thread(struct cut *c, const struct trace_record *r)
{
	if (r->thread.seen_ns < opt.from_ns || r->thread.seen_ns >= opt.to_ns)
		return;
	carry_definition(&c->carry, r);
	if (r->thread.parent && who_thread(&opt.who, &r->thread, c->reader))
		thread(c, r->thread.id);
}

static void copy(struct cut *c)
{
	struct trace_record r;

	tell_state(c);
	while (!c->error && !c->carry.error && !trace_writer_error(c->writer) && trace_reader_next(c->reader, &r)) {
		if (r.type == TRACE_EVENT) {
			if (!in_time(&r.event))
				continue;
			if (who_event(&opt.who, &r.event, c->reader))
				write_event(c, &r.event);
			carry_event(&c->carry, &r.event);
		} else if (r.type == TRACE_THREAD) {
			copy_thread(c, &r);
		} else {
			write_other(c, &r);
		}
	}
}

static json_t *make_header(const struct trace_reader *reader)
{
	json_t *header = json_deep_copy(trace_reader_header(reader)), *clock = json_object_get(header, "clock");
	json_t *start = json_object_get(clock, "start_ns");

	if (json_is_integer(start))
		json_object_set_new(clock, "start_ns", json_integer(json_integer_value(start) + (json_int_t)opt.from_ns));
	json_object_set_new(header, "cut", json_pack("{s:I}", "from_ns", (json_int_t)opt.from_ns));
	if (opt.to_ns != UINT64_MAX)
		json_object_set_new(json_object_get(header, "cut"), "to_ns", json_integer((json_int_t)opt.to_ns));
	return header;
}

static int write_cut(struct cut *c, const char *from, const char *to)
{
	_cleanup_json_ json_t *header = make_header(c->reader);
	int rc, end;

	c->writer = trace_writer_open(to, header, NULL);
	if (!c->writer)
		return fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(errno));
	copy(c);
	end = trace_writer_close(c->writer, NULL);
	rc = c->error ? c->error : c->carry.error ? c->carry.error : end;
	if (rc)
		return fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(-rc));
	if (!c->events)
		return fail(EXIT_FAILED, "'%s' has no event that was asked for; nothing was written", from);
	return trace_verb_end(from, trace_reader_error(c->reader));
}

static int cut_file(const char *path)
{
	struct cut c = {0};
	struct trace_reader *first;
	struct outfile out;
	int rc = EXIT_DONE;

	first = trace_verb_open(path, &rc);
	c.reader = first ? trace_verb_open(path, &rc) : NULL;
	if (!c.reader || carry_init(&c.carry, first))
		goto out;
	follow(&c.carry, first);
	rc = outfile_open(&out, opt.out);
	if (rc) {
		rc = fail(EXIT_FAILED, "cannot create '%s': %s", opt.out, strerror(-rc));
		goto out;
	}
	rc = write_cut(&c, path, out.temporary);
	if ((rc == EXIT_DONE || rc == EXIT_INCOMPLETE) && outfile_commit(&out))
		rc = fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(errno));
	outfile_abandon(&out);
out:
	carry_release(&c.carry);
	trace_reader_close(first);
	trace_reader_close(c.reader);
	free(c.string);
	free(c.file);
	free(c.thread);
	return rc;
}

static int run(const struct command *self, int argc, char **argv)
{
	int rc = EXIT_DONE;
	const char *path = trace_verb_file(self, argc, argv, &rc);

	if (!path)
		return rc;
	opt.to_ns = UINT64_MAX;
	if (!opt.out)
		return fail(EXIT_USAGE, "trace cut: -o FILE is needed");
	if ((opt.from && parse_duration(opt.from, &opt.from_ns)) || (opt.to && parse_duration(opt.to, &opt.to_ns)) || opt.from_ns >= opt.to_ns)
		return fail(EXIT_USAGE, "trace cut: --from and --to are times since the start (90s, 5m), the first before the second");
	if (!opt.from && !opt.to && !who_chosen(&opt.who))
		return fail(EXIT_USAGE, "trace cut: which part? Give --from, --to, --pid, --comm or --path");
	rc = who_check(&opt.who);
	return rc ? rc : cut_file(path);
}

const struct command cmd_trace_cut = {
	.name = "trace cut",
	.synopsis = "[--from TIME] [--to TIME] [-p PID]... [-c COMM]... [--path PATH]... -o FILE TRACE",
	.summary = "a part of a trace, by time, process, name or path",
	.group = "trace",
	.options = rows,
	.run = run,
};
