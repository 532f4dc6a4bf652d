/* The events of a run, out of its segment, as they happen and to the end.
 *
 *   tf_collect_open              the segment exists: programs may start
 *   tf_collect_drain             every 20 ms or so, from the loop
 *   tf_collect_finish            after the last program's death
 *   tf_collect_close
 *
 * An event is delivered once, when its call has returned; so the events of one
 * thread come in order, and those of a call that blocks come after those of other
 * threads that did not. `number` is the order of entry. Calls that never returned
 * are delivered by tf_collect_finish, in order.
 *
 * One thread at a time. Does not print.
 */
#ifndef TF_COLLECT_H
#define TF_COLLECT_H

#include "error.h"
#include "segment.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TF_COLLECT_DRAIN_MS = 20 };

enum tf_collect_what {
    TF_COLLECT_RETURNED,
    TF_COLLECT_BLOCKED, /* it has not returned for TF_COLLECT_BLOCKED_MS: it comes again later */
    TF_COLLECT_NEVER,   /* it never returned; duration_ns is UINT64_MAX */
    TF_COLLECT_RESUMED, /* it has returned after TF_COLLECT_BLOCKED */
};

enum { TF_COLLECT_BLOCKED_MS = 500 };

struct tf_collect;

struct tf_collect_options {
    const char *path; /* of the segment, to be created */
    const struct tf_plan *plan;
    uint32_t flags;         /* enum tf_run_flag */
    const char *jsonl_path; /* one line an event, appended as it happens; NULL: none */
    bool keep;              /* keep every event for tf_collect_events */
    bool blocked;           /* deliver TF_COLLECT_BLOCKED and TF_COLLECT_RESUMED too */
    /* Called for every event; may be NULL. */
    void (*on_event)(void *data, enum tf_collect_what what, const struct tf_event *event);
    void (*on_drained)(void *data); /* after some were delivered: for flushing. May be NULL */
    void *data;
};

/* Creates the segment, and the file of lines. NULL with *error filled. */
struct tf_collect *tf_collect_open(const struct tf_collect_options *options, struct tf_error *error);

/* Valid until tf_collect_close. */
struct tf_segment *tf_collect_segment(const struct tf_collect *collect);

/* Delivers what has happened since the last time, for about 50 ms at the most; the
 * rest of a burst waits, out of the ring, for the next time. Returns how many
 * events, or -1 with *error filled: the file of lines could not be written (a full disk). */
int tf_collect_drain(struct tf_collect *collect, struct tf_error *error);

/* Drains, then delivers the calls that never returned. 0 or -1. */
int tf_collect_finish(struct tf_collect *collect, struct tf_error *error);

/* Events that were overwritten before they were read. 0 is a complete record. */
uint64_t tf_collect_lost(const struct tf_collect *collect);

/* With `keep`: all events delivered so far, sorted by number. Valid until the next
 * drain. NULL and 0 where there are none. */
const struct tf_event *tf_collect_events(struct tf_collect *collect, size_t *count);

/* Call number `i`, from 0, of those that had not returned at the last drain; NULL
 * beyond. Valid until the next drain. */
const struct tf_event *tf_collect_unfinished(const struct tf_collect *collect, size_t i);

/* Did the shim load anywhere? The number of process images registered. */
unsigned int tf_collect_processes(const struct tf_collect *collect);

void tf_collect_close(struct tf_collect *collect); /* the files stay. NULL is fine */

#endif
