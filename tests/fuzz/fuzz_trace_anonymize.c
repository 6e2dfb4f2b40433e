/*
 * `trace anonymize` of a hostile trace, in its text form: every record comes out again with other strings and nothing else changed, and
 * equal strings have equal pseudonyms, different ones different.
 */
#include "tests/fuzz/text_input.h"
#include "trace/anonymous.h"
#include "trace/rewrite.h"

/* Strings of one record before and after; 0 stays 0. */
static void must_pair(uint32_t before, uint32_t after)
{
	if (!before != !after)
		abort();
}

static void must_agree(const struct trace_record *a, const struct trace_record *b)
{
	struct trace_record x = *a, y = *b;

	if (a->type != b->type)
		abort();
	switch (a->type) {
	case TRACE_FILE:
		must_pair(a->file.path, b->file.path);
		must_pair(a->file.target, b->file.target);
		x.file.path = x.file.target = y.file.path = y.file.target = 0;
		if (a->file.target) /* a link is as long as its target */
			x.file.size = y.file.size;
		break;
	case TRACE_THREAD:
		must_pair(a->thread.comm, b->thread.comm);
		must_pair(a->thread.cwd, b->thread.cwd);
		x.thread.comm = x.thread.cwd = y.thread.comm = y.thread.cwd = 0;
		break;
	case TRACE_EVENT:
		must_pair(a->event.path, b->event.path);
		must_pair(a->event.path2, b->event.path2);
		x.event.path = x.event.path2 = y.event.path = y.event.path2 = 0;
		if (a->event.op == TRACE_OP_READLINK || a->event.op == TRACE_OP_READLINKAT) {
			x.event.result = y.event.result;
			x.event.length = y.event.length;
		}
		break;
	default: break;
	}
#define SAME(type_, member) \
	if (a->type == type_ && memcmp(&x.member, &y.member, sizeof(x.member))) \
	abort()
	SAME(TRACE_FILE, file);
	SAME(TRACE_THREAD, thread);
	SAME(TRACE_FD, fd);
	SAME(TRACE_EVENT, event);
	SAME(TRACE_WAKE, wake);
	SAME(TRACE_RESIDENCY, residency);
	SAME(TRACE_LOSS, loss);
	SAME(TRACE_CONTENT, content);
	SAME(TRACE_HOLE, hole);
#undef SAME
}

static void must_be_the_same_trace(const char *before, const char *after)
{
	struct trace_error error;
	struct trace_reader *a = trace_reader_open(before, &error), *b = trace_reader_open(after, &error);
	struct trace_record x, y;
	bool more, and_more;

	if (!a || !b)
		abort();
	do {
		memset(&x, 0, sizeof(x));
		memset(&y, 0, sizeof(y));
		more = trace_reader_next(a, &x);
		and_more = trace_reader_next(b, &y);
		if (more != and_more)
			abort();
		if (more)
			must_agree(&x, &y);
	} while (more);
	if (trace_reader_error(b)->status != TRACE_OK)
		abort();
	trace_reader_close(a);
	trace_reader_close(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct anonymizer_options how = {.key = "key", .key_bytes = 3};
	struct memory_file from, to;
	struct trace_error error;
	struct anonymizer *a;
	struct trace_reader *r;
	struct trace_writer *w;
	json_t *header;
	int rc, end;

	if (n < 2 || !build_trace(data + 1, n - 1, &from))
		return 0;
	how.keep_extensions = data[0] & 1;
	how.keep_directories = data[0] & 2;
	a = anonymizer_open(&how);
	r = trace_reader_open(from.path, &error);
	if (!r)
		abort();
	to = memory_file(NULL, 0);
	header = anonymous_header(a, trace_reader_header(r));
	w = trace_writer_open(to.path, header, NULL);
	rc = rewrite_copy(r, w, anonymous_rename, a);
	end = trace_writer_close(w, NULL);
	if ((rc || end) && !anonymizer_collided(a))
		abort();
	if (!rc && !end) {
		must_be_the_same_trace(from.path, to.path);
		/* It may refuse (a name of the trace that is another name's pseudonym), it may not die. */
		anonymous_check(a, to.path);
	}
	json_decref(header);
	trace_reader_close(r);
	anonymizer_close(a);
	close(from.fd);
	close(to.fd);
	return 0;
}
