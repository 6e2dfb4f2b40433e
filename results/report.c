/* The verb `report`: reads a sweep directory, analyses it once, shows it in one of the formats. */
#include "results/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "lib/cleanup.h"
#include "lib/command.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/outfile.h"
#include "results/checks.h"
#include "results/document.h"
#include "results/fio.h"

static struct {
	const char *format, *sort, *max_risk, *out, *rows;
} opt;

static const struct option_row rows[] = {
	{"format", 'f', "FORMAT", OPT_STRING, &opt.format, "term (default), md, html, json or csv"},
	{"sort", 's', "METRIC", OPT_STRING, &opt.sort, "order the rows by METRIC (p99, fsync_p99, ops_per_s, ...)"},
	{"max-risk", 'r', "CLASS", OPT_STRING, &opt.max_risk, "allow durability up to CLASS (D0, D1:30s, D2, D3); hide what is above"},
	{"rows", 0, "runs|summary", OPT_STRING, &opt.rows, "csv: one row a run (default), or one a cell and metric"},
	{"output", 'o', "FILE", OPT_STRING, &opt.out, "write to FILE instead of the standard output"},
	{0}};

void report_json(const struct report *r, FILE *out)
{
	json_dumpf(r->document, out, JSON_INDENT(1) | JSON_REAL_PRECISION(15));
	fputc('\n', out);
}

static unsigned terminal_width(bool terminal)
{
	struct winsize size;
	const char *columns = getenv("COLUMNS");
	uint64_t n;

	if (columns && !parse_u64(columns, &n) && n >= 40 && n < 10000)
		return (unsigned)n;
	if (!terminal || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) || size.ws_col < 40)
		return terminal ? 80 : 160;
	return size.ws_col;
}

static bool wants_colour(bool terminal)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return terminal && !(no && *no) && term && strcmp(term, "dumb");
}

static int render(const struct report *r, const char *format, FILE *out)
{
	if (!strcmp(format, "term"))
		report_term(r, out);
	else if (!strcmp(format, "md"))
		report_markdown(r, out);
	else if (!strcmp(format, "json"))
		report_json(r, out);
	else if (!strcmp(format, "html"))
		return report_html(r, out);
	else if (opt.rows && !strcmp(opt.rows, "summary"))
		report_csv_summary(r, out);
	else
		report_csv_runs(r, out);
	return 0;
}

static int write_report(const struct report *r, const char *format)
{
	struct outfile out;
	int rc;

	if (!opt.out)
		return render(r, format, stdout) ? fail(EXIT_FAILED, "cannot write the report: out of memory") : EXIT_DONE;
	rc = outfile_open(&out, opt.out);
	if (!rc) {
		if (render(r, format, out.stream)) {
			outfile_abandon(&out);
			rc = -ENOMEM;
		} else {
			rc = outfile_commit(&out);
		}
	}
	return rc ? fail(EXIT_FAILED, "cannot write '%s': %s", opt.out, strerror(-rc)) : EXIT_DONE;
}

static void next_step(const struct report *r, const char *format)
{
	const struct sweep *s = r->matrix->sweep;

	if (strcmp(format, "term"))
		return;
	if (!s->complete)
		say("next: iorig sweep resume %s", s->dir);
	else
		say("next: iorig report %s --format html -o %s.html", s->dir, s->dir);
	if (s->complete && r->matrix->recommended >= 0 && r->matrix->recommended != (int)s->control && !strstr(json_text(s->input, "name", ""), "-confirm"))
		say("then: iorig sweep confirm %s --out %s-confirm", s->dir, s->dir);
}

static int analyse(const struct sweep *sweep, const char *format)
{
	struct report r = {.max_risk = opt.max_risk};
	_cleanup_json_ json_t *checks = NULL, *fio = NULL, *document = NULL;
	_cleanup_free_ char *why = NULL;
	struct matrix matrix;
	bool terminal = !opt.out && isatty(STDOUT_FILENO);
	int sort, rc;

	if (matrix_build(&matrix, sweep, NULL, opt.max_risk, &why))
		return fail(EXIT_FAILED, "%s", why ? why : "out of memory");
	sort = opt.sort ? metric_find(matrix.metric, matrix.nmetrics, opt.sort) : (int)matrix.primary;
	if (sort < 0) {
		matrix_release(&matrix);
		return fail(EXIT_USAGE, "--sort '%s' is no metric of '%s'; the header of 'iorig report %s --format csv' lists them", opt.sort,
			sweep->dir, sweep->dir);
	}
	fio = fio_compare(&matrix);
	checks = checks_run(&matrix, fio);
	document = matrix_document(&matrix, checks, fio);
	r.matrix = &matrix;
	r.document = document;
	r.checks = checks;
	r.fio = fio;
	r.sort = (size_t)sort;
	r.width = terminal_width(terminal);
	r.colour = wants_colour(terminal);
	r.utf8 = text_utf8();
	rc = write_report(&r, format);
	if (rc == EXIT_DONE)
		next_step(&r, format);
	matrix_release(&matrix);
	return rc;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const char *const formats[] = {"term", "md", "html", "json", "csv"};
	int rest = options_parse(self, argc, argv), rc;
	const char *format = opt.format ? opt.format : "term";
	_cleanup_free_ char *why = NULL;
	struct sweep sweep;
	size_t known = 0;

	if (rest < 0)
		return -rest - 1;
	if (rest + 1 != argc)
		return fail(EXIT_USAGE, "report takes one sweep directory; see 'iorig report -h'");
	while (known < ARRAY_SIZE(formats) && strcmp(formats[known], format))
		known++;
	if (known == ARRAY_SIZE(formats))
		return fail(EXIT_USAGE, "--format '%s' is unknown; possible: term, md, html, json, csv", format);
	if (opt.max_risk && durability_rank(opt.max_risk) < 0)
		return fail(EXIT_USAGE, "--max-risk '%s' is no durability class; possible: D0, D1:30s, D1:unbounded, D2, D3, each with +D4", opt.max_risk);
	if (opt.rows && strcmp(opt.rows, "runs") && strcmp(opt.rows, "summary"))
		return fail(EXIT_USAGE, "--rows is 'runs' or 'summary', not '%s'", opt.rows);
	if (sweep_open(&sweep, argv[rest], &why))
		return fail(EXIT_FAILED, "%s", why ? why : "out of memory");
	rc = analyse(&sweep, format);
	sweep_release(&sweep);
	return rc;
}

const struct command cmd_report = {
	.name = "report",
	.synopsis = "DIR [--format term|md|html|json|csv] [--sort METRIC] [--max-risk CLASS] [-o FILE]",
	.summary = "show the results matrix of a sweep",
	.group = "results",
	.options = rows,
	.run = run,
};
