#include "socket.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#ifndef IPPROTO_MPTCP
#define IPPROTO_MPTCP 262
#endif

#define COOKIE_BUSY UINT64_MAX /* a row between two owners */

int tf_socket_int_option(int fd, int level, int name, int otherwise)
{
    int value = 0;
    socklen_t length = sizeof value;
    return tf_sys(SYS_getsockopt, fd, level, name, &value, &length) < 0 ? otherwise : value;
}

bool tf_socket_nonblocking(int fd)
{
    long flags = tf_sys(SYS_fcntl, fd, F_GETFL);
    return flags >= 0 && (flags & O_NONBLOCK);
}

uint64_t tf_socket_timeout_ns(int fd, int option)
{
    struct timeval value = {0, 0};
    socklen_t length = sizeof value;
    if (tf_sys(SYS_getsockopt, fd, SOL_SOCKET, option, &value, &length) < 0)
        return 0;
    return (uint64_t)value.tv_sec * 1000000000u + (uint64_t)value.tv_usec * 1000u;
}

bool tf_socket_is_tcp(int domain, int type, int protocol)
{
    return (domain == AF_INET || domain == AF_INET6) &&
           (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) == SOCK_STREAM &&
           (protocol == 0 || protocol == IPPROTO_TCP || protocol == IPPROTO_MPTCP);
}

void tf_endpoint_from(struct tf_endpoint *endpoint, const struct sockaddr *address, socklen_t length)
{
    struct tf_endpoint result = {0};
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (address && length >= sizeof in && address->sa_family == AF_INET) {
        memcpy(&in, address, sizeof in);
        result.family = 4;
        result.port = ntohs(in.sin_port);
        memcpy(result.ip, &in.sin_addr, 4);
    } else if (address && length >= sizeof in6 && address->sa_family == AF_INET6) {
        memcpy(&in6, address, sizeof in6);
        result.port = ntohs(in6.sin6_port);
        if (memcmp(&in6.sin6_addr, mapped, sizeof mapped) == 0) {
            result.family = 4;
            memcpy(result.ip, (const uint8_t *)&in6.sin6_addr + sizeof mapped, 4);
        } else {
            result.family = 6;
            memcpy(result.ip, &in6.sin6_addr, 16);
        }
    }
    *endpoint = result;
}

void tf_socket_endpoints(struct tf_socket *socket, int fd)
{
    struct sockaddr_storage address = {.ss_family = AF_UNSPEC};
    socklen_t length = sizeof address;

    if (tf_sys(SYS_getsockname, fd, &address, &length) == 0)
        tf_endpoint_from(&socket->local, (struct sockaddr *)&address, length);
    length = sizeof address;
    if (tf_sys(SYS_getpeername, fd, &address, &length) == 0)
        tf_endpoint_from(&socket->peer, (struct sockaddr *)&address, length);
}

void tf_socket_becomes(struct tf_socket *socket, enum tf_role role)
{
    uint32_t none = 0;

    atomic_store(&socket->role, (uint8_t)role);
    if (role != TF_ROLE_LISTENER && atomic_load(&socket->conn) == 0)
        atomic_compare_exchange_strong(&socket->conn, &none,
                                       atomic_fetch_add(&tf_self.segment->conns, 1) + 1);
}

/* Does something listen on this port? Columns of proc_net_tcp(5): number, local
 * address:PORT, remote address, STATE, of which 0A is LISTEN. */
static bool listened_on(const char *table, unsigned port)
{
    char text[4096], wanted[8];
    size_t kept = 0;
    bool found = false;
    long fd = tf_sys(SYS_openat, AT_FDCWD, table, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    snprintf(wanted, sizeof wanted, ":%04X ", port);
    for (long got; !found && (got = tf_sys(SYS_read, fd, text + kept, sizeof text - 1 - kept)) > 0;) {
        char *line = text, *end;
        text[kept + (size_t)got] = 0;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = 0;
            const char *local = strchr(line, ':'); /* behind the number */
            const char *at = local ? strstr(local + 1, wanted) : NULL;
            const char *state = at ? strchr(at + 6, ' ') : NULL;
            found |= at && at == strchr(local + 1, ':') && state && strncmp(state, " 0A ", 4) == 0;
        }
        kept = strlen(line);
        memmove(text, line, kept);
    }
    tf_sys(SYS_close, fd);
    return found;
}

/* Nobody saw who opened it. The usual case shows in the ports: a client's is
 * ephemeral (ip(7), ip_local_port_range); else a server's has a listener. */
static enum tf_role guess_role(const struct tf_socket *socket)
{
    enum { EPHEMERAL = 32768 };
    bool here = socket->local.port >= EPHEMERAL, there = socket->peer.port >= EPHEMERAL;

    if (here != there)
        return here ? TF_ROLE_CLIENT : TF_ROLE_SERVER;
    return listened_on("/proc/self/net/tcp", socket->local.port) ||
                   listened_on("/proc/self/net/tcp6", socket->local.port)
               ? TF_ROLE_SERVER
               : TF_ROLE_CLIENT;
}

void tf_socket_learn(struct tf_socket *socket, int fd)
{
    tf_socket_endpoints(socket, fd);
    if (tf_socket_int_option(fd, SOL_SOCKET, SO_ACCEPTCONN, 0))
        tf_socket_becomes(socket, TF_ROLE_LISTENER);
    else if (socket->peer.port != 0)
        tf_socket_becomes(socket, guess_role(socket));
}

