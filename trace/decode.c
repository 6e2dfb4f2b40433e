#include "trace/decode.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "trace/varint.h"

static int bad(struct decode *d, const char *why)
{
	d->why = why;
	return -EBADMSG;
}

static int unknown(struct decode *d, const char *why)
{
	d->why = why;
	return -EPROTONOSUPPORT;
}

int decode_init(struct decode *d)
{
	memset(d, 0, sizeof(*d));
	d->zstd = ZSTD_createDCtx();
	return d->zstd ? predict_init(&d->predict) : -ENOMEM;
}

void decode_release(struct decode *d)
{
	predict_release(&d->predict);
	strings_release(&d->strings);
	ZSTD_freeDCtx(d->zstd);
	free(d->raw);
}

/* ---- unpacking ---- */

struct directory_entry {
	uint64_t column, raw, stored;
};

/* Reads the directory; *at ends behind it. Returns the number of entries. */
static int read_directory(struct decode *d, const uint8_t **at, const uint8_t *end, struct directory_entry *entry, size_t *raw_sum)
{
	uint64_t n, stored_sum = 0;

	if (!varint_get(at, end, &n) || n > TRACE_COLUMNS)
		return bad(d, "the directory of columns is damaged");
	*raw_sum = 0;
	for (uint64_t i = 0; i < n; i++) {
		struct directory_entry *x = &entry[i];

		if (!varint_get(at, end, &x->column) || !varint_get(at, end, &x->raw) || !varint_get(at, end, &x->stored))
			return bad(d, "the directory of columns is damaged");
		if (i && x->column <= entry[i - 1].column)
			return bad(d, "there is a column twice");
		if (x->column >= TRACE_COLUMNS || !trace_column_name((unsigned)x->column))
			return unknown(d, "it holds a column that this program does not know; a newer iorig reads it");
		if (!x->raw || x->raw > TRACE_COLUMN_MAX || x->stored > x->raw || !x->stored)
			return bad(d, "a column has an impossible size");
		*raw_sum += x->raw;
		stored_sum += x->stored;
	}
	if (*raw_sum > TRACE_PAYLOAD_MAX || stored_sum != (uint64_t)(end - *at))
		return bad(d, "the sizes of the columns do not add up to the block's");
	return (int)n;
}

int decode_unpack(struct decode *d, const uint8_t *payload, size_t n)
{
	struct directory_entry entry[TRACE_COLUMNS];
	const uint8_t *at = payload, *end = payload + n;
	size_t room, raw_sum;
	uint8_t *to;
	int columns = read_directory(d, &at, end, entry, &raw_sum);

	if (columns < 0)
		return columns;
	room = raw_sum + 8 * TRACE_COLUMNS;
	if (room > d->raw_room) {
		free(d->raw);
		d->raw = malloc(room);
		d->raw_room = d->raw ? room : 0;
		if (!d->raw)
			return -ENOMEM;
	}
	memset(d->column, 0, sizeof(d->column));
	to = d->raw;
	for (int i = 0; i < columns; i++) {
		const struct directory_entry *x = &entry[i];

		if (x->stored == x->raw)
			memcpy(to, at, x->raw);
		else if (ZSTD_decompressDCtx(d->zstd, to, x->raw, at, x->stored) != x->raw)
			return bad(d, "a column cannot be decompressed to its size");
		d->column[x->column] = (struct decode_column){to, to, to + x->raw, 0};
		memset(to + x->raw, 0, 8);
		d->raw_bytes[x->column] += x->raw;
		d->stored_bytes[x->column] += x->stored;
		to += x->raw + 8;
		at += x->stored;
	}
	return 0;
}

static bool get(struct decode *d, enum trace_column column, uint64_t *v)
{
	return varint_get(&d->column[column].at, d->column[column].end, v);
}

static int read_strings(struct decode *d)
{
	struct decode_column *lengths = &d->column[TRACE_COL_STRING_LENGTHS], *bytes = &d->column[TRACE_COL_STRING_BYTES];
	uint64_t before = 0, sum = 0;

	while (lengths->at < lengths->end) {
		uint64_t shared, rest;

		if (!get(d, TRACE_COL_STRING_LENGTHS, &shared) || !get(d, TRACE_COL_STRING_LENGTHS, &rest))
			return bad(d, "the lengths of strings are damaged");
		if (shared > before || rest > TRACE_STRING_MAX - shared || rest > (uint64_t)(bytes->end - bytes->at) || !(shared + rest))
			return bad(d, "a string is longer than its text");
		if (memchr(bytes->at, 0, rest))
			return bad(d, "a string holds a NUL byte");
		memcpy(d->previous + shared, bytes->at, rest);
		bytes->at += rest;
		before = shared + rest;
		sum += before;
		if (sum >= TRACE_TEXT_FLUSH + TRACE_STRING_MAX)
			return bad(d, "the strings of a block are too long");
		if (!strings_append(&d->strings, d->previous, before))
			return -ENOMEM;
	}
	return bytes->at == bytes->end ? 0 : bad(d, "there is more text than strings");
}

