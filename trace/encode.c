#include "trace/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <xxhash.h>
#define ZSTD_STATIC_LINKING_ONLY /* ZSTD_c_literalCompressionMode */
#include <zstd.h>

/*
 * The columns of events have room for one varint per record of a full block, so the hot path need not look after it. Memory that is not written
 * takes none: a small trace costs no more than its own size. Texts, shapes and definitions look after their room themselves.
 */
enum { SHAPE_SLOTS = 2 * TRACE_BLOCK_RECORDS };

static void put(struct encode *e, enum trace_column column, uint64_t v)
{
	e->column[column].at = varint_put(e->column[column].at, v);
}

static int grow(struct encode_column *c, size_t more)
{
	size_t used = (size_t)(c->at - c->data), room = c->room ? c->room : 512;
	uint8_t *bigger;

	while (room < used + more)
		room *= 2;
	bigger = realloc(c->data, room);
	if (!bigger)
		return -ENOMEM;
	*c = (struct encode_column){bigger, bigger + used, room};
	return 0;
}

static inline int make_room(struct encode_column *c, size_t more)
{
	return (size_t)(c->at - c->data) + more <= c->room ? 0 : grow(c, more);
}

static int make_event_columns(struct encode *e)
{
	for (unsigned c = 0; c < trace_members[0].column; c++) {
		struct encode_column *x = &e->column[c];

		if (!trace_column_name(c))
			continue;
		x->room = (TRACE_BLOCK_RECORDS + 2) * (size_t)TRACE_VARINT_MAX;
		x->data = x->at = malloc(x->room);
		if (!x->data)
			return -ENOMEM;
	}
	return 0;
}

int encode_init(struct encode *e)
{
	*e = (struct encode){.zstd = ZSTD_createCCtx(), .shape_table = calloc(SHAPE_SLOTS, sizeof(uint64_t))};
	if (!e->zstd || !e->shape_table || predict_init(&e->predict))
		return -ENOMEM;
	return make_event_columns(e);
}

void encode_release(struct encode *e)
{
	for (unsigned c = 0; c < TRACE_COLUMNS; c++)
		free(e->column[c].data);
	predict_release(&e->predict);
	ZSTD_freeCCtx(e->zstd);
	free(e->shape_table);
	free(e->previous);
	free(e->payload);
}

void encode_begin(struct encode *e, uint32_t strings_before)
{
	for (unsigned c = 0; c < TRACE_COLUMNS; c++)
		e->column[c].at = e->column[c].data;
	predict_begin(&e->predict, strings_before);
	e->time = e->duration = e->offset = (struct bits_out){0};
	e->records = e->events = e->strings = 0;
	e->text_bytes = 0;
	e->texts_full = false;
	e->run_type = e->run_length = 0;
	e->first_ns = UINT64_MAX;
	e->last_ns = 0;
	e->previous_bytes = 0;
}

size_t encode_pending_bytes(const struct encode *e)
{
	size_t sum = 64 + TRACE_FRAME_BYTES;

	for (unsigned c = 0; c < TRACE_COLUMNS; c++)
		if (e->column[c].at != e->column[c].data)
			sum += (size_t)(e->column[c].at - e->column[c].data) + 16;
	return sum;
}

/* ---- records ---- */

static void end_run(struct encode *e)
{
	bool basic = e->run_type < TRACE_BASIC_TYPES;

	if (e->run_length)
		put(e, TRACE_COL_ORDER, (uint64_t)e->run_length << 3 | (basic ? e->run_type : 0));
	if (e->run_length && !basic)
		put(e, TRACE_COL_ORDER, e->run_type);
	e->run_length = 0;
}

/* To be called before anything of the record is put. */
static inline void count_record(struct encode *e, enum trace_record_type type)
{
	if (e->run_type != type)
		end_run(e);
	e->run_type = type;
	e->run_length++;
	e->records++;
}

/* How many bytes are the same, of so many. */
static size_t same_bytes(const char *a, const char *b, size_t most)
{
	size_t n = 0;

	for (uint64_t x, y; n + sizeof(x) <= most; n += sizeof(x)) {
		memcpy(&x, a + n, sizeof(x));
		memcpy(&y, b + n, sizeof(y));
		if (x != y)
			return n + (size_t)__builtin_ctzll(x ^ y) / 8;
	}
	while (n < most && a[n] == b[n])
		n++;
	return n;
}

