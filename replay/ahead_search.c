/*
 * Calls on one name that overlapped: an order of them in which every result is what the kernel would have said.
 *
 * The search tries the calls in the order of their ends, each against the names as those before it have left them, and goes back where
 * one cannot have met what it met. What began after another had ended comes after it, and a thread's calls keep their order. Where two
 * orders explain all results the first is taken, but only for the front half of what was looked at: what comes later may tell them apart.
 * (Wing and Gong, Testing and verifying concurrent objects, 1993: what is called linearizability there.)
 *
 * link(2) looks its first name up long before it makes the second: what it met may be gone by then, or may only have its other names. In
 * one step no call can do that: the replay links from another name of the same file, or of none.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <stdlib.h>

#include "replay/ahead.h"

enum {
	FRESH = 0x40000000,   /* the file of that id, which is made or met in the window */
	NO_FILE = 0x80000000, /* what the call of that place made or met; of a file that nobody told */
	TEXT = 0x80000000,    /* key of a place: path (string of the trace) whose directory is not known yet */
	MOVED = 16,	      /* directories */
	STEPS = 4,	      /* for each call, on average */
	SEEN = 8192,
	SLOTS = 4 * AHEAD_WINDOW,
	WINDOW_MIN = 64,
};

enum outcome { FITS, FITS_NOT, NO_MORE };

struct call { /* one of those that are put into an order */
	struct ahead_record *r;
	uint64_t begin_ns, end_ns;
	uint32_t before; /* the thread's call before it, + 1 */
	uint16_t place[2];
	uint16_t second; /* place of the second name even when its result says nothing about it; 0: there is none */
	bool done;
};

struct place { /* a name */
	uint32_t key, now;
	bool directory; /* made by a call of the window */
};

struct undo {
	uint32_t was;
	uint16_t place, by;
};

struct frame {
	uint16_t call, variant, undos;
	uint32_t instead;
	uint64_t hash;
};

struct search {
	struct compiler *c;
	struct call call[AHEAD_WINDOW];
	struct place place[3 * AHEAD_WINDOW + 1];
	uint16_t slot[SLOTS]; /* hash of key -> place */
	struct undo undo[4 * AHEAD_WINDOW + 1]; /* a call learns of two names and changes two */
	struct frame frame[AHEAD_WINDOW + 1], best[AHEAD_WINDOW + 1];
	uint64_t seen[SEEN];
	const char *moved[MOVED]; /* paths of directories that are renamed */
	uint32_t moves;
	uint64_t slowest_ns, hash;
	uint32_t calls, places, undos, depth, low;
	uint32_t at; /* the call that is tried, and what the replay would link from */
	uint32_t instead;
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ b << 32 ^ b >> 32) * 0x9e3779b97f4a7c15ULL;
	return (a ^ a >> 29) * 0xbf58476d1ce4e5b9ULL;
}

/* ---- names ------------------------------------------------------------------------------------------------------------------- */

/* Below a directory that is renamed in the window: what the name will be is not known. */
static bool is_moved(const struct search *s, const char *path)
{
	for (uint32_t i = 0; i < s->moves; i++) {
		size_t n = strlen(s->moved[i]);

		if (!strncmp(path, s->moved[i], n) && path[n] == '/')
			return true;
	}
	return false;
}

static uint16_t place_of(struct search *s, uint32_t path)
{
	struct model *m = &s->c->model;
	struct where where = {.way = path};
	const char *text = s->c->source->string(s->c->source->self, path);
	uint32_t key, slot;

	if (!path || text[0] != '/' || is_moved(s, text))
		return 0;
	model_walk(m, text, false, &where);
	key = where.name ? where.name : TEXT | path;
	for (slot = (uint32_t)mix(key, 0) % SLOTS; s->slot[slot]; slot = (slot + 1) % SLOTS)
		if (s->place[s->slot[slot]].key == key)
			return s->slot[slot];
	s->slot[slot] = (uint16_t)++s->places;
	s->place[s->places] = (struct place){.key = key, .now = where.object};
	return s->slot[slot];
}

static bool is_there(uint32_t object)
{
	return object != OBJECT_UNKNOWN && object != OBJECT_ABSENT;
}

