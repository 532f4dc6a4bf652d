/* error=E: the call fails with E, and leaves behind what a real E would. */
#include "aftermath.h"
#include "effect.h"
#include "io.h"
#include "rule.h"
#include "socket.h"

#include <fcntl.h>
#include <string.h>

/* Could Linux return this errno here and now? (tcpfault-rules(7).) */
static enum tf_reason impossible(const struct tf_call *call)
{
    int error = call->effect.error;
    unsigned class = tf_call_info[call->id].class;
    bool io = class == TF_CLASS_IN || class == TF_CLASS_OUT;
    bool may_block = io || class == TF_CLASS_ACCEPT || call->id == TF_connect;
    int timeout = class == TF_CLASS_IN || class == TF_CLASS_ACCEPT ? SO_RCVTIMEO : SO_SNDTIMEO;

    if (call->id == TF_fcntl && (int)call->arg[1] != F_DUPFD && (int)call->arg[1] != F_DUPFD_CLOEXEC)
        return TF_REASON_not_duplicating;
    if (call->id == TF_connect && (atomic_load(&call->socket->latches) & TF_LATCH_GONE))
        return TF_REASON_already_gone; /* EISCONN */
    if (error == EINTR && may_block && call->nonblocking)
        return TF_REASON_eintr_nonblocking;
    if (error == EINTR && (may_block || class == TF_CLASS_WAIT) && !tf_can_be_interrupted(call))
        return TF_REASON_no_handler;
    if (error == EAGAIN && (io || class == TF_CLASS_ACCEPT) && !call->nonblocking &&
        tf_socket_timeout_ns(call->fd, timeout) == 0)
        return TF_REASON_eagain_blocking;
    if (error == EINPROGRESS && call->id == TF_connect && !call->nonblocking &&
        tf_socket_timeout_ns(call->fd, timeout) == 0)
        return TF_REASON_einprogress_blocking;
    if (io && atomic_load(&call->socket->conn) == 0)
        return TF_REASON_not_connected;
    return TF_REASON_none;
}

/* Connects to a port that is bound but doesn't listen: the kernel's own
 * ECONNREFUSED, for blocking and non-blocking sockets alike. Returns the
 * connect's result, or 1 where no such port could be had. */
static long connect_refused(const struct tf_call *call)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    bool six = tf_socket_int_option(call->fd, SOL_SOCKET, SO_DOMAIN, AF_INET) == AF_INET6;
    void *address = six ? (void *)&in6 : (void *)&in;
    socklen_t length = six ? sizeof in6 : sizeof in;
    long result = 1;

    long port = tf_sys(SYS_socket, six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (port < 0)
        return 1;
    if (tf_sys(SYS_bind, port, address, length) == 0 &&
        tf_sys(SYS_getsockname, port, address, &length) == 0) {
        const long arg[6] = {call->fd, (long)address, length};
        result = tf_perform(TF_connect, arg);
    }
    tf_sys(SYS_close, port);
    return result == -ECONNREFUSED || result == -EINPROGRESS ? result : 1;
}

/* What comes after the SYN has gone out: a non-blocking connect learns of it later,
 * through SO_ERROR. */
static bool comes_later(int error)
{
    return error == ECONNREFUSED || error == ETIMEDOUT || error == ECONNRESET;
}

/* Both leave the connection to be made in the background. Not by SO_SNDTIMEO: a
 * connection that is made at once would have been reported already, and the next
 * connect, which reports it once, would say EISCONN (__inet_stream_connect). With
 * drop, too, it is not made, and goes on trying. */
static long connect_in_background(struct tf_call *call)
{
    long flags = tf_sys(SYS_fcntl, call->fd, F_GETFL);

    tf_sys(SYS_fcntl, call->fd, F_SETFL, flags | O_NONBLOCK);
    long result = tf_has(call, TF_EFFECT_drop)
                      ? tf_effect_drop(call)
                      : tf_sys(SYS_connect, call->arg[0], call->arg[1], call->arg[2]);
    tf_sys(SYS_fcntl, call->fd, F_SETFL, flags);
    return result;
}

static long error_connect(struct tf_call *call)
{
    int error = call->effect.error;

    if (error == EINPROGRESS || (error == EINTR && !call->nonblocking)) {
        long result = connect_in_background(call);
        if (result < 0 && result != -EINPROGRESS) {
            call->fired = false;
            call->reason = TF_REASON_call_failed;
            return result;
        }
        return -error;
    }
    if (comes_later(error)) { /* a blocking one leaves the same behind, too */
        long result = connect_refused(call);
        if (result == -EINPROGRESS && error != ECONNREFUSED) {
            call->socket->pending_error = error;
            atomic_fetch_or(&call->socket->latches, TF_LATCH_CONNECT_FAILS);
        }
        if (result == -EINPROGRESS)
            return result;
    }
    return -error;
}

