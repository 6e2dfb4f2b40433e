#pragma once
#include <jansson.h>

/*
 * Holds a document against a table of the keys it may have: every unknown key, wrong type and value out of range is an error that names the
 * key ("plan.blocks.min"). Items of an array are looked up below "name[]".
 */
struct key {
	const char *path;
	char type; /* s string, i integer, n number, b boolean, o object with keys of its own, m object with free keys, S array of
		    * strings, A array of objects with keys of their own, * anything */
	double min, max;     /* of a number; both 0: any that is not negative */
	const char *choices; /* of a string or the items of S: "asap think"; NULL: any */
};

/* table ends with an empty row. 0, or -EINVAL with one line in *why, without the file's name; the caller frees it. */
int keys_check(const struct key *table, const json_t *doc, char **why);
