#include "sweeps/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/share.h"
#include "lib/why.h"
#include "profiles/profile.h"
#include "sweeps/keys.h"

#define SCHEMA "iorig.sweep/1"

/* The metrics that a matrix has (iorig-matrix.5) and that less of is better. */
#define PRIMARY "elapsed_s elapsed_plus_sync_s"

static const struct key keys[] = {
	{"schema", 's', 0, 0, NULL},
	{"name", 's', 0, 0, NULL},
	{"question", 's', 0, 0, NULL},
	{"trace", 'o', 0, 0, NULL},
	{"trace.file", 's', 0, 0, NULL},
	{"trace.sha256", 's', 0, 0, NULL},
	{"replay", 'o', 0, 0, NULL},
	{"replay.timing", 's', 0, 0, "asap think"},
	{"replay.order", 's', 0, 0, "resource thread temporal"},
	{"replay.cache", 's', 0, 0, "cold traced hot"},
	{"replay.engine", 's', 0, 0, "traced psync uring mmap"},
	{"replay.direct", 'b', 0, 0, NULL},
	{"replay.max_mismatch_percent", 'n', 0, 100, NULL},
	{"replay.passes", 'i', 1, 99, NULL},
	{"replay.golden", 'b', 0, 0, NULL},
	{"replay.timeout_s", 'n', 1, 1e7, NULL},
	{"box", 'o', 0, 0, NULL},
	{"box.disks", 'A', 0, 0, NULL},
	{"box.disks[].loop_gib", 'n', 0.0625, 65536, NULL},
	{"box.disks[].serial", 's', 0, 0, NULL},
	{"box.disks[].wwn", 's', 0, 0, NULL},
	{"base", '*', 0, 0, NULL},
	{"matrix", 'm', 0, 0, NULL},
	{"only_if", 'm', 0, 0, NULL},
	{"exclude", '*', 0, 0, NULL},
	{"include", 'A', 0, 0, NULL},
	{"include[].set", 'm', 0, 0, NULL},
	{"include[].label", 's', 0, 0, NULL},
	{"include[].accept_durability", 's', 0, 0, NULL},
	{"include[].why", 's', 0, 0, NULL},
	{"durability", 'o', 0, 0, NULL},
	{"durability.max", 's', 0, 0, NULL},
	{"plan", 'o', 0, 0, NULL},
	{"plan.design", 's', 0, 0, "blocks"},
	{"plan.blocks", '*', 0, 0, NULL},
	{"plan.control_every", 'i', 0, 1000, NULL},
	{"plan.seed", 'i', 0, 2147483647, NULL},
	{"plan.warmup", 'b', 0, 0, NULL},
	{"plan.retries", 'i', 0, 10, NULL},
	{"plan.budget_s", 'n', 1, 1e8, NULL},
	{"plan.stop", 'o', 0, 0, NULL},
	{"plan.stop.metric", 's', 0, 0, PRIMARY},
	{"plan.stop.ci_halfwidth", 'n', 0.0001, 1, NULL},
	{"plan.confirm", 'o', 0, 0, NULL},
	{"plan.confirm.top", 'i', 1, 100, NULL},
	{"plan.confirm.blocks", 'i', 2, 100, NULL},
	{"metrics", 'o', 0, 0, NULL},
	{"metrics.primary", 's', 0, 0, PRIMARY},
	{"metrics.min_effect", 'n', 0, 1, NULL},
	{"fio", 'o', 0, 0, NULL},
	{"fio.jobs", 'S', 0, 0, NULL},
	{"fio.on", 'S', 0, 0, "raw cells"},
	{"fio.blocks", 'i', 0, 1000, NULL},
	{"fio.runtime_s", 'n', 0.1, 86400, NULL},
	{"fio.size_mib", 'i', 1, 1048576, NULL},
	{"resolved", 'o', 0, 0, NULL}, /* only in a frozen sweep */
	{"resolved.base", 'm', 0, 0, NULL},
	{"resolved.needs", '*', 0, 0, NULL},
	{0}};

static const struct key base_keys[] = {
	{"profile", 's', 0, 0, NULL},
	{"set", 'm', 0, 0, NULL},
	{0}};

