#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/hist.h"

/*
 * How numbers are stored: LEB128 varints where values repeat (zstd finds the repetition), and a class byte with raw low bits
 * where they are noise (times, random offsets): the class column holds all that an entropy coder can gain, the bits are packed
 * without a loss. The classes are lib/hist.h's log-linear buckets with 2 bits, 252 of them.
 */
static inline uint64_t zigzag(int64_t v)
{
	return (uint64_t)v << 1 ^ -(uint64_t)(v < 0);
}

static inline int64_t unzigzag(uint64_t v)
{
	return (int64_t)(v >> 1 ^ -(v & 1));
}

static inline uint8_t *varint_put(uint8_t *at, uint64_t v)
{
	for (; v >= 0x80; v >>= 7)
		*at++ = (uint8_t)(v | 0x80);
	*at++ = (uint8_t)v;
	return at;
}

static __attribute__((noinline, unused)) bool varint_get_long(const uint8_t **at, const uint8_t *end, uint64_t *v)
{
	const uint8_t *p = *at;

	*v = 0;
	for (unsigned shift = 0; p < end && shift < 64; shift += 7) {
		uint8_t byte = *p++;

		if ((shift == 63 && byte > 1) || (shift && !byte))
			return false;
		*v |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*at = p;
			return true;
		}
	}
	return false;
}

/* Reads from *at, which moves on. False when there is no whole varint before end, or it does not fit 64 bits or is not the shortest. */
static inline bool varint_get(const uint8_t **at, const uint8_t *end, uint64_t *v)
{
	if (__builtin_expect(*at >= end || **at >= 0x80, 0))
		return varint_get_long(at, end, v);
	*v = *(*at)++;
	return true;
}

/* ---- class byte and raw bits ---- */

enum { SPLIT_BITS = 2, SPLIT_CLASSES = (65 - SPLIT_BITS) << SPLIT_BITS };

static inline unsigned split_width(unsigned class)
{
	return class < (2u << SPLIT_BITS) ? 0 : (class >> SPLIT_BITS) - 1;
}

/* hist_index(v, SPLIT_BITS) and its split_width, without branches. */
static inline unsigned split_class(uint64_t v, unsigned *width)
{
	*width = 63u - SPLIT_BITS - (unsigned)__builtin_clzll(v | 1u << SPLIT_BITS);
	return (*width << SPLIT_BITS) + (unsigned)(v >> *width);
}

struct bits_out {
	uint64_t pending;
	unsigned fill; /* below 8 between calls */
};

/* n up to 56; v has no bits above n. Writes 8 bytes at at, of which the whole ones count: no branch, for they would be mispredicted. */
static inline uint8_t *bits_put56(struct bits_out *b, uint8_t *at, uint64_t v, unsigned n)
{
	uint64_t pending = b->pending | v << b->fill; /* at may point anywhere, also to b: here it does not matter */
	unsigned fill = b->fill + n;

	memcpy(at, &pending, sizeof(pending));
	b->pending = pending >> (fill & 56);
	b->fill = fill & 7;
	return at + (fill >> 3);
}

/* n up to 64; v has no bits above n. */
static inline uint8_t *bits_put(struct bits_out *b, uint8_t *at, uint64_t v, unsigned n)
{
	if (n > 56) {
		at = bits_put56(b, at, v & UINT32_MAX, 32);
		v >>= 32;
		n -= 32;
	}
	return bits_put56(b, at, v, n);
}

static inline uint8_t *bits_end(struct bits_out *b, uint8_t *at)
{
	if (b->fill)
		*at++ = (uint8_t)b->pending;
	*b = (struct bits_out){0};
	return at;
}

/* Bits of a buffer that has at least 8 readable bytes after its end. False past the end. */
static inline bool bits_get(const uint8_t *data, size_t bytes, uint64_t *position, unsigned n, uint64_t *v)
{
	uint64_t got = 0;

	if (*position + n > (uint64_t)bytes * 8)
		return false;
	if (__builtin_expect(n <= 56, 1)) {
		memcpy(v, data + (*position >> 3), sizeof(*v));
		*v = *v >> (*position & 7) & ((1ULL << n) - 1);
		*position += n;
		return true;
	}
	for (unsigned done = 0; done < n;) {
		unsigned take = n - done < 32 ? n - done : 32;
		uint64_t word;

		memcpy(&word, data + (*position >> 3), sizeof(word));
		got |= (word >> (*position & 7) & ((1ULL << take) - 1)) << done;
		*position += take;
		done += take;
	}
	*v = got;
	return true;
}
