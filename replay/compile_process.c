/* Threads and processes: whose descriptor table is whose, and which lane starts after what. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>

#include "replay/compiler.h"

/* A thread that did nothing for so long, and something soon after a child of its ended, has waited for the child. */
enum { SILENT_NS = 1000000 };

/* The end of a child has ended the pause of its parent: nothing before it, and at least half of the pause. */
static bool waited_for_child(const struct waker *w, uint64_t last_ns, uint64_t now_ns)
{
	return w->at_ns - last_ns >= SILENT_NS && w->at_ns - last_ns >= now_ns - w->at_ns;
}

/*
 * What a thread that is created now comes after. A shell that runs one command after the other does nothing between them but wait: the second command
 * begins so long after what the first had done, and not so long after what the shell did last.
 */
static struct origin origin_of(struct compiler *c, const struct thread *parent, uint64_t now_ns)
{
	const struct waker *w = &parent->waker;
	struct origin o = parent->origin; /* it had nothing to do yet itself: what its own creator did comes first */

	if (parent->lane != PLAN_NONE) {
		o.lane = parent->lane;
		o.sequence = c->plan->lane[parent->lane].operations;
		o.since = (struct plan_edge){.lane = o.lane, .sequence = o.sequence};
		o.since_ns = c->lane[parent->lane].last_end_ns;
	}
	if (w->lane != PLAN_NONE && w->lane != parent->lane && w->at_ns <= now_ns && w->end_ns > o.since_ns && order_by_resource(c->order) &&
	    (!w->is_child || waited_for_child(w, o.since_ns, now_ns))) {
		o.since = (struct plan_edge){.lane = w->lane, .sequence = w->sequence};
		o.since_ns = w->end_ns;
	}
	return o;
}

void compile_record_thread(struct compiler *c, const struct trace_thread *thread)
{
	uint32_t *clone, parent_pid = 0;
	struct thread *t;

	c->thread = grow(c->thread, &c->threads_room, (size_t)thread->id + 1, sizeof(*c->thread));
	t = &c->thread[thread->id];
	*t = (struct thread){.tid = thread->tid, .pid = thread->pid, .lane = PLAN_NONE, .origin.lane = PLAN_NONE, .alive = true,
			      .parent = thread->parent < thread->id ? thread->parent : 0, .waker.lane = PLAN_NONE};
	clone = map_get(&c->clones, thread->tid);
	if (clone && *clone) {
		t->origin = c->clone[*clone - 1];
		*clone = 0;
	} else if (thread->parent && thread->parent < thread->id) {
		t->origin = origin_of(c, &c->thread[thread->parent], thread->seen_ns);
	}
	if (thread->parent && thread->parent < thread->id)
		parent_pid = c->thread[thread->parent].pid;
	handles_process(&c->handles, thread->pid, parent_pid == thread->pid ? 0 : parent_pid, false);
	(*map_put(&c->living, thread->pid))++;
	*map_put(&c->by_tid, thread->tid) = thread->id;
}

void compile_record_wake(struct compiler *c, const struct trace_wake *wake)
{
	const struct thread *waker, *wakee;

	if (wake->waker >= c->threads_room || wake->wakee >= c->threads_room)
		return;
	waker = &c->thread[wake->waker];
	wakee = &c->thread[wake->wakee];
	/* Who has done nothing yet begins after its creator anyway. */
	if (waker->lane != PLAN_NONE && wakee->lane != PLAN_NONE &&
	    order_woken(c->order, wakee->lane, waker->lane, wake->at_ns, c->lane[waker->lane].last_end_ns))
		c->thread[wake->wakee].waker =
			(struct waker){.at_ns = wake->at_ns, .end_ns = c->lane[waker->lane].last_end_ns, .lane = waker->lane,
				       .sequence = c->plan->lane[waker->lane].operations};
}

/* A process ended. */
static void note_child(struct compiler *c, const struct thread *child)
{
	struct thread *parent = &c->thread[child->parent];

	if (child->parent && child->lane != PLAN_NONE && parent->pid != child->pid)
		parent->waker = (struct waker){.at_ns = c->ev->begin_ns, .end_ns = c->lane[child->lane].last_end_ns, .lane = child->lane,
					       .sequence = c->plan->lane[child->lane].operations, .is_child = true};
}

