/* Held sockets: what has arrived (or room to write, or a connection) is not there
 * yet, as far as the program can tell, until its time.
 *
 * A hold is per side of a socket. While it lasts, calls of that side that do not
 * block give EAGAIN, those that do sleep, and no wait reports the side ready
 * (readiness.h); SO_RCVLOWAT hides what is queued from those who were asleep
 * already, in any process. At its end everything is as the kernel has it, and every
 * waiter is told.
 *
 * Latency, not a gap: with `each_ns` the bytes that arrive during a hold are free
 * each_ns after their own arrival, in order, and a read gets no more than is free.
 *
 * The row (tf_socket.hold) says to every process until when and from which position;
 * the process in which the hold began also keeps a record and steps it (later.h).
 * An error on the connection ends a hold: a reset is not late.
 *
 * Async-signal-safe, except that blocking calls sleep. The caller of a function
 * below does not hold tf_later_lock, unless it says so.
 */
#ifndef TF_HOLD_H
#define TF_HOLD_H

#include "lock.h"
#include "shim.h"

#define TF_SIDE_BIT(side) (1u << (side))

/* Guards hold.c's records and readiness.c's registrations. */
extern struct tf_lock tf_later_lock;

/* The side that a call is about: receiving and accepting, sending, connecting. */
enum tf_side tf_hold_side(const struct tf_call *call);

/* Holds `side` until `until_ns` (UINT64_MAX: for ever). `rest` (or NULL) is what
 * else was decided for the call; the call that the program makes again at the end
 * is not asked about, and gets that. False with call->reason: no room, no thread. */
bool tf_hold_start(struct tf_call *call, enum tf_side side, uint64_t until_ns, uint64_t each_ns,
                   const struct tf_effect *rest);

/* Is a call met by a hold, or by what a hold has left? True with *result: it is
 * answered. Otherwise it goes on, with *taken where call->effect is the rest of an
 * earlier decision, so that no rule is asked. Blocking calls sleep in here. */
bool tf_hold_meet(struct tf_call *call, long *result, bool *taken);

/* After a call: hides what is not free yet, also from a look at the queue's length. */
void tf_hold_after(struct tf_call *call, long result);

/* How many bytes a read may get while later ones are held; 0: no limit. */
uint64_t tf_hold_room(const struct tf_call *call);

/* Have the bytes that this call would move waited already? */
bool tf_hold_waited(const struct tf_call *call);

/* The sides of fd that are held now, as TF_SIDE_BITs; *look_ns is when that may have
 * changed. 0 and UINT64_MAX where it is no TCP socket. */
unsigned tf_hold_sides(int fd, uint64_t *look_ns);

/* Ends the holds that this process has on descriptors that are about to be closed. */
void tf_hold_close(unsigned first, unsigned last);

/* Under the lock: the sides of a socket that this process hides. */
unsigned tf_hold_hidden(uint64_t cookie);

/* A hold of another process: the registrations of this one are in the way, too. */
void tf_hold_join(struct tf_call *call, enum tf_side side, uint64_t until_ns);

/* later.c's, under the lock: what has come due. Returns when to look again. */
uint64_t tf_hold_step(uint64_t now_ns);

/* In the child of a fork: its parent ends the holds. */
void tf_hold_forget(void);

#endif
