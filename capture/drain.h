#pragma once
#include "capture/async.h"
#include "capture/calls.h"
#include "capture/files.h"
#include "capture/maps.h"
#include "capture/mountinfo.h"
#include "capture/names.h"
#include "capture/places.h"
#include "capture/recorder.h"
#include "capture/selftest.h"
#include "capture/spaces.h"
#include "capture/state.h"
#include "capture/tasks.h"

/*
 * Records in, trace out: joins each record with the table of calls, with what is known of files, names and threads, and writes it. Tells every
 * gap in a CPU's sequence numbers to the trace as a loss.
 */
struct known_path { /* by string id: where that text led last time */
	struct name *name[2]; /* not followed, followed */
	uint32_t epoch;
	bool pseudo;
};

struct drain {
	struct trace_writer *writer;
	struct recorder *recorder;
	struct files files;
	struct names names;
	struct places places;
	struct tasks tasks;
	struct maps maps;
	struct async async;
	struct state state;
	struct mountinfo mounts;
	struct spaces spaces;
	struct elsewhere *elsewhere; /* paths of other roots and namespaces: where they led to last time */
	uint64_t start_ns;
	struct { /* the last answer to whether a path is unwanted, and all of that path that the answer hung on */
		char text[128];
		size_t bytes;
		uint32_t epoch; /* of the names: mounts may have changed since */
		bool unwanted;
	} mount;
	struct known_path *known;
	size_t known_room;
	struct name **named; /* by file id: the name under which it was announced last */
	size_t named_room;
	struct drain_counted {
		uint32_t next_seq;
		uint64_t last_ns;
	} *counted; /* as the kernel side's counters: recorder_counted of them */
	bool wakes_known_only; /* a wake-up of a thread that has done nothing yet is not written: it may be none that is recorded */
	uint32_t root_pid; /* the command that is recorded; its end is the recording's. 0: none */
	bool root_ended;
	struct mount_filter {
		uint64_t dev[FILTER_MAX];
		uint32_t n;
	} only; /* --mount: calls on paths elsewhere are dropped here; those on descriptors in the kernel */
	struct {
		struct name **name;
		size_t n, room;
	} later; /* directories that were read, and are still to be listed */
	struct selftest test; /* its records are not for the trace */
	uint64_t drained;  /* records of calls that came out of the rings */
	uint64_t events;   /* written */
	uint64_t written[TRACE_OP_MAX]; /* of each operation */
	uint64_t filtered; /* of those that the kernel emitted: paths on pseudo file systems, mappings of nothing */
	uint64_t unfinished; /* written with that mark */
	uint64_t lost;	   /* told to the trace as lost */
	uint64_t told_skipped, told_early, told_other, accounted_ns; /* drain_account's */
	int error;	   /* the writer's */
	char text[2][2 * STRING_MAX + 2];
};

int drain_init(struct drain *d, struct trace_writer *writer, struct recorder *recorder, uint64_t start_ns);
/*
 * The recording goes on in another trace, which knows nothing of the one before: all that was told is told again when it is seen again. What
 * only the kernel and this program know (places, requests under way, counters) stays. 0 or -ENOMEM, and nothing has changed.
 */
int drain_renew(struct drain *d, struct trace_writer *writer, uint64_t start_ns);
/* For rings_drain: data is the struct drain. */
void drain_record(const struct rec_head *record, uint32_t bytes, uint32_t cpu, void *data);
/* An event for the trace. */
static inline void drain_write(struct drain *d, const struct trace_event *event)
{
	d->events++;
	d->written[event->op]++;
	trace_writer_event(d->writer, event);
}
/*
 * A record of a call into the trace; also of the call that a request stands for, which is then told with what is special about the request. A
 * request's record is as if the call had made it.
 */
struct drain_request {
	uint8_t via; /* enum trace_via */
	uint16_t bits; /* enum trace_event_bits */
	uint32_t ring;
};
void drain_event(struct drain *d, const struct rec_head *head, uint32_t bytes, const struct drain_request *request);
/* A file that was announced: its id, 0 when it is none for the trace. */
uint32_t drain_file(struct drain *d, const struct rec_file *file, uint32_t bytes);
/* Tells what the kernel side counts as lost beside the rings since it was asked last: a recorder that is killed has told it nearly all. */
void drain_account(struct drain *d, uint64_t now_ns);
/* The hooks are off: has all that they have begun come out of the rings? */
bool drain_settled(const struct drain *d);
/* The writer has refused events: they are lost. Once, when all were given. */
void drain_refused(struct drain *d);
/* Everything was drained and the hooks are off: losses at the end of each CPU's sequence. */
void drain_finish(struct drain *d, uint64_t now_ns);
void drain_release(struct drain *d);

/* ---- effects.c: what a call that ended did to names, mappings and threads ---- */

/* A call on its way into the trace. */
struct drained {
	const struct call *call;
	const struct rec_event *record;
	struct trace_event event;
	struct name *name, *name2; /* what path and path2 lead to; NULL: no path */
	uint64_t given[7]; /* arguments, by enum call_argument; [0]: none */
};

/* What had to wait because the drainer was behind: some of it, for about that long. */
void effects_catch_up(struct drain *d, uint64_t budget_ns);
void effects_of(struct drain *d, struct drained *e);
static inline void effects_apply(struct drain *d, struct drained *e)
{
	if (e->name || e->call->special > CALL_SPLIT_OFFSET) /* a read or write does nothing to names */
		effects_of(d, e);
}
/* Remembers that the file with that id was announced under that name. */
void effects_named(struct drain *d, uint32_t file, struct name *name);
/* The name of that file now. NULL: it has none, or none that is known. */
struct name *effects_name_of(const struct drain *d, uint32_t file);

/* ---- paths.c: what a call's paths are and lead to ---- */

/* Both paths of a record, in the order of the trace's fields. False: on a file system that is not recorded. */
bool paths_of(struct drain *d, struct drained *e, const struct rec_path *p);
/* Is that path on a file system that is not recorded? */
bool drain_unwanted(const struct drain *d, const struct mountinfo *mounts, const char *path, size_t length);
