/*
 * The file side of writing: preamble and header, a frame around every block, index and end. What is in a block: trace/encode.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "trace/encode.h"
#include "trace/rewrite.h"
#include "trace/strings.h"

struct trace_writer {
	int fd, level, error;
	uint64_t bytes;     /* in the file: whole frames only */
	uint64_t max_bytes; /* 0: none */
	uint64_t events, lost; /* in whole blocks */
	uint32_t strings_written, files_written, threads_written;
	uint32_t until_look; /* records until the size is looked at again */
	struct strings strings;
	struct rewrite *rewrite; /* NULL: strings go to the file as they are given */
	struct strings given;    /* for it */
	struct encode encode;
	struct encode_column index[TRACE_COLUMNS];
	uint64_t indexed_offset;
	bool room_kept;
	uint64_t refused, refused_ns; /* events given after an error, and the end of the last of them */
};

enum {
	INDEX_ENTRY_MAX = 5 * TRACE_VARINT_MAX,
	LOOK_EVERY = 32,      /* with a limit: records between two looks at the pending size */
	LIMIT_RESERVE = 8192, /* what a trace with a limit keeps free for LOOK_EVERY records, index and trailer */
	DISK_RESERVE = 65536, /* what is kept free on the disk for the last losses, trailer and end */
};

static size_t index_bytes(const struct trace_writer *w)
{
	return (size_t)(w->index[TRACE_COL_INDEX].at - w->index[TRACE_COL_INDEX].data);
}

/*
 * Room on the disk for so many bytes and for ending the file behind them. Where room cannot be kept (a pipe, some file systems), a full disk
 * costs the end of the file.
 */
static int keep_room(struct trace_writer *w, size_t bytes)
{
	if (!fallocate(w->fd, FALLOC_FL_KEEP_SIZE, (off_t)w->bytes, (off_t)(bytes + index_bytes(w) + DISK_RESERVE))) {
		w->room_kept = true; /* given back at the end */
		return 0;
	}
	return errno == ENOSPC || errno == EDQUOT ? -errno : 0;
}

static bool is_full(int rc)
{
	return rc == -ENOSPC || rc == -EDQUOT;
}

