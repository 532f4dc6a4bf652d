/* drop: what the call would move is lost on the way. Nothing fails: what the
 * program and its peer then meet are the kernel's own timers. */
#include "effect.h"
#include "epolls.h"
#include "hand.h"
#include "hold.h"
#include "later.h"
#include "socket.h"
#include "ttl.h"

#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#ifndef IP_MINTTL
#define IP_MINTTL 21
#endif

static uint64_t end_of(const struct tf_call *call)
{
    return call->effect.drop_ns ? tf_now_ns() + call->effect.drop_ns : UINT64_MAX;
}

static unsigned state_of(int fd)
{
    struct tcp_info info = {.tcpi_state = TCP_CLOSE};
    socklen_t length = 1; /* all that is asked for: the first byte */
    tf_sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info.tcpi_state;
}

static bool connected(struct tf_call *call)
{
    if (atomic_load(&call->socket->conn) == 0 || atomic_load(&call->socket->role) == TF_ROLE_LISTENER)
        call->reason = TF_REASON_not_connected;
    else if (state_of(call->fd) == TCP_CLOSE)
        call->reason = TF_REASON_already_gone;
    return call->reason == TF_REASON_none;
}

/* Has it done by the tool; otherwise the reason is the call's. */
static bool by_hand(struct tf_call *call, enum tf_hand_op op)
{
    tf_socket_endpoints(call->socket, call->fd); /* a connect to 0.0.0.0 went elsewhere */
    switch (tf_hand_ask(op, call->socket, call->fd, call->effect.drop_ns)) {
    case 0:
        call->fired = true;
        break;
    case -ENOSYS:
        call->reason = TF_REASON_no_hand;
        break;
    case -ENOTSUP:
        call->reason = TF_REASON_no_wire;
        break;
    case -ETIMEDOUT:
    case -EBUSY:
        call->reason = TF_REASON_no_answer;
        break;
    default:
        call->reason = TF_REASON_out_of_reach;
        break;
    }
    return call->fired;
}

/* Does the socket take the hop limit (not all protocols do)? */
static bool impose(const struct tf_call *call, bool by_wire)
{
    (by_wire ? tf_ttl_tag : tf_ttl_deafen)(call->socket, call->fd);
    return tf_socket_int_option(call->fd, IPPROTO_IP, by_wire ? IP_TTL : IP_MINTTL, 0) ==
           (by_wire ? TF_TAG_TTL : TF_DEAF_TTL);
}

static void heal_later(const struct tf_call *call, uint64_t when_ns)
{
    if (when_ns != UINT64_MAX)
        tf_later_heal(call->fd, atomic_load(&call->socket->cookie), when_ns);
}

static void find_syn(struct tf_call *call)
{
    atomic_fetch_and(&call->socket->latches, ~(uint32_t)TF_LATCH_SYN_LOST);
    tf_ttl_heal(call->socket, call->fd);
}

/* The SYN never arrives; where there is no wire to lose it on, the answer is lost. */
static long drop_connect(struct tf_call *call)
{
    struct tf_socket *socket = call->socket;
    const struct sockaddr *address = (const struct sockaddr *)call->arg[1];

    if (!address || address->sa_family == AF_UNSPEC)
        call->reason = TF_REASON_not_connected;
    else if (state_of(call->fd) != TCP_CLOSE)
        call->reason = atomic_load(&socket->latches) & TF_LATCH_SYN_LOST ? TF_REASON_dropped_already
                                                                         : TF_REASON_call_failed;
    else if (!impose(call, tf_hand_can(TF_HAND_WIRE)))
        call->reason = TF_REASON_out_of_reach;
    if (call->reason)
        return tf_perform(call->id, call->arg);
    atomic_fetch_or(&socket->latches, TF_LATCH_SYN_LOST);
    heal_later(call, end_of(call));
    long result = tf_perform(call->id, call->arg);
    call->fired = result == 0 || result == -EINPROGRESS || result == -EINTR || result == -ETIMEDOUT;
    if (!call->fired)
        call->reason = TF_REASON_call_failed;
    if (state_of(call->fd) != TCP_SYN_SENT)
        find_syn(call);
    return result;
}

void tf_drop_before_connect(struct tf_call *call)
{
    if (atomic_load(&call->socket->latches) & TF_LATCH_SYN_LOST && state_of(call->fd) == TCP_CLOSE)
        find_syn(call);
}

/* What is left of the time that a blocking accept waits, once the connection that
 * it would have returned is gone. */
