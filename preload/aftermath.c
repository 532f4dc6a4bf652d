#include "aftermath.h"
#include "effect.h"
#include "io.h"
#include "socket.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* What a socket that is disconnected, and may connect anew, has behind it. */
enum {
    CLEARED = TF_LATCH_EOF | TF_LATCH_FIN_TOLD | TF_LATCH_GONE | TF_LATCH_CONNECTING |
              TF_LATCH_DISCONNECTING | TF_LATCH_SOFT_ERROR
};

static bool has(const struct tf_call *call, uint32_t latches)
{
    return (atomic_load(&call->socket->latches) & latches) == latches;
}

bool tf_told_of_fin(const struct tf_call *call)
{
    return atomic_load(&call->socket->latches) & (TF_LATCH_EOF | TF_LATCH_FIN_TOLD);
}

int tf_take_error(struct tf_call *call)
{
    int error = tf_socket_int_option(call->fd, SOL_SOCKET, SO_ERROR, 0);
    return error == ECONNRESET ? call->socket->pending_error : error;
}

/* Instead of the call. */

static bool eof_again(struct tf_call *call, long *result)
{
    *result = tf_eof_again(call);
    return true;
}

/* A read finds the peer's FIN before it looks for an error, which stays
 * (tcp_recvmsg_locked: SOCK_DONE); recvmmsg asks for the error first. */
static bool end_of_stream(struct tf_call *call, long *result)
{
    if (!tf_told_of_fin(call) || call->id == TF_recvmmsg || tf_io_length(call) == 0)
        return false;
    *result = 0;
    if (call->id == TF_recvmsg) {
        struct msghdr *message = (struct msghdr *)call->arg[1];
        message->msg_namelen = 0;
        message->msg_controllen = 0;
        message->msg_flags = 0;
    }
    if (call->id == TF_recvfrom && call->arg[4] && call->arg[5])
        *(socklen_t *)call->arg[5] = 0;
    return true;
}

static bool disconnects(const struct tf_call *call)
{
    const struct sockaddr *address = (const struct sockaddr *)call->arg[1];
    return address && (socklen_t)call->arg[2] >= sizeof address->sa_family && address->sa_family == AF_UNSPEC;
}

/* A RST leaves SS_CONNECTED; where no connect has yet returned 0, it leaves
 * SS_CONNECTING, whose next connect reports the failure and frees the socket
 * (__inet_stream_connect). */
static bool connect_again(struct tf_call *call, long *result)
{
    struct tf_socket *socket = call->socket;

    if (disconnects(call) || !call->arg[1] || (socklen_t)call->arg[2] < sizeof(sa_family_t))
        return false;
    *result = -EISCONN;
    if (has(call, TF_LATCH_DISCONNECTING))
        *result = -EINVAL; /* SS_DISCONNECTING */
    else if (has(call, TF_LATCH_CONNECTING)) {
        int error = tf_take_error(call);
        *result = error ? -error : -ECONNABORTED;
        tf_disconnect(call->fd);
        atomic_fetch_and(&socket->latches, ~(uint32_t)CLEARED);
    }
    return true;
}

static bool listen_again(struct tf_call *call, long *result)
{
    (void)call;
    *result = -EINVAL; /* inet_listen: only SS_UNCONNECTED */
    return true;
}

/* Both ends have sent their FIN, as far as the program can tell: the socket has no
 * connection any more. */
static bool both_closed(struct tf_call *call, long *result)
{
    *result = -ENOTCONN;
    return tf_connection_state(call->fd) == TCP_FIN_WAIT2;
}

/* Disconnecting gives up the address; a RST does not. */
static bool name_kept(struct tf_call *call, long *result)
{
    const struct tf_socket *socket = call->socket;
    socklen_t *length = (socklen_t *)call->arg[2], room = *length;

    if (socket->name_length == 0)
        return false;
    *result = tf_perform(call->id, call->arg); /* bad pointers are its business */
    if (*result == 0) {
        memcpy((void *)call->arg[1], socket->name, room < socket->name_length ? room : socket->name_length);
        *length = socket->name_length;
    }
    return true;
}

