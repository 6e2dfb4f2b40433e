/*
 * The report as one HTML page that a browser shows from a file. Style and script are the sources in results/html/, embedded when the
 * program is built; the data stands in a block that is no script. The page's policy allows exactly this script and this style, by
 * their SHA-256, and no network at all: whatever a trace or a plan smuggles into the data stays text.
 */
#include "results/html.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/sha256.h"

__asm__(".section .rodata\n"
	".global html_style, html_script, html_style_bytes, html_script_bytes\n"
	"html_style:\n"
	".incbin \"results/html/page.css\"\n"
	"html_style_end:\n"
	"html_script:\n"
	".incbin \"results/html/base.js\"\n"
	".incbin \"results/html/matrix.js\"\n"
	".incbin \"results/html/charts.js\"\n"
	".incbin \"results/html/heatmap.js\"\n"
	".incbin \"results/html/main.js\"\n"
	"html_script_end:\n"
	".balign 8\n"
	"html_style_bytes: .quad html_style_end - html_style\n"
	"html_script_bytes: .quad html_script_end - html_script\n"
	".previous\n");
extern const char html_style[], html_script[];
extern const uint64_t html_style_bytes, html_script_bytes;

/* "'sha256-<base64>'" of what stands between the tags; the caller frees. */
static char *policy_hash(const char *from, size_t n)
{
	char hex[SHA256_HEX];
	unsigned char raw[32];
	char *text = NULL;

	sha256_text(from, n, hex);
	for (size_t i = 0; i < sizeof(raw); i++) {
		char byte[3] = {hex[2 * i], hex[2 * i + 1], 0};

		raw[i] = (unsigned char)strtoul(byte, NULL, 16);
	}
	_cleanup_free_ char *digest = base64(raw, sizeof(raw));
	if (!digest || asprintf(&text, "'sha256-%s'", digest) < 0)
		return NULL;
	return text;
}

static void put_text(FILE *out, const char *text)
{
	_cleanup_free_ char *safe = text_safe(text ? text : "");

	for (const char *p = safe ? safe : ""; *p; p++) {
		if (*p == '<')
			fputs("&lt;", out);
		else if (*p == '>')
			fputs("&gt;", out);
		else if (*p == '&')
			fputs("&amp;", out);
		else if (*p == '"')
			fputs("&quot;", out);
		else
			fputc(*p, out);
	}
}

/* JSON that no HTML parser can leave: <, > and & occur inside strings only and are escaped there; all else is ASCII. */
static void put_data(FILE *out, const char *json)
{
	for (; *json; json++) {
		if (*json == '<' || *json == '>' || *json == '&')
			fprintf(out, "\\u%04x", (unsigned char)*json);
		else
			fputc(*json, out);
	}
}

int report_html(const struct report *r, FILE *out)
{
	_cleanup_json_ json_t *data = html_data(r);
	_cleanup_free_ char *json = data ? json_dumps(data, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(15)) : NULL;
	_cleanup_free_ char *script = policy_hash(html_script, html_script_bytes), *style = policy_hash(html_style, html_style_bytes);
	_cleanup_free_ char *verdict = report_verdict(r), *unsafe = report_unsafe(r);
	const char *name = json_text(json_object_get(r->document, "sweep"), "name", r->matrix->sweep->dir);

	if (!json || !script || !style)
		return -1;
	fprintf(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		     "script-src %s; style-src %s; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" content=\"width=device-width\">\n<title>",
		script, style);
	put_text(out, name);
	fputs(" - iorig</title>\n<style>", out);
	fwrite(html_style, 1, html_style_bytes, out);
	fputs("</style>\n</head>\n<body>\n<main>\n<h1>", out);
	put_text(out, json_text(r->document, "question", name));
	fputs("</h1>\n<p class=\"sub\">", out);
	put_text(out, name);
	fputs("</p>\n<div id=\"plain\">\n<p>", out);
	put_text(out, verdict);
	fputs("</p>\n<p>", out);
	put_text(out, unsafe);
	fputs("</p>\n<p>This page draws itself with its own script; without it, see 'iorig report --format md'.</p>\n</div>\n</main>\n"
	      "<script type=\"application/json\" id=\"data\">", out);
	put_data(out, json);
	fputs("</script>\n<script>", out);
	fwrite(html_script, 1, html_script_bytes, out);
	fputs("</script>\n</body>\n</html>\n", out);
	return 0;
}
