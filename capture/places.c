#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "capture/places.h"

int places_init(struct places *places)
{
	places->used = 0;
	places->room = 1024;
	places->table = calloc(places->room, sizeof(*places->table));
	return places->table ? 0 : -ENOMEM;
}

void places_release(struct places *places)
{
	free(places->table);
	memset(places, 0, sizeof(*places));
}

static struct place *lookup(const struct places *places, const struct rec_place *key)
{
	size_t at = ((key->dentry ^ key->mount << 7) * 0x9e3779b97f4a7c15ULL >> 32) & (places->room - 1);

	while (places->table[at].name &&
	       (places->table[at].key.dentry != key->dentry || places->table[at].key.mount != key->mount))
		at = (at + 1) & (places->room - 1);
	return &places->table[at];
}

struct name *places_find(const struct places *places, const struct rec_place *key)
{
	return lookup(places, key)->name;
}

const struct place *places_look(const struct places *places, const struct rec_place *key)
{
	const struct place *place = lookup(places, key);

	return place->name ? place : NULL;
}

int places_set(struct places *places, const struct rec_place *key, struct name *name, struct space *space)
{
	struct place *place = lookup(places, key);

	if (!place->name && places->used * 10 >= places->room * 7) {
		struct places bigger = {.used = places->used, .room = places->room * 2};

		bigger.table = calloc(bigger.room, sizeof(*bigger.table));
		if (!bigger.table)
			return -ENOMEM;
		for (size_t i = 0; i < places->room; i++)
			if (places->table[i].name)
				*lookup(&bigger, &places->table[i].key) = places->table[i];
		free(places->table);
		*places = bigger;
		place = lookup(places, key);
	}
	places->used += !place->name;
	place->key = *key;
	place->name = name;
	place->space = space;
	return 0;
}

int places_copy(struct places *to, const struct places *from, struct names *names)
{
	for (size_t i = 0; i < from->room; i++) {
		const struct name *old = from->table[i].name;
		struct name *name = old ? names_get(names, old->text, old->length) : NULL;

		if (old && (!name || places_set(to, &from->table[i].key, name, from->table[i].space)))
			return -ENOMEM;
	}
	return 0;
}

void places_move(struct places *places, struct names *names, const struct name *from, struct name *to)
{
	char text[PATH_MAX];

	for (size_t i = 0; i < places->room; i++) {
		struct place *place = &places->table[i];
		const struct name *name = place->name;
		size_t tail;

		if (!name || name->length < from->length || memcmp(name->text, from->text, from->length) ||
		    (name->length > from->length && name->text[from->length] != '/'))
			continue;
		tail = name->length - from->length;
		if (to->length + tail >= sizeof(text))
			continue;
		memcpy(text, to->text, to->length);
		memcpy(text + to->length, name->text + from->length, tail);
		place->name = names_get(names, text, to->length + tail);
	}
}
