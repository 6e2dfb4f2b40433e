#include "results/text.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"

const char *const unit_names[] = {"s", "ns", "1/s", "bytes", "count"};

/* Three significant digits, as many decimals as that takes. */
static char *three_digits(char *to, double value, const char *unit)
{
	double size = fabs(value);

	snprintf(to, TEXT_MAX, "%.*f%s", size >= 99.95 || size == 0 ? 0 : size >= 9.995 ? 1 : size >= 0.9995 ? 2 : 3, value, unit);
	return to;
}

static char *scaled(char *to, double value, double base, const char *const *units, size_t n)
{
	size_t i = 0;

	while (i + 1 < n && fabs(value) >= base * 0.9995) {
		value /= base;
		i++;
	}
	return three_digits(to, value, units[i]);
}

char *format_value(char *to, double value, enum unit unit)
{
	static const char *const time[] = {" ns", " us", " ms", " s"};
	static const char *const bytes[] = {" B", " KiB", " MiB", " GiB", " TiB"};
	static const char *const count[] = {"", "k", "M", "G"};

	if (!isfinite(value)) {
		snprintf(to, TEXT_MAX, "-");
		return to;
	}
	switch (unit) {
	case UNIT_SECONDS:
		return fabs(value) < 0.9995 ? scaled(to, value * 1e9, 1000, time, ARRAY_SIZE(time)) : three_digits(to, value, " s");
	case UNIT_NS:
		return scaled(to, value, 1000, time, ARRAY_SIZE(time));
	case UNIT_BYTES:
		return scaled(to, value, 1024, bytes, ARRAY_SIZE(bytes));
	case UNIT_PER_S:
		scaled(to, value, 1000, count, ARRAY_SIZE(count));
		strcat(to, "/s");
		return to;
	case UNIT_COUNT:
		break;
	}
	if (fabs(value) < 10000 && value == floor(value)) {
		snprintf(to, TEXT_MAX, "%.0f", value);
		return to;
	}
	return scaled(to, value, 1000, count, ARRAY_SIZE(count));
}

char *format_percent(char *to, double ratio)
{
	double percent = (ratio - 1) * 100;

	if (!isfinite(ratio))
		snprintf(to, TEXT_MAX, "-");
	else if (ratio >= 10)
		snprintf(to, TEXT_MAX, "%.1fx", ratio);
	else
		snprintf(to, TEXT_MAX, "%+.1f%%", fabs(percent) < 0.05 ? 0.0 : percent);
	return to;
}

char *format_share(char *to, double ratio)
{
	return isfinite(ratio) ? three_digits(to, ratio * 100, "%") : strcpy(to, "-");
}

char *format_p(char *to, double p)
{
	snprintf(to, TEXT_MAX, p < 1e-6 ? "p < 1e-6" : "p %.2g", p);
	return to;
}

char *format_plain(char *to, double value)
{
	if (!isfinite(value))
		to[0] = 0;
	else if (value == floor(value) && fabs(value) < 9007199254740992.0)
		snprintf(to, TEXT_MAX, "%.0f", value);
	else
		snprintf(to, TEXT_MAX, "%.7g", value);
	return to;
}

size_t text_columns(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

bool text_utf8(void)
{
	static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = getenv(names[i]);

		if (value && *value)
			return strstr(value, "UTF-8") || strstr(value, "utf8") || strstr(value, "UTF8") || strstr(value, "utf-8");
	}
	return false;
}

/* Bytes of the valid UTF-8 sequence at p, 0 when it is none (overlong forms, surrogates and beyond U+10FFFF are none). */
static size_t sequence(const unsigned char *p)
{
	uint32_t code, least;
	size_t n;

	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xf0 && p[0] < 0xf8 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc0 && p[0] < 0xe0 ? 2 : 0;
	if (!n)
		return 0;
	code = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	least = n == 2 ? 0x80 : n == 3 ? 0x800 : 0x10000;
	return code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : n;
}

char *text_safe(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	char *safe = malloc(strlen(text) * 4 + 1), *to = safe;

	if (!safe)
		return NULL;
	while (*p) {
		size_t n = sequence(p);
		/* C0, DEL, the C1 range (U+0080..9F), which a terminal obeys too, and the marks that turn text around. */
		bool control = *p < 0x20 || *p == 0x7f || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0) ||
			       (n == 3 && p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) || (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)));

		if (n && !control) {
			memcpy(to, p, n);
			to += n;
			p += n;
			continue;
		}
		for (size_t i = 0; i < (n ? n : 1); i++)
			to += sprintf(to, "\\x%02x", *p++);
	}
	*to = 0;
	return safe;
}

json_t *json_safe_text(const char *text)
{
	_cleanup_free_ char *safe = text ? text_safe(text) : NULL;

	return safe ? json_string(safe) : json_null();
}

json_t *json_rounded(double value)
{
	char text[32];

	if (!isfinite(value))
		return json_null();
	if (value == floor(value) && fabs(value) < 9007199254740992.0)
		return json_integer((json_int_t)value);
	snprintf(text, sizeof(text), "%.7g", value);
	return json_real(strtod(text, NULL));
}
