#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "replay/map.h"
#include "replay/plan.h"

/*
 * Which operation must wait for which operation of another lane (research/replay.md section 2; the rules are ROOT's, SOSP'13).
 * Two operations that touch the same resource, at least one of them changing it, keep their order when the first had *ended before
 * the second began* in the recording. Reads among themselves are free. Only the newest edge to each other lane is kept, and none that an
 * earlier operation of the same lane has waited for.
 */
enum order_mode { ORDER_RESOURCE, ORDER_THREAD, ORDER_TEMPORAL };

struct order;

struct order *order_new(enum order_mode mode);
void order_free(struct order *o);

/* Threads wait for each other only where they share something. */
bool order_by_resource(const struct order *o);

/*
 * The operations of this lane overlap (a ring's requests): what touches the same resource gets an edge within the lane, too. "Sequence"
 * then counts in the order of ending; an edge to one means that it and all that had ended before it are complete.
 */
void order_concurrent(struct order *o, uint32_t lane);
/*
 *	order_begin(o, lane, begin_ns);
 *	order_read(o, &file.r_size); order_write(o, &name.resource); ...   // a resource is a number kept by its owner, 0 at first
 *	n = order_end(o, sequence, end_ns, &edges);                       // or order_drop(o) when the operation is not emitted
 */
void order_begin(struct order *o, uint32_t lane, uint64_t begin_ns);
void order_read(struct order *o, uint32_t *resource);
void order_write(struct order *o, uint32_t *resource);
/*
 * The same for a resource whose state the results tell (a name: there or not): also when the operations overlapped. The one that ended first
 * in the recording got a result that fits the state before the other, so it comes first here too.
 */
void order_read_strictly(struct order *o, uint32_t *resource);
void order_write_strictly(struct order *o, uint32_t *resource);
/*
 * As order_write, but in every mode and even when the operations overlapped: what comes later in the trace comes later in the replay.
 * For mappings, where using an address after its munmap would hit memory of the replayer.
 */
void order_force(struct order *o, uint32_t *resource);
/* Remembered as a reader, but not after the changes: it does not depend on them. */
void order_note(struct order *o, uint32_t *resource);
/* After the changes of a resource, strictly, without being remembered as one of its readers. */
void order_peek(struct order *o, uint32_t resource);
/* The same with the readers: after them, strictly. */
void order_peek_readers(struct order *o, uint32_t resource);
/* After everything that had ended in every lane: a renamed directory. */
void order_all(struct order *o);
/* After what had ended in that lane, in every mode: it belongs to the same thread. */
void order_newest(struct order *o, uint32_t lane);
/* The current operation comes after this one whatever it touches. */
void order_edge(struct order *o, uint32_t lane, uint32_t sequence);
/* The lane's next operation that began at from_ns or later comes after this one whatever it touches: fork. */
void order_after(struct order *o, uint32_t lane, uint32_t other, uint32_t sequence, uint64_t from_ns);
/*
 * The same after what had ended in the other lane at from_ns: a wake-up. Not when threads do not wait for each other; true: it will wait.
 * The first edge of the woken operation is the newest waker's operation that ended at since_ns, from which its pause is measured: hidden ones
 * that followed it may have waited for others.
 */
bool order_woken(struct order *o, uint32_t lane, uint32_t other, uint64_t from_ns, uint64_t since_ns);
/* sequence counts from 1 in the lane. Edges are valid until the next call. */
uint32_t order_end(struct order *o, uint32_t sequence, uint64_t end_ns, const struct plan_edge **edges);
void order_drop(struct order *o);
/* The resource will soon be touched; and, some 50 ns later, by that lane. */
void order_prefetch(const struct order *o, uint32_t resource);
void order_prefetch_access(const struct order *o, uint32_t resource, uint32_t lane);
