/* The catalogue and what is asked of it: validity, meaning, durability, profiles. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/outfile.h"
#include "profiles/knobs.h"
#include "profiles/profile.h"

static struct knobs *knobs;

static int setup(void **state)
{
	char *why = NULL;

	(void)state;
	if (knobs_load("profiles/knobs.json", &knobs, &why))
		print_error("%s\n", why);
	return knobs ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	knobs_free(knobs);
	return 0;
}

static json_t *settings(const char *text)
{
	json_t *j = json_loads(text, 0, NULL);

	assert_non_null(j);
	return j;
}

static void expect_wrong(const char *text, const char *part)
{
	_cleanup_json_ json_t *s = settings(text);
	_cleanup_free_ char *why = NULL;

	assert_int_equal(knobs_validate(knobs, s, &why), -EINVAL);
	if (!strstr(why, part))
		fail_msg("'%s' does not say '%s'", why, part);
}

static void wrong_settings_are_named(void **state)
{
	_cleanup_json_ json_t *good = settings("{\"block.scheduler\": \"bfq\", \"fs.barrier\": false, \"ext4.commit_s\": 30, \"fs.type\": null}");

	(void)state;
	assert_int_equal(knobs_validate(knobs, good, NULL), 0);
	expect_wrong("{\"block.schedular\": \"bfq\"}", "the nearest is 'block.scheduler'");
	expect_wrong("{\"scheduler\": \"bfq\"}", "the nearest is 'block.scheduler'");
	expect_wrong("{\"fs.noatime\": true}", "the nearest is 'fs.");
	expect_wrong("{\"block.scheduler\": \"cfq\"}", "[\"none\",\"mq-deadline\",\"kyber\",\"bfq\"]");
	expect_wrong("{\"fs.barrier\": \"no\"}", "true or false");
	expect_wrong("{\"vm.dirty_ratio\": 101}", "from 0 to 100, in percent");
	expect_wrong("{\"vm.dirty_ratio\": \"20\"}", "whole number");
	expect_wrong("{\"vm.dirty_bytes\": 10000}", "multiple of 4096");
	expect_wrong("{\"raid.chunk_kb\": 6}", "multiple of 4");
	expect_wrong("[]", "an object");
}

static void what_has_no_meaning_is_dropped(void **state)
{
	_cleanup_json_ json_t *s = settings("{\"fs.type\":\"xfs\",\"ext4.commit_s\":30,\"raid.level\":\"raid1\",\"raid.chunk_kb\":64,"
					    "\"block.scheduler\":\"bfq\",\"mq_deadline.fifo_batch\":8,\"block.wbt_lat_usec\":0,"
					    "\"vm.dirty_bytes\":8192,\"vm.dirty_ratio\":20,\"vm.swappiness\":null}");
	_cleanup_json_ json_t *resolved = knobs_resolve(knobs, s);
	_cleanup_free_ char *text = json_canonical(resolved);

	(void)state;
	assert_string_equal(text, "{\"block.scheduler\":\"bfq\",\"fs.type\":\"xfs\",\"raid.level\":\"raid1\",\"vm.dirty_bytes\":8192}");
	assert_false(knobs_applies(knobs, "no.such", s));
}

static void equal_cells_resolve_equally(void **state)
{
	_cleanup_json_ json_t *a = settings("{\"fs.type\":\"xfs\",\"ext4.commit_s\":5,\"fs.atime\":\"noatime\"}");
	_cleanup_json_ json_t *b = settings("{\"fs.atime\":\"noatime\",\"ext4.commit_s\":30,\"fs.type\":\"xfs\"}");
	_cleanup_json_ json_t *ra = knobs_resolve(knobs, a), *rb = knobs_resolve(knobs, b);
	_cleanup_free_ char *ta = json_dumps(ra, 0), *tb = json_dumps(rb, 0);

	(void)state;
	assert_string_equal(ta, tb); /* also the same order of keys */
}

