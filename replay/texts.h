#pragma once
#include <stddef.h>
#include <stdint.h>

#include "replay/map.h"

/* Distinct texts in one buffer, each ended by a zero byte. A text is known by its index into the buffer; index 0 is "". */
struct texts {
	char *text;
	size_t n, room;
	struct map index;
};

void texts_init(struct texts *s);
uint32_t texts_add(struct texts *s, const char *text, size_t n);
static inline const char *texts_text(const struct texts *s, uint32_t index)
{
	return s->text + index;
}
void texts_release(struct texts *s);