/* After it. */

/* It slept while another thread's call was struck, which the kernel tells it as
 * EPIPE (sk_wait_event: sk_disconnects). */
static void received(struct tf_call *call, long *result)
{
    if (*result == -EPIPE)
        *result = -tf_take_error(call);
    else if (*result == -ECONNRESET)
        *result = -call->socket->pending_error;
}

/* EPIPE brings SIGPIPE, or not: the kernel knows, now that the error is reported. */
static void sent(struct tf_call *call, long *result)
{
    int error = call->socket->pending_error;

    if (*result == -ECONNRESET && error != ECONNRESET)
        *result = error == EPIPE ? tf_perform(call->id, call->arg) : -error;
}

/* A shutdown of what is SS_CONNECTING leaves SS_DISCONNECTING (inet_shutdown). */
static void shut_down(struct tf_call *call, long *result)
{
    if (*result == -ENOTCONN && has(call, TF_LATCH_CONNECTING))
        atomic_fetch_or(&call->socket->latches, TF_LATCH_DISCONNECTING);
}

static void bound(struct tf_call *call, long *result)
{
    if (*result == 0)
        call->socket->name_length = 0; /* it has a name of its own now */
}

static void disconnected(struct tf_call *call, long *result)
{
    if (*result == 0 && disconnects(call))
        atomic_fetch_and(&call->socket->latches, ~(uint32_t)CLEARED);
}

static bool asks(const struct tf_call *call, long result, int level, int name)
{
    return result == 0 && (int)call->arg[1] == level && (int)call->arg[2] == name && call->arg[3] &&
           call->arg[4] && *(socklen_t *)call->arg[4] >= sizeof(int);
}

/* What the network said of the peer is a soft error, too, which SO_ERROR takes when
 * there is no other (sk_getsockopt: sk_err_soft). */
static void asked_for_error(struct tf_call *call, long *result)
{
    if (!asks(call, *result, SOL_SOCKET, SO_ERROR))
        return;
    int *error = (int *)call->arg[3];
    if (*error == (has(call, TF_LATCH_CONNECT_FAILS) ? ECONNREFUSED : ECONNRESET))
        *error = call->socket->pending_error;
    else if (*error == 0 && has(call, TF_LATCH_SOFT_ERROR)) {
        *error = call->socket->pending_error;
        atomic_fetch_and(&call->socket->latches, ~(uint32_t)TF_LATCH_SOFT_ERROR);
    }
}

static void asked_for_info(struct tf_call *call, long *result)
{
    const struct tf_socket *socket = call->socket;

    if (asks(call, *result, IPPROTO_TCP, TCP_INFO)) {
        socklen_t length = *(socklen_t *)call->arg[4];
        memcpy((void *)call->arg[3], socket->info,
               length < socket->info_length ? length : socket->info_length);
    }
}

/* The state that the FIN would have led to; a connection that both ends have closed
 * is in nobody's descriptor any more (tcp_time_wait). */
static void asked_for_state(struct tf_call *call, long *result)
{
    static const uint8_t after_fin[] = {
        [TCP_ESTABLISHED] = TCP_CLOSE_WAIT, [TCP_FIN_WAIT1] = TCP_LAST_ACK, [TCP_FIN_WAIT2] = TCP_CLOSE};

    if (asks(call, *result, IPPROTO_TCP, TCP_INFO)) {
        uint8_t *state = (uint8_t *)call->arg[3];
        if (*state < sizeof after_fin && after_fin[*state])
            *state = after_fin[*state];
    }
}

static void asked_for_queue(struct tf_call *call, long *result)
{
    if (*result == 0 && call->arg[1] == TIOCOUTQ)
        *(int *)call->arg[2] = call->socket->unsent_bytes;
}

