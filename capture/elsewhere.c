#include "capture/elsewhere.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SLOTS 8192

/* What a path led to, as long as nothing has changed; the newer of two that collide stays. */
struct elsewhere {
	uint64_t key;
	struct name *name;
	uint32_t epoch, string;
	bool pseudo;
};

size_t elsewhere_label(struct drain *d, struct space *space, size_t length, uint64_t ino)
{
	char label[SPACES_PATH];

	if (!space)
		return length;
	d->text[0][length] = 0;
	length = spaces_label_of(&d->spaces, space, d->text[0], length, ino, label);
	memcpy(d->text[0], label, length + 1);
	return length;
}

struct space *elsewhere_space(struct drain *d, uint32_t number, uint32_t pid, uint64_t events)
{
	bool changed;
	struct space *space = spaces_get(&d->spaces, number, pid, events, &changed);

	d->names.epoch += changed;
	return space;
}

static struct elsewhere *slot_of(struct drain *d, const struct place *place, const char *text, size_t length, bool follow, uint64_t *key)
{
	if (!d->elsewhere)
		d->elsewhere = calloc(SLOTS, sizeof(*d->elsewhere));
	*key = XXH3_64bits_withSeed(text, length, XXH3_64bits_withSeed(&place->key, sizeof(place->key), follow));
	return d->elsewhere ? &d->elsewhere[*key % SLOTS] : NULL;
}

static void follow_path(struct drain *d, const struct place *place, const char *text, size_t length, bool follow, struct elsewhere *to)
{
	struct names_view view = {.spaces = &d->spaces, .space = place->space, .root = ""};
	char whole[SPACES_PATH + STRING_MAX + 1];
	size_t n = spaces_inside(&d->spaces, place->space, place->name->text, place->name->length, whole), base = n;

	whole[n] = '/';
	memcpy(whole + n + 1, text, length);
	n += 1 + length;
	to->pseudo = drain_unwanted(d, place->space ? &place->space->mounts : &d->mounts, whole, n);
	if (to->pseudo)
		return;
	if (length && text[0] == '/') { /* the base is the root directory */
		view.root = whole;
		view.root_length = base;
		to->name = names_resolve_in(&d->names, &view, text, length, follow);
	} else {
		to->name = names_resolve_in(&d->names, &view, whole, n, follow);
	}
	to->string = to->name ? names_string(&d->names, to->name) : trace_writer_string(d->writer, whole, n);
}

bool elsewhere_path(struct drain *d, const struct place *place, const char *text, size_t length, bool follow, uint32_t *string, struct name **name)
{
	struct elsewhere now = {.epoch = d->names.epoch}, *known = slot_of(d, place, text, length, follow, &now.key);

	if (!known || known->key != now.key || known->epoch != d->names.epoch) {
		follow_path(d, place, text, length, follow, &now);
		if (known)
			*known = now;
	} else {
		now = *known;
	}
	*string = now.string;
	*name = now.name;
	return !now.pseudo;
}
