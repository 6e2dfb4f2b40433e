#pragma once
#include "trace/predict.h"
#include "trace/varint.h"

/*
 * Records to the payload of one block. Knows nothing of files: the writer (trace/writer.c) frames what comes out of here.
 *
 *	encode_begin(e, strings_before);
 *	encode_string / encode_definition / encode_event ...   until encode_full(e)
 *	rc = encode_finish(e, level, &frame, &payload);        // then encode_begin again
 */
struct encode_column {
	uint8_t *data, *at;
	size_t room;
};

struct encode {
	struct predict predict;
	struct encode_column column[TRACE_COLUMNS];
	struct bits_out time, duration, offset;
	uint32_t records, events, strings;
	bool texts_full; /* so many strings, or such long ones, that the block must end */
	uint32_t run_type, run_length;
	uint64_t first_ns, last_ns, lost;
	char *previous; /* string before, for the shared prefix */
	size_t previous_bytes, text_bytes; /* text_bytes: of all strings, shared prefixes included */
	uint64_t *shape_table; /* block << 32 | number + 1 */
	uint32_t last_shape[256]; /* the newest of those that fall together: by operation, flags and argument */
	void *zstd;
	uint8_t *payload;
	size_t payload_room;
};

int encode_init(struct encode *e); /* 0 or -ENOMEM; release in both cases */
void encode_release(struct encode *e);
void encode_begin(struct encode *e, uint32_t strings_before);
/* The next string. 0 or -ENOMEM. */
int encode_string(struct encode *e, const char *text, size_t n);
/* Any record that is no event. The caller has checked its ids. 0 or -ENOMEM. */
int encode_definition(struct encode *e, enum trace_record_type type, const void *record);
int encode_event(struct encode *e, const struct trace_event *event);
/* Must not take more records. The columns that are not told here are bounded by the number of records. */
static inline bool encode_full(const struct encode *e)
{
	return e->records >= TRACE_BLOCK_RECORDS || e->texts_full;
}
/* What is pending, before compression: never less than what it will take in the file. */
size_t encode_pending_bytes(const struct encode *e);
/* level: of zstd; 0: by how much happened. Sets the frame's counts, sizes and payload hash; the payload is borrowed until the next call. 0 or -errno. */
int encode_finish(struct encode *e, int level, struct trace_frame *frame, const uint8_t **payload);

/* Packs columns that are not the encoder's own (the index frame). */
int encode_pack(struct encode *e, int level, const struct encode_column *columns, struct trace_frame *frame, const uint8_t **payload);