static const struct key blocks_keys[] = {
	{"n", 'i', 1, 1000, NULL},
	{"min", 'i', 1, 1000, NULL},
	{"max", 'i', 1, 1000, NULL},
	{0}};

static int check_name(const struct sweep *s, char **why)
{
	if (!s->name)
		return why_set(why, -EINVAL, "the key 'name' is missing");
	for (const char *c = s->name; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *c) || *s->name == '.')
			return why_set(why, -EINVAL, "'name' is '%s'; it may have letters, digits, '-', '_' and '.' only", s->name);
	return 0;
}

/* A file named in a document is relative to that document. */
static char *beside(const char *document, const char *file)
{
	const char *slash = strrchr(document, '/');
	char *path;

	if (*file == '/' || !slash)
		return strdup(file);
	return asprintf(&path, "%.*s/%s", (int)(slash - document), document, file) < 0 ? NULL : path;
}

static int read_trace(struct sweep *s, const char *path, const char *given, char **why)
{
	const json_t *trace = json_object_get(s->doc, "trace");
	const char *file = json_text(trace, "file", NULL), *sha256 = json_text(trace, "sha256", NULL);
	_cleanup_free_ char *name = NULL;
	int rc;

	if (!given && !file)
		return why_set(why, -EINVAL, "the key 'trace.file' is missing; name a recording there or give --trace FILE");
	name = given ? strdup(given) : beside(path, file);
	s->trace = name ? realpath(name, NULL) : NULL;
	if (!s->trace)
		return why_set(why, -errno, "the trace '%s' (%s) cannot be read: %s%s", name ? name : "", given ? "--trace" : "trace.file",
			       strerror(errno), given ? "" : "; give --trace FILE to use another");
	rc = sha256_file(s->trace, s->trace_sha256);
	if (rc)
		return why_set(why, rc, "the trace '%s' cannot be read: %s", s->trace, strerror(-rc));
	if (sha256 && strcmp(sha256, s->trace_sha256))
		return why_set(why, -EINVAL, "'trace.sha256' is %.12s... but '%s' has %.12s...: this is another recording", sha256, s->trace,
			       s->trace_sha256);
	return 0;
}

static int check_disks(const struct sweep *s, char **why)
{
	const json_t *disks = json_at(s->doc, "box.disks"), *disk;
	size_t i, loops = 0;

	if (!json_array_size(disks))
		return why_set(why, -EINVAL, "'box.disks' names no disk; {\"loop_gib\": 4} is one made of a file, {\"serial\": \"...\"} a real one");
	json_array_foreach((json_t *)disks, i, disk) {
		if (json_object_size(disk) != 1)
			return why_set(why, -EINVAL, "'box.disks[%zu]' must have exactly one of loop_gib, serial and wwn", i);
		loops += json_object_get(disk, "loop_gib") != NULL;
		for (size_t k = 0; k < i; k++)
			if (!json_object_get(disk, "loop_gib") && json_equal(disk, json_array_get(disks, k)))
				return why_set(why, -EINVAL, "'box.disks[%zu]' is the same disk as 'box.disks[%zu]'", i, k);
	}
	if (loops && loops != i)
		return why_set(why, -EINVAL, "'box.disks' mixes loop files with real disks; use one kind");
	return 0;
}

