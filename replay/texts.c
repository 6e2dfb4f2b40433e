#include "replay/texts.h"

#include <string.h>
#include <xxhash.h>

void texts_init(struct texts *s)
{
	*s = (struct texts){0};
	s->text = grow(NULL, &s->room, 65536, 1);
	s->n = 1;
}

uint32_t texts_add(struct texts *s, const char *text, size_t n)
{
	uint64_t key = XXH3_64bits(text, n);
	uint32_t *at;

	if (!n || s->n + n >= UINT32_MAX)
		return 0;
	/* Texts whose hashes collide take the next free key. */
	for (;; key++) {
		if (key == UINT64_MAX)
			key = 0;
		at = map_get(&s->index, key);
		if (!at)
			break;
		if (!strncmp(s->text + *at, text, n) && !s->text[*at + n])
			return *at;
	}
	s->text = grow(s->text, &s->room, s->n + n + 1, 1);
	memcpy(s->text + s->n, text, n);
	s->text[s->n + n] = 0;
	*map_put(&s->index, key) = (uint32_t)s->n;
	s->n += n + 1;
	return (uint32_t)(s->n - n - 1);
}

void texts_release(struct texts *s)
{
	free(s->text);
	map_release(&s->index);
	*s = (struct texts){0};
}