static long accept_next(struct tf_call *call, uint64_t until_ns)
{
    if (!call->nonblocking && until_ns) {
        uint64_t now = tf_now_ns(), rest_ns = until_ns > now ? until_ns - now : 0;
        struct pollfd waiting = {.fd = call->fd, .events = POLLIN};
        struct timespec rest = {(time_t)(rest_ns / 1000000000u), (long)(rest_ns % 1000000000u)};
        const long arg[6] = {(long)&waiting, 1, (long)&rest, 0};
        long ready = tf_perform(TF_ppoll, arg);
        if (ready <= 0)
            return ready < 0 ? ready : -EAGAIN;
    }
    return tf_perform(call->id, call->arg);
}

static long drop_accept(struct tf_call *call)
{
    struct linger none = {1, 0};
    uint64_t timeout = tf_socket_timeout_ns(call->fd, SO_RCVTIMEO), entry = tf_now_ns();
    const long arg[6] = {call->fd, 0, 0, SOCK_CLOEXEC};
    long taken = tf_perform(TF_accept4, arg);

    if (taken < 0) {
        call->reason = taken == -EAGAIN ? TF_REASON_nothing_queued : TF_REASON_call_failed;
        return taken;
    }
    tf_sys(SYS_setsockopt, taken, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    tf_sys(SYS_close, taken);
    call->fired = true;
    return accept_next(call, timeout ? entry + timeout : 0);
}

/* Nothing arrives, and what has arrived is not there. */
static long drop_in(struct tf_call *call)
{
    uint64_t until = end_of(call);
    long result;
    bool taken;

    if (connected(call) && !impose(call, false))
        call->reason = TF_REASON_out_of_reach;
    if (!call->reason)
        call->fired = tf_hold_start(call, TF_SIDE_IN, until, 0, NULL);
    if (!call->fired) {
        tf_ttl_heal(call->socket, call->fd);
        return tf_perform(call->id, call->arg);
    }
    if (until == UINT64_MAX)
        atomic_fetch_or(&call->socket->latches, TF_LATCH_IN_LOST);
    heal_later(call, until);
    if (call->nonblocking)
        return -EAGAIN;
    if (tf_hold_meet(call, &result, &taken))
        return result;
    tf_drop_before_in(call);
    return tf_perform(call->id, call->arg);
}

static void discard_queued(int fd)
{
    int queued = 0;

    tf_sys(SYS_ioctl, fd, SIOCINQ, &queued);
    if (queued > 0) /* so many and no more: the error behind them is the program's */
        tf_sys(SYS_recvfrom, fd, 0, queued, MSG_TRUNC | MSG_DONTWAIT, 0, 0);
}

void tf_drop_before_in(struct tf_call *call)
{
    if (tf_call_info[call->id].class == TF_CLASS_IN && atomic_load(&call->socket->latches) & TF_LATCH_IN_LOST)
        discard_queued(call->fd);
}

void tf_drop_before_close(struct tf_call *call)
{
    int before;

    if (tf_socket_pretends(call->socket, IPPROTO_IP, IP_MINTTL, &before) &&
        tf_socket_int_option(call->fd, IPPROTO_IP, IP_MINTTL, before) == TF_DEAF_TTL)
        discard_queued(call->fd);
}

static long drop_out(struct tf_call *call)
{
    uint64_t until = atomic_load(&call->socket->dark_until_ns);

    if (until && until > tf_now_ns())
        call->reason = TF_REASON_dropped_already;
    else if (connected(call) && by_hand(call, TF_HAND_DARK))
        atomic_store(&call->socket->dark_until_ns, end_of(call));
    return tf_perform(call->id, call->arg);
}

/* Would this call send a FIN? */
static bool ends(struct tf_call *call)
{
    if (!connected(call))
        return false;
    unsigned state = state_of(call->fd);
    bool reads = call->id == TF_shutdown && call->arg[1] != SHUT_WR && call->arg[1] != SHUT_RDWR;
    if (reads || (state != TCP_ESTABLISHED && state != TCP_CLOSE_WAIT && state != TCP_SYN_RECV))
        call->reason = TF_REASON_sends_nothing;
    return call->reason == TF_REASON_none;
}

static long drop_end(struct tf_call *call)
{
    if (ends(call)) {
        if (call->id == TF_shutdown && tf_hand_can(TF_HAND_THERE) && !tf_hand_can(TF_HAND_WIRE))
            call->reason = TF_REASON_no_wire;
        else if (call->id == TF_shutdown || tf_hand_can(TF_HAND_WIRE))
            by_hand(call, TF_HAND_MUTE);
        else if (by_hand(call, TF_HAND_KEEP))
            tf_epolls_forget(call->fd); /* or it would go on being reported */
    }
    return tf_perform(call->id, call->arg);
}

long tf_effect_drop(struct tf_call *call)
{
    switch (tf_call_info[call->id].class) {
    case TF_CLASS_ACCEPT:
        return drop_accept(call);
    case TF_CLASS_IN:
        return drop_in(call);
    case TF_CLASS_OUT:
        return drop_out(call);
    default:
        return call->id == TF_connect ? drop_connect(call) : drop_end(call);
    }
}
