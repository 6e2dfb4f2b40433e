#include <bpf/btf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "capture/controllers.h"

/* Value and 1 of an enumerator, 0: there is none of that name. */
static uint32_t value_of(const struct btf *btf, const char *enumeration, const char *name)
{
	int id = btf__find_by_name_kind(btf, enumeration, BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	const struct btf_enum *e = t ? btf_enum(t) : NULL;

	for (uint32_t i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, e[i].name_off), name))
			return (uint32_t)e[i].val + 1;
	return 0;
}

uint32_t controller_of(const char *mount_options)
{
	struct btf *btf = btf__load_vmlinux_btf();
	uint32_t number = 0;

	for (const char *p = mount_options; btf && *p && !number;) {
		size_t n = strcspn(p, ",;");
		bool is_io = n == 5 && !memcmp(p, "blkio", n); /* its name in version 1 */
		char name[64];

		snprintf(name, sizeof(name), "%.*s_cgrp_id", is_io ? 2 : (int)n, is_io ? "io" : p);
		number = value_of(btf, "cgroup_subsys_id", name);
		p += n + (p[n] != 0);
	}
	btf__free(btf);
	return number;
}
