/*
 * Access to files through mappings: page faults of programs, and pages that came into the page cache. No system calls; loaded only when asked for.
 *
 * A fault tells an address; bpf_find_vma (5.17, commit 7c7e3d31e785) tells which file is there. What nobody sees: pages that the kernel maps around a
 * faulting one, pages that are mapped in advance, and access by the kernel itself (a mapping as the buffer of a read).
 */
#pragma once
#include "capture/events.bpf.h"

#define FAULT_WRITE_BIT 2 /* of the error code */
#define VM_SHARED_BIT 8
#define PAGE_SHIFT 12

static __always_inline struct rec_pages *reserve_pages(struct counters *c, __u32 kind, const struct rec_id *id)
{
	__u64 ids = bpf_get_current_pid_tgid();
	struct class_counters *k = class_of(c, cfg.pages_class);
	__u32 seq = c->events++;
	void *ring = my_ring();
	struct rec_pages *p = NULL;

	k->seen++;
	if (ring)
		p = bpf_ringbuf_reserve(ring, sizeof(*p), 0);
	if (!p) {
		k->dropped++;
		return NULL;
	}
	k->emitted++;
	p->head.type = REC_PAGES;
	p->head.cpu = bpf_get_smp_processor_id();
	p->head.bits = 0;
	p->head.seq = seq;
	p->head.end_ns = bpf_ktime_get_ns();
	p->tid = ids;
	p->pid = ids >> 32;
	p->file = *id;
	p->kind = kind;
	p->in_call = 0;
	return p;
}

struct mapping {
	__u64 file, first_page;
	bool shared;
	__u64 address;
};

static long look_at_mapping(struct task_struct *task, struct vm_area_struct *vma, struct mapping *m)
{
	m->file = (__u64)LOAD(vma, vm_file);
	m->first_page = ((m->address - LOAD(vma, vm_start)) >> PAGE_SHIFT) + LOAD(vma, vm_pgoff);
	m->shared = LOAD(vma, vm_flags) & VM_SHARED_BIT;
	return 0;
}

SEC("tp_btf/page_fault_user")
int BPF_PROG(on_page_fault, unsigned long address, struct pt_regs *regs, unsigned long error_code)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mapping m = {.address = address};
	struct counters *c = my_counters();
	struct rec_id id = {};
	struct rec_pages *p;
	struct file *file;
	__u32 type;
	long rc;

	if (!c || !selected(task, bpf_get_current_pid_tgid() >> 32))
		return 0;
	rc = bpf_find_vma(task, address, look_at_mapping, &m, 0);
	if (rc == -EBUSY)
		__sync_fetch_and_add(&c->faults_unresolved, 1);
	if (rc || !m.file)
		return 0;
	file = TYPED(m.file, struct file);
	type = identify(file, &id);
	if (!type)
		return 0;
	announce((__u64)LOAD(file, f_path.mnt), (__u64)LOAD(file, f_path.dentry), type, bpf_ktime_get_ns());
	/* A write to a private mapping reads the file and makes a copy. */
	p = reserve_pages(c, error_code & FAULT_WRITE_BIT && m.shared ? PAGES_WRITE_FAULT : PAGES_READ_FAULT, &id);
	if (!p)
		return 0;
	p->first_page = m.first_page;
	p->pages = 1;
	bpf_ringbuf_submit(p, BPF_RB_NO_WAKEUP);
	return 0;
}

/* Is the current thread in a system call that is recorded? */
static __always_inline bool in_call(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct slot *slot = slot_of(tid);

	return slot && slot->tid == tid && slot->begin_ns;
}

static __always_inline int filled(struct inode *inode, __u64 first_page, __u64 pages)
{
	struct counters *c = my_counters();
	struct task_struct *task = CURRENT();
	struct rec_id id = {};
	struct rec_pages *p;

	if (!c || !selected(task, bpf_get_current_pid_tgid() >> 32) || !identify_inode(inode, &id))
		return 0;
	p = reserve_pages(c, PAGES_FILLED, &id);
	if (!p)
		return 0;
	p->first_page = first_page;
	p->pages = pages;
	p->in_call = in_call();
	bpf_ringbuf_submit(p, BPF_RB_NO_WAKEUP);
	return 0;
}

static __always_inline __u64 pages_of(struct folio *folio)
{
	struct folio___with_pages *older = (void *)folio;
	struct folio___with_nr *newer = (void *)folio;
	unsigned long flags = 0;

	bpf_probe_read_kernel(&flags, sizeof(flags), folio); /* its first member, whatever its type is called */
	if (!(flags >> bpf_core_enum_value(enum pageflags, PG_head) & 1))
		return 1;
	if (bpf_core_field_exists(newer->_nr_pages))
		return BPF_CORE_READ(newer, _nr_pages);
	return bpf_core_field_exists(older->_folio_nr_pages) ? BPF_CORE_READ(older, _folio_nr_pages) : 1;
}

SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(on_cache_fill, struct folio *folio)
{
	struct address_space *mapping = LOAD(folio, mapping);

	return mapping ? filled(LOAD(mapping, host), LOAD(folio, index), pages_of(folio)) : 0;
}

#if !MODERN
/* To 5.15 the tracepoint tells a page. */
SEC("tp_btf/mm_filemap_add_to_page_cache")
int BPF_PROG(on_cache_fill_page, struct page *page)
{
	struct address_space *mapping = LOAD(page, mapping);

	return mapping ? filled(LOAD(mapping, host), LOAD(page, index), 1) : 0;
}
#endif
