/*
 * Text to trace. Line by line; every value is checked against the width of its member, every id against those defined above it.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "trace/text.h"

/* Ids in the text rise but may have gaps (a line was deleted); the trace numbers them anew. */
struct id_list {
	uint32_t *id;
	uint32_t n, room;
};

struct parser {
	const char *path;
	const struct trace_writer_options *options;
	struct trace_writer *writer;
	struct id_list files, threads;
	json_t *trailer;
	struct text_error *error;
	int rc; /* of writing */
};

static bool wrong(struct parser *p, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Always false: the line cannot be understood. */
static bool wrong(struct parser *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(p->error->text, sizeof(p->error->text), fmt, ap);
	va_end(ap);
	return false;
}

static void skip_blanks(char **at)
{
	while (**at == ' ' || **at == '\t')
		(*at)++;
}

/* Ends the word at the next blank and moves behind it. */
static char *next_word(char **at)
{
	char *start;

	skip_blanks(at);
	start = *at;
	*at += strcspn(*at, " \t");
	if (**at)
		*(*at)++ = 0;
	return start;
}

/* ---- ids ---- */

static uint32_t find_id(const struct id_list *list, uint64_t id)
{
	uint32_t low = 0, high = list->n;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (list->id[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < list->n && list->id[low] == id ? low + 1 : 0;
}

static bool add_id(struct parser *p, struct id_list *list, const char *what, const char *word)
{
	char *end;
	unsigned long long id = strtoull(word, &end, 10);

	if (!isdigit((unsigned char)*word) || *end || !id || id > UINT32_MAX)
		return wrong(p, "'%s' is no id of a %s: a number from 1 is needed", word, what);
	if (list->n && id <= list->id[list->n - 1])
		return wrong(p, "%s ids must rise: %llu comes after %" PRIu32, what, id, list->id[list->n - 1]);
	if (list->n == list->room) {
		uint32_t room = list->room ? 2 * list->room : 64, *bigger = realloc(list->id, room * sizeof(*bigger));

		if (!bigger) {
			p->rc = -ENOMEM;
			return false;
		}
		list->id = bigger;
		list->room = room;
	}
	list->id[list->n++] = (uint32_t)id;
	return true;
}

/* ---- values: each reads at *at and moves it behind the value ---- */

static bool parse_unsigned(char **at, uint64_t *v, bool suffixes)
{
	unsigned long long n;
	unsigned shift = 0;
	char *end;

	if (!isdigit((unsigned char)**at))
		return false;
	errno = 0;
	n = strtoull(*at, &end, 0);
	if (errno)
		return false;
	if (suffixes && (*end == 'k' || *end == 'M' || *end == 'G'))
		shift = *end == 'k' ? 10 : *end == 'M' ? 20 : 30, end++;
	if (n > UINT64_MAX >> shift)
		return false;
	*v = n << shift;
	*at = end;
	return true;
}

static bool parse_signed(char **at, uint64_t *v)
{
	bool minus = **at == '-';
	uint64_t n;

	*at += minus;
	if (!parse_unsigned(at, &n, !minus) || n > (uint64_t)INT64_MAX + minus)
		return false;
	*v = minus ? 0 - n : n;
	return true;
}

static bool parse_time(char **at, uint64_t *ns)
{
	uint64_t s, rest = 0, unit = 100000000;
	char *p = *at;

	if (!isdigit((unsigned char)*p))
		return false;
	errno = 0;
	s = strtoull(p, &p, 10);
	if (errno)
		return false;
	if (*p == '.')
		for (p++; isdigit((unsigned char)*p); p++, unit /= 10) {
			if (!unit)
				return false;
			rest += unit * (uint64_t)(*p - '0');
		}
	if (__builtin_mul_overflow(s, 1000000000u, &s) || __builtin_add_overflow(s, rest, ns))
		return false;
	*at = p;
	return true;
}

static bool parse_device(char **at, uint64_t *v)
{
	uint64_t major, minor;

	if (!parse_unsigned(at, &major, false) || **at != ':' || (++*at, !parse_unsigned(at, &minor, false)) || major >> 44 || minor >> 20)
		return false;
	*v = major << 20 | minor;
	return true;
}

static const struct text_flag *find_flag(const struct text_flag *f, const char *name, size_t n)
{
	for (; f && f->name; f++)
		if (strlen(f->name) == n && !memcmp(f->name, name, n))
			return f;
	return NULL;
}

static bool parse_flags(char **at, const struct text_flag *flags, uint64_t *v)
{
	*v = 0;
	do {
		size_t n = strcspn(*at, "| \t");
		const struct text_flag *f = find_flag(flags, *at, n);
		uint64_t number;

		if (f) {
			*v |= f->value;
			*at += n;
		} else if (parse_unsigned(at, &number, false)) {
			*v |= number;
		} else {
			return false;
		}
	} while (**at == '|' && (*at)++);
	return true;
}

static bool parse_string(struct parser *p, char **at, uint64_t *v)
{
	const char *why;
	size_t n;
	const char *text = quote_parse(at, &n, &why);

	if (!text)
		return wrong(p, "%s", why);
	*v = trace_writer_string(p->writer, text, n);
	if (n && !*v)
		p->rc = trace_writer_flush(p->writer); /* gives the error that stuck */
	return !p->rc;
}

static bool parse_id(struct parser *p, const struct id_list *list, const char *what, char **at, uint64_t *v)
{
	uint64_t id;

	if (!parse_unsigned(at, &id, false))
		return wrong(p, "%s needs a number", what);
	*v = id ? find_id(list, id) : 0;
	return !id || *v || wrong(p, "%s %" PRIu64 " is not defined above", what, id);
}

static bool parse_value(struct parser *p, const struct text_key *k, unsigned op, char **at, uint64_t *v)
{
	bool good = false;

	switch ((enum text_kind)k->kind) {
	case TEXT_STRING: return parse_string(p, at, v);
	case TEXT_FILE: return parse_id(p, &p->files, "file", at, v);
	case TEXT_THREAD: return parse_id(p, &p->threads, "thread", at, v);
	case TEXT_NUMBER:
	case TEXT_WORD: good = parse_unsigned(at, v, true); break;
	case TEXT_OCTAL: good = parse_unsigned(at, v, false); break;
	case TEXT_SIGNED: good = parse_signed(at, v); break;
	case TEXT_DEVICE: good = parse_device(at, v); break;
	case TEXT_TIME: good = parse_time(at, v); break;
	case TEXT_FLAGS: good = parse_flags(at, k->flags ? k->flags : text_flags_of(op), v); break;
	case TEXT_FD:
		good = !strncmp(*at, "AT_FDCWD", 8);
		*v = (uint64_t)-100;
		*at += good ? 8 : 0;
		good = good || parse_signed(at, v);
		break;
	}
	return good || wrong(p, "%s= has no valid value at '%.40s'", k->name, *at);
}

static bool store(struct parser *p, const struct text_key *k, void *record, uint64_t v)
{
	bool is_signed = k->kind == TEXT_SIGNED || k->kind == TEXT_FD;

	if (k->bytes < 8 && (is_signed ? (int64_t)v != (int32_t)v : v >> 8 * k->bytes))
		return wrong(p, "%s= is out of range", k->name);
	memcpy((char *)record + k->offset, &v, k->bytes); /* little endian */
	return true;
}

static const struct text_key *find_key(const struct trace_record *record, const char *name, size_t n)
{
	unsigned fields = record->type == TRACE_EVENT ? trace_ops[record->event.op].fields : 0;

	for (const struct text_key *k = text_keys_of(record->type); k->name && k->type == record->type; k++)
		if (strlen(k->name) == n && !memcmp(k->name, name, n) && (!k->field || (k->field & fields)))
			return k;
	return NULL;
}

/*
 * key=value ... up to the end of the line or a lone '='. *seen gets a bit for every key of the type, in the table's order.
 */
static bool parse_keys(struct parser *p, char **at, struct trace_record *record, uint32_t *seen)
{
	unsigned op = record->type == TRACE_EVENT ? record->event.op : 0;

	*seen = 0;
	for (skip_blanks(at); **at && **at != '='; skip_blanks(at)) {
		size_t n = strcspn(*at, "= \t");
		const struct text_key *k = find_key(record, *at, n);
		uint32_t bit;
		uint64_t v;

		if ((*at)[n] != '=')
			return wrong(p, "'%.*s' is no key=value", (int)(n < 40 ? n : 40), *at);
		if (!k)
			return wrong(p, "%s has no key '%.*s'", op ? trace_ops[op].name : text_word(record->type), (int)(n < 40 ? n : 40), *at);
		bit = 1u << (k - text_keys_of(record->type));
		if (*seen & bit)
			return wrong(p, "%s= is given twice", k->name);
		*seen |= bit;
		*at += n + 1;
		if (!parse_value(p, k, op, at, &v) || !store(p, k, &record->file, v))
			return false;
		if (**at && **at != ' ' && **at != '\t')
			return wrong(p, "%s= is followed by '%.40s'", k->name, *at);
	}
	return true;
}

/* ---- lines ---- */

static bool parse_result(struct parser *p, char *at, struct trace_event *e)
{
	enum trace_class class = trace_ops[e->op].class;
	uint64_t v;

	e->result = class == TRACE_CLASS_READ || class == TRACE_CLASS_WRITE ? (int64_t)e->length : 0;
	if (!*at)
		return true;
	at++;
	skip_blanks(&at);
	if (*at == '-' && at[1] == 'E') {
		for (int number = 1; number < 4096; number++) {
			const char *name = strerrorname_np(number);

			if (name && !strcmp(name, at + 1)) {
				e->result = -number;
				return true;
			}
		}
		return wrong(p, "'%.40s' is no error that this system knows", at);
	}
	if (!parse_signed(&at, &v) || *at)
		return wrong(p, "the result must be a number or an error as in -ENOENT, not '%.40s'", at);
	e->result = (int64_t)v;
	return true;
}

static bool parse_event(struct parser *p, char *at)
{
	struct trace_record record = {.type = TRACE_EVENT, .event = {.fd = -1, .fd2 = -1, .offset = -1, .offset2 = -1}};
	struct trace_event *e = &record.event;
	char *word = next_word(&at), *id;
	uint64_t thread;
	uint32_t seen;

	if (!parse_time(&word, &e->begin_ns) || (*word == '+' && (word++, !parse_time(&word, &e->duration_ns))) || *word)
		return wrong(p, "the time must be SECONDS+SECONDS with at most nine digits behind the point");
	id = next_word(&at);
	if (!parse_id(p, &p->threads, "thread", &id, &thread))
		return false;
	if (*id || !thread)
		return wrong(p, "behind the time the id of a thread is needed");
	e->thread = (uint32_t)thread;
	word = next_word(&at);
	e->op = (uint8_t)trace_op_by_name(word);
	if (!e->op)
		return wrong(p, "there is no operation '%.40s'; iorig-syscalls(5) lists them", word);
	if (!parse_keys(p, &at, &record, &seen) || !parse_result(p, at, e))
		return false;
	p->rc = trace_writer_event(p->writer, e);
	return !p->rc;
}

static void add_defaults(struct trace_record *record, uint32_t seen)
{
	const struct text_key *first = text_keys_of(record->type);

	for (const struct text_key *k = first; k->name && k->type == record->type; k++) {
		if (seen & 1u << (k - first))
			continue;
		if (record->type == TRACE_THREAD && !strcmp(k->name, "pid"))
			record->thread.pid = record->thread.tid; /* the first thread of its process */
		if (record->type == TRACE_FD && !strcmp(k->name, "desc"))
			record->fd.description = 1ULL << 63 | (uint64_t)record->fd.pid << 32 | (uint32_t)record->fd.fd; /* shared with none */
	}
}

static bool parse_definition(struct parser *p, enum trace_record_type type, char *at)
{
	struct trace_record record;
	uint32_t seen;

	memset(&record, 0, sizeof(record));
	record.type = type;
	/* The new id is known only behind its own line, so that a thread is not its own parent. */
	char *id = type == TRACE_FILE || type == TRACE_THREAD ? next_word(&at) : NULL;

	if (!parse_keys(p, &at, &record, &seen))
		return false;
	if (*at)
		return wrong(p, "%s has no result", text_word(type));
	if (id && !add_id(p, type == TRACE_FILE ? &p->files : &p->threads, text_word(type), id))
		return false;
	add_defaults(&record, seen);
	p->rc = trace_writer_record(p->writer, &record);
	return !p->rc;
}

static bool open_writer(struct parser *p, const json_t *header)
{
	p->writer = trace_writer_open(p->path, header, p->options);
	if (!p->writer)
		p->rc = -errno;
	return p->writer != NULL;
}

static json_t *parse_json(struct parser *p, const char *word, const char *at)
{
	json_error_t error;
	json_t *doc = json_loads(at, JSON_REJECT_DUPLICATES, &error);

	if (json_is_object(doc))
		return doc;
	wrong(p, "%s needs a JSON object: %.150s", word, doc ? "this is another JSON value" : error.text);
	json_decref(doc);
	return NULL;
}

static bool parse_header(struct parser *p, const char *at)
{
	bool good;
	json_t *header;

	if (p->writer)
		return wrong(p, "the header must be the first record");
	header = parse_json(p, "header", at);
	good = header && open_writer(p, header);
	json_decref(header);
	return good;
}

static bool parse_line(struct parser *p, char *at)
{
	char *word;

	skip_blanks(&at);
	if (!*at || *at == '#')
		return true;
	if (p->trailer)
		return wrong(p, "the trailer must be the last record");
	if (!strncmp(at, "header ", 7))
		return parse_header(p, at + 7);
	if (!p->writer && !open_writer(p, NULL))
		return false;
	if (isdigit((unsigned char)*at))
		return parse_event(p, at);
	if (!strncmp(at, "trailer ", 8))
		return (p->trailer = parse_json(p, "trailer", at + 8)) != NULL;
	word = next_word(&at);
	for (enum trace_record_type type = TRACE_FILE; type < TRACE_RECORD_TYPES; type++)
		if (text_word(type) && !strcmp(word, text_word(type)))
			return parse_definition(p, type, at);
	return wrong(p, "a line begins with a time, header, file, thread, fd, wake, residency, content, hole, loss, trailer or #, not with '%.40s'", word);
}

static bool parse_stream(struct parser *p, FILE *from)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	ssize_t n;

	errno = 0;
	while ((n = getline(&line, &room, from)) >= 0) {
		p->error->line++;
		if (n && line[n - 1] == '\n')
			line[--n] = 0;
		if (memchr(line, 0, (size_t)n))
			return wrong(p, "there is a NUL byte in this line");
		if (!parse_line(p, line))
			return false;
	}
	if (ferror(from))
		p->rc = errno ? -errno : -EIO;
	return !p->rc && (p->writer || open_writer(p, NULL));
}

int text_build(FILE *from, const char *path, const struct trace_writer_options *options, struct text_error *error)
{
	struct parser p = {.path = path, .options = options, .error = error};
	bool good;
	int rc = 0;

	*error = (struct text_error){0};
	good = parse_stream(&p, from);
	if (p.writer)
		rc = trace_writer_close(p.writer, p.trailer);
	if (!good)
		rc = p.rc ? p.rc : -EINVAL;
	free(p.files.id);
	free(p.threads.id);
	json_decref(p.trailer);
	if (rc && !error->text[0])
		snprintf(error->text, sizeof(error->text), "%s", strerror(-rc));
	return rc;
}
