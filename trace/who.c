#include "trace/who.h"

#include <string.h>

#include "lib/log.h"

bool who_chosen(const struct who *w)
{
	return w->pid.n || w->comm.n || w->path.n;
}

int who_check(const struct who *w)
{
	uint64_t pid;

	for (size_t i = 0; i < w->pid.n; i++)
		if (parse_u64(w->pid.item[i], &pid) || !pid || pid > UINT32_MAX)
			return fail(EXIT_USAGE, "--pid %s: not a process id", w->pid.item[i]);
	for (size_t i = 0; i < w->path.n; i++)
		if (w->path.item[i][0] != '/')
			return fail(EXIT_USAGE, "--path %s: not an absolute path", w->path.item[i]);
	return EXIT_DONE;
}

static bool has_pid(const struct option_list *list, uint32_t pid)
{
	uint64_t wanted;

	for (size_t i = 0; i < list->n; i++)
		if (!parse_u64(list->item[i], &wanted) && wanted == pid)
			return true;
	return !list->n;
}

static bool has_text(const struct option_list *list, const char *text)
{
	for (size_t i = 0; i < list->n; i++)
		if (!strcmp(list->item[i], text))
			return true;
	return !list->n;
}

static bool is_below(const struct option_list *list, const char *path)
{
	for (size_t i = 0; i < list->n; i++) {
		size_t n = strlen(list->item[i]);

		while (n && list->item[i][n - 1] == '/')
			n--;
		if (!strncmp(path, list->item[i], n) && (!path[n] || path[n] == '/'))
			return true;
	}
	return false;
}

bool who_thread(const struct who *w, const struct trace_thread *thread, const struct trace_reader *reader)
{
	return has_pid(&w->pid, thread->pid) && has_text(&w->comm, trace_reader_string(reader, thread->comm));
}

static bool file_is_below(const struct who *w, uint32_t id, const struct trace_reader *reader)
{
	const struct trace_file *file = trace_reader_file(reader, id);

	return file && is_below(&w->path, trace_reader_string(reader, file->path));
}

bool who_event(const struct who *w, const struct trace_event *e, const struct trace_reader *reader)
{
	unsigned fields = trace_ops[e->op].fields;

	if (!who_thread(w, trace_reader_thread(reader, e->thread), reader))
		return false;
	if (!w->path.n || !(fields & (TRACE_F_FILE | TRACE_F_PATH)) || trace_ops[e->op].class == TRACE_CLASS_PROCESS)
		return true;
	return ((fields & TRACE_F_PATH) && is_below(&w->path, trace_reader_string(reader, e->path))) ||
	       ((fields & TRACE_F_PATH2) && is_below(&w->path, trace_reader_string(reader, e->path2))) ||
	       ((fields & TRACE_F_FILE) && file_is_below(w, e->file, reader)) ||
	       ((fields & TRACE_F_FILE2) && file_is_below(w, e->file2, reader));
}