int encode_string(struct encode *e, const char *text, size_t n)
{
	struct encode_column *bytes = &e->column[TRACE_COL_STRING_BYTES];
	size_t shared = same_bytes(text, e->previous, n < e->previous_bytes ? n : e->previous_bytes);
	char *copy;

	if (make_room(bytes, n) || make_room(&e->column[TRACE_COL_STRING_LENGTHS], 2 * TRACE_VARINT_MAX))
		return -ENOMEM;
	if (n > e->previous_bytes) {
		copy = realloc(e->previous, n);
		if (!copy)
			return -ENOMEM;
		e->previous = copy;
	}
	memcpy(e->previous, text, n);
	e->previous_bytes = n;
	put(e, TRACE_COL_STRING_LENGTHS, shared);
	put(e, TRACE_COL_STRING_LENGTHS, n - shared);
	memcpy(bytes->at, text + shared, n - shared);
	bytes->at += n - shared;
	e->strings++;
	e->text_bytes += n;
	e->texts_full = e->strings >= TRACE_BLOCK_RECORDS || e->text_bytes >= TRACE_TEXT_FLUSH || bytes->at - bytes->data >= TRACE_COLUMN_FLUSH;
	return 0;
}

static inline int put_member(struct encode *e, enum trace_column column, enum trace_coding coding, uint64_t v)
{
	uint64_t *before = &e->predict.member[column];

	if (make_room(&e->column[column], TRACE_VARINT_MAX))
		return -ENOMEM;
	switch (coding) {
	case TRACE_PLAIN: put(e, column, v); break;
	case TRACE_SIGNED: put(e, column, zigzag((int64_t)v)); break;
	case TRACE_STRING: put(e, column, predict_string_code(&e->predict, (uint32_t)v)); break;
	case TRACE_DELTA:
		put(e, column, zigzag((int64_t)(v - *before)));
		*before = v;
		break;
	}
	return 0;
}

