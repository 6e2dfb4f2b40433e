/*
 * The file side of reading: preamble and header, frames in sequence, index and end. What is in a block: trace/decode.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "lib/json.h"
#include "trace/decode.h"
#include "trace/varint.h"

struct block_summary {
	uint64_t offset, records, events, first_ns, last_ns;
};

struct trace_reader {
	FILE *stream;
	uint64_t offset, frame_offset; /* bytes read; where the current frame began */
	bool in_block, over, forgets;
	uint64_t block_lost; /* what the current block's head says */
	struct trace_error error;
	json_t *header, *trailer;
	struct decode decode;
	struct trace_file *file;     /* [1..n], as are threads */
	struct trace_thread *thread;
	uint32_t file_room, thread_room;
	uint8_t *payload;
	size_t payload_room;
	struct block_summary *block; /* what the index must say */
	size_t blocks, block_room;
};

static bool stop(struct trace_reader *r, enum trace_status status, uint64_t offset, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Always false, and nothing is read after it. */
static bool stop(struct trace_reader *r, enum trace_status status, uint64_t offset, const char *fmt, ...)
{
	va_list ap;

	r->over = true;
	r->in_block = false;
	r->error.status = status;
	r->error.offset = offset;
	va_start(ap, fmt);
	vsnprintf(r->error.text, sizeof(r->error.text), fmt, ap);
	va_end(ap);
	return false;
}

static bool stop_corrupt(struct trace_reader *r, uint64_t offset, const char *why)
{
	return stop(r, TRACE_CORRUPT, offset, "corrupt at byte %llu, after %llu good events: %s", (unsigned long long)offset,
		    (unsigned long long)r->error.events, why);
}

static bool stop_truncated(struct trace_reader *r)
{
	return stop(r, TRACE_TRUNCATED, r->offset, "truncated at byte %llu, after %llu events: the recording or the copy was cut short",
		    (unsigned long long)r->offset, (unsigned long long)r->error.events);
}

static bool stop_io(struct trace_reader *r, int error_number)
{
	r->error.error_number = error_number;
	return stop(r, TRACE_IO, r->offset, "cannot be read at byte %llu: %s", (unsigned long long)r->offset, strerror(error_number));
}

/* Up to n bytes: fewer only at the end of the file or after an error. */
static size_t take(struct trace_reader *r, void *to, size_t n)
{
	size_t got = fread(to, 1, n, r->stream);

	r->offset += got;
	return got;
}

/* Exactly n bytes; otherwise it was a read error or the file was cut. */
static bool take_all(struct trace_reader *r, void *to, size_t n)
{
	errno = 0;
	if (take(r, to, n) == n)
		return true;
	return ferror(r->stream) ? stop_io(r, errno ? errno : EIO) : stop_truncated(r);
}

/* n bytes to r->payload. Grows as bytes arrive, so that a lie about the size costs no memory. */
static bool take_payload(struct trace_reader *r, size_t n)
{
	enum { STEP = 1 << 20 };

	for (size_t have = 0; have < n;) {
		size_t more = n - have < STEP ? n - have : STEP;

		if (have + more > r->payload_room) {
			uint8_t *bigger = realloc(r->payload, have + more);

			if (!bigger)
				return stop_io(r, ENOMEM);
			r->payload = bigger;
			r->payload_room = have + more;
		}
		if (!take_all(r, r->payload + have, more))
			return false;
		have += more;
	}
	return true;
}

static bool read_header(struct trace_reader *r)
{
	struct {
		char magic[8];
		uint32_t version, header_bytes;
		uint64_t hash;
	} p;
	json_error_t error;
	uint64_t hash;

	errno = 0;
	if (take(r, p.magic, sizeof(p.magic)) != sizeof(p.magic) && ferror(r->stream))
		return stop_io(r, errno ? errno : EIO);
	/* A file that ends within the magic is no trace either: nothing tells that it ever was one. */
	if (r->offset < sizeof(p.magic) || memcmp(p.magic, TRACE_MAGIC, sizeof(p.magic)))
		return stop(r, TRACE_NOT_A_TRACE, 0, "not an iorig trace: it does not start with the magic bytes");
	if (!take_all(r, (char *)&p + sizeof(p.magic), sizeof(p) - sizeof(p.magic)))
		return false;
	if (p.hash != XXH3_64bits(&p, offsetof(typeof(p), hash)))
		return stop_corrupt(r, 8, "the checksum of the preamble does not match");
	if (p.version != TRACE_VERSION)
		return stop(r, TRACE_UNSUPPORTED, 8, "unsupported version %u: this program reads version %u", p.version, TRACE_VERSION);
	if (p.header_bytes > TRACE_HEADER_MAX)
		return stop_corrupt(r, 12, "the header is too large");
	if (!take_payload(r, p.header_bytes) || !take_all(r, &hash, sizeof(hash)))
		return false;
	if (hash != XXH3_64bits(r->payload, p.header_bytes))
		return stop_corrupt(r, TRACE_PREAMBLE_BYTES, "the checksum of the header does not match");
	r->header = json_loadb((const char *)r->payload, p.header_bytes, JSON_REJECT_DUPLICATES, &error);
	if (!json_is_object(r->header))
		return stop_corrupt(r, TRACE_PREAMBLE_BYTES, "the header is no JSON object");
	if (strcmp(json_text(r->header, "schema", ""), TRACE_SCHEMA) != 0)
		return stop_corrupt(r, TRACE_PREAMBLE_BYTES, "the header's schema is not " TRACE_SCHEMA);
	return true;
}

struct trace_reader *trace_reader_open(const char *path, struct trace_error *error)
{
	struct trace_reader *r = calloc(1, sizeof(*r));

	*error = (struct trace_error){.status = TRACE_IO, .error_number = ENOMEM, .text = "no memory"};
	if (!r)
		return NULL;
	if (decode_init(&r->decode)) {
		trace_reader_close(r);
		return NULL;
	}
	r->stream = fopen(path, "re");
	if (!r->stream)
		stop_io(r, errno);
	else
		setvbuf(r->stream, NULL, _IOFBF, 1 << 18);
	if (r->stream && read_header(r))
		return r;
	*error = r->error;
	trace_reader_close(r);
	return NULL;
}

void trace_reader_close(struct trace_reader *r)
{
	if (!r)
		return;
	if (r->stream)
		fclose(r->stream);
	decode_release(&r->decode);
	json_decref(r->header);
	json_decref(r->trailer);
	free(r->file);
	free(r->thread);
	free(r->payload);
	free(r->block);
	free(r);
}

/* ---- frames ---- */

/* Some file systems leave zeros at the end of a file that was being written when the power went: that is a cut, not corruption. */
static bool rest_is_zero(struct trace_reader *r, const struct trace_frame *frame)
{
	static const uint8_t zero[4096];
	uint8_t page[sizeof(zero)];
	size_t n;

	if (memcmp(frame, zero, sizeof(*frame)))
		return false;
	while ((n = take(r, page, sizeof(page))) != 0)
		if (memcmp(page, zero, n))
			return false;
	return true;
}

static bool check_head(struct trace_reader *r, const struct trace_frame *f)
{
	uint64_t at = r->frame_offset;

	if (f->head_hash != XXH3_64bits_withSeed(f, offsetof(struct trace_frame, head_hash), at)) {
		if (!rest_is_zero(r, f))
			return stop_corrupt(r, at, "the checksum of the block's head does not match");
		r->offset = at;
		return stop_truncated(r);
	}
	if ((f->tag != TRACE_TAG_BLOCK && f->tag != TRACE_TAG_INDEX) || f->reserved)
		return stop_corrupt(r, at, "there is a block of unknown kind");
	if (!f->stored_bytes || f->stored_bytes > TRACE_PAYLOAD_MAX || f->records > TRACE_BLOCK_RECORDS || f->events > f->records)
		return stop_corrupt(r, at, "the block's head has an impossible size");
	if (f->strings != r->decode.strings.n || f->files != r->decode.predict.files || f->threads != r->decode.predict.threads ||
	    f->events_before != r->error.events)
		return stop_corrupt(r, at, "the block does not continue the one before it");
	return true;
}

static bool remember_block(struct trace_reader *r, const struct trace_frame *f)
{
	if (r->blocks == r->block_room) {
		size_t room = r->block_room ? 2 * r->block_room : 64;
		struct block_summary *bigger = realloc(r->block, room * sizeof(*bigger));

		if (!bigger)
			return stop_io(r, ENOMEM);
		r->block = bigger;
		r->block_room = room;
	}
	r->block[r->blocks++] = (struct block_summary){r->frame_offset, f->records, f->events, f->first_ns, f->last_ns};
	return true;
}

static bool stop_for(struct trace_reader *r, int rc)
{
	if (rc == -EPROTONOSUPPORT)
		return stop(r, TRACE_UNSUPPORTED, r->frame_offset, "unsupported at byte %llu: %s", (unsigned long long)r->frame_offset,
			    r->decode.why);
	return rc == -EBADMSG ? stop_corrupt(r, r->frame_offset, r->decode.why) : stop_io(r, -rc);
}

static bool check_index(struct trace_reader *r)
{
	struct decode_column *c = &r->decode.column[TRACE_COL_INDEX];
	uint64_t v[5], offset = 0;

	for (size_t i = 0; i < r->blocks; i++) {
		const struct block_summary *b = &r->block[i];

		for (int k = 0; k < 5; k++)
			if (!varint_get(&c->at, c->end, &v[k]))
				return stop_corrupt(r, r->frame_offset, "the index ends early");
		offset += v[0];
		if (offset != b->offset || v[1] != b->records || v[2] != b->events || v[3] != b->first_ns || v[4] != b->last_ns)
			return stop_corrupt(r, r->frame_offset, "the index differs from the blocks");
	}
	return c->at == c->end || stop_corrupt(r, r->frame_offset, "the index names blocks that are not there");
}

/* The index frame is whole: what follows is the end, and nothing. */
static bool finish(struct trace_reader *r, const struct trace_frame *f)
{
	struct decode_column *t = &r->decode.column[TRACE_COL_TRAILER];
	struct {
		uint64_t offset;
		char magic[8];
	} end;
	json_error_t error;
	uint64_t at = r->offset;
	char more;
	int rc = decode_unpack(&r->decode, r->payload, f->stored_bytes);

	if (rc)
		return stop_for(r, rc);
	if (f->records || f->lost != r->decode.lost)
		return stop_corrupt(r, r->frame_offset, "the totals of the index differ from the blocks'");
	for (unsigned c = 0; c < TRACE_COL_INDEX; c++)
		if (r->decode.column[c].data)
			return stop_corrupt(r, r->frame_offset, "the index holds a block's column");
	if (!check_index(r) || !take_all(r, &end, sizeof(end)))
		return false;
	if (end.offset != r->frame_offset || memcmp(end.magic, TRACE_END_MAGIC, sizeof(end.magic)))
		return stop_corrupt(r, at, "the end mark is damaged");
	at = r->offset;
	if (take(r, &more, 1))
		return stop_corrupt(r, at, "there is something behind the end");
	if (t->data) {
		r->trailer = json_loadb((const char *)t->data, (size_t)(t->end - t->data), JSON_REJECT_DUPLICATES, &error);
		if (!json_is_object(r->trailer))
			return stop_corrupt(r, r->frame_offset, "the trailer is no JSON object");
	}
	r->over = true;
	return false;
}

/* True when a block was begun. */
static bool next_block(struct trace_reader *r)
{
	struct trace_frame f;
	int rc;

	r->frame_offset = r->offset;
	if (!take_all(r, &f, sizeof(f)) || !check_head(r, &f) || !take_payload(r, f.stored_bytes))
		return false;
	if (f.payload_hash != XXH3_64bits(r->payload, f.stored_bytes))
		return stop_corrupt(r, r->frame_offset + sizeof(f), "the checksum of the block does not match");
	if (f.tag == TRACE_TAG_INDEX)
		return finish(r, &f);
	if (!remember_block(r, &f))
		return false;
	rc = decode_begin(&r->decode, &f, r->payload);
	if (rc)
		return stop_for(r, rc);
	r->block_lost = f.lost;
	r->in_block = true;
	return true;
}

/* ---- records ---- */

static int keep(void *array, uint32_t *room, uint32_t id, const void *record, size_t bytes)
{
	if (id >= *room) {
		uint32_t wanted = *room ? 2 * *room : 256;
		char *bigger = realloc(*(void **)array, wanted * bytes);

		if (!bigger)
			return -ENOMEM;
		*(void **)array = bigger;
		*room = wanted;
	}
	memcpy(*(char **)array + id * bytes, record, bytes);
	return 0;
}

static int keep_definition(struct trace_reader *r, const struct trace_record *record)
{
	if (record->type == TRACE_FILE)
		return keep(&r->file, &r->file_room, record->file.id, &record->file, sizeof(record->file));
	if (record->type == TRACE_THREAD)
		return keep(&r->thread, &r->thread_room, record->thread.id, &record->thread, sizeof(record->thread));
	return 0;
}

bool trace_reader_next(struct trace_reader *r, struct trace_record *record)
{
	int rc;

	for (;;) {
		record->type = TRACE_END;
		if (r->over || (!r->in_block && !next_block(r)))
			return false;
		rc = decode_next(&r->decode, record);
		if (rc < 0) {
			record->type = TRACE_END;
			return stop_for(r, rc);
		}
		if (rc)
			break;
		if (r->decode.lost != r->block_lost)
			return stop_corrupt(r, r->frame_offset, "the losses of the block differ from its head's");
		r->in_block = false;
	}
	rc = 0;
	if (record->type == TRACE_EVENT)
		r->error.events++;
	else if (!r->forgets)
		rc = keep_definition(r, record);
	return rc ? stop_io(r, -rc) : true;
}

uint64_t trace_reader_offset(const struct trace_reader *r)
{
	return r->offset;
}

const struct trace_error *trace_reader_error(const struct trace_reader *r)
{
	return &r->error;
}

const json_t *trace_reader_header(const struct trace_reader *r)
{
	return r->header;
}

const json_t *trace_reader_trailer(const struct trace_reader *r)
{
	return r->trailer;
}

const char *trace_reader_string(const struct trace_reader *r, uint32_t id)
{
	return id && id <= r->decode.strings.n ? r->decode.strings.entry[id].text : "";
}

void trace_reader_forget_definitions(struct trace_reader *r)
{
	r->forgets = true;
}

const struct trace_file *trace_reader_file(const struct trace_reader *r, uint32_t id)
{
	return id && id <= r->decode.predict.files && !r->forgets ? &r->file[id] : NULL;
}

const struct trace_thread *trace_reader_thread(const struct trace_reader *r, uint32_t id)
{
	return id && id <= r->decode.predict.threads && !r->forgets ? &r->thread[id] : NULL;
}

uint64_t trace_reader_column_bytes(const struct trace_reader *r, unsigned column, uint64_t *raw)
{
	*raw = r->decode.raw_bytes[column];
	return r->decode.stored_bytes[column];
}
