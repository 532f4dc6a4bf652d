/* What later calls must answer after a fault: the kernel cannot be brought to
 * tell the whole story by itself, and these calls are told the rest.
 *
 * What a fault leaves behind is in the socket's row (segment.h), so that every
 * duplicate and every process agrees. All of it is async-signal-safe.
 */
#ifndef TF_AFTERMATH_H
#define TF_AFTERMATH_H

#include "shim.h"

/* Answers a call, with *result, that must not reach the kernel any more. False:
 * it may. */
bool tf_aftermath_instead(struct tf_call *call, long *result);

/* What the program is told of a result of the kernel's. Once a call. */
long tf_aftermath(struct tf_call *call, long result);

/* tf_aftermath_instead, or the real call. */
long tf_aftermath_perform(struct tf_call *call);

/* Has the program been told of the peer's FIN? */
bool tf_told_of_fin(const struct tf_call *call);

/* How a connection ends. */
enum tf_end {
    TF_END_RESET, /* by a RST; the peer gets one */
    TF_END_QUIET, /* the network is dead, and carries no RST */
};

/* Ends the call's connection as far as this side can tell. `error` is left for
 * the next call to report, once. What the program has not read is lost: the end
 * overtook it, and a FIN behind it. Returns TF_REASON_none, or why there was
 * nothing to end. */
enum tf_reason tf_end_connection(struct tf_call *call, enum tf_end end, int error);

/* The error that this left, which is then reported; 0: it was already. */
int tf_take_error(struct tf_call *call);

/* Of the kernel: enum in <netinet/tcp.h>; TCP_ESTABLISHED where it won't tell. */
int tf_connection_state(int fd);

#endif