int decode_begin(struct decode *d, const struct trace_frame *frame, const uint8_t *payload)
{
	int rc = decode_unpack(d, payload, frame->stored_bytes);

	if (rc)
		return rc;
	predict_begin(&d->predict, d->strings.n);
	d->records_left = frame->records;
	d->events_left = frame->events;
	d->run_left = 0;
	return read_strings(d);
}

/* ---- definitions ---- */

static bool in_range(const struct decode *d, enum trace_check check, uint64_t v)
{
	switch (check) {
	case TRACE_IS_STRING: return v <= d->strings.n;
	case TRACE_IS_FILE: return v <= d->predict.files;
	case TRACE_IS_THREAD:
	case TRACE_IS_OLDER_THREAD: return v <= d->predict.threads; /* the new one is not counted yet */
	case TRACE_ANY: return true;
	}
	return false;
}

static bool fits(const struct trace_member *m, uint64_t v)
{
	if (m->bytes == sizeof(uint64_t))
		return true;
	return m->coding == TRACE_SIGNED ? (int64_t)v == (int32_t)v : v <= UINT32_MAX;
}

static int decode_members(struct decode *d, enum trace_record_type type, void *record)
{
	for (const struct trace_member *m = trace_members_of(type); m->type == type && m->column; m++) {
		uint64_t v, *before = &d->predict.member[m->column];
		uint32_t narrow;

		if (!d->column[m->column].data && trace_may_miss(m))
			v = 0;
		else if (!get(d, m->column, &v))
			return bad(d, "a definition's column ends early");
		if (m->coding == TRACE_SIGNED)
			v = (uint64_t)unzigzag(v);
		else if (m->coding == TRACE_STRING)
			v = predict_string_id(&d->predict, v);
		else if (m->coding == TRACE_DELTA)
			v = *before += (uint64_t)unzigzag(v);
		if (!fits(m, v) || !in_range(d, m->check, v))
			return bad(d, "a definition has a number out of range");
		narrow = (uint32_t)v;
		memcpy((char *)record + m->offset, m->bytes == sizeof(v) ? (const void *)&v : &narrow, m->bytes);
	}
	return 0;
}

static int decode_definition(struct decode *d, struct trace_record *r)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->type = d->run_type;
	rc = decode_members(d, r->type, &r->file); /* all members of the union start at the same place */
	if (rc)
		return rc;
	if (r->type == TRACE_FILE) {
		rc = predict_add_file(&d->predict, &r->file);
		r->file.id = d->predict.files;
	} else if (r->type == TRACE_THREAD) {
		rc = predict_add_thread(&d->predict, &r->thread);
		r->thread.id = d->predict.threads;
	} else if (r->type == TRACE_LOSS) {
		if (r->loss.cause > TRACE_LOSS_OTHER)
			return bad(d, "a loss has an unknown cause");
		d->lost += r->loss.count;
	}
	return rc;
}

/* ---- events ---- */

static int read_shape(struct decode *d)
{
	uint64_t op, fields, via, bits, ring, mode;
	struct predict_shape s = {0};

	if (!get(d, TRACE_COL_SHAPES, &op) || !get(d, TRACE_COL_SHAPES, &fields) || !get(d, TRACE_COL_SHAPES, &via) ||
	    !get(d, TRACE_COL_SHAPES, &bits) || !get(d, TRACE_COL_SHAPES, &ring) || !get(d, TRACE_COL_SHAPES, &mode) ||
	    !get(d, TRACE_COL_SHAPES, &s.flags) || !get(d, TRACE_COL_SHAPES, &s.arg))
		return bad(d, "the table of shapes ends early");
	if (op >= TRACE_OP_MAX || via > TRACE_VIA_FAULT || bits > UINT16_MAX || ring > UINT32_MAX || mode > UINT32_MAX)
		return bad(d, "a shape has a number out of range");
	if (!trace_ops[op].name || fields >= TRACE_F_ARG << 1)
		return unknown(d, "it holds an operation that this program does not know; a newer iorig reads it");
	s.op = (uint8_t)op;
	s.fields = (uint16_t)fields;
	s.via = (uint8_t)via;
	s.bits = (uint16_t)bits;
	s.ring = (uint32_t)ring;
	s.mode = (uint32_t)mode;
	return predict_add_shape(&d->predict, &s);
}