/* All members of a record of that type, in the order of the table. Where the type is a constant, no table is left. */
static inline __attribute__((always_inline)) int put_members(struct encode *e, enum trace_record_type type, const void *record)
{
	int rc = 0;

#define X(number, id, kind, members, member, how, what)                                                               \
	if (type == TRACE_##kind)                                                                                      \
		rc |= put_member(e, number, TRACE_##how, (uint64_t)((const struct members *)record)->member);
	TRACE_MEMBERS(X)
#undef X
	return rc;
}

int encode_definition(struct encode *e, enum trace_record_type type, const void *record)
{
	int rc;

	count_record(e, type);
	rc = type == TRACE_FILE ? put_members(e, TRACE_FILE, record) : put_members(e, type, record); /* of files there are many */
	if (rc)
		return rc;
	if (type == TRACE_FILE)
		return predict_add_file(&e->predict, record);
	if (type == TRACE_THREAD)
		return predict_add_thread(&e->predict, record);
	if (type == TRACE_LOSS)
		e->lost += ((const struct trace_loss *)record)->count;
	return 0;
}

/* ---- events ---- */

static bool same_shape(const struct predict_shape *a, const struct predict_shape *b)
{
	return !((a->flags ^ b->flags) | (a->arg ^ b->arg) | (a->mode ^ b->mode) | (a->ring ^ b->ring) | (uint64_t)(a->bits ^ b->bits) |
		 (uint64_t)(a->op ^ b->op) | (uint64_t)(a->via ^ b->via));
}

static int define_shape(struct encode *e, const struct predict_shape *s)
{
	if (make_room(&e->column[TRACE_COL_SHAPES], 8 * TRACE_VARINT_MAX))
		return -ENOMEM;
	put(e, TRACE_COL_SHAPES, s->op);
	put(e, TRACE_COL_SHAPES, s->fields);
	put(e, TRACE_COL_SHAPES, s->via);
	put(e, TRACE_COL_SHAPES, s->bits);
	put(e, TRACE_COL_SHAPES, s->ring);
	put(e, TRACE_COL_SHAPES, s->mode);
	put(e, TRACE_COL_SHAPES, s->flags);
	put(e, TRACE_COL_SHAPES, s->arg);
	return predict_add_shape(&e->predict, s);
}

static uint32_t shape_hash(const struct predict_shape *s)
{
	uint64_t hash = (s->flags * 0x9e3779b97f4a7c15u ^ s->arg) * 0xc2b2ae3d27d4eb4fu ^
			((uint64_t)s->mode << 32 | (uint64_t)s->ring << 16 | s->bits) * 0x165667b19e3779f9u ^
			(uint64_t)(s->op | s->via << 8) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(hash >> 40);
}

/* The number of the shape, which may be new; or -ENOMEM. */
static int64_t find_shape(struct encode *e, const struct predict_shape *s)
{
	struct predict *p = &e->predict;

	for (uint32_t slot = shape_hash(s);; slot++) {
		uint64_t *entry = &e->shape_table[slot % SHAPE_SLOTS];
		uint32_t number = (uint32_t)*entry - 1;

		if (*entry >> 32 != p->block) {
			*entry = (uint64_t)p->block << 32 | (p->shapes + 1);
			number = p->shapes;
			return define_shape(e, s) ? -ENOMEM : (int64_t)number;
		}
		if (same_shape(&p->shape[number], s))
			return number;
	}
}

/* Of each operation: the bits of those members that it uses. */
static const struct shape_members {
	uint64_t flags, arg;
	uint32_t mode;
} shape_members[TRACE_OP_MAX] = {
#define X(code, id, name, class, fields) \
	[code] = {(fields) & TRACE_F_FLAGS ? UINT64_MAX : 0, (fields) & TRACE_F_ARG ? UINT64_MAX : 0, (fields) & TRACE_F_MODE ? UINT32_MAX : 0},
	TRACE_OPS(X)
#undef X
};

/* What the event has in members that it does not use may send it elsewhere, and costs no more than a look at the table. */
static inline uint32_t *last_shape(struct encode *e, const struct trace_event *v)
{
	return &e->last_shape[v->op ^ (v->flags ^ v->arg) * 0x9e3779b97f4a7c15u >> 56];
}

static __attribute__((noinline)) int64_t look_up_shape(struct encode *e, const struct trace_event *v, unsigned fields)
{
	const struct shape_members *of = &shape_members[v->op];
	struct predict_shape s = {.flags = v->flags & of->flags,
				  .arg = v->arg & of->arg,
				  .mode = v->mode & of->mode,
				  .ring = v->ring,
				  .bits = v->bits,
				  .fields = (uint16_t)fields,
				  .op = v->op,
				  .via = v->via};
	int64_t number = find_shape(e, &s);

	if (number >= 0)
		*last_shape(e, v) = (uint32_t)number;
	return number;
}

/*
 * The number of the event's shape, or -ENOMEM. Most often it is that of an event like it before. One comparison without branches: which
 * shape comes next is the least predictable of all.
 */
static inline int64_t shape_of(struct encode *e, const struct trace_event *v, unsigned fields)
{
	const struct shape_members *of = &shape_members[v->op];
	uint32_t number = *last_shape(e, v);
	const struct predict_shape *last;
	uint64_t differs;

	if (number >= e->predict.shapes)
		return look_up_shape(e, v, fields);
	last = &e->predict.shape[number];
	differs = ((last->flags ^ v->flags) & of->flags) | ((last->arg ^ v->arg) & of->arg) |
		  (((last->mode ^ v->mode) & of->mode) | (last->ring ^ v->ring)) | (uint64_t)(last->bits ^ v->bits) |
		  (uint64_t)(last->op ^ v->op) | (uint64_t)(last->via ^ v->via);
	return differs ? look_up_shape(e, v, fields) : number;
}

static inline void put_split(struct encode *e, enum trace_column classes, struct bits_out *bits, uint64_t v)
{
	struct encode_column *c = &e->column[classes]; /* the bits column follows */
	unsigned width, class = split_class(v, &width);

	*c[0].at++ = (uint8_t)class;
	c[1].at = bits_put(bits, c[1].at, v & ((1ULL << width) - 1), width);
}

static unsigned put_time(struct encode *e, const struct trace_event *v)
{
	struct predict *p = &e->predict;
	uint64_t end_ns = v->begin_ns + v->duration_ns;
	unsigned mask = 0;

	if (v->thread == p->previous_thread)
		mask |= TRACE_M_THREAD;
	else
		put(e, TRACE_COL_EVENT_THREAD, v->thread);
	if (mask && v->begin_ns >= p->previous_end_ns)
		mask |= TRACE_M_GAP;
	put_split(e, TRACE_COL_TIME_CLASS, &e->time, (mask & TRACE_M_GAP ? v->begin_ns : end_ns) - p->previous_end_ns);
	put_split(e, TRACE_COL_DURATION_CLASS, &e->duration, v->duration_ns);
	e->first_ns = v->begin_ns < e->first_ns ? v->begin_ns : e->first_ns;
	e->last_ns = end_ns > e->last_ns ? end_ns : e->last_ns;
	return mask;
}

static unsigned put_offset(struct encode *e, int64_t offset, int64_t expected)
{
	bool pages = !(offset & 4095);

	if (offset == expected)
		return TRACE_M_OFFSET;
	put_split(e, TRACE_COL_OFFSET_CLASS, &e->offset,
		  pages ? zigzag((offset >> 12) - (expected >> 12)) : zigzag((int64_t)((uint64_t)offset - (uint64_t)expected)));
	return pages ? TRACE_M_PAGES : 0;
}

static uint64_t file_code(const struct predict *p, uint32_t file)
{
	return file ? (uint64_t)p->files - file + 1 : 0;
}

/* What the event is about: descriptor, file, paths. */
static unsigned put_target(struct encode *e, const struct trace_event *v, unsigned fields, const struct predict_thread *thread)
{
	struct predict *p = &e->predict;
	unsigned mask = 0;

	if (fields & TRACE_F_FD) {
		if (v->fd == thread->fd)
			mask |= TRACE_M_FD;
		else
			put(e, TRACE_COL_EVENT_FD, zigzag(v->fd));
	}
	if (fields & TRACE_F_PATH)
		put(e, TRACE_COL_EVENT_PATH, predict_path_code(p, thread, v->path));
	if (fields & TRACE_F_FILE) {
		if (v->file == predict_file_id(p, thread, v, fields))
			mask |= TRACE_M_FILE;
		else
			put(e, TRACE_COL_EVENT_FILE, file_code(p, v->file));
	}
	if (fields & TRACE_F_FD2)
		put(e, TRACE_COL_FD2, zigzag(v->fd2));
	if (fields & TRACE_F_FILE2)
		put(e, TRACE_COL_FILE2, file_code(p, v->file2));
	if (fields & TRACE_F_PATH2)
		put(e, TRACE_COL_PATH2, predict_string_code(p, v->path2));
	if (fields & TRACE_F_OFFSET2)
		put(e, TRACE_COL_OFFSET2, zigzag((int64_t)((uint64_t)v->offset2 - p->previous_offset2)));
	return mask;
}

int encode_event(struct encode *e, const struct trace_event *v)
{
	struct predict *p = &e->predict;
	unsigned fields = trace_ops[v->op].fields, mask;
	int64_t number = shape_of(e, v, fields);
	struct predict_thread *thread;
	struct predict_file *file;
	struct predict_shape *shape;

	if (number < 0)
		return (int)number;
	shape = &p->shape[number];
	thread = predict_thread(p, v->thread);
	file = predict_file(p, fields & TRACE_F_FILE ? v->file : 0);
	count_record(e, TRACE_EVENT);
	e->events++;
	put(e, TRACE_COL_SHAPE, (uint64_t)number);
	mask = put_time(e, v) | put_target(e, v, fields, thread);
	if (fields & TRACE_F_OFFSET)
		mask |= put_offset(e, v->offset, file->next_offset);
	if (fields & TRACE_F_LENGTH) {
		if (v->length == file->length)
			mask |= TRACE_M_LENGTH;
		else
			put(e, TRACE_COL_LENGTH, v->length);
	}
	if (v->result == predict_result(shape, fields & TRACE_F_LENGTH ? v->length : 0))
		mask |= TRACE_M_RESULT;
	else
		put(e, TRACE_COL_RESULT, zigzag(v->result));
	*e->column[TRACE_COL_MASK].at++ = (uint8_t)mask;
	predict_learn(p, thread, file, shape, v);
	return 0;
}

/* ---- the block as a whole ---- */

/*
 * How zstd is asked to work. At level 1 with a table that stays in the nearest cache, beside what else is used between two blocks: a tenth less
 * time, half a percent more bytes. The classes of times are of few values without an order: a search for what repeats takes three times as long
 * as counting them, and gains little (a level that skips nearly all of the search, and literals compressed all the same).
 */
static void choose_level(struct encode *e, int level, enum trace_column column)
{
	enum { SMALL_TABLE = 11, COUNT_ONLY = -500 };
	bool noise = level == 1 && (column == TRACE_COL_TIME_CLASS || column == TRACE_COL_DURATION_CLASS);

	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_compressionLevel, noise ? COUNT_ONLY : level);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_literalCompressionMode, noise ? ZSTD_ps_enable : ZSTD_ps_auto);
	ZSTD_CCtx_setParameter(e->zstd, ZSTD_c_hashLog, level == 1 ? SMALL_TABLE : 0);
}