static int write_all(int fd, const void *data, size_t n)
{
	for (const char *p = data; n;) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? -errno : -EIO;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* Appends, or leaves the file as it was (a full disk must not cost the blocks that are there). */
static int append(struct trace_writer *w, const void *head, size_t head_bytes, const void *body, size_t body_bytes)
{
	int rc = write_all(w->fd, head, head_bytes);

	if (!rc)
		rc = write_all(w->fd, body, body_bytes);
	if (!rc) {
		w->bytes += head_bytes + body_bytes;
		return 0;
	}
	if (!ftruncate(w->fd, (off_t)w->bytes) && lseek(w->fd, (off_t)w->bytes, SEEK_SET) < 0)
		return -errno;
	return rc;
}

static int append_frame(struct trace_writer *w, struct trace_frame *frame, const uint8_t *payload)
{
	frame->head_hash = XXH3_64bits_withSeed(frame, offsetof(struct trace_frame, head_hash), w->bytes);
	return append(w, frame, sizeof(*frame), payload, frame->stored_bytes);
}

static int write_header(struct trace_writer *w, const json_t *header)
{
	json_t *doc = json_object(), *schema = json_string(TRACE_SCHEMA);
	struct {
		char magic[8];
		uint32_t version, header_bytes;
		uint64_t hash;
	} preamble = {.version = TRACE_VERSION};
	char *text = NULL, *whole = NULL;
	uint64_t hash;
	size_t n;
	int rc = -ENOMEM;

	_Static_assert(sizeof(preamble) == TRACE_PREAMBLE_BYTES, "preamble");
	memcpy(preamble.magic, TRACE_MAGIC, sizeof(preamble.magic));
	/* schema comes first, whatever the caller's object holds. */
	if (json_object_set(doc, "schema", schema) || (header && json_object_update(doc, (json_t *)header)) ||
	    json_object_set(doc, "schema", schema) || json_object_set_new(doc, "version", json_integer(TRACE_VERSION)))
		goto out;
	text = json_dumps(doc, JSON_COMPACT | JSON_REAL_PRECISION(17));
	if (!text)
		goto out;
	n = strlen(text);
	rc = -EFBIG;
	if (n > TRACE_HEADER_MAX)
		goto out;
	preamble.header_bytes = (uint32_t)n;
	preamble.hash = XXH3_64bits(&preamble, offsetof(typeof(preamble), hash));
	hash = XXH3_64bits(text, n);
	rc = -ENOMEM;
	whole = realloc(text, n + sizeof(hash));
	if (!whole)
		goto out;
	text = whole;
	memcpy(text + n, &hash, sizeof(hash));
	rc = append(w, &preamble, sizeof(preamble), text, n + sizeof(hash));
out:
	free(text);
	json_decref(schema);
	json_decref(doc);
	return rc;
}

static void free_writer(struct trace_writer *w)
{
	if (w->fd >= 0)
		close(w->fd);
	encode_release(&w->encode);
	strings_release(&w->strings);
	strings_release(&w->given);
	rewrite_close(w->rewrite);
	free(w->index[TRACE_COL_INDEX].data);
	free(w);
}

/* ---- strings --------------------------------------------------------------------------------------------------------------- */

static const char *given_text(void *from, uint32_t id)
{
	const struct trace_writer *w = from;

	return id <= w->given.n ? w->given.entry[id].text : NULL;
}

static uint32_t put_string(void *to, const char *text, size_t n);

static int begin_rewriting(struct trace_writer *w, const struct trace_writer_options *o)
{
	if (o && o->rename)
		w->rewrite = rewrite_open(&(struct rewrite_ends){given_text, put_string, w, w, o->rename, o->rename_context});
	return o && o->rename && !w->rewrite ? -ENOMEM : 0;
}

struct trace_writer *trace_writer_open(const char *path, const json_t *header, const struct trace_writer_options *options)
{
	struct trace_writer *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return NULL;
	w->level = options ? options->level : 0;
	w->max_bytes = options ? options->max_bytes : 0;
	w->until_look = LOOK_EVERY;
	w->fd = -1;
	rc = encode_init(&w->encode);
	if (!rc)
		rc = begin_rewriting(w, options);
	if (!rc && (w->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0)
		rc = -errno;
	if (!rc)
		rc = write_header(w, header);
	if (rc) {
		free_writer(w);
		errno = -rc;
		return NULL;
	}
	encode_begin(&w->encode, 0);
	return w;
}

/* A block that stands at that offset. */
static int add_to_index(struct trace_writer *w, const struct trace_frame *frame, uint64_t offset)
{
	struct encode_column *c = &w->index[TRACE_COL_INDEX];
	size_t used = index_bytes(w);

	if (used + INDEX_ENTRY_MAX > c->room) {
		size_t room = c->room ? 2 * c->room : 4096;
		uint8_t *bigger = realloc(c->data, room);

		if (!bigger)
			return -ENOMEM;
		c->data = bigger;
		c->at = bigger + used;
		c->room = room;
	}
	c->at = varint_put(c->at, offset - w->indexed_offset);
	c->at = varint_put(c->at, frame->records);
	c->at = varint_put(c->at, frame->events);
	c->at = varint_put(c->at, frame->first_ns);
	c->at = varint_put(c->at, frame->last_ns);
	w->indexed_offset = offset;
	return 0;
}

static int flush(struct trace_writer *w)
{
	struct trace_frame frame = {.tag = TRACE_TAG_BLOCK, .strings = w->strings_written, .files = w->files_written,
				    .threads = w->threads_written, .events_before = w->events};
	const uint8_t *payload;
	int rc;

	if (!w->encode.records && !w->encode.strings)
		return 0;
	rc = encode_finish(&w->encode, w->level, &frame, &payload);
	if (!rc)
		rc = keep_room(w, sizeof(frame) + frame.stored_bytes);
	if (!rc)
		rc = append_frame(w, &frame, payload);
	if (!rc)
		rc = add_to_index(w, &frame, w->bytes - sizeof(frame) - frame.stored_bytes);
	if (rc)
		return rc;
	w->events += frame.events;
	w->lost = frame.lost;
	w->strings_written = w->strings.n;
	w->files_written = w->encode.predict.files;
	w->threads_written = w->encode.predict.threads;
	encode_begin(&w->encode, w->strings_written);
	return 0;
}

/* With a limit: nothing that is pending may take the file beyond it, even when it does not compress at all. */
static int keep_limit(struct trace_writer *w)
{
	uint64_t index = index_bytes(w) + LIMIT_RESERVE;
	int rc;

	w->until_look = LOOK_EVERY;
	if (w->bytes + encode_pending_bytes(&w->encode) + index < w->max_bytes)
		return 0;
	rc = flush(w);
	if (rc)
		return rc;
	return w->bytes + 2 * LIMIT_RESERVE + index < w->max_bytes ? 0 : -EFBIG;
}

static int make_way(struct trace_writer *w)
{
	if (!w->error && encode_full(&w->encode))
		w->error = flush(w);
	if (!w->error && w->max_bytes && !w->until_look--)
		w->error = keep_limit(w);
	return w->error;
}

/* To be called before a record is added. */
static inline int before_record(struct trace_writer *w)
{
	return !w->error && !encode_full(&w->encode) && !w->max_bytes ? 0 : make_way(w);
}

static int stick(struct trace_writer *w, int rc)
{
	if (!w->error)
		w->error = rc;
	return w->error;
}

/* Into the file. */
static inline uint32_t put_hashed(struct trace_writer *w, const char *text, size_t n, uint32_t hash)
{
	uint32_t id;
	int added;

	if (before_record(w) || !n)
		return 0;
	if (n > TRACE_STRING_MAX) {
		stick(w, -ENAMETOOLONG);
		return 0;
	}
	id = strings_intern_hashed(&w->strings, text, n, hash, &added);
	/* One that was there has been looked at before. */
	if (added && memchr(text, 0, n)) {
		stick(w, -EINVAL);
		return 0;
	}
	if (!id || (added && encode_string(&w->encode, text, n))) {
		stick(w, -ENOMEM);
		return 0;
	}
	return id;
}

static uint32_t put_string(void *to, const char *text, size_t n)
{
	return put_hashed(to, text, n, trace_text_hash(text, n));
}

uint32_t trace_writer_string(struct trace_writer *w, const char *text, size_t n)
{
	return trace_writer_string_hashed(w, text, n, trace_text_hash(text, n));
}

uint32_t trace_writer_string_hashed(struct trace_writer *w, const char *text, size_t n, uint32_t hash)
{
	uint32_t id;
	int added;

	if (!w->rewrite)
		return put_hashed(w, text, n, hash);
	if (w->error || !n)
		return 0;
	id = n > TRACE_STRING_MAX || memchr(text, 0, n) ? 0 : strings_intern_hashed(&w->given, text, n, hash, &added);
	if (!id)
		stick(w, n > TRACE_STRING_MAX ? -ENAMETOOLONG : memchr(text, 0, n) ? -EINVAL : -ENOMEM);
	return id;
}

static bool is_string(const struct trace_writer *w, uint32_t id)
{
	return id <= w->strings.n;
}

static bool is_file(const struct trace_writer *w, uint32_t id)
{
	return id <= w->encode.predict.files;
}

static bool is_thread(const struct trace_writer *w, uint32_t id)
{
	return id <= w->encode.predict.threads;
}

static int define(struct trace_writer *w, bool valid, enum trace_record_type type, const void *record)
{
	int rc = before_record(w);

	if (rc)
		return rc;
	return stick(w, valid ? encode_definition(&w->encode, type, record) : -EINVAL);
}

uint32_t trace_writer_file(struct trace_writer *w, const struct trace_file *file)
{
	struct trace_file changed;

	if (w->rewrite) {
		changed = *file;
		file = &changed;
		if (stick(w, rewrite_file(w->rewrite, &changed)))
			return 0;
	}
	return define(w, is_string(w, file->path) && is_string(w, file->target), TRACE_FILE, file) ? 0 : w->encode.predict.files;
}

uint32_t trace_writer_thread(struct trace_writer *w, const struct trace_thread *thread)
{
	struct trace_thread changed;

	if (w->rewrite) {
		changed = *thread;
		thread = &changed;
		if (stick(w, rewrite_thread(w->rewrite, &changed)))
			return 0;
	}
	return define(w, is_thread(w, thread->parent) && is_string(w, thread->comm) && is_string(w, thread->cwd), TRACE_THREAD, thread)
		       ? 0
		       : w->encode.predict.threads;
}

int trace_writer_fd(struct trace_writer *w, const struct trace_fd *fd)
{
	return define(w, is_file(w, fd->file), TRACE_FD, fd);
}

int trace_writer_wake(struct trace_writer *w, const struct trace_wake *wake)
{
	return define(w, is_thread(w, wake->waker) && is_thread(w, wake->wakee), TRACE_WAKE, wake);
}

int trace_writer_residency(struct trace_writer *w, const struct trace_residency *residency)
{
	return define(w, is_file(w, residency->file), TRACE_RESIDENCY, residency);
}

int trace_writer_loss(struct trace_writer *w, const struct trace_loss *loss)
{
	return define(w, true, TRACE_LOSS, loss);
}

int trace_writer_content(struct trace_writer *w, const struct trace_content *content)
{
	return define(w, is_file(w, content->file), TRACE_CONTENT, content);
}

int trace_writer_hole(struct trace_writer *w, const struct trace_hole *hole)
{
	return define(w, is_file(w, hole->file), TRACE_HOLE, hole);
}

/* Does an event name what there is not, in a member that its operation uses? The others may be anything. */
static inline bool names_unknown(const struct trace_writer *w, const struct trace_event *event, unsigned fields)
{
	uint32_t files = w->encode.predict.files, strings = w->strings.n;

	if (__builtin_expect((event->file <= files) & (event->file2 <= files) & (event->path <= strings) & (event->path2 <= strings), 1))
		return false;
	return ((event->file > files) * TRACE_F_FILE | (event->file2 > files) * TRACE_F_FILE2 | (event->path > strings) * TRACE_F_PATH |
		(event->path2 > strings) * TRACE_F_PATH2) & fields;
}

static inline int put_event(struct trace_writer *w, const struct trace_event *event)
{
	const struct trace_op_info *op = &trace_ops[event->op];
	int rc = before_record(w);

	if (rc) {
		w->refused++;
		w->refused_ns = event->begin_ns + event->duration_ns;
		return rc;
	}
	if (!op->name || event->thread - 1 >= w->encode.predict.threads || names_unknown(w, event, op->fields))
		return stick(w, -EINVAL);
	rc = encode_event(&w->encode, event);
	return rc ? stick(w, rc) : 0;
}

static __attribute__((noinline)) int put_rewritten(struct trace_writer *w, const struct trace_event *event)
{
	struct trace_event changed = *event;

	if (trace_ops[event->op].name)
		stick(w, rewrite_event(w->rewrite, &changed));
	return put_event(w, &changed);
}

int trace_writer_event(struct trace_writer *w, const struct trace_event *event)
{
	return w->rewrite ? put_rewritten(w, event) : put_event(w, event);
}

int trace_writer_record(struct trace_writer *w, const struct trace_record *r)
{
	switch (r->type) {
	case TRACE_FILE: return trace_writer_file(w, &r->file) ? 0 : trace_writer_flush(w);
	case TRACE_THREAD: return trace_writer_thread(w, &r->thread) ? 0 : trace_writer_flush(w);
	case TRACE_EVENT: return trace_writer_event(w, &r->event);
	case TRACE_FD: return trace_writer_fd(w, &r->fd);
	case TRACE_WAKE: return trace_writer_wake(w, &r->wake);
	case TRACE_RESIDENCY: return trace_writer_residency(w, &r->residency);
	case TRACE_LOSS: return trace_writer_loss(w, &r->loss);
	case TRACE_CONTENT: return trace_writer_content(w, &r->content);
	case TRACE_HOLE: return trace_writer_hole(w, &r->hole);
	case TRACE_END: return 0;
	}
	return -EINVAL;
}

int trace_writer_flush(struct trace_writer *w)
{
	return w->error ? w->error : stick(w, flush(w));
}

uint64_t trace_writer_bytes(const struct trace_writer *w)
{
	return w->bytes;
}

int trace_writer_error(const struct trace_writer *w)
{
	return w->error;
}

uint64_t trace_writer_refused(const struct trace_writer *w)
{
	return w->refused + (w->error ? w->encode.events : 0);
}

/* The disk is full: one last small block says what did not fit; there is room for it. */
static int tell_refused(struct trace_writer *w)
{
	struct encode *e = &w->encode;
	struct trace_frame frame = {.tag = TRACE_TAG_BLOCK, .strings = w->strings_written, .files = w->files_written,
				    .threads = w->threads_written, .events_before = w->events};
	struct trace_loss loss = {.count = trace_writer_refused(w) + e->lost - w->lost,
				  .first_ns = e->events ? e->first_ns : w->refused_ns,
				  .last_ns = w->refused_ns > e->last_ns ? w->refused_ns : e->last_ns,
				  .cause = TRACE_LOSS_OTHER};
	const uint8_t *payload;
	int rc;

	if (!loss.count)
		return 0;
	encode_begin(e, w->strings_written);
	e->lost = w->lost;
	rc = encode_definition(e, TRACE_LOSS, &loss);
	if (!rc)
		rc = encode_finish(e, w->level, &frame, &payload);
	if (!rc)
		rc = append_frame(w, &frame, payload);
	if (!rc)
		rc = add_to_index(w, &frame, w->bytes - sizeof(frame) - frame.stored_bytes);
	w->lost = frame.lost;
	return rc;
}

static int write_end(struct trace_writer *w, const json_t *trailer)
{
	struct trace_frame frame = {.tag = TRACE_TAG_INDEX, .strings = w->strings_written, .files = w->files_written,
				    .threads = w->threads_written, .events_before = w->events, .lost = w->lost};
	struct {
		uint64_t offset;
		char magic[8];
	} end = {.offset = w->bytes};
	char *text = trailer ? json_dumps(trailer, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
	const uint8_t *payload;
	int rc = -ENOMEM;

	if (trailer && !text)
		return rc;
	if (text)
		w->index[TRACE_COL_TRAILER] = (struct encode_column){(uint8_t *)text, (uint8_t *)text + strlen(text), 0};
	memcpy(end.magic, TRACE_END_MAGIC, sizeof(end.magic));
	rc = encode_pack(&w->encode, w->level ? w->level : 1, w->index, &frame, &payload);
	if (!rc)
		rc = append_frame(w, &frame, payload);
	if (!rc)
		rc = append(w, &end, sizeof(end), NULL, 0);
	free(text);
	return rc;
}

int trace_writer_close(struct trace_writer *w, const json_t *trailer)
{
	int rc = w->error;

	/* After an error what is pending is given up, but the file is ended all the same: its whole blocks are good. */
	if (!rc)
		rc = flush(w);
	if (is_full(rc)) {
		w->error = rc;
		tell_refused(w);
	}
	if (rc != -EIO) {
		int end = write_end(w, trailer);

		rc = rc ? rc : end;
	}
	if (w->room_kept && ftruncate(w->fd, (off_t)w->bytes) && !rc)
		rc = -errno;
	/* A pipe or a character device cannot be synced, which is no error. */
	if (fsync(w->fd) && !rc && errno != EINVAL && errno != EROFS)
		rc = -errno;
	free_writer(w);
	return rc;
}
