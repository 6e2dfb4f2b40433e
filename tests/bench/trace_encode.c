/*
 * Encodes and decodes the records of a trace again and again in memory, in turns with the obvious way (the records as they are, in
 * 256 KiB pieces, zstd level 1), and prints what one event costs: CPU ns of this thread, the start of a writer, zstd, checksums
 * and the copy to a file in memory included; the median of the rounds. Memory is not given back to the kernel in between, for a
 * recorder pays for its first touch once, not once every 100 000 events.
 *	trace_encode FILE ROUNDS  ->  "events bytes_per_event encode_ns decode_ns raw_bytes_per_event raw_ns"
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zstd.h>

#include "trace/trace.h"

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

struct loaded {
	struct trace_record *record;
	size_t n, room;
	struct trace_reader *reader; /* keeps the strings */
};

static void load(struct loaded *l, const char *path)
{
	struct trace_error error;
	struct trace_record r;

	l->reader = trace_reader_open(path, &error);
	if (!l->reader) {
		fprintf(stderr, "%s: %s\n", path, error.text);
		exit(1);
	}
	while (trace_reader_next(l->reader, &r)) {
		if (l->n == l->room) {
			l->room = l->room ? 2 * l->room : 65536;
			l->record = realloc(l->record, l->room * sizeof(*l->record));
			if (!l->record)
				exit(1);
		}
		l->record[l->n++] = r;
	}
	if (trace_reader_error(l->reader)->status) {
		fprintf(stderr, "%s: %s\n", path, trace_reader_error(l->reader)->text);
		exit(1);
	}
}

/* A string is interned just before the record that uses it, as a recorder does. Ids come out as they were. */
static void strings_up_to(struct trace_writer *w, const struct trace_reader *r, uint32_t *given, uint32_t id)
{
	for (; *given < id; (*given)++) {
		const char *text = trace_reader_string(r, *given + 1);

		if (trace_writer_string(w, text, strlen(text)) != *given + 1)
			abort();
	}
}

static void encode(const struct loaded *l, const char *path)
{
	struct trace_writer *w = trace_writer_open(path, NULL, NULL);
	uint32_t given = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct trace_record *r = &l->record[i];

		switch (r->type) {
		case TRACE_EVENT:
			strings_up_to(w, l->reader, &given, r->event.path > r->event.path2 ? r->event.path : r->event.path2);
			trace_writer_event(w, &r->event);
			break;
		case TRACE_FILE:
			strings_up_to(w, l->reader, &given, r->file.path > r->file.target ? r->file.path : r->file.target);
			trace_writer_file(w, &r->file);
			break;
		case TRACE_THREAD:
			strings_up_to(w, l->reader, &given, r->thread.comm > r->thread.cwd ? r->thread.comm : r->thread.cwd);
			trace_writer_thread(w, &r->thread);
			break;
		case TRACE_FD: trace_writer_fd(w, &r->fd); break;
		case TRACE_WAKE: trace_writer_wake(w, &r->wake); break;
		case TRACE_RESIDENCY: trace_writer_residency(w, &r->residency); break;
		case TRACE_CONTENT: trace_writer_content(w, &r->content); break;
		case TRACE_HOLE: trace_writer_hole(w, &r->hole); break;
		case TRACE_LOSS: trace_writer_loss(w, &r->loss); break;
		case TRACE_END: break;
		}
	}
	if (trace_writer_close(w, NULL))
		exit(1);
}

static uint64_t decode(const char *path)
{
	struct trace_error error;
	struct trace_record r;
	struct trace_reader *reader = trace_reader_open(path, &error);
	uint64_t events = 0;

	while (trace_reader_next(reader, &r))
		events += r.type == TRACE_EVENT;
	trace_reader_close(reader);
	return events;
}

/* The peer: records as they are in memory, with their strings behind them. Returns the compressed size. */
static uint64_t encode_raw(const struct loaded *l)
{
	enum { PIECE = 256 << 10 };
	static char piece[PIECE], packed[2 * PIECE];
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	uint32_t given = 0;
	uint64_t bytes = 0;
	size_t used = 0;

	for (size_t i = 0; i < l->n; i++) {
		const struct trace_record *r = &l->record[i];
		uint32_t newest = r->type == TRACE_EVENT ? (r->event.path > r->event.path2 ? r->event.path : r->event.path2)
			          : r->type == TRACE_FILE ? r->file.path : 0;

		if (used + sizeof(*r) + 8192 > PIECE || i + 1 == l->n) {
			bytes += ZSTD_compressCCtx(zstd, packed, sizeof(packed), piece, used, 1);
			used = 0;
		}
		memcpy(piece + used, &r->event, r->type == TRACE_EVENT ? sizeof(r->event) : sizeof(r->file));
		used += r->type == TRACE_EVENT ? sizeof(r->event) : sizeof(r->file);
		for (; given < newest && used + 4096 < PIECE; given++) {
			const char *text = trace_reader_string(l->reader, given + 1);
			size_t n = strlen(text) + 1;

			memcpy(piece + used, text, n);
			used += n;
		}
	}
	ZSTD_freeCCtx(zstd);
	return bytes;
}

static int by_size(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int main(int argc, char **argv)
{
	struct loaded l = {0};
	int rounds = argc == 3 ? atoi(argv[2]) : 0;
	uint64_t encode_ns[99], decode_ns[99], raw_ns[99], events = 0, raw_bytes = 0;
	char copy[] = "/dev/shm/iorig-bench.XXXXXX";
	struct stat st;

	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (rounds < 1 || rounds > 99 || mkstemp(copy) < 0)
		return 2;
	load(&l, argv[1]);
	for (int i = 0; i < rounds; i++) {
		uint64_t start = cpu_ns(), middle;

		encode(&l, copy);
		middle = cpu_ns();
		events = decode(copy);
		encode_ns[i] = middle - start;
		decode_ns[i] = cpu_ns() - middle;
		start = cpu_ns();
		raw_bytes = encode_raw(&l);
		raw_ns[i] = cpu_ns() - start;
	}
	stat(copy, &st);
	unlink(copy);
	qsort(encode_ns, (size_t)rounds, sizeof(*encode_ns), by_size);
	qsort(decode_ns, (size_t)rounds, sizeof(*decode_ns), by_size);
	qsort(raw_ns, (size_t)rounds, sizeof(*raw_ns), by_size);
	printf("%llu %.2f %.1f %.1f %.2f %.1f\n", (unsigned long long)events, (double)st.st_size / (double)events,
	       (double)encode_ns[rounds / 2] / (double)events, (double)decode_ns[rounds / 2] / (double)events,
	       (double)raw_bytes / (double)events, (double)raw_ns[rounds / 2] / (double)events);
	return 0;
}