static void set(struct search *s, uint16_t place, uint32_t object)
{
	struct place *p = &s->place[place];

	if (!place || p->now == object)
		return;
	s->undo[s->undos++] = (struct undo){.was = p->now, .place = place, .by = (uint16_t)s->at};
	s->hash ^= mix(p->key, p->now) ^ mix(p->key, object);
	p->now = object;
}

static void take_back(struct search *s, uint32_t undos)
{
	while (s->undos > undos) {
		const struct undo *u = &s->undo[--s->undos];

		s->place[u->place].now = u->was;
	}
}

static uint32_t file_of(const struct search *s, uint32_t object)
{
	if (object < FRESH)
		return s->c->model.object[object].file;
	return object < NO_FILE ? object & ~FRESH : 0;
}

/* May the kernel have found that file there? */
static bool is_of(const struct search *s, uint32_t object, uint32_t file)
{
	uint32_t known = file_of(s, object);

	/* Through a symbolic link: the name itself tells nothing. */
	if (!file || file >= s->c->model.files_room || !known || (object < FRESH && s->c->model.object[object].kind == OBJECT_LINK))
		return true;
	return model_same_file(&s->c->model, known, file);
}

static uint32_t met(const struct search *s, uint32_t file)
{
	uint32_t object = file < s->c->model.files_room ? s->c->model.file[file].object : 0;

	return !file ? NO_FILE | s->at : object ? object : FRESH | file;
}

/* ---- one call ---------------------------------------------------------------------------------------------------------------- */

/* What it needs of one of its names. */
static bool name_fits(struct search *s, const struct ahead_name *n, uint16_t place)
{
	uint32_t now = s->place[place].now;

	if (!place || !n->path || n->need == NEED_NOTHING || n->or_path)
		return true;
	if (now == OBJECT_UNKNOWN) {
		set(s, place, n->need == NEED_THERE ? met(s, n->file) : OBJECT_ABSENT);
		return true;
	}
	return n->need == NEED_THERE ? is_there(now) && is_of(s, now, n->file) : now == OBJECT_ABSENT;
}

static void apply(struct search *s, const struct call *call)
{
	const struct ahead_name *n = call->r->name;
	uint32_t was[2] = {s->place[call->place[0]].now, s->place[call->place[1]].now};

	/* Two names of one file: rename does nothing. */
	if (n[1].from && n[0].path && n[0].effect == EFFECT_REMOVES && call->place[0] && was[0] == was[1])
		return;
	for (int i = 0; i < 2; i++) {
		if (!n[i].path)
			continue;
		if (n[i].from)
			set(s, call->place[i], call->place[!i] ? was[!i] : NO_FILE | s->at);
		else if (n[i].effect == EFFECT_MAKES)
			set(s, call->place[i], call->r->record.event.file ? FRESH | call->r->record.event.file : NO_FILE | s->at);
		else if (n[i].effect == EFFECT_REMOVES)
			set(s, call->place[i], OBJECT_ABSENT);
	}
}

static bool is_link(const struct call *call)
{
	uint16_t op = call->r->record.event.op;

	return (op == TRACE_OP_LINK || op == TRACE_OP_LINKAT) && call->place[0] && call->second;
}

/* What stood at the link's first name while it was under way: the variant'th newest, 1 for what stands there now. */
static bool source_was(const struct search *s, const struct call *call, uint32_t variant, uint32_t *object)
{
	const struct model *m = &s->c->model;
	uint32_t key = s->place[call->place[0]].key;

	*object = s->place[call->place[0]].now;
	for (uint32_t i = s->undos; i-- && variant > 1;) {
		const struct undo *u = &s->undo[i];

		if (u->place != call->place[0])
			continue;
		if (s->call[u->by].end_ns <= call->begin_ns)
			return false;
		*object = u->was;
		variant--;
	}
	for (uint64_t i = m->changes; i-- && i + MODEL_CHANGES >= m->changes && variant > 1;) {
		const struct model_change *change = &m->change[i % MODEL_CHANGES];

		if (change->name != key)
			continue;
		if (change->end_ns <= call->begin_ns)
			return false;
		*object = change->was;
		variant--;
	}
	return variant == 1;
}

