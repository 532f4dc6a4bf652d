/* A call as an event in the segment. Async-signal-safe. */
#ifndef TF_TRACE_H
#define TF_TRACE_H

#include "shim.h"

/* Fills *event with what was asked, and publishes it; returns its number. */
uint64_t tf_trace_enter(const struct tf_call *call, struct tf_event *event);

/* Adds what came of it. `result` is a value or -errno. */
void tf_trace_leave(const struct tf_call *call, struct tf_event *event, uint64_t number, long result);

/* A traced close of a TCP socket has come to `result`. */
void tf_trace_closed(const struct tf_call *call, long result);

/* A call on what is no TCP socket has. Where the descriptor is none either, and was
 * one before (a second close, say), it becomes an event of that socket. */
void tf_trace_other(const struct tf_call *call, long result);

#endif
