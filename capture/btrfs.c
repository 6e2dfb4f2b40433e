#include <bpf/btf.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "capture/btrfs.h"

/* Offset in bytes of a member, -1: there is no such structure or member. */
static int offset_of(const struct btf *btf, const char *structure, const char *member)
{
	int id = btf__find_by_name_kind(btf, structure, BTF_KIND_STRUCT);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, (uint32_t)id) : NULL;
	const struct btf_member *m = t ? btf_members(t) : NULL;

	for (uint32_t i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, m[i].name_off), member))
			return (int)(btf_member_bit_offset(t, i) / 8);
	return -1;
}

static void take(const struct btf *btf, struct config *config)
{
	int inode = offset_of(btf, "btrfs_inode", "vfs_inode"), root = offset_of(btf, "btrfs_inode", "root");
	int anon_dev = offset_of(btf, "btrfs_root", "anon_dev");

	if (inode < 0 || root < 0 || anon_dev < 0 || inode == root)
		return;
	config->btrfs_root = root - inode;
	config->btrfs_anon_dev = (uint32_t)anon_dev;
}

void btrfs_configure(struct config *config)
{
	struct btf *kernel = btf__load_vmlinux_btf();
	struct btf *module = kernel && !access("/sys/kernel/btf/btrfs", R_OK) ? btf__load_module_btf("btrfs", kernel) : NULL;

	config->btrfs_root = 0;
	if (kernel)
		take(module ? module : kernel, config);
	btf__free(module);
	btf__free(kernel);
}
