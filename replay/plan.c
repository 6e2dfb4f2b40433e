#include "replay/plan.h"

#include <stdlib.h>

uint64_t plan_event(const struct plan *p, const struct plan_lane *lane, const struct plan_op *op)
{
	uint64_t at = (uint64_t)(op - p->op);
	uint32_t low = 0, high = lane->chunks;

	/* Chunks of a lane lie in order. */
	while (high - low > 1) {
		uint32_t middle = low + (high - low) / 2;

		if (lane->chunk[middle].first <= at)
			low = middle;
		else
			high = middle;
	}
	return lane->chunk[low].first_event + p->event[at];
}

void plan_release(struct plan *p)
{
	for (uint32_t i = 0; i < p->lanes; i++)
		free(p->lane[i].chunk);
	free(p->lane);
	free((char *)p->strings);
	free(p->start);
	free(p->final);
	free(p->absent);
	free(p->open);
	free(p->xattr);
	free(p->resident);
	free(p->hole);
	for (int i = 0; i < TRACE_CLASS_COUNT; i++)
		free(p->recorded[i]);
	spool_release(&p->spool_op);
	spool_release(&p->spool_event);
	spool_release(&p->spool_args);
	spool_release(&p->spool_edge);
	*p = (struct plan){0};
}
