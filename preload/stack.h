/* Copies of stacks, from which the frames above a call site are found after the run
 * (harness/frames.h). Each is kept once: a call that is made on the same way again
 * gets the row of the first time. Async-signal-safe.
 */
#ifndef TF_STACK_H
#define TF_STACK_H

#include "shim.h"

/* The segment's row for the stack of the caller, from 1; 0: there is no room, or it
 * can't be told on this machine. */
uint16_t tf_stack_row(const void *caller, struct tf_thread self);

#endif
