/* Who accepts next. Threads, or processes, that wait for one listener may all wake for
 * one connection. A rule that counts those which find nothing would be used up by
 * them, or miss the one that it was for: so what does not block is decided on and made
 * by one after the other.
 *
 * Whoever has the turn for half a second is gone, or was stopped, and loses it; who
 * does not get it for five goes without. So no signal handler and no fork's child can
 * hang on it.
 */
#ifndef TF_TURN_H
#define TF_TURN_H

#include "shim.h"

/* False: it needs none, or has it already, below this call of a signal handler. */
bool tf_turn_take(const struct tf_call *call);
void tf_turn_leave(void);

#endif