/* Compressed, or as it is when that is not smaller; the stored size says which. */
static size_t pack_column(struct encode *e, const struct encode_column *c, uint8_t *to, size_t room)
{
	enum { SAMPLE = 2048, LARGE = 8 * SAMPLE };
	size_t n = (size_t)(c->at - c->data), stored;

	/* Packed bits are noise as a rule: a look at the middle of a large column saves the time. */
	stored = n < LARGE ? 0 : ZSTD_compress2(e->zstd, to, room, c->data + n / 2, SAMPLE);
	if (stored < SAMPLE) {
		stored = ZSTD_compress2(e->zstd, to, room, c->data, n);
		if (!ZSTD_isError(stored) && stored < n)
			return stored;
	}
	memcpy(to, c->data, n);
	return n;
}

int encode_pack(struct encode *e, int level, const struct encode_column *columns, struct trace_frame *frame, const uint8_t **payload)
{
	/* The directory is written once the sizes are known, in front of the columns: its room is its largest size. */
	uint8_t directory[TRACE_COLUMNS * 3 * TRACE_VARINT_MAX + TRACE_VARINT_MAX], *d = directory;
	size_t room = sizeof(directory), used = sizeof(directory), head;
	uint64_t n = 0;

	for (unsigned c = 0; c < TRACE_COLUMNS; c++) {
		size_t raw = (size_t)(columns[c].at - columns[c].data);

		n += raw != 0;
		room += ZSTD_compressBound(raw);
	}
	if (room > e->payload_room) {
		free(e->payload);
		e->payload = malloc(room);
		e->payload_room = e->payload ? room : 0;
		if (!e->payload)
			return -ENOMEM;
	}
	d = varint_put(d, n);
	for (unsigned c = 0; c < TRACE_COLUMNS; c++) {
		size_t raw = (size_t)(columns[c].at - columns[c].data), stored;

		if (!raw)
			continue;
		choose_level(e, level, c);
		stored = pack_column(e, &columns[c], e->payload + used, e->payload_room - used);
		d = varint_put(varint_put(varint_put(d, c), raw), stored);
		used += stored;
	}
	head = (size_t)(d - directory);
	*payload = memcpy(e->payload + sizeof(directory) - head, directory, head);
	frame->stored_bytes = (uint32_t)(used - sizeof(directory) + head);
	frame->payload_hash = XXH3_64bits(*payload, frame->stored_bytes);
	return 0;
}

