/* reset: a RST has just come in, and one goes out to the peer. */
#include "aftermath.h"
#include "effect.h"
#include "io.h"
#include "socket.h"

#include <netinet/tcp.h>

/* As by a peer that accepts and resets at once: connect succeeds, or goes on in
 * the background, and the calls behind it tell. */
static long reset_at_once(struct tf_call *call)
{
    long result = tf_perform(call->id, call->arg);

    if (result < 0 && result != -EINPROGRESS) {
        call->reason = TF_REASON_call_failed;
        return result;
    }
    tf_socket_endpoints(call->socket, call->fd);
    call->reason = tf_end_connection(call, TF_END_RESET, ECONNRESET);
    call->fired = call->reason == TF_REASON_none;
    return result;
}

long tf_effect_reset(struct tf_call *call)
{
    int state = tf_connection_state(call->fd);
    bool gone = atomic_load(&call->socket->latches) & TF_LATCH_GONE;
    bool told = tf_told_of_fin(call);

    if (call->id == TF_connect && !gone && (state == TCP_CLOSE || state == TCP_SYN_SENT))
        return reset_at_once(call);
    int error = state == TCP_SYN_SENT ? ECONNREFUSED : told ? EPIPE : ECONNRESET; /* tcp_reset */
    call->reason = tf_end_connection(call, TF_END_RESET, error);
    if (call->reason)
        return tf_aftermath_perform(call);
    call->fired = true;
    if (tf_call_info[call->id].class == TF_CLASS_IN && !told && tf_io_length(call) > 0) {
        tf_take_error(call);
        return -error;
    }
    return tf_aftermath_perform(call);
}
