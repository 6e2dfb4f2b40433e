/*
 * A hostile trace, in its text form, compiled for replay. Whatever it says, the plan stays within its own bounds: texts, arguments, edges,
 * slots, lanes; and an edge leads to an operation that is there: of another lane, or of the same ring, whose requests overlap.
 */
#include "replay/compile.h"
#include "tests/fuzz/text_input.h"

static bool next(void *self, struct trace_record *record)
{
	return trace_reader_next(self, record);
}

static const char *string(void *self, uint32_t id)
{
	return trace_reader_string(self, id);
}

#define MUST(condition) \
	do { \
		if (!(condition)) { \
			fprintf(stderr, "%s does not hold\n", #condition); \
			abort(); \
		} \
	} while (0)

static void check_edges(const struct plan *p, uint32_t lane, const struct plan_op *op)
{
	const struct plan_edge *e;

	if (!op->edges)
		return;
	e = &p->edge[op->edges - 1];
	do {
		uint32_t other = e->lane & ~PLAN_EDGE_MORE;

		MUST((uint64_t)(e - p->edge) < p->edges_n);
		MUST(other < p->lanes && (other != lane || p->lane[lane].via != TRACE_VIA_SYSCALL));
		MUST(e->sequence <= p->lane[other].operations);
	} while (e++->lane & PLAN_EDGE_MORE);
}

static void check_lane(const struct plan *p, uint32_t number)
{
	const struct plan_lane *lane = &p->lane[number];
	uint64_t operations = 0;

	for (uint32_t i = 0; i < lane->chunks; i++) {
		const struct plan_chunk *c = &lane->chunk[i];

		MUST(c->first + c->count <= p->ops);
		operations += c->count;
		for (uint64_t k = c->first; k < c->first + c->count; k++) {
			if (p->op[k].bits & PLAN_WIDE) {
				MUST(p->op[k].offset < p->args_n);
				MUST(p->args[p->op[k].offset].path < p->strings_n && p->args[p->op[k].offset].path2 < p->strings_n);
			}
			check_edges(p, number, &p->op[k]);
		}
	}
	MUST(operations == lane->operations);
	MUST(lane->creator.lane == PLAN_NONE || lane->creator.lane < p->lanes);
}

static void check_entries(const struct plan *p, const struct plan_entry *entry, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		MUST(entry[i].path < p->strings_n && plan_text(p, entry[i].path)[0] == '/');
		MUST(entry[i].target < p->strings_n);
		MUST(entry[i].same_as == PLAN_NONE || entry[i].same_as < n);
	}
}

static void check_plan(const struct plan *p)
{
	MUST(!p->strings_n || !p->strings[p->strings_n - 1]);
	for (uint32_t i = 0; i < p->lanes; i++)
		check_lane(p, i);
	check_entries(p, p->start, p->start_n);
	check_entries(p, p->final, p->final_n);
	for (uint32_t i = 0; i < p->absent_n; i++)
		MUST(p->absent[i] < p->strings_n);
	for (uint32_t i = 0; i < p->open_n; i++)
		MUST(p->open[i].slot < p->slots && (p->open[i].same_as == PLAN_NONE || p->open[i].same_as < p->slots) && p->open[i].path < p->strings_n);
	for (uint32_t i = 0; i < p->xattr_n; i++)
		MUST(p->xattr[i].path < p->strings_n && p->xattr[i].name < p->strings_n);
	for (uint32_t i = 0; i < p->resident_n; i++)
		MUST(p->resident[i].path < p->strings_n);
	for (uint32_t i = 0; i < p->holes_n; i++)
		MUST(p->hole[i].entry < p->start_n);
	for (uint32_t i = 0; i < p->start_n; i++)
		MUST(p->start[i].holes <= p->holes_n && p->start[i].first_hole <= p->holes_n - p->start[i].holes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct plan_options options = {0};
	struct memory_file f;

	if (n < 2 || !build_trace(data + 1, n - 1, &f))
		return 0;
	options.order = data[0] % 3;
	{
		struct trace_error error;
		struct trace_reader *reader = trace_reader_open(f.path, &error);
		struct record_source source = {.next = next, .string = string, .self = reader};
		struct plan plan;

		if (!reader)
			abort();
		if (!plan_compile(&plan, &source, &options))
			check_plan(&plan);
		plan_release(&plan);
		trace_reader_close(reader);
	}
	close(f.fd);
	return 0;
}
