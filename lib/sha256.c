#include "lib/sha256.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#include "lib/cleanup.h"

/* The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
static const uint32_t round_constant[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotate(uint32_t x, unsigned n)
{
	return x >> n | x << (32 - n);
}

static uint32_t load_be(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline __attribute__((always_inline)) void one_round(uint32_t v[8], unsigned r, uint32_t input)
{
	uint32_t a = v[(8 - r) % 8], b = v[(9 - r) % 8], c = v[(10 - r) % 8];
	uint32_t e = v[(12 - r) % 8], f = v[(13 - r) % 8], g = v[(14 - r) % 8];
	uint32_t t = v[(15 - r) % 8] + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) + ((e & f) ^ (~e & g)) + input;

	v[(11 - r) % 8] += t;
	v[(15 - r) % 8] = t + (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
}

static void compress_portable(uint32_t state[8], const uint8_t block[64])
{
	uint32_t w[64], v[8];

	for (int i = 0; i < 16; i++)
		w[i] = load_be(block + 4 * i);
	for (int i = 16; i < 64; i++) {
		uint32_t a = w[i - 15], b = w[i - 2];

		w[i] = w[i - 16] + (rotate(a, 7) ^ rotate(a, 18) ^ a >> 3) + w[i - 7] +
		       (rotate(b, 17) ^ rotate(b, 19) ^ b >> 10);
	}
	memcpy(v, state, sizeof(v));
	/* Instead of moving eight words a round, the names move: round i finds word j at v[(j - i) mod 8], constant after unrolling. */
	for (int i = 0; i < 64; i += 8) {
#pragma GCC unroll 8
		for (unsigned r = 0; r < 8; r++)
			one_round(v, r, w[i + (int)r] + round_constant[i + (int)r]);
	}
	for (int i = 0; i < 8; i++)
		state[i] += v[i];
}

static void compress_all_portable(uint32_t state[8], const uint8_t *block, size_t blocks)
{
	for (; blocks; blocks--, block += 64)
		compress_portable(state, block);
}

#if defined(__x86_64__)
/* By the processor's own instructions, ten times as fast: four rounds a turn (Intel, "New Instructions Supporting the Secure Hash Algorithm"). */
__attribute__((target("sha,sse4.1"))) static void compress_all_sha_ni(uint32_t state[8], const uint8_t *block, size_t blocks)
{
	const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
	__m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0xb1);
	__m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)(state + 4)), 0x1b);
	__m128i abef = _mm_alignr_epi8(cdab, efgh, 8), cdgh = _mm_blend_epi16(efgh, cdab, 0xf0), feba, dchg;

	for (; blocks; blocks--, block += 64) {
		__m128i w[4], abef_before = abef, cdgh_before = cdgh;

		for (int i = 0; i < 4; i++)
			w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(block + 16 * i)), big_endian);
#pragma GCC unroll 16
		for (int i = 0; i < 16; i++) {
			__m128i *now = &w[i & 3], sum, input;

			if (i >= 4) {
				sum = _mm_add_epi32(_mm_sha256msg1_epu32(*now, w[(i + 1) & 3]), _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4));
				*now = _mm_sha256msg2_epu32(sum, w[(i + 3) & 3]);
			}
			input = _mm_add_epi32(*now, _mm_loadu_si128((const __m128i *)(round_constant + 4 * i)));
			cdgh = _mm_sha256rnds2_epu32(cdgh, abef, input);
			abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(input, 0x0e));
		}
		abef = _mm_add_epi32(abef, abef_before);
		cdgh = _mm_add_epi32(cdgh, cdgh_before);
	}
	feba = _mm_shuffle_epi32(abef, 0x1b);
	dchg = _mm_shuffle_epi32(cdgh, 0xb1);
	_mm_storeu_si128((__m128i *)state, _mm_blend_epi16(feba, dchg, 0xf0));
	_mm_storeu_si128((__m128i *)(state + 4), _mm_alignr_epi8(dchg, feba, 8));
}

/* Asked once: in a virtual machine each answer costs microseconds. */
static bool has_sha_ni(void)
{
	static _Atomic int known; /* 0: not yet, 1: no, 2: yes */
	unsigned a, b, c, d;

	if (!known)
		known = 1 + (__builtin_cpu_supports("sse4.1") && __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & bit_SHA);
	return known == 2;
}
#endif

static void compress(uint32_t state[8], const uint8_t *block, size_t blocks)
{
#if defined(__x86_64__)
	if (has_sha_ni()) {
		compress_all_sha_ni(state, block, blocks);
		return;
	}
#endif
	compress_all_portable(state, block, blocks);
}

void sha256_init(struct sha256 *s)
{
	*s = (struct sha256){.state = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c,
				       0x1f83d9ab, 0x5be0cd19}};
}

void sha256_update(struct sha256 *s, const void *data, size_t n)
{
	const uint8_t *p = data;
	size_t have = s->bytes % 64;

	s->bytes += n;
	if (have) {
		size_t take = n < 64 - have ? n : 64 - have;

		memcpy(s->pending + have, p, take);
		if (have + take < 64)
			return;
		compress(s->state, s->pending, 1);
		p += take;
		n -= take;
	}
	if (n >= 64)
		compress(s->state, p, n / 64);
	if (n % 64)
		memcpy(s->pending, p + n / 64 * 64, n % 64);
}

void sha256_finish(struct sha256 *s, char hex[SHA256_HEX])
{
	static const uint8_t padding[64] = {0x80};
	uint64_t bits = s->bytes * 8;
	uint8_t length[8];

	for (int i = 0; i < 8; i++)
		length[i] = (uint8_t)(bits >> (56 - 8 * i));
	sha256_update(s, padding, 1 + (119 - s->bytes % 64) % 64);
	sha256_update(s, length, sizeof(length));
	for (int i = 0; i < 8; i++)
		snprintf(hex + 8 * i, 9, "%08x", s->state[i]);
}

int sha256_file(const char *path, char hex[SHA256_HEX])
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	uint8_t chunk[64 << 10];
	struct sha256 s;
	ssize_t n;

	if (fd < 0)
		return -errno;
	sha256_init(&s);
	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		sha256_update(&s, chunk, (size_t)n);
	}
	sha256_finish(&s, hex);
	return 0;
}

char *sha256_text(const void *data, size_t n, char hex[SHA256_HEX])
{
	struct sha256 s;

	sha256_init(&s);
	sha256_update(&s, data, n);
	sha256_finish(&s, hex);
	return hex;
}
