/* The frames above a call, from the stack that was copied on the way to it. After the
 * run; never in the program. Does not print.
 */
#ifndef TF_FRAMES_H
#define TF_FRAMES_H

#include "callsite.h"
#include "segment.h"

/* All frames of the event's call, the innermost first: those of its call site as
 * tf_callsites_find gives them, then those that called it, as far as the copy goes.
 * Without a copy, or where it does not lead to the call site, only the former. */
struct tf_frame *tf_frames_find(struct tf_callsites *sites, const struct tf_segment *segment,
                                const struct tf_event *event, size_t *count);

#endif
