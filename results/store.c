#include "results/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/sha256.h"
#include "results/text.h"

const char *const outcome_names[] = {"ok", "failed", "not-applied", "unsupported", "refused", "crashed", "pending"};

static void complain(struct sweep *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void complain(struct sweep *s, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	json_array_append_new(s->warnings, json_safe_text(text));
}

static void set_reason(char **reason, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void set_reason(char **reason, const char *fmt, ...)
{
	va_list args;

	free(*reason);
	va_start(args, fmt);
	if (vasprintf(reason, fmt, args) < 0)
		*reason = NULL;
	va_end(args);
}

static int outcome_named(const char *name)
{
	if (!strcmp(name, "done"))
		return OUTCOME_OK;
	for (int i = OUTCOME_FAILED; i <= OUTCOME_CRASHED; i++)
		if (!strcmp(name, outcome_names[i]))
			return i;
	return -1;
}

/* A document that may be absent (quiet) or broken (a warning). */
static json_t *optional(struct sweep *s, const char *name, const char *schema)
{
	_cleanup_free_ char *path = NULL, *why = NULL;
	json_t *doc;

	if (asprintf(&path, "%s/%s", s->dir, name) < 0)
		return NULL;
	doc = access(path, F_OK) ? NULL : json_read(path, schema, &why);
	if (why)
		complain(s, "%s", why);
	return doc;
}

/* The journal's lines; a torn last line is what a crash leaves and is dropped quietly, any other bad line is told. */
static void read_journal(struct sweep *s)
{
	_cleanup_free_ char *path = NULL, *line = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	size_t room = 0;
	ssize_t n;

	if (asprintf(&path, "%s/runs.ndjson", s->dir) < 0)
		return;
	f = fopen(path, "re");
	if (!f) {
		complain(s, "there is no journal: cannot read '%s': %s", path, strerror(errno));
		return;
	}
	for (int number = 1; (n = getline(&line, &room, f)) > 0; number++) {
		json_error_t error;
		json_t *entry = json_loadb(line, (size_t)n, 0, &error);

		if (json_is_object(entry) && line[n - 1] == '\n')
			json_array_append(s->journal, entry);
		else if (line[n - 1] == '\n')
			complain(s, "%s:%d: the line is no JSON object and is ignored", path, number);
		json_decref(entry);
	}
}

static struct cell *find_cell(struct sweep *s, const char *id)
{
	for (size_t i = 0; id && i < s->ncells; i++)
		if (!strcmp(s->cells[i].id, id))
			return &s->cells[i];
	return NULL;
}

static int read_cells(struct sweep *s, char **why)
{
	const json_t *cells = json_object_get(s->plan, "cells"), *item;
	const char *control = json_text(s->plan, "control", "");
	struct cell *found;
	size_t i;

	s->cells = calloc(json_array_size(cells) + 1, sizeof(*s->cells));
	if (!s->cells)
		return -1;
	json_array_foreach(cells, i, item) {
		struct cell *c = &s->cells[s->ncells];
		const char *status = json_text(item, "status", "planned"), *reason = json_text(item, "reason", NULL);

		c->id = json_text(item, "id", NULL);
		if (!c->id || find_cell(s, c->id)) {
			complain(s, "plan.json: cell %zu has no id of its own and is left out", i);
			continue;
		}
		c->label = json_text(item, "label", c->id);
		c->durability = json_text(item, "durability", "unknown");
		c->set = json_object_get(item, "set");
		c->settings = json_object_get(item, "settings");
		c->single_device = json_flag(item, "single_device", strstr(c->durability, "D4") != NULL);
		c->outcome = OUTCOME_PENDING;
		if (!strcmp(status, "refused") || !strcmp(status, "unsupported")) {
			c->outcome = status[0] == 'r' ? OUTCOME_REFUSED : OUTCOME_UNSUPPORTED;
			set_reason(&c->reason, "%s", reason ? reason : "the plan gives no reason");
		}
		s->ncells++;
	}
	found = find_cell(s, control);
	if (!found) {
		set_reason(why, "'%s/plan.json' names the control '%s', which is none of its %zu cells: the plan is damaged", s->dir, control,
			   s->ncells);
		return -1;
	}
	s->control = (unsigned)(found - s->cells);
	return 0;
}

static int read_runs(struct sweep *s)
{
	const json_t *runs = json_object_get(s->plan, "runs"), *item;
	size_t i;

	s->runs = calloc(json_array_size(runs) + 1, sizeof(*s->runs));
	if (!s->runs)
		return -1;
	json_array_foreach(runs, i, item) {
		struct cell *c = find_cell(s, json_text(item, "cell", NULL));
		struct run *r = &s->runs[s->nruns];

		if (!c) {
			complain(s, "plan.json: run %zu is of no known cell and is left out", i);
			continue;
		}
		r->seq = (int)json_int(item, "seq", 0);
		r->block = (int)json_int(item, "block", 0);
		r->position = (int)json_int(item, "position", 0);
		r->cell = (unsigned)(c - s->cells);
		r->outcome = OUTCOME_PENDING;
		r->block_index = (unsigned)s->nblocks;
		for (size_t j = 0; j < s->nruns; j++)
			if (s->runs[j].block == r->block)
				r->block_index = s->runs[j].block_index;
		s->nblocks += r->block_index == s->nblocks;
		c->planned++;
		s->nruns++;
	}
	return 0;
}

static struct run *find_run(struct sweep *s, int seq)
{
	for (size_t i = 0; i < s->nruns; i++)
		if (s->runs[i].seq == seq)
			return &s->runs[i];
	return NULL;
}

/* run.json counts only if it is there, whole, good, and the bytes that the journal vouched for. */
static void read_result(struct sweep *s, struct run *r, const char *sha256)
{
	_cleanup_free_ char *path = NULL, *why = NULL;
	const char *applied;
	char found[SHA256_HEX] = "";

	r->apply = sweep_run_file(s, r, "apply.json");
	if (asprintf(&path, "%s/runs/%04d/run.json", s->dir, r->seq) < 0)
		return;
	r->doc = json_read(path, "iorig.run/1", &why);
	if (!r->doc) {
		r->outcome = OUTCOME_FAILED;
		set_reason(&r->reason, "the journal says done, but %s", why ? why : "run.json cannot be read");
	} else if (sha256 && (sha256_file(path, found) || strcmp(sha256, found))) {
		r->outcome = OUTCOME_FAILED;
		set_reason(&r->reason, "run.json was changed after the run: its sha256 is %.12s..., the journal has %.12s...", found, sha256);
	} else if (strcmp(json_text(r->doc, "outcome", "ok"), "ok")) {
		r->outcome = OUTCOME_FAILED;
		set_reason(&r->reason, "%s", json_text(r->doc, "reason", "run.json says failed without a reason"));
	}
	applied = json_text(r->apply, "outcome", "ok");
	if (strcmp(applied, "ok") && outcome_named(applied) > 0) {
		r->outcome = (enum outcome)outcome_named(applied);
		set_reason(&r->reason, "%s", json_text(r->apply, "reason", "apply.json says so without a reason"));
	}
	if (r->outcome != OUTCOME_OK)
		complain(s, "run %04d does not count although the journal says done: %s", r->seq, r->reason);
}

/* Walks the journal in order: the newest terminal event of a run wins, a new attempt takes it back until it ends too. */
static void replay_journal(struct sweep *s)
{
	_cleanup_free_ const char **sha256 = calloc(s->nruns + 1, sizeof(*sha256));
	const json_t *line;
	size_t i;

	json_array_foreach(s->journal, i, line) {
		const char *event = json_text(line, "ev", ""), *reason = json_text(line, "reason", NULL);
		struct run *r = json_object_get(line, "seq") ? find_run(s, (int)json_int(line, "seq", -1)) : NULL;
		int outcome = outcome_named(event);

		s->complete = !strcmp(event, "complete") || (s->complete && strcmp(event, "resume") && strcmp(event, "start"));
		if (!r)
			continue;
		r->attempts = (int)json_int(line, "attempt", r->attempts);
		r->started = json_text(line, "t", r->started);
		r->outcome = outcome >= 0 ? (enum outcome)outcome : OUTCOME_PENDING;
		if (outcome == OUTCOME_OK)
			set_reason(&r->reason, "%s", "");
		else if (outcome > 0)
			set_reason(&r->reason, "%s", reason ? reason : "the journal gives no reason");
		else
			set_reason(&r->reason, "was interrupted after the step '%s'", event);
		if (sha256)
			sha256[r - s->runs] = json_text(line, "run_sha256", NULL);
	}
	for (i = 0; i < s->nruns; i++) {
		struct run *r = &s->runs[i];

		if (r->outcome == OUTCOME_OK)
			read_result(s, r, sha256 ? sha256[i] : NULL);
		else
			r->apply = sweep_run_file(s, r, "apply.json");
		if (r->outcome == OUTCOME_OK) {
			free(r->reason);
			r->reason = NULL;
		}
	}
}

/* A cell is ok when one of its runs counts; else the newest verdict of its runs stands for it. */
static void conclude_cells(struct sweep *s)
{
	for (size_t i = 0; i < s->nruns; i++) {
		struct run *r = &s->runs[i];
		struct cell *c = &s->cells[r->cell];

		c->over += r->outcome != OUTCOME_PENDING;
		if (r->outcome == OUTCOME_OK) {
			c->ok++;
		} else if (r->outcome != OUTCOME_PENDING) {
			c->outcome = r->outcome;
			set_reason(&c->reason, "%s", r->reason);
		} else if (r->reason && !c->reason) {
			set_reason(&c->reason, "run %04d %s", r->seq, r->reason);
		}
	}
	for (size_t i = 0; i < s->ncells; i++) {
		struct cell *c = &s->cells[i];
		_cleanup_free_ char *last = c->reason;

		c->reason = NULL;
		if (c->ok) {
			if (c->over > c->ok)
				set_reason(&c->reason, "%u of %u runs %s: %s", c->over - c->ok, c->over, outcome_names[c->outcome], last);
			c->outcome = OUTCOME_OK;
		} else if (c->outcome == OUTCOME_PENDING) {
			set_reason(&c->reason, "%s", last ? last : "not run yet");
		} else {
			c->reason = last;
			last = NULL;
		}
	}
}

const char *run_engine(const struct run *run)
{
	static const char *const name[][2] = {
		{"psync", "psync --direct"}, {"uring", "uring --direct"}, {"mmap", "mmap --direct"}, {"traced", "traced --direct"}};
	const json_t *engine = json_object_get(run->doc, "engine");
	const char *asked = json_text(engine, "name", "traced");
	size_t i = 0;

	while (i < 3 && strcmp(asked, name[i][0]))
		i++;
	return name[i][json_flag(engine, "direct", false)];
}

int sweep_open(struct sweep *s, const char *dir, char **why)
{
	_cleanup_free_ char *path = NULL;

	*s = (struct sweep){.dir = strdup(dir), .warnings = json_array(), .journal = json_array()};
	if (!s->dir || asprintf(&path, "%s/plan.json", dir) < 0)
		return -1;
	while (strlen(s->dir) > 1 && s->dir[strlen(s->dir) - 1] == '/')
		s->dir[strlen(s->dir) - 1] = 0;
	s->plan = json_read(path, "iorig.plan/1", why);
	if (!s->plan || read_cells(s, why) || read_runs(s)) {
		sweep_release(s);
		return -1;
	}
	s->input = optional(s, "sweep.json", NULL);
	s->box = optional(s, "box.json", NULL);
	read_journal(s);
	replay_journal(s);
	conclude_cells(s);
	return 0;
}

int sweep_open_run(struct sweep *s, const char *dir, char **why)
{
	_cleanup_free_ char *path = NULL;
	json_t *doc;

	*s = (struct sweep){.dir = strdup(dir), .warnings = json_array(), .journal = json_array(), .complete = true};
	if (!s->dir || asprintf(&path, "%s/run.json", dir) < 0)
		return -1;
	doc = json_read(path, "iorig.run/1", why);
	s->plan = json_pack("{s[{ss so}] s[{si ss si si}] ss so}", "cells", "id", "run", "label", json_string("run"), "runs", "seq", 1, "cell", "run",
		"block", 1, "position", 1, "control", "run", "trace_sha256", json_safe_text(json_text(json_object_get(doc, "trace"), "sha256", NULL)));
	if (doc && s->plan && !read_cells(s, why) && !read_runs(s)) {
		s->runs[0].doc = doc;
		s->runs[0].outcome = strcmp(json_text(doc, "outcome", "ok"), "ok") ? OUTCOME_FAILED : OUTCOME_OK;
		if (s->runs[0].outcome == OUTCOME_FAILED)
			set_reason(&s->runs[0].reason, "%s", json_text(doc, "reason", "run.json says failed without a reason"));
		conclude_cells(s);
		return 0;
	}
	json_decref(doc);
	sweep_release(s);
	return -1;
}

void sweep_release(struct sweep *s)
{
	for (size_t i = 0; i < s->nruns; i++) {
		json_decref(s->runs[i].doc);
		json_decref(s->runs[i].apply);
		free(s->runs[i].reason);
	}
	for (size_t i = 0; i < s->ncells; i++)
		free(s->cells[i].reason);
	free(s->runs);
	free(s->cells);
	json_decref(s->plan);
	json_decref(s->input);
	json_decref(s->box);
	json_decref(s->journal);
	json_decref(s->warnings);
	free(s->dir);
	*s = (struct sweep){0};
}

json_t *sweep_run_file(const struct sweep *s, const struct run *run, const char *name)
{
	_cleanup_free_ char *path = NULL;
	json_error_t error;

	if (asprintf(&path, "%s/runs/%04d/%s", s->dir, run->seq, name) < 0)
		return NULL;
	return json_load_file(path, 0, &error);
}

bool hist_add_sparse(struct hist *h, const json_t *pairs)
{
	const json_t *pair;
	bool good = json_is_array(pairs);
	size_t i;

	json_array_foreach(pairs, i, pair) {
		const json_t *b = json_array_get(pair, 0), *c = json_array_get(pair, 1);
		json_int_t bucket = json_integer_value(b), count = json_integer_value(c);
		uint64_t low, high;

		if (!json_is_integer(b) || !json_is_integer(c) || bucket < 0 || bucket >= HIST_BUCKETS || count < 0 || count > 1LL << 53) {
			good = false;
			continue;
		}
		if (!count)
			continue;
		low = hist_low((uint32_t)bucket, HIST_BITS);
		high = bucket + 1 < HIST_BUCKETS ? hist_low((uint32_t)bucket + 1, HIST_BITS) - 1 : UINT64_MAX;
		h->bucket[bucket] += (uint64_t)count;
		h->count += (uint64_t)count;
		h->sum_ns += (uint64_t)count * (low + (high - low) / 2);
		h->min_ns = low < h->min_ns ? low : h->min_ns;
		h->max_ns = high > h->max_ns ? high : h->max_ns;
	}
	return good;
}

double durability_rank(const char *durability)
{
	char text[32] = "";
	double seconds;
	char *end;

	if (strlen(durability) >= sizeof(text))
		return -1;
	strcpy(text, durability);
	text[strcspn(text, "+, ")] = 0;
	if (!strcmp(text, "D0") || !strcmp(text, "D2") || !strcmp(text, "D3"))
		return text[1] - '0';
	if (!strcmp(text, "D1") || !strcmp(text, "D1:unbounded"))
		return 1.9999;
	if (strncmp(text, "D1:", 3))
		return -1;
	seconds = strtod(text + 3, &end);
	if (!(seconds >= 0) || end == text + 3 || strcmp(end, "s"))
		return -1;
	return 1 + seconds / (seconds + 1e6);
}