/* A connect that we let fail otherwise than the kernel did. The second one on
 * the socket reports what the first came to, and ends it. */
static void connect_failed(struct tf_call *call, long *result)
{
    if (*result == -ECONNREFUSED)
        *result = -call->socket->pending_error;
    if (call->id == TF_connect && *result != -EALREADY && *result != -EINPROGRESS)
        atomic_fetch_and(&call->socket->latches, ~(uint32_t)TF_LATCH_CONNECT_FAILS);
}

static void option_ignored(struct tf_call *call, long *result)
{
    int level = (int)call->arg[1], name = (int)call->arg[2], value;
    if (tf_socket_pretends(call->socket, level, name, &value) && asks(call, *result, level, name))
        *(int *)call->arg[3] = value;
}

enum { ANY_CALL = TF_CALLS, IN, OUT };

/* The first that answers ends it. */
static const struct {
    uint32_t latches; /* all of these */
    uint8_t calls;
    bool (*answer)(struct tf_call *call, long *result);
} instead[] = {
    {TF_LATCH_GONE, IN, end_of_stream},         {TF_LATCH_EOF, IN, eof_again},
    {TF_LATCH_GONE, TF_connect, connect_again}, {TF_LATCH_GONE, TF_listen, listen_again},
    {TF_LATCH_GONE, TF_getsockname, name_kept}, {TF_LATCH_EOF, TF_getpeername, both_closed},
    {TF_LATCH_EOF, TF_shutdown, both_closed},
};

static const struct {
    uint32_t latches;
    uint8_t calls;
    void (*answer)(struct tf_call *call, long *result);
} afterwards[] = {
    {TF_LATCH_GONE, IN, received},
    {TF_LATCH_GONE, OUT, sent},
    {TF_LATCH_GONE, TF_shutdown, shut_down},
    {TF_LATCH_GONE, TF_bind, bound},
    {TF_LATCH_GONE, TF_connect, disconnected},
    {TF_LATCH_GONE, TF_getsockopt, asked_for_error},
    {TF_LATCH_GONE, TF_getsockopt, asked_for_info},
    {TF_LATCH_GONE, TF_ioctl, asked_for_queue},
    {TF_LATCH_EOF, TF_getsockopt, asked_for_state},
    {TF_LATCH_CONNECT_FAILS, TF_getsockopt, asked_for_error},
    {TF_LATCH_CONNECT_FAILS, ANY_CALL, connect_failed},
    {TF_LATCH_IGNORED, TF_getsockopt, option_ignored},
};

static bool applies(const struct tf_call *call, uint32_t latches, uint8_t calls)
{
    unsigned class = tf_call_info[call->id].class;

    return has(call, latches) &&
           (calls == ANY_CALL || calls == call->id || (calls == IN && class == TF_CLASS_IN) ||
            (calls == OUT && class == TF_CLASS_OUT));
}

/* Most sockets never met a fault. */
static bool nothing_happened(const struct tf_call *call)
{
    return !call->socket || atomic_load(&call->socket->latches) == 0;
}

bool tf_aftermath_instead(struct tf_call *call, long *result)
{
    if (nothing_happened(call))
        return false;
    for (size_t i = 0; i < sizeof instead / sizeof *instead; i++)
        if (applies(call, instead[i].latches, instead[i].calls) && instead[i].answer(call, result))
            return true;
    return false;
}

long tf_aftermath(struct tf_call *call, long result)
{
    if (nothing_happened(call))
        return result;
    for (size_t i = 0; i < sizeof afterwards / sizeof *afterwards; i++)
        if (applies(call, afterwards[i].latches, afterwards[i].calls))
            afterwards[i].answer(call, &result);
    return result;
}

long tf_aftermath_perform(struct tf_call *call)
{
    long result;
    return tf_aftermath_instead(call, &result) ? result : tf_perform(call->id, call->arg);
}