/* "base": "name", or {"profile": "name", "set": {...}}, either part optional. */
static int read_base(struct sweep *s, const char *path, const struct knobs *knobs, char **why)
{
	const json_t *base = json_object_get(s->doc, "base"), *frozen = json_at(s->doc, "resolved.base"), *set;
	_cleanup_json_ json_t *profile = NULL;
	_cleanup_free_ char *file = NULL;
	const char *name;
	json_t *all;

	if (frozen) {
		s->base = json_incref((json_t *)frozen);
		s->needs = json_incref(json_at(s->doc, "resolved.needs"));
		return knobs_validate(knobs, s->base, why);
	}
	if (!base)
		return why_set(why, -EINVAL, "the key 'base' is missing: the profile that everything is compared with");
	if (json_is_object(base) && keys_check(base_keys, base, why))
		return why_set(why, -EINVAL, "in 'base': %s", *why);
	if (!json_is_object(base) && !json_is_string(base))
		return why_set(why, -EINVAL, "'base' must be the name of a profile or {\"profile\": ..., \"set\": {...}}");
	name = json_is_string(base) ? json_string_value(base) : json_text(base, "profile", NULL);
	set = json_object_get(base, "set");
	all = json_object();
	if (name) {
		file = strchr(name, '/') || strstr(name, ".json") ? beside(path, name) : strdup(name);
		if (profile_load(knobs, file, &profile, why)) {
			json_decref(all);
			return -EINVAL;
		}
		json_object_update(all, json_object_get(profile, "set"));
		s->needs = json_incref(json_object_get(profile, "needs"));
	}
	json_object_update(all, (json_t *)set);
	if (knobs_validate(knobs, all, why)) {
		json_decref(all);
		return why_set(why, -EINVAL, "in 'base': %s", *why);
	}
	s->base = all;
	return 0;
}

static int read_blocks(struct sweep *s, char **why)
{
	const json_t *blocks = json_at(s->doc, "plan.blocks");
	struct sweep_plan *p = &s->plan;

	p->blocks_min = p->blocks_max = 3;
	if (json_is_object(blocks)) {
		if (keys_check(blocks_keys, blocks, why))
			return why_set(why, -EINVAL, "in 'plan.blocks': %s", *why);
		p->blocks_min = json_int(blocks, "min", json_int(blocks, "n", json_int(blocks, "max", 3)));
		p->blocks_max = json_int(blocks, "max", json_int(blocks, "n", p->blocks_min));
		if (json_object_get(blocks, "n") && json_object_size(blocks) > 1)
			return why_set(why, -EINVAL, "'plan.blocks' has 'n' and also 'min' or 'max'; give one kind");
	} else if (json_is_integer(blocks)) {
		p->blocks_min = p->blocks_max = json_integer_value(blocks);
	} else if (blocks) {
		return why_set(why, -EINVAL, "'plan.blocks' must be a whole number or {\"min\": ..., \"max\": ...}");
	}
	if (p->blocks_min < 1 || p->blocks_max < p->blocks_min || p->blocks_max > 1000)
		return why_set(why, -EINVAL, "'plan.blocks' must be between 1 and 1000, min not above max");
	return 0;
}

static int read_plan(struct sweep *s, char **why)
{
	const json_t *plan = json_object_get(s->doc, "plan");
	struct sweep_plan *p = &s->plan;

	p->control_every = json_int(plan, "control_every", 8);
	p->seed = json_int(plan, "seed", 1);
	p->retries = json_int(plan, "retries", 1);
	p->warmup = json_flag(plan, "warmup", true);
	p->budget_s = json_number(plan, "budget_s", 0);
	p->ci_halfwidth = json_number(json_object_get(plan, "stop"), "ci_halfwidth", 0);
	p->confirm_top = json_int(json_object_get(plan, "confirm"), "top", 3);
	p->confirm_blocks = json_int(json_object_get(plan, "confirm"), "blocks", 6);
	s->primary = json_text(json_object_get(s->doc, "metrics"), "primary", "elapsed_s");
	return read_blocks(s, why);
}

static int read_replay(struct sweep *s, char **why)
{
	const json_t *replay = json_object_get(s->doc, "replay");

	s->replay = (struct sweep_replay){
		.timing = json_text(replay, "timing", "asap"),
		.order = json_text(replay, "order", "resource"),
		.cache = json_text(replay, "cache", "cold"),
		.engine = json_text(replay, "engine", "traced"),
		.direct = json_flag(replay, "direct", false),
		.passes = json_int(replay, "passes", 1),
		.golden = json_flag(replay, "golden", false),
		.max_mismatch_percent = json_number(replay, "max_mismatch_percent", -1),
		.timeout_s = json_number(replay, "timeout_s", 0),
	};
	if (s->replay.direct && !strcmp(s->replay.engine, "mmap"))
		return why_set(why, -EINVAL, "'replay.direct' and the engine mmap exclude each other");
	return 0;
}

