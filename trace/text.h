#pragma once
#include <stdio.h>

#include "trace/trace.h"

/*
 * The text form of a trace: one record a line, made to be read, grepped and written by hand; docs/iorig-trace.5 describes it.
 * One table of keys drives printing and parsing, so that what one writes the other understands.
 */
enum text_kind {
	TEXT_NUMBER, /* decimal; 0x..., 0... and the suffixes k, M, G are read too */
	TEXT_SIGNED,
	TEXT_WORD,  /* a number that is rather a bit pattern: hexadecimal from 65536 up */
	TEXT_OCTAL,
	TEXT_DEVICE, /* major:minor */
	TEXT_TIME,   /* seconds, up to nine digits behind the point */
	TEXT_STRING,
	TEXT_FILE,   /* id of a file or thread */
	TEXT_THREAD,
	TEXT_FD,     /* AT_FDCWD has its name */
	TEXT_FLAGS,  /* names of trace/names.h */
};

struct text_key {
	const char *name;
	uint8_t type;     /* enum trace_record_type */
	uint8_t kind;     /* enum text_kind */
	uint8_t offset, bytes;
	uint16_t field;   /* of an event: enum trace_field, 0 = every operation has it */
	int8_t otherwise; /* the value of an omitted key */
	bool always;      /* printed even then */
	const struct text_flag *flags; /* for TEXT_FLAGS; NULL: those of the operation */
};
/* All keys, grouped by type, in the order in which they are printed; ends with an empty one. */
extern const struct text_key text_keys[];
const struct text_key *text_keys_of(enum trace_record_type type);
/* "file", "thread"...: the word a line begins with; NULL for events. */
const char *text_word(enum trace_record_type type);

/* ---- names of flags (trace/names.c) ---- */

struct text_flag {
	const char *name;
	uint64_t value;
};
/* Each list ends with an empty entry; combinations stand before their parts. */
extern const struct text_flag text_open_flags[], text_at_flags[], text_event_bits[], text_file_bits[], text_residency_bits[], text_via[], text_causes[];
/* The list for the flags member of that operation, or NULL: only numbers. */
const struct text_flag *text_flags_of(unsigned op);

/* ---- strings (trace/quote.c) ---- */

/*
 * In double quotes. Control bytes, quotes, backslashes, whatever is no valid UTF-8, and characters that a terminal acts on or does not
 * show (C1 controls, bidirectional and zero-width marks) become escapes, so the line is harmless to look at and gives back every byte.
 */
void quote_print(FILE *to, const char *text, size_t n);
/* Decodes the quoted string at *at in place; *at moves behind it. The decoded bytes, *n of them, or NULL and *why. */
char *quote_parse(char **at, size_t *n, const char **why);

/* ---- records ---- */

/* One line. The reader gives the strings. */
void text_print(FILE *to, const struct trace_reader *r, const struct trace_record *record);
/* header or trailer line */
void text_print_json(FILE *to, const char *word, const json_t *doc);
/* "12.345678", or with nine digits when it has to be */
void text_print_time(FILE *to, uint64_t ns);

struct text_parser;
struct text_error {
	uint64_t line;
	char text[256];
};
/*
 * Reads the whole text from the stream and writes the trace to path. 0, -EINVAL with *error about the text, or another -errno of
 * writing with error->text set.
 */
int text_build(FILE *from, const char *path, const struct trace_writer_options *options, struct text_error *error);
