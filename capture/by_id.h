#pragma once
#include <stdlib.h>
#include <string.h>

/*
 * Tables with an entry for each id that the trace writer has given: ids are dense, new entries are zero. Returns the table with an entry for id,
 * moved where it had to grow, and *room as its entries (0 and NULL at first). NULL: no memory, and the table is as it was. The caller frees it.
 *
 *	struct item *all = by_id_cover(t->item, &t->room, id, sizeof(*all));
 *	if (all)
 *		t->item = all;
 */
static inline void *by_id_cover(void *table, size_t *room, size_t id, size_t item_bytes)
{
	size_t bigger = *room ? *room : 1024;
	char *more;

	if (id < *room)
		return table;
	while (bigger <= id)
		bigger *= 2;
	more = realloc(table, bigger * item_bytes);
	if (!more)
		return NULL;
	memset(more + *room * item_bytes, 0, (bigger - *room) * item_bytes);
	*room = bigger;
	return more;
}
