/* Asking the second hand (segment.h, struct tf_hands; the harness's hands.h).
 *
 * Async-signal-safe; takes no lock and allocates nothing. It sleeps, for
 * twice TF_HAND_DEADLINE_NS at the most, whatever handlers run meanwhile.
 */
#ifndef TF_HAND_H
#define TF_HAND_H

#include "shim.h"

/* Can all of this be done here? A set of enum tf_hand_can. */
bool tf_hand_can(uint32_t what);

/* Has it done, to the connection of descriptor fd and its row, for lasts_ns (0: for
 * ever). 0 when it is done, or
 *   -ENOSYS     there is no second hand here
 *   -ENOTSUP    there is, but what it takes is not permitted here
 *   -ENOENT     the other end's socket is not on this machine
 *   -EPERM      it may not touch the socket (ptrace(2), access mode checking)
 *   -ETIMEDOUT, -EBUSY  no answer, no room to ask
 * or another -errno of what it tried. */
long tf_hand_ask(enum tf_hand_op op, const struct tf_socket *socket, int fd, uint64_t lasts_ns);

#endif
