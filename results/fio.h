#pragma once
#include <jansson.h>

#include "results/matrix.h"

/*
 * Would a synthetic benchmark have chosen the same profile? Per fio job and over all jobs (geometric mean of IOPS relative to the
 * control): Kendall's tau-b between fio's ranking of the cells and the replay's on the primary metric. Percentiles play no part.
 *
 *	{"kendall_tau": 0.43, "cells": 7, "would_choose": id, "would_cost_ratio": 1.09, "would_cost_shown": true,
 *	 "jobs": [{"name", "kendall_tau", "cells"}],
 *	 "ranking": [{"id", "score_ratio", "rank", "replay_rank"}]}
 *
 * JSON null when fewer than two cells have both. The caller's reference.
 */
json_t *fio_compare(const struct matrix *m);
