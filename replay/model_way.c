/*
 * Remembered walks. A path that led through directories only, with no symbolic link and no dots, leads to the same name as long as no
 * directory was moved or removed; what the name leads to is looked up each time.
 */
#include "replay/model.h"

#include <string.h>

void model_ways_change(struct model *m)
{
	m->epoch++;
}

struct way *model_way(struct model *m, uint32_t id)
{
	m->way = grow(m->way, &m->ways_room, (size_t)id + 1, sizeof(*m->way));
	return &m->way[id];
}

void model_way_keep(struct model *m, const struct where *where)
{
	struct way *way;

	if (!where->way || !where->name)
		return;
	way = model_way(m, where->way);
	way->name = where->name;
	way->epoch = m->epoch;
}

uint32_t model_way_text(struct model *m, const char *path, uint32_t id)
{
	struct way *way = id ? model_way(m, id) : NULL;

	if (!way)
		return texts_add(m->strings, path, strlen(path));
	if (!way->text)
		way->text = texts_add(m->strings, path, strlen(path));
	return way->text;
}

/* The names of the directories from the root to the one that holds the name. */
static bool pass(const struct model *m, struct where *where, uint32_t directory)
{
	uint32_t n = 0;

	for (; directory != OBJECT_ROOT; directory = m->name[m->object[directory].name].directory) {
		if (n == MODEL_WALK_MAX || !m->object[directory].name)
			return false;
		where->passed[n++] = m->object[directory].name;
	}
	where->passed_n = n;
	for (uint32_t i = 0; i < n / 2; i++) {
		uint32_t other = where->passed[n - 1 - i];

		where->passed[n - 1 - i] = where->passed[i];
		where->passed[i] = other;
	}
	return true;
}

bool model_way_take(struct model *m, bool follow, struct where *where)
{
	const struct way *way = where->way < m->ways_room ? &m->way[where->way] : NULL;
	const struct name *n;

	if (!way || !way->name || way->epoch != m->epoch)
		return false;
	n = &m->name[way->name];
	if (follow && n->now != OBJECT_UNKNOWN && n->now != OBJECT_ABSENT && m->object[n->now].kind == OBJECT_LINK)
		return false;
	if (!pass(m, where, n->directory))
		return false;
	where->directory = n->directory;
	where->name = way->name;
	where->object = n->now;
	where->missing = where->appeared = false;
	return true;
}
