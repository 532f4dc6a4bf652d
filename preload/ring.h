/* Events into and out of the segment's ring.
 *
 * Any number of writers, in any thread or signal handler of any process, none
 * of which ever waits; one reader. An event is claimed at the call's entry and
 * completed at its return, so a call that never returns (killed, longjmp) is
 * still there, with duration_ns UINT64_MAX. The ring keeps the last TF_EVENTS
 * events: a reader that falls behind loses the oldest, and is told how many.
 */
#ifndef TF_RING_H
#define TF_RING_H

#include "segment.h"

#include <stdbool.h>

/* Publishes a copy of *event with its number set, as not returned yet. Returns
 * that number. Async-signal-safe. */
uint64_t tf_ring_enter(struct tf_segment *segment, const struct tf_event *event);

/* Completes event `number` with the final *event; does nothing when the ring
 * has moved past it. Async-signal-safe. */
void tf_ring_leave(struct tf_segment *segment, uint64_t number, const struct tf_event *event);

enum tf_ring_got {
    TF_RING_EMPTY,      /* nothing at *cursor yet */
    TF_RING_DONE,       /* *event is complete; *cursor moved on */
    TF_RING_UNFINISHED, /* *event has not returned; *cursor moved on: ask tf_ring_again */
    TF_RING_LOST,       /* *lost events were overwritten; *cursor moved on */
};

/* Reads the event at *cursor (starts at 0). */
enum tf_ring_got tf_ring_read(struct tf_segment *segment, uint64_t *cursor, struct tf_event *event,
                              uint64_t *lost);

/* Has event `number`, unfinished before, been completed? TF_RING_DONE with
 * *event filled, TF_RING_UNFINISHED not yet, TF_RING_LOST overwritten since. */
enum tf_ring_got tf_ring_again(struct tf_segment *segment, uint64_t number, struct tf_event *event);

#endif
