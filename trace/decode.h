#pragma once
#include "trace/predict.h"
#include "trace/strings.h"

/*
 * The payload of one block to records: the mirror image of trace/encode.h. Believes nothing: whatever does not fit comes back as
 * -EBADMSG with a reason.
 */
struct decode_column {
	const uint8_t *data, *at, *end;
	uint64_t position; /* in bits, for columns of bits */
};

struct decode {
	struct predict predict;
	struct strings strings;
	struct decode_column column[TRACE_COLUMNS];
	uint32_t records_left, events_left, run_type, run_left;
	uint64_t lost;
	uint8_t *raw; /* all columns, 8 readable bytes after each */
	size_t raw_room;
	void *zstd;
	uint64_t raw_bytes[TRACE_COLUMNS], stored_bytes[TRACE_COLUMNS]; /* of all blocks so far, for statistics */
	char previous[TRACE_STRING_MAX];
	const char *why; /* after -EBADMSG or -EPROTONOSUPPORT */
};

int decode_init(struct decode *d); /* 0 or -ENOMEM; release in both cases */
void decode_release(struct decode *d);
/* Unpacks the payload's columns. 0, -EBADMSG, -ENOMEM. */
int decode_unpack(struct decode *d, const uint8_t *payload, size_t n);
/* unpack, and the strings of the block. The frame's head has been checked. */
int decode_begin(struct decode *d, const struct trace_frame *frame, const uint8_t *payload);
/* 1: a record; 0: the block is at its end, and used up; -EBADMSG; -EPROTONOSUPPORT: an operation that is not known here. */
int decode_next(struct decode *d, struct trace_record *record);
