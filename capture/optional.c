#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "capture/optional.h"

static bool has(const struct btf *btf, const char *name, uint32_t kind)
{
	return btf && btf__find_by_name_kind(btf, name, kind) > 0;
}

struct optional optional_of(const struct btf *btf)
{
	return (struct optional){
		.wakes = has(btf, "btf_trace_sched_waking", BTF_KIND_TYPEDEF),
		.faults = has(btf, "btf_trace_page_fault_user", BTF_KIND_TYPEDEF) && has(btf, "bpf_find_vma", BTF_KIND_FUNC),
		.fills = has(btf, "btf_trace_mm_filemap_add_to_page_cache", BTF_KIND_TYPEDEF),
		.fill_pages = !has(btf, "folio", BTF_KIND_STRUCT),
	};
}

static void load_if(struct bpf_object *object, const char *name, bool wanted)
{
	struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (program)
		bpf_program__set_autoload(program, wanted);
}

void optional_choose(struct bpf_object *object, struct config *config)
{
	struct btf *btf = btf__load_vmlinux_btf();
	struct optional there = optional_of(btf);

	config->wakes = config->wakes && there.wakes;
	config->faults = config->pages && there.faults;
	load_if(object, "on_waking", config->wakes);
	load_if(object, "on_page_fault", config->faults);
	load_if(object, "on_cache_fill", config->pages && there.fills && !there.fill_pages);
	load_if(object, "on_cache_fill_page", config->pages && there.fills && there.fill_pages);
	btf__free(btf);
}
