#pragma once
#include <stddef.h>
#include <stdint.h>

/*
 * SHA-256 (FIPS 180-4), for naming files by their content. Threads: any, one struct each.
 *
 *	struct sha256 s;
 *	sha256_init(&s);
 *	sha256_update(&s, data, n);                // as often as there is data
 *	sha256_finish(&s, hex);                     // 64 digits and a NUL
 */
struct sha256 {
	uint32_t state[8];
	uint64_t bytes;
	uint8_t pending[64];
};

#define SHA256_HEX 65 /* bytes of the text form, NUL included */

void sha256_init(struct sha256 *s);
void sha256_update(struct sha256 *s, const void *data, size_t n);
void sha256_finish(struct sha256 *s, char hex[SHA256_HEX]);

/* Of a whole file. 0 or -errno. */
int sha256_file(const char *path, char hex[SHA256_HEX]);

/* Of n bytes in memory. Returns hex. */
char *sha256_text(const void *data, size_t n, char hex[SHA256_HEX]);
