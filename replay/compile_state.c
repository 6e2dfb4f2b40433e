/* What the trace tells of files beside their definitions: which pages were cached, where holes are, what kind of data is in them. */
#include "replay/compiler.h"

void compile_record_residency(struct compiler *c, const struct trace_residency *r)
{
	uint32_t object = r->file < c->model.files_room ? model_object_of(&c->model, r->file) : 0;

	/* What a recording left behind is no starting state. */
	if (!object || r->absent_pages >= r->pages || (r->bits & TRACE_RESIDENCY_END))
		return;
	c->resident = grow(c->resident, &c->resident_room, c->resident_n + 1, sizeof(*c->resident));
	c->resident[c->resident_n++] = (struct plan_resident){.path = object, .first_page = r->first_page, .pages = r->pages, .absent_pages = r->absent_pages};
}

void compile_record_hole(struct compiler *c, const struct trace_hole *hole)
{
	if (!hole->bytes || hole->data_bytes >= hole->bytes || hole->offset + hole->bytes < hole->offset)
		return;
	c->hole = grow(c->hole, &c->holes_room, c->holes_n + 1, sizeof(*c->hole));
	c->hole[c->holes_n++] = (struct plan_hole){
		.entry = hole->file, .offset = hole->offset, .bytes = hole->bytes, .data_bytes = hole->data_bytes};
}

void compile_record_content(struct compiler *c, const struct trace_content *content)
{
	uint64_t filled = content->sampled_bytes - content->zero_bytes;

	if (!content->sampled_bytes || content->zero_bytes > content->sampled_bytes || content->file >= c->model.files_room)
		return;
	c->content = grow(c->content, &c->contents_room, (size_t)content->file + 1, sizeof(*c->content));
	/* The first look counts: it was taken before the recording changed the file. */
	if (c->content[content->file].known)
		return;
	c->content[content->file] = (struct content){
		.known = true,
		.zero_ratio = (float)content->zero_bytes / (float)content->sampled_bytes,
		.stored_ratio = !filled || content->stored_bytes > filled ? 1 : (float)content->stored_bytes / (float)filled};
}

/* Entries of the starting state by file; holes in their order. */
static int by_entry(const void *a, const void *b)
{
	const struct plan_hole *x = a, *y = b;

	if (x->entry != y->entry)
		return x->entry < y->entry ? -1 : 1;
	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

void compile_finish_contents(struct compiler *c, struct plan_entry *entry, const struct map *entry_of)
{
	struct plan *p = c->plan;
	size_t kept = 0;

	for (uint32_t id = 1; id < c->contents_room; id++) {
		const uint32_t *at = c->content[id].known ? map_get(entry_of, c->model.file[id].object) : NULL;

		if (!at)
			continue;
		entry[*at - 1].zero_ratio = c->content[id].zero_ratio;
		entry[*at - 1].stored_ratio = c->content[id].stored_ratio;
	}
	for (size_t i = 0; i < c->holes_n; i++) {
		uint32_t file = c->hole[i].entry;
		const uint32_t *at = file < c->model.files_room ? map_get(entry_of, c->model.file[file].object) : NULL;

		if (!at || c->hole[i].offset >= entry[*at - 1].size)
			continue;
		c->hole[kept] = c->hole[i];
		c->hole[kept++].entry = *at - 1;
	}
	if (kept)
		qsort(c->hole, kept, sizeof(*c->hole), by_entry);
	for (size_t i = kept; i--;) {
		entry[c->hole[i].entry].first_hole = (uint32_t)i;
		entry[c->hole[i].entry].holes++;
	}
	p->hole = c->hole;
	p->holes_n = (uint32_t)kept;
	c->hole = NULL;
}
