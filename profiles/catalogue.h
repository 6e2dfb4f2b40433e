#pragma once
#include "profiles/knobs.h"

/* Inside of the catalogue; outside of profiles/ only knobs.h is used. */
struct knobs {
	json_t *doc;
	json_t *entries, *filesystems; /* borrowed from doc */
	const char **order;            /* names by order of application, then by name */
	size_t n;
};

/* A class of the catalogue for one value: "{v}" and "{v/100}" in it stand for the number. 0 or -EINVAL. */
int durability_of_rule(const char *rule, double value, struct durability *d);
