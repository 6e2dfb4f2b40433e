#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Numbers and names as people read them. Every format_* writes into `to` (TEXT_MAX bytes) and returns it; NAN gives "-". */
#define TEXT_MAX 96

enum unit { UNIT_SECONDS, UNIT_NS, UNIT_PER_S, UNIT_BYTES, UNIT_COUNT };
extern const char *const unit_names[]; /* "s", "ns", ... as JSON says them */

char *format_value(char *to, double value, enum unit unit); /* "9.12 s", "4.1 ms", "3158/s", "1.2 GiB" */
char *format_percent(char *to, double ratio);               /* 0.65 -> "-35.0%", 1.012 -> "+1.2%" */
char *format_share(char *to, double ratio);                 /* 0.0123 -> "1.23%" */
char *format_p(char *to, double p);                         /* "p 0.032", "p < 1e-6" */
char *format_plain(char *to, double value);                 /* shortest text with 7 significant digits, for CSV */

/* Columns that UTF-8 text takes on a terminal: one per code point (no wide characters occur in our own text). */
size_t text_columns(const char *text);
/* Whether what the user sees can show UTF-8, by LC_ALL, LC_CTYPE, LANG. */
bool text_utf8(void);

/* The text with control bytes and invalid UTF-8 as \xNN: a hostile name is harmless on a terminal and valid in JSON. Caller frees. */
char *text_safe(const char *text);
json_t *json_safe_text(const char *text);

/* A number rounded to 7 significant digits, an integer when it is a whole one; JSON null when it is not finite. */
json_t *json_rounded(double value);
