#pragma once
#include <stddef.h>
#include <stdint.h>

/* Distinct texts in one buffer, each ended by a zero byte. A text is known by its index into the buffer; index 0 is "". */
struct texts {
	char *text;
	size_t n, room;
	struct texts_slot { /* by hash, open addressing */
		uint32_t hash, at; /* at 0: free */
	} *slot;
	uint32_t used, slots; /* slots: a power of two */
};

void texts_init(struct texts *s);
uint32_t texts_add(struct texts *s, const char *text, size_t n);
static inline const char *texts_text(const struct texts *s, uint32_t index)
{
	return s->text + index;
}
/* The buffer, which is the caller's now, of s->n bytes; of s nothing else is left. */
char *texts_take(struct texts *s);
void texts_release(struct texts *s);
