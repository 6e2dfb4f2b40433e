#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "capture/by_id.h"
#include "capture/calls.h"
#include "capture/drain.h"
#include "capture/elsewhere.h"

/* The paths of a call: what the trace calls them, and what they lead to. */

static struct known_path *known_path(struct drain *d, uint32_t string)
{
	struct known_path *all = by_id_cover(d->known, &d->known_room, string, sizeof(*all));

	if (!all)
		return NULL;
	d->known = all;
	return &all[string];
}

bool drain_unwanted(const struct drain *d, const struct mountinfo *mounts, const char *path, size_t length)
{
	const struct mountinfo_entry *mount = mountinfo_of(mounts, path, length);

	if (!mount || mount->pseudo)
		return mount != NULL;
	for (uint32_t i = 0; i < d->only.n; i++)
		if (d->only.dev[i] == mount->dev)
			return false;
	return d->only.n > 0;
}

/* drain_unwanted of a path of our own. Most paths lead to where the one before led: their beginnings are the same. */
static bool is_unwanted(struct drain *d, const char *path, size_t length)
{
	size_t decides = d->mounts.longest + 1;

	if (length < decides || decides > sizeof(d->mount.text))
		return drain_unwanted(d, &d->mounts, path, length);
	if (d->mount.epoch != d->names.epoch || d->mount.bytes != decides || memcmp(path, d->mount.text, decides) != 0) {
		d->mount.unwanted = drain_unwanted(d, &d->mounts, path, length);
		d->mount.epoch = d->names.epoch;
		d->mount.bytes = decides;
		memcpy(d->mount.text, path, decides);
	}
	return d->mount.unwanted;
}

/*
 * Puts base and text together: string and name, which are none yet. False: a path on a file system that is not recorded.
 */
static inline bool joined(struct drain *d, struct drained *e, const struct rec_place *base, bool has_base, const char *text, size_t length,
		    bool follow, uint32_t *string, struct name **name)
{
	char *whole = d->text[1];
	size_t n = 0;
	struct known_path *known;
	uint32_t hash;

	if (has_base) {
		const struct place *place = places_look(&d->places, base);
		struct name *directory = place ? place->name : NULL;

		if (place && (place->space || (length && text[0] == '/')))
			return elsewhere_path(d, place, text, length, follow, string, name);
		if (directory) {
			memcpy(whole, directory->text, directory->length);
			n = directory->length;
			whole[n++] = '/';
			if (!length && n > 1)
				n--;
		} else {
			e->event.bits |= TRACE_EV_PATH_UNRESOLVED;
		}
	} else if (text[0] != '/') {
		e->event.bits |= TRACE_EV_PATH_UNRESOLVED;
	}
	memcpy(whole + n, text, length);
	n += length;
	hash = trace_text_hash(whole, n);
	names_fetch(&d->names, hash);
	*string = trace_writer_string_hashed(d->writer, whole, n, hash);
	known = known_path(d, *string);
	if (!known || (e->event.bits & (TRACE_EV_PATH_UNRESOLVED | TRACE_EV_PATH_TRUNCATED)))
		return true;
	if (known->epoch != d->names.epoch) {
		known->epoch = d->names.epoch;
		known->name[0] = known->name[1] = NULL;
		known->pseudo = is_unwanted(d, whole, n);
	}
	if (known->pseudo)
		return false;
	if (!known->name[follow])
		known->name[follow] = names_resolve(&d->names, whole, n, follow);
	*name = known->name[follow];
	return true;
}

/* The same for a path that there may be. */
static inline bool path_of(struct drain *d, struct drained *e, const struct rec_place *base, bool has_base, const char *text, size_t length,
			   bool follow, uint32_t *string, struct name **name)
{
	if (!length && !(has_base && e->call->shape == SHAPE_CHDIR))
		return true;
	return joined(d, e, base, has_base, text, length, follow, string, name);
}

/*
 * A directory was renamed while it was the base of its own name (current directory, or a descriptor): the kernel says where it is afterwards. The
 * call began with it at its old place.
 */
