#pragma once
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "profiles/knobs.h"
#include "sweeps/file.h"

/*
 * The cells of a sweep: matrix product -> only_if takes an axis out of the combinations in which it has no meaning -> exclude ->
 * include -> each put on the base and resolved -> equal ones merged -> cells above durability.max are refused, cells that are known to
 * be impossible are unsupported. Refused and unsupported cells stay in the list, with their reason: nothing disappears silently.
 */
enum cell_status { CELL_PLANNED, CELL_REFUSED, CELL_UNSUPPORTED };
const char *cell_status_name(enum cell_status status);

struct cell {
	char id[11];     /* first 10 hex digits of sha256(canonical resolved settings + trace sha256) */
	char *label;     /* "scheduler=bfq atime=noatime"; of the control: "control" */
	json_t *settings; /* everything, resolved */
	json_t *set;     /* what differs from the control; null where the control has a value and the cell has none */
	struct durability durability;
	bool accepted;   /* above durability.max, but accept_durability says so: an upper bound, never recommended */
	enum cell_status status;
	char *reason;    /* NULL when planned */
	char *why;       /* the sweep file's own remark; may be NULL */
};

struct cells {
	struct cell *cell; /* [0] is the control: the base itself */
	size_t n;
	size_t raw, merged; /* combinations before only_if and exclude; how many fell together with another */
};

/* 0, or -errno with one line in *why (an axis that is no knob, an exclude that matches nothing, ...). */
int cells_expand(const struct sweep *sweep, const struct knobs *knobs, struct cells *cells, char **why);
void cells_release(struct cells *cells);
