/*
 * `trace cut` of a hostile trace, in its text form: what the events before the cut left behind, whose events are meant. Refused in one
 * line, or what comes out is a trace that survives text and back. The first three bytes choose the part.
 */
#include "trace/cut.c"

#include "tests/fuzz/text_input.h"

static void choose(const uint8_t *data)
{
	static const uint64_t from_ns[] = {0, 1, 100000, 10500000, 1000000000, 1ULL << 62}, to_ns[] = {UINT64_MAX, 200000, 20000000, UINT64_MAX - 1};

	opt.from_ns = from_ns[data[0] % 6];
	opt.to_ns = to_ns[data[1] % 4];
	opt.who.pid = (struct option_list){.item = {"100"}, .n = data[2] & 1};
	opt.who.comm = (struct option_list){.item = {"sh"}, .n = data[2] >> 1 & 1};
	opt.who.path = (struct option_list){.item = {"/srv"}, .n = data[2] >> 2 & 1};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static char out[64];
	struct memory_file f;
	enum trace_status status;
	size_t bytes;
	char *text;
	int rc;

	if (n < 4)
		return -1;
	snprintf(out, sizeof(out), "/dev/shm/iorig-fuzz.%d.cut", getpid());
	opt.out = out;
	choose(data);
	if (opt.from_ns >= opt.to_ns || !build_trace(data + 3, n - 3, &f))
		return 0;
	rc = cut_file(f.path);
	close(f.fd);
	if (rc != EXIT_DONE && rc != EXIT_INCOMPLETE) {
		if (!access(out, F_OK)) /* half a file */
			abort();
		return 0;
	}
	text = dump(out, &bytes, &status);
	if (status != TRACE_OK)
		abort();
	must_round_trip(text, bytes);
	free(text);
	unlink(out);
	return 0;
}
