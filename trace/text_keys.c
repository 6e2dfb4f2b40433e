#include <stddef.h>
#include <string.h>

#include "trace/text.h"

#define KEY(kind_of_record, record, member, ...) \
	.type = TRACE_##kind_of_record, .offset = offsetof(struct record, member), .bytes = sizeof(((struct record *)0)->member), __VA_ARGS__
#define OF_EVENT(name, ...) KEY(EVENT, trace_event, name, __VA_ARGS__)

const struct text_key text_keys[] = {
	{"dev", KEY(FILE, trace_file, dev, .kind = TEXT_DEVICE)},
	{"ino", KEY(FILE, trace_file, ino, .kind = TEXT_NUMBER)},
	{"gen", KEY(FILE, trace_file, generation, .kind = TEXT_NUMBER)},
	{"mode", KEY(FILE, trace_file, mode, .kind = TEXT_OCTAL)},
	{"nlink", KEY(FILE, trace_file, nlink, .kind = TEXT_NUMBER)},
	{"size", KEY(FILE, trace_file, size, .kind = TEXT_NUMBER)},
	{"bits", KEY(FILE, trace_file, bits, .kind = TEXT_FLAGS, .flags = text_file_bits)},
	{"seen", KEY(FILE, trace_file, seen_ns, .kind = TEXT_TIME)},
	{"userdev", KEY(FILE, trace_file, user_dev, .kind = TEXT_DEVICE)},
	{"allocated", KEY(FILE, trace_file, allocated_bytes, .kind = TEXT_NUMBER)},
	{"path", KEY(FILE, trace_file, path, .kind = TEXT_STRING)},
	{"target", KEY(FILE, trace_file, target, .kind = TEXT_STRING)},

	{"tid", KEY(THREAD, trace_thread, tid, .kind = TEXT_NUMBER)},
	{"pid", KEY(THREAD, trace_thread, pid, .kind = TEXT_NUMBER, .always = true)},
	{"parent", KEY(THREAD, trace_thread, parent, .kind = TEXT_THREAD)},
	{"seen", KEY(THREAD, trace_thread, seen_ns, .kind = TEXT_TIME)},
	{"comm", KEY(THREAD, trace_thread, comm, .kind = TEXT_STRING)},
	{"cwd", KEY(THREAD, trace_thread, cwd, .kind = TEXT_STRING)},
	{"mntns", KEY(THREAD, trace_thread, mount_namespace, .kind = TEXT_NUMBER)},

	{"pid", KEY(FD, trace_fd, pid, .kind = TEXT_NUMBER)},
	{"fd", KEY(FD, trace_fd, fd, .kind = TEXT_SIGNED, .always = true)},
	{"file", KEY(FD, trace_fd, file, .kind = TEXT_FILE)},
	{"flags", KEY(FD, trace_fd, flags, .kind = TEXT_FLAGS, .flags = text_open_flags, .always = true)},
	{"pos", KEY(FD, trace_fd, position, .kind = TEXT_SIGNED, .always = true)},
	{"desc", KEY(FD, trace_fd, description, .kind = TEXT_WORD, .always = true)},

	{"fd", OF_EVENT(fd, .kind = TEXT_FD, .field = TRACE_F_FD, .otherwise = -1)},
	{"fd2", OF_EVENT(fd2, .kind = TEXT_FD, .field = TRACE_F_FD2, .otherwise = -1)},
	{"file", OF_EVENT(file, .kind = TEXT_FILE, .field = TRACE_F_FILE)},
	{"file2", OF_EVENT(file2, .kind = TEXT_FILE, .field = TRACE_F_FILE2)},
	{"path", OF_EVENT(path, .kind = TEXT_STRING, .field = TRACE_F_PATH)},
	{"path2", OF_EVENT(path2, .kind = TEXT_STRING, .field = TRACE_F_PATH2)},
	{"flags", OF_EVENT(flags, .kind = TEXT_FLAGS, .field = TRACE_F_FLAGS)},
	{"mode", OF_EVENT(mode, .kind = TEXT_OCTAL, .field = TRACE_F_MODE)},
	{"offset", OF_EVENT(offset, .kind = TEXT_SIGNED, .field = TRACE_F_OFFSET, .otherwise = -1)},
	{"offset2", OF_EVENT(offset2, .kind = TEXT_SIGNED, .field = TRACE_F_OFFSET2, .otherwise = -1)},
	{"length", OF_EVENT(length, .kind = TEXT_NUMBER, .field = TRACE_F_LENGTH)},
	{"arg", OF_EVENT(arg, .kind = TEXT_WORD, .field = TRACE_F_ARG)},
	{"via", OF_EVENT(via, .kind = TEXT_FLAGS, .flags = text_via)},
	{"ring", OF_EVENT(ring, .kind = TEXT_NUMBER)},
	{"bits", OF_EVENT(bits, .kind = TEXT_FLAGS, .flags = text_event_bits)},

	{"at", KEY(WAKE, trace_wake, at_ns, .kind = TEXT_TIME, .always = true)},
	{"waker", KEY(WAKE, trace_wake, waker, .kind = TEXT_THREAD)},
	{"wakee", KEY(WAKE, trace_wake, wakee, .kind = TEXT_THREAD)},

	{"file", KEY(RESIDENCY, trace_residency, file, .kind = TEXT_FILE)},
	{"page", KEY(RESIDENCY, trace_residency, first_page, .kind = TEXT_NUMBER, .always = true)},
	{"pages", KEY(RESIDENCY, trace_residency, pages, .kind = TEXT_NUMBER, .always = true)},
	{"absent", KEY(RESIDENCY, trace_residency, absent_pages, .kind = TEXT_NUMBER)},
	{"at", KEY(RESIDENCY, trace_residency, at_ns, .kind = TEXT_TIME)},
	{"bits", KEY(RESIDENCY, trace_residency, bits, .kind = TEXT_FLAGS, .flags = text_residency_bits)},

	{"count", KEY(LOSS, trace_loss, count, .kind = TEXT_NUMBER, .always = true)},
	{"first", KEY(LOSS, trace_loss, first_ns, .kind = TEXT_TIME, .always = true)},
	{"last", KEY(LOSS, trace_loss, last_ns, .kind = TEXT_TIME, .always = true)},
	{"cause", KEY(LOSS, trace_loss, cause, .kind = TEXT_FLAGS, .flags = text_causes, .always = true)},
	{"cpu", KEY(LOSS, trace_loss, cpu, .kind = TEXT_NUMBER, .always = true)},

	{"file", KEY(CONTENT, trace_content, file, .kind = TEXT_FILE)},
	{"sampled", KEY(CONTENT, trace_content, sampled_bytes, .kind = TEXT_NUMBER, .always = true)},
	{"zero", KEY(CONTENT, trace_content, zero_bytes, .kind = TEXT_NUMBER, .always = true)},
	{"stored", KEY(CONTENT, trace_content, stored_bytes, .kind = TEXT_NUMBER, .always = true)},
	{"at", KEY(CONTENT, trace_content, at_ns, .kind = TEXT_TIME)},

	{"file", KEY(HOLE, trace_hole, file, .kind = TEXT_FILE)},
	{"offset", KEY(HOLE, trace_hole, offset, .kind = TEXT_NUMBER, .always = true)},
	{"bytes", KEY(HOLE, trace_hole, bytes, .kind = TEXT_NUMBER, .always = true)},
	{"data", KEY(HOLE, trace_hole, data_bytes, .kind = TEXT_NUMBER)},
	{0},
};

const struct text_key *text_keys_of(enum trace_record_type type)
{
	const struct text_key *k = text_keys;

	while (k->name && k->type != type)
		k++;
	return k;
}

const char *text_word(enum trace_record_type type)
{
	static const char *const words[TRACE_RECORD_TYPES] = {
		[TRACE_FILE] = "file",		 [TRACE_THREAD] = "thread", [TRACE_FD] = "fd",		 [TRACE_WAKE] = "wake",
		[TRACE_RESIDENCY] = "residency", [TRACE_LOSS] = "loss",	    [TRACE_CONTENT] = "content", [TRACE_HOLE] = "hole",
	};

	return words[type];
}