static int read_fio(struct sweep *s, char **why)
{
	const json_t *fio = json_object_get(s->doc, "fio"), *on = json_object_get(fio, "on"), *item;
	size_t i;

	s->fio = (struct sweep_fio){
		.jobs = json_object_get(fio, "jobs"),
		.cells = !on,
		.blocks = json_int(fio, "blocks", s->plan.blocks_max),
		.runtime_s = json_number(fio, "runtime_s", 2),
		.size_mib = json_int(fio, "size_mib", 32),
	};
	json_array_foreach((json_t *)on, i, item) {
		s->fio.cells |= !strcmp(json_string_value(item), "cells");
		s->fio.raw |= !strcmp(json_string_value(item), "raw");
	}
	json_array_foreach(s->fio.jobs, i, item) {
		_cleanup_free_ char *file = NULL, *found = NULL;

		if (asprintf(&file, "sweeps/fio/%s.fio", json_string_value(item)) < 0)
			return -ENOMEM;
		found = strchr(json_string_value(item), '/') ? NULL : share_path(file);
		if (!found)
			return why_set(why, -ENOENT, "'fio.jobs' names '%s', but there is no %s", json_string_value(item), file);
	}
	return 0;
}

static int read_durability(struct sweep *s, const struct knobs *knobs, char **why)
{
	const char *max = json_text(json_object_get(s->doc, "durability"), "max", NULL);
	struct durability base;
	char text[32];

	knobs_durability(knobs, s->base, &base, NULL);
	if (!max) { /* no more risk than today */
		s->durability_max = base;
		return 0;
	}
	if (durability_parse(max, &s->durability_max))
		return why_set(why, -EINVAL, "'durability.max' is '%s'; possible: D0, D1:30s, D1:unbounded, D2, D3", max);
	if (durability_compare(&base, &s->durability_max) > 0)
		return why_set(why, -EINVAL, "'base' is of class %s, which is above 'durability.max' %s; there would be nothing to compare with",
			       durability_text(&base, text), max);
	return 0;
}

static int read_all(struct sweep *s, const char *path, const char *trace, const struct knobs *knobs, char **why)
{
	int rc = keys_check(keys, s->doc, why);

	s->name = json_text(s->doc, "name", NULL);
	s->question = json_text(s->doc, "question", NULL);
	if (!rc)
		rc = check_name(s, why);
	if (!rc)
		rc = check_disks(s, why);
	if (!rc)
		rc = read_plan(s, why);
	if (!rc)
		rc = read_base(s, path, knobs, why);
	if (!rc)
		rc = read_durability(s, knobs, why);
	if (!rc)
		rc = read_fio(s, why);
	if (!rc)
		rc = read_trace(s, path, trace, why);
	if (!rc)
		rc = read_replay(s, why);
	return rc;
}

int sweepfile_read(const char *path, const char *trace, const struct knobs *knobs, struct sweep *sweep, char **why)
{
	_cleanup_free_ char *reason = NULL;
	int rc;

	*sweep = (struct sweep){.doc = json_read(path, SCHEMA, why)};
	if (!sweep->doc)
		return -EINVAL;
	rc = read_all(sweep, path, trace, knobs, &reason);
	if (!rc)
		return 0;
	sweepfile_release(sweep);
	return why_set(why, rc, "%s: %s", path, reason ? reason : strerror(-rc));
}

void sweepfile_release(struct sweep *sweep)
{
	json_decref(sweep->doc);
	json_decref(sweep->base);
	json_decref(sweep->needs);
	free(sweep->trace);
	*sweep = (struct sweep){0};
}

json_t *sweepfile_frozen(const struct sweep *sweep)
{
	json_t *doc = json_deep_copy(sweep->doc), *resolved = json_object();

	json_object_set_new(doc, "trace", json_pack("{ss ss}", "file", sweep->trace, "sha256", sweep->trace_sha256));
	json_object_set(resolved, "base", sweep->base);
	if (sweep->needs)
		json_object_set(resolved, "needs", sweep->needs);
	json_object_set_new(doc, "resolved", resolved);
	return doc;
}
