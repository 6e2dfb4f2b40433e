#include <stdint.h>
#include <string.h>

#include "trace/text.h"

/* Length of the UTF-8 sequence at p when it is whole, shortest and a code point, else 0. */
static size_t utf8_length(const unsigned char *p, size_t n, uint32_t *code)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t length = *p >= 0xf0 && *p < 0xf8 ? 4 : *p >= 0xe0 ? 3 : 2;

	if (*p < 0xc0 || *p >= 0xf8 || length > n)
		return 0;
	*code = *p & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (p[i] & 0x3f);
	}
	return *code >= smallest[length] && *code <= 0x10ffff && (*code < 0xd800 || *code > 0xdfff) ? length : 0;
}

/* Characters that are shown as they are: no C1 controls, soft hyphens, zero-width and bidirectional marks, variation selectors, tags. */
static bool is_harmless(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} hidden[] = {{0x80, 0xa0},     {0xad, 0xad},     {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},   {0x17b4, 0x17b5},
		      {0x180b, 0x180f}, {0x2000, 0x200f}, {0x2028, 0x202f}, {0x205f, 0x206f},   {0x3000, 0x3000},   {0x3164, 0x3164},
		      {0xe000, 0xf8ff}, {0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0},   {0xfff0, 0xfffb},   {0xe0000, 0x10ffff}};

	if ((code & 0xfffe) == 0xfffe)
		return false;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (code >= hidden[i].first && code <= hidden[i].last)
			return false;
	return true;
}

void quote_print(FILE *to, const char *text, size_t n)
{
	const unsigned char *p = (const unsigned char *)text, *end = p + n;
	uint32_t code;
	size_t length;

	putc('"', to);
	while (p < end) {
		if (*p >= 0x20 && *p < 0x7f) {
			if (*p == '"' || *p == '\\')
				putc('\\', to);
			putc(*p++, to);
		} else if (*p == '\n' || *p == '\t') {
			fputs(*p++ == '\n' ? "\\n" : "\\t", to);
		} else if ((length = utf8_length(p, (size_t)(end - p), &code)) != 0 && is_harmless(code)) {
			fwrite(p, 1, length, to);
			p += length;
		} else {
			fprintf(to, "\\x%02x", *p++);
		}
	}
	putc('"', to);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of the escape at *p (behind the backslash), or -1. */
static int parse_escape(const char **p)
{
	int high, low;

	switch (*(*p)++) {
	case '"': return '"';
	case '\\': return '\\';
	case 'n': return '\n';
	case 't': return '\t';
	case 'x':
		high = hex_digit(**p);
		low = high < 0 ? -1 : hex_digit((*p)[1]);
		if (low < 0)
			return -1;
		*p += 2;
		return high << 4 | low;
	default: return -1;
	}
}

char *quote_parse(char **at, size_t *n, const char **why)
{
	const char *p = *at;
	char *start = *at + 1, *to = start;
	int byte;

	*why = "a string must stand in double quotes";
	if (*p++ != '"')
		return NULL;
	while (*p != '"') {
		*why = "a string has no closing quote";
		if (!*p)
			return NULL;
		if (*p != '\\') {
			*to++ = *p++;
			continue;
		}
		p++;
		byte = parse_escape(&p);
		*why = "a string has an escape other than \\\\ \\\" \\n \\t \\xNN";
		if (byte < 0)
			return NULL;
		*why = "a string holds a NUL byte";
		if (!byte)
			return NULL;
		*to++ = (char)byte;
	}
	*n = (size_t)(to - start);
	*at += p + 1 - *at;
	return start;
}
