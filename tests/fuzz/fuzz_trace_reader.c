/*
 * Any bytes as a trace. Even first byte: the rest is the file. Odd: what follows is the payload of a block, around which a file with
 * right checksums is put, so that the fuzzer gets behind them. Whatever could be read must survive text and back.
 */
#include <xxhash.h>

#include "tests/fuzz/fuzz.h"
#include "trace/format.h"

static size_t put(uint8_t *file, size_t at, const void *data, size_t n)
{
	memcpy(file + at, data, n);
	return at + n;
}

/* Preamble, header, one block with that payload, no index: reading ends as truncated when the block is good. */
static struct memory_file wrap(const uint8_t *payload, size_t n, uint32_t records, uint32_t events)
{
	static const char header[] = "{\"schema\":\"" TRACE_SCHEMA "\"}";
	uint8_t *file = malloc(n + 256);
	struct trace_frame f = {.tag = TRACE_TAG_BLOCK, .stored_bytes = (uint32_t)n, .records = records, .events = events};
	uint32_t version = TRACE_VERSION, header_bytes = sizeof(header) - 1;
	struct memory_file made;
	uint64_t hash;
	size_t at = put(file, 0, TRACE_MAGIC, 8);

	at = put(file, at, &version, 4);
	at = put(file, at, &header_bytes, 4);
	hash = XXH3_64bits(file, at);
	at = put(file, at, &hash, 8);
	at = put(file, at, header, header_bytes);
	hash = XXH3_64bits(header, header_bytes);
	at = put(file, at, &hash, 8);
	f.payload_hash = XXH3_64bits(payload, n);
	f.head_hash = XXH3_64bits_withSeed(&f, offsetof(struct trace_frame, head_hash), at);
	at = put(file, at, &f, sizeof(f));
	at = put(file, at, payload, n);
	made = memory_file(file, at);
	free(file);
	return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct memory_file f;
	enum trace_status status;
	size_t bytes;
	char *text;

	if (n < 8)
		return 0;
	f = data[0] & 1 ? wrap(data + 3, n - 3, data[1], data[2]) : memory_file(data + 1, n - 1);
	text = dump(f.path, &bytes, &status);
	if (bytes)
		must_round_trip(text, bytes);
	free(text);
	close(f.fd);
	return 0;
}
