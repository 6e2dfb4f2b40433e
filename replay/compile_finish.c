/* After the last record: the starting state and the final tree out of the model. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "replay/compiler.h"

enum { PATH_BYTES = 4096 };

struct listing {
	struct compiler *c;
	bool start;
	struct plan_entry *entry;
	size_t n, room;
	struct map entry_of; /* object -> entry + 1 */
	uint32_t *absent;
	size_t absent_n, absent_room;
	char path[PATH_BYTES];
};

static void add_entry(struct listing *l, uint32_t object, size_t length, bool moved)
{
	struct compiler *c = l->c;
	const struct object *o = &c->model.object[object];
	uint32_t *seen = map_put(&l->entry_of, object);
	struct plan_entry e = {.path = texts_add(&c->strings, l->path, length), .same_as = PLAN_NONE, .mode = o->mode, .stored_ratio = 1};

	if (!l->start && o->mode_set)
		e.mode = o->mode_set & 0777;
	if (o->kind == OBJECT_DIRECTORY)
		e.mode |= S_IFDIR;
	else if (o->kind == OBJECT_LINK)
		e.mode |= S_IFLNK;
	else
		e.mode |= o->type ? o->type : S_IFREG;
	if (o->bits & OBJECT_LISTED)
		e.bits |= PLAN_ENTRY_SPARSE;
	if (moved || o->bits & OBJECT_CHANGED)
		e.bits |= PLAN_ENTRY_CHANGED;
	e.target = o->target;
	if (o->kind == OBJECT_FILE)
		e.size = o->bits & OBJECT_SPECIAL ? 0 : l->start ? o->start_size : o->size;
	if (*seen)
		e.same_as = *seen - 1;
	else
		*seen = (uint32_t)l->n + 1;
	l->entry = grow(l->entry, &l->room, l->n + 1, sizeof(*l->entry));
	l->entry[l->n++] = e;
}

static void list_directory(struct listing *l, uint32_t directory, size_t length)
{
	const struct model *m = &l->c->model;

	for (uint32_t name = m->first_name[directory]; name; name = m->name[name].next) {
		const char *text = texts_text(&l->c->strings, m->name[name].text);
		uint32_t object = l->start ? m->name[name].start : m->name[name].now;
		size_t n = strlen(text);

		if (object == OBJECT_UNKNOWN || length + n + 2 > sizeof(l->path))
			continue;
		l->path[length] = '/';
		memcpy(l->path + length + 1, text, n + 1);
		if (object == OBJECT_ABSENT) {
			if (!l->start || !(m->object[directory].bits & OBJECT_AT_START))
				continue;
			l->absent = grow(l->absent, &l->absent_room, l->absent_n + 1, sizeof(*l->absent));
			l->absent[l->absent_n++] = texts_add(&l->c->strings, l->path, length + 1 + n);
			continue;
		}
		/* A directory has one name; a second one comes from a trace that lies. */
		if (m->object[object].kind == OBJECT_DIRECTORY && map_get(&l->entry_of, object))
			continue;
		add_entry(l, object, length + 1 + n, m->name[name].now != object);
		if (m->object[object].kind == OBJECT_DIRECTORY)
			list_directory(l, object, length + 1 + n);
	}
}

/* Names of one file change together. */
static void spread_changes(struct listing *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].same_as != PLAN_NONE && l->entry[i].bits & PLAN_ENTRY_CHANGED)
			l->entry[l->entry[i].same_as].bits |= PLAN_ENTRY_CHANGED;
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].same_as != PLAN_NONE)
			l->entry[i].bits |= l->entry[l->entry[i].same_as].bits & PLAN_ENTRY_CHANGED;
}