static void renamed_base(struct drain *d, struct drained *e, const struct rec_path *p, const char *text)
{
	const struct rec_place *base[2] = {&p->base1, &p->base2};
	const char *part[2] = {text, text + p->length1};
	uint32_t length[2] = {p->length1, p->length2}, *string[2] = {&e->event.path, &e->event.path2};

	for (int i = 0; i < 2 && e->name && e->name2; i++) {
		const struct name *at = part[i][0] == '/' ? NULL : places_find(&d->places, base[i]), *to = e->name2;
		size_t tail;

		if (!at || at->length < to->length || memcmp(at->text, to->text, to->length) ||
		    (at->length > to->length && at->text[to->length] != '/'))
			continue;
		tail = at->length - to->length;
		if (e->name->length + tail + 1 + length[i] > sizeof(d->text[1]))
			continue;
		memcpy(d->text[1], e->name->text, e->name->length);
		memcpy(d->text[1] + e->name->length, at->text + to->length, tail);
		d->text[1][e->name->length + tail] = '/';
		memcpy(d->text[1] + e->name->length + tail + 1, part[i], length[i]);
		*string[i] = trace_writer_string(d->writer, d->text[1], e->name->length + tail + 1 + length[i]);
	}
}

/*
 * The path was one of /proc's magic links, /proc/self/fd/N: the call was about what that leads to, and is told with its name. A
 * file without a name (O_TMPFILE, deleted) is told by the descriptor.
 */
static void path_by_file(struct drain *d, struct drained *e, const char *text)
{
	struct trace_event *ev = &e->event;
	struct name *name;

	ev->file = files_find(&d->files, e->record->file.dev, e->record->file.ino, e->record->file.generation);
	name = effects_name_of(d, ev->file);
	if (name) {
		e->name = name;
		ev->path = names_string(&d->names, name);
	} else if (e->call->fd) {
		ev->fd = (int32_t)strtol(text + strlen("/proc/self/fd/"), NULL, 10);
		if (ev->op == TRACE_OP_LINKAT)
			ev->flags = (ev->flags & ~(uint64_t)AT_SYMLINK_FOLLOW) | AT_EMPTY_PATH;
	}
}

static bool opens(const struct trace_event *ev)
{
	return ev->op <= TRACE_OP_CREAT && ev->result >= 0;
}

/* The first path of a record. A file that was opened by a name in a pseudo file system (/dev/stdin, /proc/self/fd/N) is recorded, too. */
static bool first_path(struct drain *d, struct drained *e, const struct rec_path *p, const char *text, bool follow)
{
	uint16_t bits = p->wide.event.head.bits;

	if (bits & REC_MAGIC) {
		if (!follow && !(e->event.op == TRACE_OP_LINKAT && e->event.flags & AT_SYMLINK_FOLLOW))
			return false; /* a look at the link itself */
		path_by_file(d, e, text);
		return true;
	}
	if (path_of(d, e, &p->base1, bits & REC_BASE1, text, p->length1, follow, &e->event.path, &e->name))
		return true;
	if (!opens(&e->event) || !p->wide.event.file.ino)
		return false;
	path_by_file(d, e, "");
	return e->name != NULL;
}

bool paths_of(struct drain *d, struct drained *e, const struct rec_path *p)
{
	uint16_t bits = p->wide.event.head.bits;
	const char *text = (const char *)(p + 1);
	struct trace_event *ev = &e->event;
	uint8_t shape = e->call->shape;
	bool follow = !e->call->no_follow || (e->call->no_follow == 2 && !(ev->flags & AT_SYMLINK_NOFOLLOW));
	bool is_text = shape == SHAPE_TEXT_PATH || shape == SHAPE_TEXT_PATHAT;

	if ((ev->op == TRACE_OP_OPEN || ev->op == TRACE_OP_OPENAT || ev->op == TRACE_OP_OPENAT2) && (ev->flags & O_NOFOLLOW))
		follow = false;
	if (bits & REC_TRUNCATED)
		ev->bits |= TRACE_EV_PATH_TRUNCATED;
	if (is_text)
		ev->path = p->length1 ? trace_writer_string(d->writer, text, p->length1) : 0;
	else if (!first_path(d, e, p, text, follow))
		return false;
	if (shape == SHAPE_PATH_NAME || shape == SHAPE_FD_NAME)
		ev->path2 = p->length2 ? trace_writer_string(d->writer, text + p->length1, p->length2) : 0;
	else if (!path_of(d, e, &p->base2, bits & REC_BASE2, text + p->length1, p->length2, false, &ev->path2, &e->name2))
		return false;
	if (e->call->special == CALL_RENAME && !ev->result)
		renamed_base(d, e, p, text);
	return true;
}