/* The shape's number. */
static int64_t get_shape(struct decode *d)
{
	uint64_t number;
	int rc;

	if (!get(d, TRACE_COL_SHAPE, &number) || number > d->predict.shapes)
		return bad(d, "an event has no shape");
	if (number < d->predict.shapes)
		return (int64_t)number;
	rc = read_shape(d);
	return rc ? rc : (int64_t)number;
}

static inline __attribute__((always_inline)) bool get_split(struct decode *d, enum trace_column classes, uint64_t *v)
{
	/* Where no bits are wanted a word is loaded all the same, also when the column is not there. */
	static const uint8_t nothing[8];
	struct decode_column *c = &d->column[classes], *raw = &d->column[classes + 1];
	uint64_t low;
	unsigned class;

	if (c->at >= c->end || *c->at >= SPLIT_CLASSES)
		return false;
	class = *c->at++;
	if (!bits_get(raw->data ? raw->data : nothing, (size_t)(raw->end - raw->data), &raw->position, split_width(class), &low))
		return false;
	*v = hist_low(class, SPLIT_BITS) + low;
	return true;
}

static bool get_time(struct decode *d, struct trace_event *v, unsigned mask)
{
	struct predict *p = &d->predict;
	uint64_t thread = p->previous_thread, time;

	if (!(mask & TRACE_M_THREAD) && !get(d, TRACE_COL_EVENT_THREAD, &thread))
		return false;
	if (!thread || thread > p->threads)
		return false;
	v->thread = (uint32_t)thread;
	if (!get_split(d, TRACE_COL_TIME_CLASS, &time) || !get_split(d, TRACE_COL_DURATION_CLASS, &v->duration_ns))
		return false;
	v->begin_ns = p->previous_end_ns + time - (mask & TRACE_M_GAP ? 0 : v->duration_ns);
	return true;
}

static bool get_file(struct decode *d, enum trace_column column, uint32_t *file)
{
	uint64_t code;

	if (!get(d, column, &code) || code > d->predict.files)
		return false;
	*file = code ? d->predict.files + 1 - (uint32_t)code : 0;
	return true;
}

static bool get_string(struct decode *d, uint64_t code, uint32_t *string)
{
	uint64_t id = predict_string_id(&d->predict, code);

	*string = (uint32_t)id;
	return id <= d->strings.n;
}

static bool get_int32(struct decode *d, enum trace_column column, int32_t *v)
{
	uint64_t code;

	if (!get(d, column, &code) || code > UINT32_MAX)
		return false;
	*v = (int32_t)unzigzag(code);
	return true;
}

static bool get_target(struct decode *d, struct trace_event *v, unsigned fields, unsigned mask, const struct predict_thread *thread)
{
	struct predict *p = &d->predict;
	uint64_t code;

	if (fields & TRACE_F_FD) {
		v->fd = thread->fd;
		if (!(mask & TRACE_M_FD) && !get_int32(d, TRACE_COL_EVENT_FD, &v->fd))
			return false;
	}
	if (fields & TRACE_F_PATH) {
		if (!get(d, TRACE_COL_EVENT_PATH, &code) || (code = predict_path_id(p, thread, code)) > d->strings.n)
			return false;
		v->path = (uint32_t)code;
	}
	if (fields & TRACE_F_FILE) {
		v->file = mask & TRACE_M_FILE ? predict_file_id(p, thread, v, fields) : 0;
		if (!(mask & TRACE_M_FILE) && !get_file(d, TRACE_COL_EVENT_FILE, &v->file))
			return false;
	}
	if ((fields & TRACE_F_FD2) && !get_int32(d, TRACE_COL_FD2, &v->fd2))
		return false;
	if ((fields & TRACE_F_FILE2) && !get_file(d, TRACE_COL_FILE2, &v->file2))
		return false;
	if ((fields & TRACE_F_PATH2) && (!get(d, TRACE_COL_PATH2, &code) || !get_string(d, code, &v->path2)))
		return false;
	if (fields & TRACE_F_OFFSET2) {
		if (!get(d, TRACE_COL_OFFSET2, &code))
			return false;
		v->offset2 = (int64_t)(p->previous_offset2 + (uint64_t)unzigzag(code));
	}
	return true;
}

