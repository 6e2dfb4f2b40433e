#include "capture/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "capture/by_id.h"
#include "capture/content.h"
#include "capture/residency.h"
#include "capture/spaces.h"
#include "lib/cleanup.h"

#define PAGE_BYTES 4096
#define HOLES_MAX 64		   /* told one by one; of the rest only how much is data */
#define CONTENT_MAX (256ULL << 20) /* read of a host's files in all */

void state_init(struct state *state, struct trace_writer *writer, bool cache, bool content)
{
	*state = (struct state){.writer = writer, .cache = cache, .content = content, .left_bytes = CONTENT_MAX};
}

void state_release(struct state *state)
{
	free(state->ino);
	state->ino = NULL;
	state->room = 0;
}

void state_complete(struct file_sight *sight, const char *path)
{
	uint64_t dev;
	struct statx st;

	if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &st) || st.stx_ino != sight->ino)
		return;
	dev = (uint64_t)st.stx_dev_major << 20 | st.stx_dev_minor;
	sight->user_dev = dev == sight->dev ? 0 : dev;
	if (!S_ISREG(sight->mode) || st.stx_size != sight->size || sight->bits & TRACE_FILE_CREATED)
		return;
	sight->allocated_bytes = st.stx_blocks * 512;
	sight->bits |= TRACE_FILE_ALLOCATION;
}

/* A descriptor of the regular file with that number there, or -1. Leaves no traces: no access time, and does not wait for anything. */
static int open_quietly(const char *path, uint64_t ino, struct stat *st)
{
	int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
	int fd = open(path, flags | O_NOATIME);

	if (fd < 0 && errno == EPERM)
		fd = open(path, flags);
	if (fd >= 0 && (fstat(fd, st) || st->st_ino != ino || !S_ISREG(st->st_mode))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static void tell_holes(struct state *state, uint32_t file, const struct file_sight *sight, const char *path)
{
	struct trace_hole hole = {.file = file};
	uint64_t data_bytes = 0, end = 0;
	struct stat st;
	_cleanup_close_ int fd = open_quietly(path, sight->ino, &st);

	for (int n = 0; fd >= 0 && end < sight->size; n++) {
		off_t begin = lseek(fd, (off_t)end, SEEK_HOLE), data;

		if (begin < 0 || (uint64_t)begin >= sight->size)
			return;
		data_bytes += (uint64_t)begin - end;
		data = lseek(fd, begin, SEEK_DATA);
		end = data < 0 || (uint64_t)data > sight->size || n == HOLES_MAX ? sight->size : (uint64_t)data;
		hole.offset = (uint64_t)begin;
		hole.bytes = end - hole.offset;
		if (n == HOLES_MAX && sight->allocated_bytes > data_bytes)
			hole.data_bytes = sight->allocated_bytes - data_bytes < hole.bytes ? sight->allocated_bytes - data_bytes : hole.bytes;
		trace_writer_hole(state->writer, &hole);
	}
}

/*
 * How many pages were there, the kernel has counted before the program read any. Which ones, only a look can tell that comes too late: it counts as long
 * as the number is still the same.
 */
static void tell_first_residency(struct state *state, uint32_t file, const struct file_sight *sight, const char *path, uint32_t cached_pages)
{
	struct trace_residency about = {.file = file, .at_ns = sight->seen_ns};
	uint64_t pages = (sight->size + PAGE_BYTES - 1) / PAGE_BYTES;
	struct stat st;
	_cleanup_close_ int fd = cached_pages && cached_pages < pages ? open_quietly(path, sight->ino, &st) : -1;

	if (fd >= 0 && residency_count(fd, 0, sight->size) == cached_pages) {
		residency_tell(state->writer, fd, sight->size, &about);
		return;
	}
	about.pages = cached_pages ? pages : 0;
	about.absent_pages = cached_pages && cached_pages < pages ? pages - cached_pages : 0;
	trace_writer_residency(state->writer, &about);
}

static void use(struct state *state, uint32_t file, uint64_t ino)
{
	uint64_t *all = by_id_cover(state->ino, &state->room, file, sizeof(*all));

	if (!all)
		return;
	state->ino = all;
	all[file] = ino;
}

void state_first(struct state *state, uint32_t file, const struct file_sight *sight, const char *path, uint32_t cached_pages)
{
	if (!S_ISREG(sight->mode) || !file)
		return;
	if (state->cache || state->content)
		use(state, file, sight->ino);
	if (sight->bits & TRACE_FILE_CREATED)
		return;
	if (sight->bits & TRACE_FILE_ALLOCATION && sight->allocated_bytes < sight->size)
		tell_holes(state, file, sight, path);
	if (state->cache)
		tell_first_residency(state, file, sight, path, cached_pages);
}

static void look_again(struct state *state, const struct names *names, const struct name *name, uint64_t now_ns)
{
	char where[SPACES_PATH];
	struct trace_residency residency = {.file = name->file, .at_ns = now_ns, .bits = TRACE_RESIDENCY_END};
	struct trace_content content = {.file = name->file, .at_ns = now_ns};
	struct stat st;
	_cleanup_close_ int fd = open_quietly(spaces_where(names->spaces, name->text, where), state->ino[name->file], &st);

	if (fd < 0)
		return;
	state->ino[name->file] = 0; /* under one of its names is enough */
	if (state->cache)
		residency_tell(state->writer, fd, (uint64_t)st.st_size, &residency);
	if (state->content && state->left_bytes >= CONTENT_PIECE_BYTES &&
	    !content_sample(fd, (uint64_t)st.st_size, &state->left_bytes, &content) && content.sampled_bytes)
		trace_writer_content(state->writer, &content);
}

void state_end(struct state *state, const struct names *names, uint64_t now_ns)
{
	for (size_t i = 0; i < names->room; i++) {
		const struct name *name = names->slot[i].name;

		if (name && name->file && name->file < state->room && state->ino[name->file])
			look_again(state, names, name, now_ns);
	}
}