/* A name that leads there now; 0: none is known. */
static uint32_t name_leading_to(const struct search *s, uint32_t object)
{
	const struct model *m = &s->c->model;
	uint32_t name;

	for (uint32_t i = 1; i <= s->places; i++)
		if (s->place[i].now == object && s->place[i].key < TEXT)
			return s->place[i].key;
	if (object >= FRESH)
		return 0;
	name = m->object[object].name;
	for (uint32_t i = 1; i <= s->places; i++)
		if (s->place[i].key == name)
			return 0;
	return name && m->name[name].now == object ? name : 0;
}

/* A link that had met its first name before. */
static enum outcome link_later(struct search *s, const struct call *call, uint32_t variant)
{
	uint32_t object, to = s->place[call->second].now;
	int64_t result = call->r->record.event.result;

	if ((result && result != -EEXIST && result != -ENOENT) || !source_was(s, call, variant, &object))
		return NO_MORE;
	if (!is_there(object) || (result == -EEXIST) != is_there(to))
		return FITS_NOT;
	if (result == -EEXIST) {
		s->instead = s->place[call->second].key;
	} else if (result == -ENOENT) {
		s->instead = name_leading_to(s, object) ? 0 : s->place[call->second].key;
	} else {
		s->instead = name_leading_to(s, object);
		if (s->instead)
			set(s, call->second, object);
	}
	if (s->instead >= TEXT)
		s->instead = 0;
	return s->instead ? FITS : FITS_NOT;
}

/* What was missing may be the directory of the second name. */
static bool lacks_directory(const struct search *s, const struct call *call)
{
	return call->r->record.event.result == -ENOENT && call->second && s->place[call->second].key >= TEXT;
}

static enum outcome try(struct search *s, const struct call *call, uint32_t variant)
{
	const struct ahead_name *n = call->r->name;

	s->instead = 0;
	if (variant)
		return is_link(call) ? link_later(s, call, variant) : NO_MORE;
	/* Of two names one was missing. */
	if (n[0].or_path && is_there(s->place[call->place[0]].now) && is_there(s->place[call->place[1]].now))
		return FITS_NOT;
	for (int i = 0; i < 2 && !lacks_directory(s, call); i++)
		if (!name_fits(s, &n[i], call->place[i]))
			return FITS_NOT;
	apply(s, call);
	return FITS;
}

/* ---- all of them ------------------------------------------------------------------------------------------------------------- */

/* A rename whose name is one of a directory, now or by an earlier call of the window. */
static void note_move(struct search *s, const struct call *call)
{
	const struct record_source *source = s->c->source;
	const struct trace_event *ev = &call->r->record.event;
	uint32_t now = s->place[call->place[0]].now;
	bool directory = s->place[call->place[0]].directory || (is_there(now) && s->c->model.object[now].kind == OBJECT_DIRECTORY);

	if (!call->place[0] || !directory || s->moves + 2 > MOVED)
		return;
	s->place[call->place[1]].directory = true;
	s->moved[s->moves++] = source->string(source->self, ev->path);
	s->moved[s->moves++] = source->string(source->self, ev->path2);
}

static void add(struct search *s, struct ahead_record *r)
{
	struct call *call = &s->call[s->calls];
	const struct trace_event *ev = &r->record.event;

	*call = (struct call){.r = r, .begin_ns = ev->begin_ns, .end_ns = ahead_end(r)};
	for (uint32_t i = s->calls; i-- && !ev->via;)
		if (s->call[i].r->record.event.thread == ev->thread && !s->call[i].r->record.event.via) {
			call->before = i + 1;
			break;
		}
	for (int i = 0; i < 2; i++)
		call->place[i] = place_of(s, r->name[i].path);
	if (call->place[0] && (ev->op == TRACE_OP_MKDIR || ev->op == TRACE_OP_MKDIRAT))
		s->place[call->place[0]].directory = true;
	call->second = trace_ops[ev->op].fields & TRACE_F_PATH2 ? place_of(s, ev->path2) : 0;
	if (ev->result == 0 && call->r->name[0].effect != EFFECT_MAKES && call->r->name[1].from)
		note_move(s, call);
	s->calls++;
}

