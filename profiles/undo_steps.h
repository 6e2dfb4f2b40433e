#pragma once
#include <jansson.h>
#include <stdbool.h>

#include "profiles/undo.h"

/* Inside of the undo journal: what the steps do. Only undo.c and undo_steps.c include this. */

/* Journals a step (takes over the reference) and syncs. 0 or -errno. */
int undo_add(struct undo *undo, json_t *step, char **why);

/* Sets one step back if it is not back already. 0 or -errno. */
int undo_step_run(const json_t *step, char **why);

/* Files stay, everything else that we change is gone after a reboot. */
bool undo_step_survives_reboot(const json_t *step);