void compile_after_waker(struct compiler *c)
{
	struct thread *t = &c->thread[c->ev->thread];
	struct waker w = t->waker;
	uint64_t last_ns;

	if (w.lane == PLAN_NONE || t->lane == PLAN_NONE || w.lane == t->lane || c->current_lane != t->lane || w.at_ns > c->ev->begin_ns)
		return;
	t->waker.lane = PLAN_NONE;
	last_ns = c->lane[t->lane].last_end_ns;
	if (w.at_ns <= last_ns) /* it was in a call, which waits in the replay as well */
		return;
	if (w.is_child && (!waited_for_child(&w, last_ns, c->ev->begin_ns) || !order_woken(c->order, t->lane, w.lane, w.at_ns, w.end_ns)))
		return;
	/* What the waker had done before the pause began did not end it. */
	if (w.end_ns > last_ns)
		c->woken_since_ns = w.end_ns;
}

void compile_record_fd(struct compiler *c, const struct trace_fd *fd)
{
	uint32_t object = fd->file < c->model.files_room ? model_object_of(&c->model, fd->file) : 0, slot, *known;
	uint32_t flags = fd->flags;

	if (fd->fd < 0 || fd->fd >= HANDLES_FD_MAX || !fd->file || fd->file >= c->model.files_room)
		return;
	handles_process(&c->handles, fd->pid, 0, false);
	known = map_put(&c->fds_by_description, fd->description);
	if (*known && fd->description) {
		handles_bind(&c->handles, fd->pid, fd->fd, *known - 1, fd->flags & O_CLOEXEC);
		return;
	}
	if (!object)
		object = model_nameless(&c->model, fd->file);
	slot = handles_open(&c->handles, HANDLES_NONE, object, fd->file, fd->flags);
	handles_description(&c->handles, slot)->position = fd->position;
	handles_bind(&c->handles, fd->pid, fd->fd, slot, fd->flags & O_CLOEXEC);
	*known = slot + 1;
	if (c->model.object[object].bits & OBJECT_SPECIAL) {
		handles_description(&c->handles, slot)->flags |= DESCRIPTION_DEAD;
		return;
	}
	/* A file that was made without a name is opened like any other; it is no directory. */
	if (flags & __O_TMPFILE)
		flags &= ~(uint32_t)O_TMPFILE;
	c->start_open = grow(c->start_open, &c->start_opens_room, c->start_opens + 1, sizeof(*c->start_open));
	c->start_open[c->start_opens++] =
		(struct start_open){.slot = slot, .object = object, .flags = flags, .position = fd->position};
}

static void compile_clone(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	uint32_t child = (uint32_t)ev->result, *known;

	compile_books(c);
	if (ev->result <= 0 || ev->result > INT32_MAX)
		return;
	/* The child may have shown itself before: then everything was done at its first sign. */
	known = map_get(&c->by_tid, child);
	if (known && c->thread[*known].alive)
		return;
	c->clone = grow(c->clone, &c->clones_room, c->clones_n + 1, sizeof(*c->clone));
	c->clone[c->clones_n] = origin_of(c, &c->thread[ev->thread], ev->begin_ns);
	*map_put(&c->clones, child) = (uint32_t)++c->clones_n;
	if (!(ev->flags & CLONE_THREAD))
		handles_process(&c->handles, child, c->pid, ev->flags & CLONE_FILES);
}

static void closed(void *context, uint32_t slot)
{
	compile_close_slot(context, slot);
}

void compile_process_event(struct compiler *c)
{
	const struct trace_event *ev = c->ev;
	struct thread *t = &c->thread[ev->thread];

	switch (ev->op) {
	case TRACE_OP_EXECVE: case TRACE_OP_EXECVEAT:
		if (compile_paths(c, true, false) && ev->result == 0)
			compile_exists(c, c->path, true, ev->file, OBJECT_FILE, &c->where);
		else if (ev->result == -ENOENT && compile_paths(c, true, false))
			model_absent(&c->model, c->path, true, ENOENT, &c->where);
		if (ev->result == 0) {
			compile_unmap_all(c, c->pid);
			handles_exec(&c->handles, c->pid, closed, c);
		}
		compile_books(c);
		break;
	case TRACE_OP_EXIT: {
		uint32_t *living = map_put(&c->living, c->pid);

		if (t->alive && *living && !--*living) {
			compile_unmap_all(c, c->pid);
			handles_exit(&c->handles, c->pid, closed, c);
			note_child(c, t);
		}
		t->alive = false;
		compile_books(c);
		break;
	}
	default: compile_clone(c);
	}
}
