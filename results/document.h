#pragma once
#include <jansson.h>

#include "results/matrix.h"

/*
 * The matrix document, schema iorig.matrix/1 (docs/iorig-matrix.5). checks is the array that checks_run made, fio that of fio_compare;
 * both are borrowed. The same input gives the same bytes. The caller's reference.
 */
json_t *matrix_document(const struct matrix *m, const json_t *checks, const json_t *fio);
