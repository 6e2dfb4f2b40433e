#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "trace/text.h"

void text_print_time(FILE *to, uint64_t ns)
{
	uint64_t s = ns / 1000000000, rest = ns % 1000000000;

	if (rest % 1000)
		fprintf(to, "%" PRIu64 ".%09" PRIu64, s, rest);
	else
		fprintf(to, "%" PRIu64 ".%06" PRIu64, s, rest / 1000);
}

static void print_flags(FILE *to, uint64_t v, const struct text_flag *f)
{
	const char *bar = "";

	for (; f && f->name; f++) {
		if (f->value ? (v & f->value) != f->value : v || *bar)
			continue;
		fprintf(to, "%s%s", bar, f->name);
		v &= ~f->value;
		bar = "|";
	}
	if (v || !*bar)
		fprintf(to, "%s0x%" PRIx64, bar, v);
}

static uint64_t load(const void *record, const struct text_key *k)
{
	const char *p = (const char *)record + k->offset;
	uint64_t v = 0;

	memcpy(&v, p, k->bytes); /* little endian */
	if (k->bytes == 4 && (k->kind == TEXT_SIGNED || k->kind == TEXT_FD))
		v = (uint64_t)(int32_t)v;
	return v;
}

static void print_value(FILE *to, const struct trace_reader *r, const struct text_key *k, uint64_t v, unsigned op)
{
	const char *text;

	switch ((enum text_kind)k->kind) {
	case TEXT_NUMBER:
	case TEXT_FILE:
	case TEXT_THREAD: fprintf(to, "%" PRIu64, v); break;
	case TEXT_SIGNED: fprintf(to, "%" PRId64, (int64_t)v); break;
	case TEXT_WORD: fprintf(to, v < 65536 ? "%" PRIu64 : "0x%" PRIx64, v); break;
	case TEXT_OCTAL: fprintf(to, "0%" PRIo64, v); break;
	case TEXT_DEVICE: fprintf(to, "%" PRIu64 ":%" PRIu64, v >> 20, v & 0xfffff); break;
	case TEXT_TIME: text_print_time(to, v); break;
	case TEXT_FLAGS: print_flags(to, v, k->flags ? k->flags : text_flags_of(op)); break;
	case TEXT_FD:
		if ((int64_t)v == -100)
			fputs("AT_FDCWD", to);
		else
			fprintf(to, "%" PRId64, (int64_t)v);
		break;
	case TEXT_STRING:
		text = trace_reader_string(r, (uint32_t)v);
		quote_print(to, text, strlen(text));
		break;
	}
}

static void print_keys(FILE *to, const struct trace_reader *r, const struct trace_record *record, unsigned fields)
{
	unsigned op = record->type == TRACE_EVENT ? record->event.op : 0;

	for (const struct text_key *k = text_keys_of(record->type); k->name && k->type == record->type; k++) {
		uint64_t v = load(&record->file, k); /* all members of the union start at the same place */

		if (k->field ? !(k->field & fields) || v == (uint64_t)k->otherwise : !k->always && v == (uint64_t)k->otherwise)
			continue;
		fprintf(to, " %s=", k->name);
		print_value(to, r, k, v, op);
	}
}

static void print_event(FILE *to, const struct trace_reader *r, const struct trace_record *record)
{
	const struct trace_event *e = &record->event;
	const char *error = e->result < 0 && e->result >= -4095 ? strerrorname_np((int)-e->result) : NULL;

	text_print_time(to, e->begin_ns);
	putc('+', to);
	text_print_time(to, e->duration_ns);
	fprintf(to, " %" PRIu32 " %s", e->thread, trace_ops[e->op].name);
	print_keys(to, r, record, trace_ops[e->op].fields);
	if (error)
		fprintf(to, " = -%s\n", error);
	else
		fprintf(to, " = %" PRId64 "\n", e->result);
}

void text_print(FILE *to, const struct trace_reader *r, const struct trace_record *record)
{
	if (record->type == TRACE_EVENT) {
		print_event(to, r, record);
		return;
	}
	fputs(text_word(record->type), to);
	if (record->type == TRACE_FILE || record->type == TRACE_THREAD)
		fprintf(to, " %" PRIu32, record->type == TRACE_FILE ? record->file.id : record->thread.id);
	print_keys(to, r, record, 0);
	putc('\n', to);
}

void text_print_json(FILE *to, const char *word, const json_t *doc)
{
	fprintf(to, "%s ", word);
	/* ASCII only: what came from a foreign host must not reach a terminal as it is. */
	json_dumpf(doc, to, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(17));
	putc('\n', to);
}
