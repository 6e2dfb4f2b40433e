#pragma once
#include "capture/names.h"
#include "capture/record.h"

/* Directories by the kernel's own address of them, as base1 and base2 of a path record give them. */
struct places {
	struct place {
		struct rec_place key;
		struct name *name;
		struct space *space; /* the mount namespace that it was seen in; NULL: our own */
	} *table;
	size_t used, room;
};

int places_init(struct places *places);
/* NULL: never announced. */
struct name *places_find(const struct places *places, const struct rec_place *key);
const struct place *places_look(const struct places *places, const struct rec_place *key);
int places_set(struct places *places, const struct rec_place *key, struct name *name, struct space *space);
/* A directory was renamed: what stood at or below from is now at or below to. Before names_move. */
void places_move(struct places *places, struct names *names, const struct name *from, struct name *to);
/* All places of from, by names of that table. 0 or -ENOMEM. */
int places_copy(struct places *to, const struct places *from, struct names *names);
void places_release(struct places *places);