/* Columns that may be missing are, when they say nothing. */
static void leave_out_zeros(struct encode *e)
{
	for (const struct trace_member *m = trace_members; m->column; m++) {
		struct encode_column *c = &e->column[m->column];
		const uint8_t *p = c->data;

		if (!trace_may_miss(m))
			continue;
		while (p < c->at && !*p)
			p++;
		if (p == c->at)
			c->at = c->data;
	}
}

/* Where little happens, the time for the higher level is nothing to the host that is recorded: 30 ns an event, of a millisecond. */
static int adaptive_level(const struct encode *e)
{
	enum { QUIET_NS = 1000000 };

	return e->events && (e->last_ns - e->first_ns) / e->events > QUIET_NS ? 3 : 1;
}

int encode_finish(struct encode *e, int level, struct trace_frame *frame, const uint8_t **payload)
{
	struct encode_column *c = e->column;

	end_run(e);
	leave_out_zeros(e);
	c[TRACE_COL_TIME_BITS].at = bits_end(&e->time, c[TRACE_COL_TIME_BITS].at);
	c[TRACE_COL_DURATION_BITS].at = bits_end(&e->duration, c[TRACE_COL_DURATION_BITS].at);
	c[TRACE_COL_OFFSET_BITS].at = bits_end(&e->offset, c[TRACE_COL_OFFSET_BITS].at);
	frame->events = e->events;
	frame->records = e->records;
	frame->first_ns = e->events ? e->first_ns : 0;
	frame->last_ns = e->last_ns;
	frame->lost = e->lost;
	return encode_pack(e, level ? level : adaptive_level(e), c, frame, payload);
}
