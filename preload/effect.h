/* The effects, one file each. An effect sets call->fired where it was carried
 * out, or call->reason where Linux could not have done it there; the call then
 * goes through as if nothing had been decided. Results are values or -errno.
 */
#ifndef TF_EFFECT_H
#define TF_EFFECT_H

#include "shim.h"

/* These end the call. */
long tf_effect_error(struct tf_call *call);
long tf_effect_error_after(struct tf_call *call, long result); /* in the place of a real failure */
long tf_effect_eof(struct tf_call *call);
long tf_effect_reset(struct tf_call *call);
long tf_effect_ignore(struct tf_call *call);
long tf_effect_rate(struct tf_call *call);
long tf_effect_drop(struct tf_call *call);
long tf_effect_bytes(struct tf_call *call); /* short, corrupt, and the clamp before bytes=N */

/* These may end it: they return true then, with *result. */
bool tf_effect_delay(struct tf_call *call, long *result);
bool tf_effect_signal(struct tf_call *call, long *result);

/* Could any signal end the call with EINTR as the program's handlers are now? */
bool tf_can_be_interrupted(const struct tf_call *call);

/* The call itself, as holds (hold.h) let it: waits do not see what is held. */
long tf_go(struct tf_call *call);

/* Reads of a connection on which eof struck before. */
long tf_eof_again(struct tf_call *call);

/* Before a connect is decided on: what a drop did to an earlier one on the socket,
 * which is over, is taken back. */
void tf_drop_before_connect(struct tf_call *call);

/* Before a call that receives and that no hold has met: the connection may have
 * broken while drop kept everything from arriving. */
void tf_drop_before_in(struct tf_call *call);

/* Before a close: what is queued but was dropped must not make a RST of the FIN
 * (RFC 1122 4.2.2.13). */
void tf_drop_before_close(struct tf_call *call);

/* connect(AF_UNSPEC): what connect(2) calls dissolving the association. A RST
 * goes out where there is a connection, and the socket is as good as new. */
long tf_disconnect(int fd);

/* Reports readiness anew to edge-triggered waiters: for a call that was told
 * EAGAIN, or moved less than it asked for, although the kernel had more. Such a
 * program may wait for the next edge (epoll(7), question 9), which after a real
 * one would come. */
void tf_owe_an_edge(const struct tf_call *call);

/* Sleeps until CLOCK_MONOTONIC `until_ns`. A handler without SA_RESTART ends
 * it: -EINTR; one with SA_RESTART does not (Linux 5.16 on; before, each does). */
long tf_sleep_until(uint64_t until_ns);
/* The same while *word is `value`; who changes it wakes the sleepers (futex(2), private). */
long tf_sleep_on(const _Atomic uint32_t *word, uint32_t value, uint64_t until_ns);

static inline bool tf_has(const struct tf_call *call, enum tf_effect_id effect)
{
    return call->effect.effects & (1u << effect);
}

#endif
