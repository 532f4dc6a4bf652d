/* What hold.c and hold_call.c share; nobody else's business. */
#ifndef TF_HOLD_PARTS_H
#define TF_HOLD_PARTS_H

#include "hold.h"

/* How late the end of a hold may be before somebody else sees to it. */
#define TF_HOLD_LOOK_NS UINT64_C(20000000)

/* Changes when a hold of this process ends, or a part of it; a futex. */
extern _Atomic uint32_t tf_hold_changes;

/* Is this side held now? *look_ns: when to look again, whether or not it is. Ends a
 * hold that nobody else ends. */
bool tf_hold_is(struct tf_socket *socket, enum tf_side side, int fd, uint64_t *look_ns);

/* Gives call->effect the rest of a decision whose hold is over, if there is one. */
bool tf_hold_take_rest(struct tf_call *call, enum tf_side side);

/* Hides a side again of which a part was free. */
void tf_hold_hide(const struct tf_socket *socket, enum tf_side side);

static inline bool tf_hold_listens(const struct tf_socket *socket)
{
    return atomic_load(&socket->role) == TF_ROLE_LISTENER;
}

static inline uint64_t tf_hold_passed(const struct tf_socket *socket, enum tf_side side)
{
    return side == TF_SIDE_IN ? atomic_load(&socket->bytes_in) : atomic_load(&socket->bytes_out);
}

#endif
