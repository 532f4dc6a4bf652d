/* The hang-up that poll and epoll tell of once both directions have ended: no more is
 * to come, so a read that has room takes all there is, and a program may take one that
 * gave less than it asked for as the last. As long as bytes are unread that a rule gives
 * in parts (short, rate), the end has therefore not come in yet.
 */
#ifndef TF_HANGUP_H
#define TF_HANGUP_H

#include "shim.h"

/* After a wait, with its result. */
void tf_hangup_hide(const struct tf_call *call, long ready);

#endif
