/* What has to happen at a later moment, whatever the program's threads are doing
 * then: a held socket becomes ready, a lost connection heals.
 *
 * A thread that exists only while something is pending, made by a bare clone(2):
 * libc does not know of it, it has no thread-local storage, its signals are
 * blocked, and it does nothing but system calls on the program's own descriptors.
 * It ends soon after the last pending thing (but for tf_later_stay), so a program that must be
 * single-threaded later (unshare(2), setns(2)) is. In /proc it is "tcpfault".
 *
 * Everything here is async-signal-safe. Nothing is carried into a fork's child.
 */
#ifndef TF_LATER_H
#define TF_LATER_H

#include "shim.h"

enum tf_later {
    TF_LATER_HOLD, /* hold.c steps its records */
    TF_LATER_HEAL, /* the socket's IP_MINTTL, IP_TTL and their kin go back to what they were */
};

/* Asks for tf_later_step to be called at `when_ns` (CLOCK_MONOTONIC) or soon
 * after. The caller does not hold tf_later_lock. False where no thread could be had. */
bool tf_later_wake(void);

/* Starts the thread, which then stays: later there may be no right to start one. */
void tf_later_stay(void);

/* Heals the socket at `when_ns`: see TF_LATER_HEAL. `fd` is verified by its cookie
 * when the time has come. False where there is no room or no thread. */
bool tf_later_heal(int fd, uint64_t cookie, uint64_t when_ns);

/* Heals what is about to be closed: nobody could later, and what is left of the
 * connection would never hear its FIN acknowledged. */
void tf_later_close(unsigned first, unsigned last);

/* In the child of a fork. */
void tf_later_forget(void);

#endif
