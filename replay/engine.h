#pragma once
#include <jansson.h>

#include "replay/runtime.h"

/* What a run says about how its reads, writes and syncs were done. */

/* `engine` of run.json (docs/iorig-run.5). name: as given on the command line. */
json_t *engine_document(const struct runtime *run, const char *name);
/* Not the recorded methods: its figures answer another question than those of a traced run. */
bool engine_is_what_if(const struct runtime *run);
/* Lines for a person: a what-if on stdout, what could not be done as asked as warnings. */
void engine_summary(const struct runtime *run, const json_t *document);
void engine_warn(const struct runtime *run);
