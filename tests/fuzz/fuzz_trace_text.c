/* Any bytes as text. When it builds, its dump must build again, to the same dump. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct memory_file f = memory_file(NULL, 0);
	struct text_error error;
	FILE *from = n ? fmemopen((void *)data, n, "r") : NULL;

	if (from) {
		enum trace_status status;
		size_t bytes;
		char *text;

		if (!text_build(from, f.path, NULL, &error)) {
			text = dump(f.path, &bytes, &status);
			if (status != TRACE_OK)
				abort();
			must_round_trip(text, bytes);
			free(text);
		} else if (!error.text[0]) {
			abort();
		}
		fclose(from);
	}
	close(f.fd);
	return 0;
}
