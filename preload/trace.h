/* A call as an event in the segment. Async-signal-safe. */
#ifndef TF_TRACE_H
#define TF_TRACE_H

#include "shim.h"

/* Fills *event with what was asked, and publishes it; returns its number. */
uint64_t tf_trace_enter(const struct tf_call *call, struct tf_event *event);

/* Adds what came of it. `result` is a value or -errno. */
void tf_trace_leave(const struct tf_call *call, struct tf_event *event, uint64_t number, long result);

#endif
