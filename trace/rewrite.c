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

static int copy_record(struct rewrite *x, struct trace_record *r)
{
	struct trace_event *e = &r->event;

	switch (r->type) {
	case TRACE_FILE:
		string(x, REWRITE_PATH, &r->file.path);
		string(x, REWRITE_PATH, &r->file.target);
		return x->rc ? x->rc : trace_writer_file(x->writer, &r->file) ? 0 : trace_writer_flush(x->writer);
	case TRACE_THREAD:
		string(x, REWRITE_NAME, &r->thread.comm);
		string(x, REWRITE_PATH, &r->thread.cwd);
		return x->rc ? x->rc : trace_writer_thread(x->writer, &r->thread) ? 0 : trace_writer_flush(x->writer);
	case TRACE_EVENT:
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
	return x.rc;
}