static size_t first_way(uint64_t cookie)
{
    return tf_hash(0, 0, cookie, 0) % (TF_SOCKETS / TF_SOCKET_WAYS) * TF_SOCKET_WAYS;
}

static struct tf_socket *set_of(uint64_t cookie)
{
    return &tf_self.segment->socket[first_way(cookie)];
}

bool tf_socket_in(const struct tf_segment *segment, uint64_t cookie)
{
    const struct tf_socket *set = &segment->socket[first_way(cookie)];
    for (int way = 0; cookie && way < TF_SOCKET_WAYS; way++)
        if (atomic_load(&set[way].cookie) == cookie)
            return true;
    return false;
}

static struct tf_socket *find(struct tf_socket *set, uint64_t cookie)
{
    for (int way = 0; way < TF_SOCKET_WAYS; way++)
        if (atomic_load_explicit(&set[way].cookie, memory_order_acquire) == cookie)
            return &set[way];
    return NULL;
}

/* A free row of the set, or the one that was not used for longest. */
static struct tf_socket *claim(struct tf_socket *set)
{
    for (int tries = 0; tries < 64; tries++) {
        struct tf_socket *oldest = NULL;
        uint64_t oldest_use = UINT64_MAX;
        for (int way = 0; way < TF_SOCKET_WAYS; way++) {
            uint64_t cookie = atomic_load(&set[way].cookie);
            uint64_t use = cookie == 0 ? 0 : atomic_load(&set[way].used);
            if (cookie != COOKIE_BUSY && use < oldest_use) {
                oldest = &set[way];
                oldest_use = use;
            }
        }
        if (!oldest)
            continue;
        uint64_t cookie = atomic_load(&oldest->cookie);
        if (cookie != COOKIE_BUSY && atomic_compare_exchange_strong(&oldest->cookie, &cookie, COOKIE_BUSY))
            return oldest;
    }
    return NULL;
}

static struct tf_socket *insert(struct tf_socket *set, uint64_t cookie, int fd, int family)
{
    struct tf_socket *row = claim(set);

    if (!row)
        return NULL;
    memset((char *)row + sizeof row->cookie, 0, sizeof *row - sizeof row->cookie);
    row->family = (uint8_t)family;
    tf_socket_learn(row, fd);
    struct tf_socket *other = find(set, cookie);
    atomic_store_explicit(&row->cookie, other ? 0 : cookie, memory_order_release);
    return other ? other : find(set, cookie);
}

struct tf_socket *tf_socket_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;

    long result = tf_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &cookie, &length);
    if (result < 0 || cookie == 0 || cookie == COOKIE_BUSY) {
        if (result != -EBADF)
            tf_settle(fd, ~UINT64_C(0));
        return NULL;
    }
    struct tf_socket *set = set_of(cookie);
    struct tf_socket *row = find(set, cookie);
    if (!row) {
        int family = tf_socket_int_option(fd, SOL_SOCKET, SO_DOMAIN, -1);
        if (!tf_socket_is_tcp(family, tf_socket_int_option(fd, SOL_SOCKET, SO_TYPE, -1),
                              tf_socket_int_option(fd, SOL_SOCKET, SO_PROTOCOL, -1))) {
            tf_settle(fd, ~UINT64_C(0));
            return NULL;
        }
        row = insert(set, cookie, fd, family);
    }
    if (row)
        atomic_store_explicit(&row->used, tf_now_ns(), memory_order_relaxed);
    return row;
}

struct tf_socket *tf_socket_known(int fd, uint64_t cookie)
{
    uint64_t is = 0;
    socklen_t length = sizeof is;

    if (tf_sys(SYS_getsockopt, fd, SOL_SOCKET, SO_COOKIE, &is, &length) < 0 || is != cookie)
        return NULL;
    return find(set_of(cookie), cookie);
}

void tf_socket_pretend(struct tf_socket *socket, int level, int name, int value)
{
    uint32_t count = atomic_load(&socket->ignored_count), at = 0;

    while (at < count && (socket->ignored[at].level != level || socket->ignored[at].name != name))
        at++;
    if (at == TF_IGNORED_OPTIONS)
        return;
    socket->ignored[at].level = level;
    socket->ignored[at].name = name;
    socket->ignored[at].value = value;
    if (at == count)
        atomic_store(&socket->ignored_count, count + 1);
    atomic_fetch_or(&socket->latches, TF_LATCH_IGNORED);
}

bool tf_socket_pretends(const struct tf_socket *socket, int level, int name, int *value)
{
    uint32_t count = atomic_load(&socket->ignored_count);

    for (uint32_t i = 0; i < count; i++)
        if (socket->ignored[i].level == level && socket->ignored[i].name == name) {
            *value = socket->ignored[i].value;
            return true;
        }
    return false;
}

void tf_socket_settle(struct tf_socket *socket, int fd)
{
    struct tf_segment *segment = tf_self.segment;
    if (atomic_load(&socket->role) == TF_ROLE_NONE || (segment->flags & TF_RUN_TRACE) ||
        atomic_load(&tf_self.failpoints))
        return;
    struct tf_question question = {
        .role = atomic_load(&socket->role),
        .family = socket->family,
        .conn = atomic_load(&socket->conn),
        .local = socket->local,
        .peer = socket->peer,
        .exe = tf_self.exe,
    };
    /* What no rule can strike has no faults to agree with. */
    tf_settle(fd, ~(tf_decide_interest(&segment->plan, &question) | tf_self.keep));
}
