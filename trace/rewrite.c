#include "trace/rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct rewrite {
	struct rewrite_ends ends;
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

/* The new text of a string, NULL when the work has failed. */
static const char *renamed(struct rewrite *x, enum rewrite_role role, uint32_t id)
{
	const char *old = x->ends.text(x->ends.from, id), *text = old ? x->ends.rename(x->ends.context, role, old) : NULL;

	if (!text && !x->rc)
		x->rc = old ? -ECANCELED : -EINVAL;
	return text;
}

static void string(struct rewrite *x, enum rewrite_role role, uint32_t *id)
{
	const char *text;
	uint32_t old = *id;

	if (!old || x->rc || !make_room(x, old))
		return;
	if (!x->id[role][old]) {
		text = renamed(x, role, old);
		if (text)
			x->id[role][old] = x->ends.intern(x->ends.to, text, strlen(text));
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
	const char *text = length ? renamed(x, REWRITE_PATH, old) : NULL;

	if (!text)
		return NULL;
	length->now = (uint32_t)strlen(text);
	length->old = (uint32_t)strlen(x->ends.text(x->ends.from, old));
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

int rewrite_file(struct rewrite *x, struct trace_file *file)
{
	string(x, REWRITE_PATH, &file->path);
	target(x, ++x->files, file);
	return x->rc;
}

int rewrite_thread(struct rewrite *x, struct trace_thread *thread)
{
	string(x, REWRITE_NAME, &thread->comm);
	string(x, REWRITE_PATH, &thread->cwd);
	return x->rc;
}

int rewrite_event(struct rewrite *x, struct trace_event *e)
{
	target_of_event(x, e);
	string(x, REWRITE_PATH, &e->path);
	string(x, trace_ops[e->op].class == TRACE_CLASS_XATTR ? REWRITE_XATTR : REWRITE_PATH, &e->path2);
	return x->rc;
}

struct rewrite *rewrite_open(const struct rewrite_ends *ends)
{
	struct rewrite *x = calloc(1, sizeof(*x));

	if (x)
		x->ends = *ends;
	return x;
}

void rewrite_close(struct rewrite *x)
{
	if (!x)
		return;
	for (int role = 0; role < REWRITE_ROLES; role++)
		free(x->id[role]);
	free(x->by_file.of);
	free(x->by_name.of);
	free(x);
}

/* ---- a whole trace --------------------------------------------------------------------------------------------------------- */

static int copy_record(struct rewrite *x, struct trace_writer *w, struct trace_record *r)
{
	int rc = 0;

	switch (r->type) {
	case TRACE_FILE: rc = rewrite_file(x, &r->file); break;
	case TRACE_THREAD: rc = rewrite_thread(x, &r->thread); break;
	case TRACE_EVENT: rc = rewrite_event(x, &r->event); break;
	default: break;
	}
	return rc ? rc : trace_writer_record(w, r);
}

static const char *text_of_reader(void *from, uint32_t id)
{
	return trace_reader_string(from, id);
}

static uint32_t intern_in_writer(void *to, const char *text, size_t n)
{
	return trace_writer_string(to, text, n);
}

int rewrite_copy(struct trace_reader *r, struct trace_writer *w, rewrite_rename rename, void *context)
{
	struct rewrite *x = rewrite_open(&(struct rewrite_ends){text_of_reader, intern_in_writer, r, w, rename, context});
	struct trace_record record;
	int rc = x ? 0 : -ENOMEM;

	while (!rc && trace_reader_next(r, &record))
		rc = copy_record(x, w, &record);
	rewrite_close(x);
	return rc;
}