static void the_impossible_is_known(void **state)
{
	static const struct {
		const char *settings, *says; /* NULL: nothing is known against it */
	} cases[] = {
		{"{\"fs.type\":\"xfs\",\"fs.barrier\":false}", "fs.barrier=false: xfs removed nobarrier in Linux 4.19"},
		{"{\"fs.type\":\"ext4\",\"fs.barrier\":false}", NULL},
		{"{\"fs.type\":\"xfs\",\"fs.barrier\":true}", NULL},
		{"{\"raid.level\":\"raid5\",\"raid.chunk_kb\":48}", "raid.chunk_kb=48: only raid0 takes a chunk that is no power of two"},
		{"{\"raid.level\":\"raid0\",\"raid.chunk_kb\":48}", NULL},
		{"{\"raid.level\":\"raid5\",\"raid.layout\":\"n2\"}", "raid.layout=n2: near, far and offset are layouts of raid10"},
		{"{\"fs.type\":\"ext4\",\"ext4.data\":\"ordered\",\"ext4.journal_async_commit\":true}",
		 "ext4.journal_async_commit=true: ext4 refuses journal_async_commit with data=ordered"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *s = settings(cases[i].settings);
		_cleanup_free_ char *why = knobs_unsupported(knobs, s);

		if (cases[i].says)
			assert_string_equal(why, cases[i].says);
		else
			assert_null(why);
	}
}

static void durability_reads_writes_and_compares(void **state)
{
	static const char *const rising[] = {"D0", "D1", "D1:5s", "D1:30s", "D1:unbounded", "D2", "D3"};
	static const char *const bad[] = {"", "D", "D4", "D1:", "D1:30", "D1:-3s", "D1:30sx", "D0:30s", "d0", "D0+", "D0+D5"};
	struct durability d;
	char text[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rising); i++) {
		assert_int_equal(durability_parse(rising[i], &d), 0);
		assert_string_equal(durability_text(&d, text), rising[i]);
		for (size_t j = 0; j < ARRAY_SIZE(rising); j++) {
			struct durability e;
			int cmp;

			durability_parse(rising[j], &e);
			cmp = durability_compare(&d, &e);
			assert_int_equal(cmp < 0 ? -1 : cmp > 0, i < j ? -1 : i > j);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(durability_parse(bad[i], &d), -EINVAL);
	assert_int_equal(durability_parse("D1:30s+D4", &d), 0);
	assert_true(d.single_device);
}

static void durability_of_settings_is_the_worst(void **state)
{
	static const struct {
		const char *settings, *level;
		bool single;
	} cases[] = {
		{"{\"raid.level\":\"raid10\"}", "D0", false},
		{"{}", "D0", true}, /* no array: one disk */
		{"{\"raid.level\":\"raid0\"}", "D0", true},
		{"{\"fs.type\":\"ext4\",\"ext4.commit_s\":5}", "D0", true},
		{"{\"fs.type\":\"ext4\",\"ext4.commit_s\":30}", "D1:30s", true},
		{"{\"fs.type\":\"xfs\",\"ext4.commit_s\":30}", "D0", true}, /* has no meaning there */
		{"{\"vm.dirty_expire_centisecs\":6000,\"vm.dirty_writeback_centisecs\":500}", "D1:60s", true},
		{"{\"vm.dirty_writeback_centisecs\":0}", "D1:unbounded", true},
		{"{\"vm.dirty_ratio\":60}", "D1", true},
		{"{\"fs.type\":\"ext4\",\"ext4.data\":\"writeback\",\"ext4.commit_s\":30}", "D2", true},
		{"{\"fs.type\":\"btrfs\",\"fs.barrier\":false,\"raid.level\":\"raid1\"}", "D3", false},
		{"{\"block.write_cache\":\"write through\"}", "D3", true},
		{"{\"fs.type\":\"ext4\",\"ext4.journal\":\"none\"}", "D3", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *s = settings(cases[i].settings), *because = NULL;
		struct durability d;
		char text[32];

		knobs_durability(knobs, s, &d, &because);
		assert_string_equal(durability_text(&d, text), cases[i].level);
		assert_int_equal(d.single_device, cases[i].single);
		assert_int_equal(json_object_size(because) == 0, d.level == 0 && !d.single_device);
	}
}

/* Every value that the catalogue allows must have a class that the catalogue states. */
static void every_value_has_a_class(void **state)
{
	const char *name;

	(void)state;
	for (size_t i = 0; (name = knobs_nth(knobs, i)); i++) {
		const json_t *e = knobs_entry(knobs, name), *value;
		size_t v;

		json_array_foreach(json_object_get(e, "values"), v, value) {
			const json_t *classes = json_object_get(e, "durability");

			if (!json_object_get(classes, json_string_value(value)) && !json_object_get(classes, "*"))
				fail_msg("%s=%s has no class", name, json_string_value(value));
		}
	}
}

static char *directory;

static const char *put(const char *name, const char *text)
{
	static char path[4096];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_int_equal(outfile_write(path, text, strlen(text)), 0);
	return path;
}

static void expect_bad_profile(const char *path, const char *part)
{
	_cleanup_json_ json_t *resolved = NULL;
	_cleanup_free_ char *why = NULL;

	assert_true(profile_load(knobs, path, &resolved, &why) < 0);
	assert_null(resolved);
	if (!strstr(why, part))
		fail_msg("'%s' does not say '%s'", why, part);
}

static void profiles_inherit_in_order(void **state)
{
	_cleanup_json_ json_t *resolved = NULL;
	_cleanup_free_ char *text = NULL, *why = NULL;

	(void)state;
	put("a.profile.json", "{\"schema\":\"iorig.profile/1\",\"name\":\"a\",\"set\":{\"fs.type\":\"xfs\",\"vm.swappiness\":1,\"vm.laptop_mode\":0},"
			      "\"why\":{\"vm.swappiness\":\"because a\"},\"needs\":{\"disks\":2}}");
	put("b.profile.json", "{\"schema\":\"iorig.profile/1\",\"name\":\"b\",\"set\":{\"fs.type\":\"ext4\",\"vm.swappiness\":2}}");
	assert_int_equal(profile_load(knobs,
				      put("c.profile.json", "{\"schema\":\"iorig.profile/1\",\"name\":\"c\",\"inherits\":[\"a\",\"b\"],"
							    "\"set\":{\"vm.laptop_mode\":null,\"fs.atime\":\"noatime\"}}"),
				      &resolved, &why),
			 0);
	text = json_canonical(json_object_get(resolved, "set"));
	assert_string_equal(text, "{\"fs.atime\":\"noatime\",\"fs.type\":\"ext4\",\"vm.swappiness\":2}");
	assert_string_equal(json_text(json_object_get(resolved, "from"), "vm.swappiness", ""), "b");
	assert_null(json_object_get(json_object_get(resolved, "why"), "vm.swappiness")); /* a's reason was for a's value */
	assert_int_equal(profile_needs(resolved, 1, &why), -ENOTSUP);
	assert_non_null(strstr(why, "needs 2 disks, here are 1"));
	assert_int_equal(profile_needs(resolved, 2, &why), 0);
}

static void bad_profiles_are_named(void **state)
{
	(void)state;
	put("x.profile.json", "{\"schema\":\"iorig.profile/1\",\"name\":\"x\",\"inherits\":[\"y\"],\"set\":{}}");
	expect_bad_profile(put("y.profile.json", "{\"schema\":\"iorig.profile/1\",\"name\":\"y\",\"inherits\":[\"x\"],\"set\":{}}"), "inherits itself");
	expect_bad_profile(put("z.profile.json", "{\"schema\":\"iorig.profile/1\",\"name\":\"z\",\"inherits\":[\"nowhere\"],\"set\":{}}"),
			   "neither beside it nor a shipped profile");
	expect_bad_profile(put("k.profile.json", "{\"schema\":\"iorig.profile/1\",\"name\":\"k\",\"set\":{\"fs.typ\":\"xfs\"}}"),
			   "the nearest is 'fs.type'");
	expect_bad_profile(put("s.profile.json", "{\"schema\":\"iorig.sweep/1\",\"name\":\"s\",\"set\":{}}"), "its schema is iorig.sweep/1");
	expect_bad_profile(put("j.profile.json", "{\"schema\":"), "no valid JSON");
	expect_bad_profile("no-such-profile", "there is no shipped profile");
}

static void expect_bad_catalogue(const char *entry, const char *part)
{
	_cleanup_free_ char *text = NULL, *why = NULL;
	struct knobs *k;

	assert_true(asprintf(&text, "{\"schema\":\"iorig.knobs/1\",\"filesystems\":{},\"knobs\":{%s}}", entry) > 0);
	assert_true(knobs_load(put("knobs.json", text), &k, &why) < 0);
	assert_null(k);
	if (!strstr(why, part))
		fail_msg("'%s' does not say '%s'", why, part);
}

static void bad_catalogues_are_named(void **state)
{
#define REST "\"doc\":\"d\",\"scope\":\"host\",\"order\":1,\"set\":{\"sysctl\":\"vm.x\"},\"read\":{\"parse\":\"int\"}"

	(void)state;
	expect_bad_catalogue("\"vm.x\":{" REST ",\"type\":\"float\",\"durability\":{\"*\":\"D0\"}}", "type (bool, int, enum)");
	expect_bad_catalogue("\"vm.x\":{" REST ",\"type\":\"enum\",\"durability\":{\"*\":\"D0\"}}", "an enum needs values");
	expect_bad_catalogue("\"vm.x\":{" REST ",\"type\":\"int\",\"durability\":{\"*\":\"D9\"}}", "'D9' is no durability class");
	expect_bad_catalogue("\"vm.x\":{" REST ",\"type\":\"int\",\"durability\":{}}", "nothing about all values");
	expect_bad_catalogue("\"vm.x\":{" REST ",\"type\":\"int\",\"durability\":{\"*\":\"D0\"},\"colour\":1}", "unknown key 'colour'");
	expect_bad_catalogue("\"vm.x\":{" REST ",\"type\":\"int\",\"durability\":{\"*\":\"D0\"},\"applies\":{\"no.knob\":[1]}}", "'no.knob'");
	expect_bad_catalogue("\"Big\":{" REST ",\"type\":\"int\",\"durability\":{\"*\":\"D0\"}}", "no name of a knob");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_settings_are_named),
		cmocka_unit_test(what_has_no_meaning_is_dropped),
		cmocka_unit_test(equal_cells_resolve_equally),
		cmocka_unit_test(the_impossible_is_known),
		cmocka_unit_test(durability_reads_writes_and_compares),
		cmocka_unit_test(durability_of_settings_is_the_worst),
		cmocka_unit_test(every_value_has_a_class),
		cmocka_unit_test(profiles_inherit_in_order),
		cmocka_unit_test(bad_profiles_are_named),
		cmocka_unit_test(bad_catalogues_are_named),
	};
	char template[] = "/tmp/iorig-knobs.XXXXXX", clean[64];
	int rc;

	directory = mkdtemp(template);
	rc = directory ? cmocka_run_group_tests(tests, setup, teardown) : 1;
	snprintf(clean, sizeof(clean), "rm -rf %s", template);
	if (system(clean))
		return 1;
	return rc;
}
