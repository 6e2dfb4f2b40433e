#include "replay/account.h"
#include "replay/ops.h"

static uint32_t path_of(const struct lane *l, const struct plan_op *op)
{
	if (replay_ops[op->op].by_path && !(op->bits & PLAN_BY_SLOT))
		return op->handle;
	if (op->op == TRACE_OP_OPEN || op->op == TRACE_OP_OPENAT || op->op == TRACE_OP_OPENAT2 || op->op == TRACE_OP_CREAT)
		return l->args->path;
	if (op->handle >= l->run->plan->slots || replay_ops[op->op].kind == KIND_MAP)
		return 0;
	return l->run->slot_path[op->handle];
}

void account_difference(struct lane *l, const struct plan_op *op, uint8_t class, uint64_t length, int64_t got)
{
	const struct plan *p = l->run->plan;
	struct difference d = {.event = plan_event(p, l->plan, op), .thread = l->plan->thread, .path = path_of(l, op), .got = got,
			       .wanted = wanted(l, op, class, length), .expect = op->expect, .op = op->op};

	l->stats->mismatches[class]++;
	if (atomic_fetch_add(&l->run->totals->mismatched, 1) < DIFFERENCES)
		totals_add_difference(l->run->totals, &d);
}

void account_remarkable(struct lane *l, const struct plan_op *op, uint8_t class, const struct step *s, uint64_t t_ns, uint64_t latency_ns)
{
	struct exemplar e = {.t_ns = t_ns, .latency_ns = latency_ns, .op_index = (uint64_t)(op - l->run->plan->op), .lane = l->number,
			     .length = counts_bytes(class) ? s->length : 0, .path = path_of(l, op), .op = op->op,
			     .offset = !counts_bytes(class) ? 0 : op->bits & PLAN_WIDE ? l->args->offset : op->offset};

	lane_stats_exemplar(l->stats, &e, class);
}

void account_bin(struct lane *l, uint64_t tick)
{
	totals_add_cells(l->run->totals, l->stats, l->plan->classes, tick_ns(tick - l->run->start_tick));
	l->bin_end_tick = l->run->start_tick + tick_of_ns(l->stats->bin_end_ns);
}
