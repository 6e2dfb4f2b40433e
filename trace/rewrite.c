#include "trace/rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rewrite {
	struct trace_reader *reader;
	struct trace_writer *writer;
	rewrite_rename rename;
	void *context;
	uint32_t *id[REWRITE_ROLES]; /* new id by old, 0 = not yet */
	uint32_t room;
	struct target_lengths {
		struct target_length {
			uint32_t old, now;
		} *of;
		uint32_t room;
	} by_file, by_name; /* of symbolic links: by id of the file; by id of the name, for those that the recording made */
	uint32_t files;
	int rc;
};

static bool make_room(struct rewrite *x, uint32_t old)
{
	uint32_t room = x->room ? x->room : 1024;

	if (old < x->room)
		return true;
	while (room <= old)
		room *= 2;
	for (int role = 0; role < REWRITE_ROLES; role++) {
		uint32_t *bigger = realloc(x->id[role], room * sizeof(*bigger));

		if (!bigger) {
			x->rc = -ENOMEM;
			return false;
		}
		memset(bigger + x->room, 0, (room - x->room) * sizeof(*bigger));
		x->id[role] = bigger;
	}
	x->room = room;
	return true;
}

static void string(struct rewrite *x, enum rewrite_role role, uint32_t *id)
{
	const char *text;
	uint32_t old = *id;

	if (!old || x->rc || !make_room(x, old))
		return;
	if (!x->id[role][old]) {
		text = x->rename(x->context, role, trace_reader_string(x->reader, old));
		if (!text)
			x->rc = -ECANCELED;
		else
			x->id[role][old] = trace_writer_string(x->writer, text, strlen(text));
	}
	*id = x->id[role][old];
}

static struct target_length *length_of(struct rewrite *x, struct target_lengths *all, uint32_t id)
{
	uint32_t room = all->room ? all->room : 1024;
	struct target_length *bigger;

	if (id < all->room)
		return &all->of[id];
	while (room <= id)
		room *= 2;
	bigger = realloc(all->of, room * sizeof(*bigger));
	if (!bigger) {
		x->rc = -ENOMEM;
		return NULL;
	}
	memset(bigger + all->room, 0, (room - all->room) * sizeof(*bigger));
	all->of = bigger;
	all->room = room;
	return &all->of[id];
}

/* Notes how long a target was and is. Returns where, NULL when there is none or the copy has failed. */
static const struct target_length *note(struct rewrite *x, struct target_lengths *all, uint32_t id, uint32_t old)
{
	struct target_length *length = old && !x->rc ? length_of(x, all, id) : NULL;
	const char *text = length ? x->rename(x->context, REWRITE_PATH, trace_reader_string(x->reader, old)) : NULL;

	if (!text)
		return NULL;
	length->now = (uint32_t)strlen(text);
	length->old = (uint32_t)strlen(trace_reader_string(x->reader, old));
	return length;
}

/* The target of a symbolic link; its length is the link's size. */
static void target(struct rewrite *x, uint32_t id, struct trace_file *file)
{
	const struct target_length *length = note(x, &x->by_file, id, file->target);

	if (length && file->size == length->old)
		file->size = length->now;
	string(x, REWRITE_PATH, &file->target);
}

/* What readlink(2) returned is the length of the target, unless the buffer was too short for that. */
static void read_target(struct rewrite *x, struct trace_event *e)
{
	const struct target_length *length = length_of(x, &x->by_file, e->file);

	if (length && length->old != e->result)
		length = length_of(x, &x->by_name, e->path);
	if (!length || !length->old || e->result != length->old)
		return;
	e->result = length->now;
	if (e->length < length->now + (e->length > length->old))
		e->length = length->now + (e->length > length->old);
}

static void target_of_event(struct rewrite *x, struct trace_event *e)
{
	switch (e->op) {
	case TRACE_OP_SYMLINK: case TRACE_OP_SYMLINKAT: note(x, &x->by_name, e->path2, e->path); break;
	case TRACE_OP_READLINK: case TRACE_OP_READLINKAT: read_target(x, e); break;
	}
}

static int copy_record(struct rewrite *x, struct trace_record *r)
{
	struct trace_event *e = &r->event;

	switch (r->type) {
	case TRACE_FILE:
		string(x, REWRITE_PATH, &r->file.path);
		target(x, ++x->files, &r->file);
		return x->rc ? x->rc : trace_writer_file(x->writer, &r->file) ? 0 : trace_writer_flush(x->writer);
	case TRACE_THREAD:
		string(x, REWRITE_NAME, &r->thread.comm);
		string(x, REWRITE_PATH, &r->thread.cwd);
		return x->rc ? x->rc : trace_writer_thread(x->writer, &r->thread) ? 0 : trace_writer_flush(x->writer);
	case TRACE_EVENT:
		target_of_event(x, e);
		string(x, REWRITE_PATH, &e->path);
		string(x, trace_ops[e->op].class == TRACE_CLASS_XATTR ? REWRITE_XATTR : REWRITE_PATH, &e->path2);
		return x->rc ? x->rc : trace_writer_event(x->writer, e);
	case TRACE_FD: return trace_writer_fd(x->writer, &r->fd);
	case TRACE_WAKE: return trace_writer_wake(x->writer, &r->wake);
	case TRACE_RESIDENCY: return trace_writer_residency(x->writer, &r->residency);
	case TRACE_LOSS: return trace_writer_loss(x->writer, &r->loss);
	case TRACE_CONTENT: return trace_writer_content(x->writer, &r->content);
	case TRACE_HOLE: return trace_writer_hole(x->writer, &r->hole);
	case TRACE_END: return 0;
	}
	return -EINVAL;
}

int rewrite_copy(struct trace_reader *r, struct trace_writer *w, rewrite_rename rename, void *context)
{
	struct rewrite x = {.reader = r, .writer = w, .rename = rename, .context = context};
	struct trace_record record;

	while (!x.rc && trace_reader_next(r, &record))
		x.rc = copy_record(&x, &record);
	for (int role = 0; role < REWRITE_ROLES; role++)
		free(x.id[role]);
	free(x.by_file.of);
	free(x.by_name.of);
	return x.rc;
}
