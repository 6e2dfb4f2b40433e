#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "capture/names.h"

enum { CHUNK_BYTES = 256 << 10 };

/* Names live as long as the recording does, in large pieces. */
struct names_chunk {
	struct names_chunk *next;
	char room[];
};

int names_init(struct names *names, struct trace_writer *writer, struct files *files)
{
	memset(names, 0, sizeof(*names));
	names->writer = writer;
	names->files = files;
	names->epoch = 1;
	names->room = 4096;
	names->slot = calloc(names->room, sizeof(*names->slot));
	names->root = names->slot ? names_get(names, "", 0) : NULL;
	if (names->root)
		return 0;
	names_release(names);
	return -ENOMEM;
}

void names_release(struct names *names)
{
	for (size_t i = 0; names->slot && i < names->room; i++)
		if (names->slot[i].name)
			free(names->slot[i].name->target);
	while (names->chunk) {
		struct names_chunk *chunk = names->chunk;

		names->chunk = chunk->next;
		free(chunk);
	}
	for (size_t i = 0; i < NAMES_WAYS; i++)
		free(names->way[i].text);
	free(names->slot);
	memset(names, 0, sizeof(*names));
}

static void *keep(struct names *names, size_t bytes)
{
	struct names_chunk *chunk;
	char *at;

	bytes = (bytes + 7) & ~7UL;
	if (bytes > names->chunk_left) {
		chunk = calloc(1, sizeof(*chunk) + CHUNK_BYTES);
		if (!chunk || bytes > CHUNK_BYTES) {
			free(chunk);
			return NULL;
		}
		chunk->next = names->chunk;
		names->chunk = chunk;
		names->chunk_left = CHUNK_BYTES;
	}
	at = names->chunk->room + CHUNK_BYTES - names->chunk_left;
	names->chunk_left -= bytes;
	return at;
}

/* The slot of that text: with its name, or free. */
static struct names_slot *find(const struct names *names, const char *text, size_t length, uint32_t hash)
{
	for (size_t at = hash;; at++) {
		struct names_slot *slot = &names->slot[at & (names->room - 1)];
		const struct name *name = slot->name;

		if (!name || (slot->hash == hash && name->length == length && !memcmp(name->text, text, length)))
			return slot;
	}
}

static int grow(struct names *names)
{
	struct names bigger = {.room = names->room * 2};

	bigger.slot = calloc(bigger.room, sizeof(*bigger.slot));
	if (!bigger.slot)
		return -ENOMEM;
	for (size_t i = 0; i < names->room; i++) {
		const struct names_slot *old = &names->slot[i];
		size_t at = old->hash;

		if (!old->name)
			continue;
		while (bigger.slot[at & (bigger.room - 1)].name)
			at++;
		bigger.slot[at & (bigger.room - 1)] = *old;
	}
	free(names->slot);
	names->slot = bigger.slot;
	names->room = bigger.room;
	return 0;
}

void names_fetch(const struct names *names, uint32_t hash)
{
	__builtin_prefetch(&names->slot[hash & (names->room - 1)]);
}

struct name *names_get(struct names *names, const char *text, size_t length)
{
	uint32_t hash = trace_text_hash(text, length);
	struct names_slot *slot = find(names, text, length, hash);
	struct name *name = slot->name;

	if (name)
		return name;
	if (names->count >= names->room / 2) {
		if (grow(names))
			return NULL;
		slot = find(names, text, length, hash);
	}
	name = keep(names, sizeof(*name) + length + 1);
	if (!name)
		return NULL;
	memcpy(name->text, text, length);
	name->length = (uint32_t)length;
	name->hash = hash;
	*slot = (struct names_slot){name, hash};
	names->count++;
	return name;
}

uint32_t names_string(struct names *names, struct name *name)
{
	if (!name)
		return 0;
	if (!name->string && name->length)
		name->string = trace_writer_string_hashed(names->writer, name->text, name->length, name->hash);
	else if (!name->string)
		name->string = trace_writer_string(names->writer, "/", 1);
	return name->string;
}

/* ---- rename ---------------------------------------------------------------------------------------------------------------- */

static void swap_state(struct name *a, struct name *b)
{
	struct name old = *a;

	a->target = b->target;
	a->file = b->file;
	a->kind = b->kind;
	a->created = b->created;
	a->looked = b->looked;
	a->made = b->made;
	b->target = old.target;
	b->file = old.file;
	b->kind = old.kind;
	b->created = old.created;
	b->looked = old.looked;
	b->made = old.made;
}

void names_forget(struct name *name)
{
	free(name->target);
	name->target = NULL;
	name->file = 0;
	name->kind = NAME_ABSENT;
	name->created = true; /* what comes there later is new */
	name->looked = true;
	name->made = false;
}

static bool below(const struct name *name, const struct name *directory)
{
	return name->length > directory->length + 1 && name->text[directory->length] == '/' &&
	       !memcmp(name->text, directory->text, directory->length);
}

/* Names below a moved directory: gathered first, since making the new ones changes the table. */
static void move_below(struct names *names, const struct name *from, const struct name *to, bool exchange)
{
	struct name **list = NULL;
	size_t n = 0, room = 0;
	char text[PATH_MAX];

	for (size_t i = 0; i < names->room; i++) {
		struct name *name = names->slot[i].name;

		if (!name || !below(name, from))
			continue;
		if (n == room) {
			struct name **more = realloc(list, (room = room ? 2 * room : 64) * sizeof(*list));

			if (!more)
				break;
			list = more;
		}
		list[n++] = name;
	}
	for (size_t i = 0; i < n; i++) {
		size_t tail = list[i]->length - from->length;
		struct name *other;

		if (to->length + tail >= sizeof(text))
			continue;
		memcpy(text, to->text, to->length);
		memcpy(text + to->length, list[i]->text + from->length, tail);
		other = names_get(names, text, to->length + tail);
		if (!other)
			continue;
		swap_state(list[i], other);
		if (!exchange)
			names_forget(list[i]);
	}
	free(list);
}

void names_move(struct names *names, struct name *from, struct name *to, bool exchange)
{
	if (from == to)
		return;
	if (from->kind == NAME_DIRECTORY)
		move_below(names, from, to, exchange);
	swap_state(from, to);
	if (!exchange)
		names_forget(from);
}