/* Everything that had ended when it began is done. */
static bool is_next(const struct search *s, const struct call *call)
{
	const struct call *first = &s->call[s->low];

	return !call->done && (call == first || call->begin_ns < first->end_ns) && (!call->before || s->call[call->before - 1].done);
}

static bool been_here(struct search *s)
{
	uint64_t *seen = &s->seen[s->hash % SEEN], was = *seen;

	*seen = s->hash;
	return was == s->hash;
}

/* Tries the calls that can be the next one at this depth; false: none is left. */
static bool go_on(struct search *s)
{
	struct frame *f = &s->frame[s->depth];

	while (f->call < s->calls && s->call[f->call].end_ns <= s->call[s->low].end_ns + s->slowest_ns) {
		struct call *call = &s->call[f->call];
		enum outcome outcome = NO_MORE;

		s->at = f->call;
		if (is_next(s, call))
			outcome = try(s, call, f->variant++);
		s->hash ^= mix(f->call, NO_FILE);
		if (outcome == FITS && !been_here(s)) {
			f->instead = s->instead;
			call->done = true;
			return true;
		}
		take_back(s, f->undos);
		s->hash = f->hash;
		if (outcome == NO_MORE) {
			f->call++;
			f->variant = 0;
		}
	}
	return false;
}

static void deeper(struct search *s)
{
	while (s->low < s->calls && s->call[s->low].done)
		s->low++;
	s->frame[++s->depth] = (struct frame){.call = (uint16_t)s->low, .undos = (uint16_t)s->undos, .hash = s->hash};
}

static void back(struct search *s)
{
	struct frame *f = &s->frame[--s->depth];

	s->call[f->call].done = false;
	if (f->call < s->low)
		s->low = f->call;
	take_back(s, f->undos);
	s->hash = f->hash;
}

/* How many calls have their order, in best; all of them if there is one that explains everything. */
static uint32_t find_order(struct search *s)
{
	uint32_t steps = s->calls * STEPS, best = 0;
	bool longer = true;

	s->frame[0] = (struct frame){0};
	while (s->depth < s->calls && steps--) {
		if (go_on(s)) {
			deeper(s);
			longer = true;
			continue;
		}
		if (longer && s->depth > best) {
			memcpy(s->best, s->frame, s->depth * sizeof(s->frame[0]));
			best = s->depth;
		}
		longer = false;
		if (!s->depth)
			return best;
		back(s);
	}
	if (s->depth > best) {
		memcpy(s->best, s->frame, s->depth * sizeof(s->frame[0]));
		best = s->depth;
	}
	return best;
}

static struct search *begin(struct ahead *a, struct compiler *c)
{
	struct search *s = a->search ? a->search : calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	if (!a->search)
		a->window = AHEAD_WINDOW;
	a->search = s;
	memset(s->slot, 0, sizeof(s->slot));
	memset(s->seen, 0, sizeof(s->seen));
	s->c = c;
	s->slowest_ns = a->slowest_ns;
	s->hash = 0;
	s->calls = s->places = s->undos = s->depth = s->low = s->moves = 0;
	return s;
}

void ahead_search(struct ahead *a, struct compiler *c)
{
	struct search *s = begin(a, c);
	uint32_t found, i;
	bool all;

	if (!s)
		return;
	for (i = 0; i < a->n && s->calls < a->window; i++)
		if (has_name(ahead_at(a, i)))
			add(s, ahead_at(a, i));
	all = a->over && i == a->filled;
	found = find_order(s);
	if (found < s->calls && a->window > WINDOW_MIN)
		a->window /= 2;
	else if (found == s->calls && a->window < AHEAD_WINDOW)
		a->window *= 2;
	if (!all || found < s->calls)
		found = (found + 7) / 8;
	for (i = 0; i < found; i++)
		a->order[i] = (struct ahead_order){.number = s->call[s->best[i].call].r->number, .instead = s->best[i].instead};
	a->ordered = found;
	a->order_at = 0;
}