/* accept(2): Linux hands out the descriptor first, so EMFILE and its kin leave
 * the connection queued; the others are that connection's own end. */
static long error_accept(struct tf_call *call)
{
    int error = call->effect.error;
    struct linger none = {1, 0};

    if (error == EAGAIN && call->nonblocking)
        tf_owe_an_edge(call);
    if (error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM || error == EAGAIN ||
        error == EINTR)
        return -error;
    const long arg[6] = {call->fd, 0, 0, SOCK_CLOEXEC};
    long taken = tf_perform(TF_accept4, arg);
    if (taken < 0) {
        call->fired = false;
        call->reason = taken == -EAGAIN ? TF_REASON_nothing_queued : TF_REASON_call_failed;
        return taken;
    }
    tf_sys(SYS_setsockopt, taken, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    tf_sys(SYS_close, taken);
    return -error;
}

/* An unreachable peer is not reached by a RST either; keepalive, which gives
 * ETIMEDOUT, sends one at the end (tcp_keepalive_timer). */
static enum tf_end end_of(int error)
{
    return error == EHOSTUNREACH || error == ENETUNREACH ? TF_END_QUIET : TF_END_RESET;
}

/* real: what the call has already come to; NULL: it was not made. */
static long error_io(struct tf_call *call, const long *real)
{
    int error = call->effect.error;
    unsigned class = tf_call_info[call->id].class;
    const struct tf_errno_info *info = tf_errno_find(call->id, error);

    if (error == EAGAIN) {
        uint64_t timeout =
            call->nonblocking
                ? 0
                : tf_socket_timeout_ns(call->fd, class == TF_CLASS_IN ? SO_RCVTIMEO : SO_SNDTIMEO);
        if (timeout && tf_sleep_until(tf_now_ns() + timeout) < 0)
            return -EINTR;
        if (call->nonblocking)
            tf_owe_an_edge(call);
        return -EAGAIN;
    }
    if (!info || info->lasting != TF_GONE)
        return -error;
    /* EPIPE and ENOTCONN tell of a RST that came before: the connection may be
     * gone already, and getpeername reports no error, so that one stays. */
    bool later = error == EPIPE || error == ENOTCONN;
    int left = !later ? error : tf_told_of_fin(call) ? EPIPE : ECONNRESET;
    enum tf_reason reason = tf_end_connection(call, end_of(error), left);
    if (reason && !(later && reason == TF_REASON_already_gone) && !call->effect.allow_any) {
        call->fired = false;
        call->reason = reason;
        return real ? *real : tf_aftermath_perform(call);
    }
    if (error != ENOTCONN)
        tf_take_error(call);
    if (error == EPIPE) { /* the kernel's own, with its SIGPIPE */
        long result = tf_perform(call->id, call->arg);
        return result < 0 ? result : -EPIPE;
    }
    return -error;
}

static bool lasts(const struct tf_call *call)
{
    unsigned class = tf_call_info[call->id].class;
    return class == TF_CLASS_IN || class == TF_CLASS_OUT || call->id == TF_shutdown ||
           call->id == TF_getpeername;
}

long tf_effect_error(struct tf_call *call)
{
    call->reason = call->effect.allow_any ? TF_REASON_none : impossible(call);
    if (call->reason)
        return tf_aftermath_perform(call);
    call->fired = true;
    if (call->id == TF_connect)
        return error_connect(call);
    if (tf_call_info[call->id].class == TF_CLASS_ACCEPT)
        return error_accept(call);
    if (lasts(call))
        return error_io(call, NULL);
    if (call->id == TF_close) /* the descriptor is gone all the same (close(2)) */
        tf_perform(call->id, call->arg);
    return -call->effect.error;
}

long tf_effect_error_after(struct tf_call *call, long result)
{
    call->reason = call->effect.allow_any ? TF_REASON_none : impossible(call);
    if (call->reason)
        return result;
    call->fired = true;
    if (lasts(call))
        return error_io(call, &result);
    if (call->id == TF_connect && result == -EINPROGRESS)
        tf_disconnect(call->fd); /* or it would be made after all */
    return -call->effect.error;
}
