/* The end of a connection, brought about on the real socket. */
#include "aftermath.h"
#include "effect.h"
#include "socket.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int tf_connection_state(int fd)
{
    uint8_t state = TCP_ESTABLISHED;
    socklen_t length = sizeof state;
    tf_sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &state, &length);
    return state;
}

long tf_disconnect(int fd)
{
    struct sockaddr none = {.sa_family = AF_UNSPEC};
    return tf_sys(SYS_connect, fd, &none, sizeof none);
}

/* A connection that both ends have closed may still have bytes to read. */
static bool has_unread(int fd)
{
    int unread = 0;
    tf_sys(SYS_ioctl, fd, FIONREAD, &unread);
    return unread > 0;
}

static enum tf_reason nothing_to_end(const struct tf_call *call)
{
    if (atomic_load(&call->socket->latches) & TF_LATCH_GONE)
        return TF_REASON_already_gone;
    if (atomic_load(&call->socket->conn) == 0)
        return TF_REASON_not_connected;
    switch (tf_connection_state(call->fd)) {
    case TCP_CLOSE:
    case TCP_LAST_ACK:
    case TCP_CLOSING:
    case TCP_TIME_WAIT:
        return tf_call_info[call->id].class == TF_CLASS_IN && has_unread(call->fd) ? TF_REASON_none
                                                                                   : TF_REASON_already_gone;
    case TCP_LISTEN:
        return TF_REASON_not_connected;
    default:
        return TF_REASON_none;
    }
}

/* A segment with an MD5 signature that the peer does not expect is dropped
 * there, a RST too (RFC 2385, 4.1; tcp_inbound_hash). Kernels without it send the
 * RST plainly. */
static void sign(int fd, struct tcp_md5sig *key, bool on)
{
    key->tcpm_keylen = on;
    tf_sys(SYS_setsockopt, fd, IPPROTO_TCP, TCP_MD5SIG, key, sizeof *key);
}

/* From here on all calls on TCP sockets of this process are looked at: a rule
 * that only counted has struck. */
static void look_closely(int fd)
{
    for (int id = 0; id < TF_CALLS; id++)
        tf_self.quick[id].counted = NULL;
    tf_forget(fd);
}

/* What disconnecting wipes out and a RST does not. */
static void save(struct tf_socket *socket, int fd)
{
    struct tcp_info *info = (struct tcp_info *)socket->info;
    socklen_t name_length = sizeof socket->name, info_length = sizeof socket->info;
    bool named =
        tf_sys(SYS_getsockname, fd, socket->name, &name_length) == 0 && name_length <= sizeof socket->name;

    if (tf_sys(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, info, &info_length) < 0)
        info_length = 0;
    info->tcpi_state = TCP_CLOSE; /* and its queues are purged: tcp_reset, tcp_done */
    info->tcpi_unacked = info->tcpi_sacked = info->tcpi_lost = info->tcpi_retrans = 0;
    socket->unsent_bytes = 0;
    tf_sys(SYS_ioctl, fd, TIOCOUTQ, &socket->unsent_bytes);
    socket->info_length = info_length;
    socket->name_length = named ? name_length : 0;
}

enum tf_reason tf_end_connection(struct tf_call *call, enum tf_end end, int error)
{
    struct tf_socket *socket = call->socket;
    enum tf_reason reason = nothing_to_end(call);
    struct tcp_md5sig key = {.tcpm_keylen = 0};
    socklen_t length = sizeof key.tcpm_addr;

    if (reason)
        return reason;
    /* Before the end: who sleeps in another thread wakes and asks. */
    if (atomic_fetch_or(&socket->latches, TF_LATCH_GONE) & TF_LATCH_GONE)
        return TF_REASON_already_gone; /* by another thread, just now */
    look_closely(call->fd);
    socket->pending_error = error;
    save(socket, call->fd);
    if (end == TF_END_QUIET && tf_sys(SYS_getpeername, call->fd, &key.tcpm_addr, &length) == 0)
        sign(call->fd, &key, true);
    if (tf_disconnect(call->fd) == -EBUSY) { /* Linux 6.3 to 6.6 */
        atomic_fetch_and(&socket->latches, ~(uint32_t)TF_LATCH_GONE);
        reason = TF_REASON_busy;
    } else {
        tf_sys(SYS_shutdown, call->fd, SHUT_RDWR); /* ENOTCONN, but it sets the flags that poll reads */
    }
    if (end == TF_END_QUIET) {
        sign(call->fd, &key, false);
        if (reason == TF_REASON_none)
            atomic_fetch_or(&socket->latches, TF_LATCH_SOFT_ERROR);
    }
    return reason;
}
