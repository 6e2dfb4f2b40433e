#pragma once
#include "sweeps/session.h"

/*
 * Works off the plan of a session whose disks are taken (session_begin): block by block, failed runs again at the end of their block, until
 * everything is over, the budget is used up, the intervals are narrow enough, or somebody asks to stop. Says a line a run on stderr.
 * Returns an enum exit_code.
 */
int runner_run(struct session *s);

/* After a crash: every run that was in flight gets a terminal line, `failed` to be done again or `crashed`. 0 or -errno (journal). */
int runner_bury(struct session *s);

/* What is to be done with a run now. */
enum run_need { RUN_OVER, RUN_NOW, RUN_CRASHED };
enum run_need runner_need(const struct sweep *sweep, const struct journal *j, const json_t *run);
