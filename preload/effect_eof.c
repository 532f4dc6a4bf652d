/* eof: the peer's FIN has arrived, as far as this side can tell. SHUT_RD makes
 * poll, select and epoll, and every process that holds the socket, agree. */
#include "aftermath.h"
#include "effect.h"
#include "io.h"
#include "socket.h"

enum { DISCARDS = 64 };

/* What the peer went on to send is not there any more: MSG_TRUNC throws it
 * away (tcp(7)). */
static void discard(int fd)
{
    for (int i = 0; i < DISCARDS; i++)
        if (tf_sys(SYS_recvfrom, fd, 0, 1 << 20, MSG_TRUNC | MSG_DONTWAIT, 0, 0) <= 0)
            break;
}

long tf_eof_again(struct tf_call *call)
{
    long result = 0;

    /* The kernel gives the 0, so that lengths and flags are filled in; bytes
     * that slip in between are thrown away with the rest. */
    for (int i = 0; i < DISCARDS; i++) {
        discard(call->fd);
        result = tf_perform(call->id, call->arg);
        if (result <= 0 || tf_io_moved(call, result) == 0)
            return result;
    }
    return 0;
}

long tf_effect_eof(struct tf_call *call)
{
    if (atomic_load(&call->socket->conn) == 0) {
        call->reason = TF_REASON_not_connected;
        return tf_perform(call->id, call->arg);
    }
    if (atomic_load(&call->socket->latches) & TF_LATCH_GONE) {
        call->reason = TF_REASON_already_gone;
        return tf_aftermath_perform(call);
    }
    tf_sys(SYS_shutdown, call->fd, SHUT_RD);
    atomic_fetch_or(&call->socket->latches, TF_LATCH_EOF);
    call->fired = true;
    return tf_eof_again(call);
}
