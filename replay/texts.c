#include "replay/texts.h"

#include <string.h>
#include <xxhash.h>

#include "replay/map.h"

void texts_init(struct texts *s)
{
	*s = (struct texts){0};
	s->text = grow(NULL, &s->room, 65536, 1);
	s->n = 1;
}

/* Where the text is, or will be. */
static struct texts_slot *find(const struct texts *s, const char *text, size_t n, uint32_t hash)
{
	for (uint32_t i = hash;; i++) {
		struct texts_slot *slot = &s->slot[i & (s->slots - 1)];

		if (!slot->at || (slot->hash == hash && !strncmp(s->text + slot->at, text, n) && !s->text[slot->at + n]))
			return slot;
	}
}

static void rehash(struct texts *s)
{
	struct texts old = *s;
	size_t room = 0;

	s->slot = grow(NULL, &room, old.slots ? (size_t)old.slots * 2 : 1024, sizeof(*s->slot));
	s->slots = (uint32_t)room;
	for (uint32_t i = 0; i < old.slots; i++) {
		uint32_t at = old.slot[i].hash;

		if (!old.slot[i].at)
			continue;
		while (s->slot[at & (s->slots - 1)].at)
			at++;
		s->slot[at & (s->slots - 1)] = old.slot[i];
	}
	free(old.slot);
}

uint32_t texts_add(struct texts *s, const char *text, size_t n)
{
	uint32_t hash = (uint32_t)XXH3_64bits(text, n);
	struct texts_slot *slot;

	if (!n || s->n + n >= UINT32_MAX)
		return 0;
	if (s->used + s->used / 2 >= s->slots)
		rehash(s);
	slot = find(s, text, n, hash);
	if (slot->at)
		return slot->at;
	s->text = grow(s->text, &s->room, s->n + n + 1, 1);
	memcpy(s->text + s->n, text, n);
	s->text[s->n + n] = 0;
	*slot = (struct texts_slot){.hash = hash, .at = (uint32_t)s->n};
	s->used++;
	s->n += n + 1;
	return slot->at;
}

char *texts_take(struct texts *s)
{
	char *text = s->text;

	s->text = NULL;
	texts_release(s);
	return text;
}

void texts_release(struct texts *s)
{
	free(s->text);
	free(s->slot);
	*s = (struct texts){0};
}