static bool get_offset(struct decode *d, struct trace_event *v, unsigned mask, int64_t expected)
{
	uint64_t code;

	v->offset = expected;
	if (mask & TRACE_M_OFFSET)
		return true;
	if (!get_split(d, TRACE_COL_OFFSET_CLASS, &code))
		return false;
	if (mask & TRACE_M_PAGES)
		v->offset = (int64_t)((uint64_t)((expected >> 12) + (int64_t)(uint64_t)unzigzag(code)) << 12);
	else
		v->offset = (int64_t)((uint64_t)expected + (uint64_t)unzigzag(code));
	return true;
}

/* What does not come from a column of its own; the members that the shape does not use (trace_event_clear). */
static void set_shape(struct trace_event *v, const struct predict_shape *s)
{
	v->op = s->op;
	v->via = s->via;
	v->bits = s->bits;
	v->ring = s->ring;
	v->mode = s->mode;
	v->flags = s->flags;
	v->arg = s->arg;
	v->fd = v->fd2 = -1;
	v->file = v->file2 = v->path = v->path2 = 0;
	v->offset = v->offset2 = -1;
}

static int decode_event(struct decode *d, struct trace_record *r)
{
	struct decode_column *masks = &d->column[TRACE_COL_MASK];
	struct trace_event *v = &r->event;
	struct predict_thread *thread;
	struct predict_shape *shape;
	struct predict_file *file;
	int64_t number = get_shape(d);
	uint64_t code;
	unsigned mask;

	if (number < 0)
		return (int)number;
	if (masks->at >= masks->end || !d->events_left)
		return bad(d, "there are more events than the block's head says");
	mask = *masks->at++;
	d->events_left--;
	r->type = TRACE_EVENT;
	shape = &d->predict.shape[number];
	set_shape(v, shape);
	if (!get_time(d, v, mask))
		return bad(d, "an event has no thread or no time");
	thread = predict_thread(&d->predict, v->thread);
	if (!get_target(d, v, shape->fields, mask, thread))
		return bad(d, "an event has a descriptor, file or path out of range");
	file = predict_file(&d->predict, v->file);
	if ((shape->fields & TRACE_F_OFFSET) && !get_offset(d, v, mask, file->next_offset))
		return bad(d, "an event has no offset");
	v->length = shape->fields & TRACE_F_LENGTH ? file->length : 0;
	if ((shape->fields & TRACE_F_LENGTH) && !(mask & TRACE_M_LENGTH) && !get(d, TRACE_COL_LENGTH, &v->length))
		return bad(d, "an event has no length");
	v->result = predict_result(shape, v->length);
	if (!(mask & TRACE_M_RESULT)) {
		if (!get(d, TRACE_COL_RESULT, &code))
			return bad(d, "an event has no result");
		v->result = unzigzag(code);
	}
	predict_learn(&d->predict, thread, file, shape, v);
	return 1;
}

/* At the end of a block nothing may be left over: then every byte that was stored has been understood. */
static int check_used_up(struct decode *d)
{
	if (d->events_left || d->run_left)
		return bad(d, "there are fewer events than the block's head says");
	for (unsigned c = 0; c < TRACE_COLUMNS; c++) {
		struct decode_column *x = &d->column[c];
		bool bits = c == TRACE_COL_TIME_BITS || c == TRACE_COL_DURATION_BITS || c == TRACE_COL_OFFSET_BITS;

		if (bits ? (x->position + 7) / 8 != (uint64_t)(x->end - x->data) : x->at != x->end)
			return bad(d, "a column holds more than the records need");
	}
	return 0;
}

static int begin_run(struct decode *d)
{
	uint64_t run, type;

	if (!get(d, TRACE_COL_ORDER, &run) || !(run >> 3) || run >> 3 > d->records_left)
		return bad(d, "the order of records is damaged");
	type = run & 7;
	if (!type && (!get(d, TRACE_COL_ORDER, &type) || type < TRACE_BASIC_TYPES))
		return bad(d, "the order of records is damaged");
	if (type >= TRACE_RECORD_TYPES)
		return unknown(d, "it holds a kind of record that this program does not know; a newer iorig reads it");
	d->run_type = (enum trace_record_type)type;
	d->run_left = (uint32_t)(run >> 3);
	return 0;
}

int decode_next(struct decode *d, struct trace_record *record)
{
	int rc;

	if (!d->records_left)
		return check_used_up(d);
	rc = d->run_left ? 0 : begin_run(d);
	if (rc)
		return rc;
	d->run_left--;
	d->records_left--;
	if (d->run_type == TRACE_EVENT)
		return decode_event(d, record);
	rc = decode_definition(d, record);
	return rc ? rc : 1;
}