/* Paths that were missing while nothing was known of their directory: now it is. */
static void add_missing(struct listing *l)
{
	const struct model_missing *missing = &l->c->model.missing;
	struct map by_path = {0};

	for (size_t i = 0; i < l->n; i++)
		*map_put(&by_path, l->entry[i].path) = l->entry[i].mode;
	for (size_t i = 0; i < missing->n; i++) {
		const char *path = texts_text(&l->c->strings, missing->path[i]), *slash = strrchr(path, '/');
		size_t n = slash ? (size_t)(slash - path) : 0;
		const uint32_t *mode;

		if (!n || n >= sizeof(l->path) || map_get(&by_path, missing->path[i]))
			continue;
		memcpy(l->path, path, n);
		mode = map_get(&by_path, texts_add(&l->c->strings, l->path, n));
		if (!mode || !S_ISDIR(*mode))
			continue;
		l->absent = grow(l->absent, &l->absent_room, l->absent_n + 1, sizeof(*l->absent));
		l->absent[l->absent_n++] = missing->path[i];
	}
	map_release(&by_path);
}

static void finish_opens(struct compiler *c, struct listing *start)
{
	struct plan *p = c->plan;
	size_t room = 0;

	p->open = grow(NULL, &room, c->start_opens ? c->start_opens : 1, sizeof(*p->open));
	for (size_t i = 0; i < c->start_opens; i++) {
		const struct start_open *s = &c->start_open[i];
		const uint32_t *entry = map_get(&start->entry_of, s->object);

		if (!entry) {
			int n = snprintf(start->path, sizeof(start->path), "/.iorig-nameless-%zu", i);

			add_entry(start, s->object, (size_t)n, false);
			start->entry[start->n - 1].bits |= PLAN_ENTRY_NAMELESS;
			entry = map_get(&start->entry_of, s->object);
		}
		p->open[p->open_n++] = (struct plan_open){.slot = s->slot,
							  .path = start->entry[*entry - 1].path,
							  .flags = s->flags,
							  .same_as = PLAN_NONE,
							  .position = s->position};
		compile_use_slot(c, PLAN_NONE, s->slot);
	}
}

static void finish_attributes(struct compiler *c, const struct listing *start)
{
	struct plan *p = c->plan;

	for (size_t i = 0; i < c->xattrs_n; i++) {
		const uint32_t *entry = map_get(&start->entry_of, c->xattr[i].path);

		if (!entry)
			continue;
		c->xattr[p->xattr_n] = c->xattr[i];
		c->xattr[p->xattr_n++].path = start->entry[*entry - 1].path;
	}
	p->xattr = c->xattr;
	c->xattr = NULL;
	for (size_t i = 0; i < c->resident_n; i++) {
		const uint32_t *entry = map_get(&start->entry_of, c->resident[i].path);

		if (!entry)
			continue;
		c->resident[p->resident_n] = c->resident[i];
		c->resident[p->resident_n++].path = start->entry[*entry - 1].path;
	}
	p->resident = c->resident;
	c->resident = NULL;
}

void compile_finish(struct compiler *c)
{
	struct plan *p = c->plan;
	struct listing start = {.c = c, .start = true}, final = {.c = c};

	model_place_rest(&c->model);
	list_directory(&start, OBJECT_ROOT, 0);
	spread_changes(&start);
	add_missing(&start);
	finish_opens(c, &start);
	finish_attributes(c, &start);
	compile_finish_contents(c, start.entry, &start.entry_of);
	list_directory(&final, OBJECT_ROOT, 0);
	p->start = start.entry;
	p->start_n = (uint32_t)start.n;
	p->absent = start.absent;
	p->absent_n = (uint32_t)start.absent_n;
	p->final = final.entry;
	p->final_n = (uint32_t)final.n;
	p->slots = (uint32_t)c->handles.slots;
	p->conflicts = c->model.conflicts;
	p->first_begin_ns = c->first_begin_ns;
	for (size_t i = 1; i < c->model.objects && !p->fifos; i++)
		p->fifos = S_ISFIFO(c->model.object[i].type);
	p->recorded_elapsed_ns = c->last_end_ns > c->first_begin_ns ? c->last_end_ns - c->first_begin_ns : 0;
	map_release(&start.entry_of);
	map_release(&final.entry_of);
}
