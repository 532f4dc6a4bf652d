/* Steps that fill a listener's queue of connections to accept, or of SYNs (case_syn.c). */
#include "case_held.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    SETTLED_MS = 100, /* until a connection over loopback is established, if it ever is */
    GONE_MS = 8000,   /* two retransmissions of a SYN+ACK, and some more */
};

/* ---- what the kernel says ---- */

/* Whether a connection to this address goes to this listener: 0 never, else the higher
 * the sooner. One with the very address comes first, then an IPv4 socket before an IPv6
 * one that takes IPv4, too. */
static int claim(const struct tf_net_socket *listener, const struct tf_held *held)
{
    static const uint8_t any[sizeof(listener->local.ip)];
    bool six = held->address.any.sa_family == AF_INET6;
    int family = listener->family == held->address.any.sa_family;
    if (memcmp(listener->local.ip, any, sizeof(any)) == 0)
        return listener->local.family == 6 || !six ? 1 + family : 0;
    if (six != (listener->local.family == 6))
        return 0;
    bool same = six ? memcmp(listener->local.ip, &held->address.in6.sin6_addr, 16) == 0
                    : memcmp(listener->local.ip, &held->address.in.sin_addr, 4) == 0;
    return same ? 3 + family : 0;
}

static bool add_listener(const struct tf_net_socket *socket, void *data)
{
    struct tf_listeners *all = data;
    int claims =
        socket->state == TCP_LISTEN && socket->local.port == all->held->port ? claim(socket, all->held) : 0;
    if (claims == 0 || claims < all->claim)
        return true;
    if (claims > all->claim)
        *all = (struct tf_listeners){.held = all->held, .claim = claims};
    all->blind = all->blind || socket->cookie == 0;
    all->count++;
    all->capacity += (size_t)socket->send_queue + 1;
    /* sk_acceptq_is_full(): one more than the backlog fits. */
    if (socket->receive_queue <= socket->send_queue)
        all->room += (size_t)socket->send_queue + 1 - socket->receive_queue;
    return true;
}

int tf_listeners_look(const struct tf_case_run *run, const struct tf_held *held, struct tf_listeners *all,
                      struct tf_error *error)
{
    *all = (struct tf_listeners){.held = held};
    if (tf_net_sockets(run->sandbox, held->port, add_listener, all, error) != 0)
        return -1;
    if (all->count == 0)
        return tf_error_set(error, "nothing listens there");
    if (all->blind)
        return tf_error_set(error, "inet_diag, which knows a listener's backlog, is refused here");
    return 0;
}

uint64_t tf_counted(const struct tf_case_run *run, const char *counter)
{
    struct tf_error error;
    uint64_t value = 0;
    tf_net_counter(run->sandbox, counter, &value, &error);
    return value;
}

/* ---- one connection ---- */

static bool is_connected(int fd)
{
    struct pollfd wanted = {.fd = fd, .events = POLLOUT};
    return poll(&wanted, 1, 0) > 0 && (wanted.revents & (POLLERR | POLLHUP)) == 0;
}

int tf_fill_begin(struct tf_case_run *run, struct tf_held *held, bool deaf, struct tf_error *error)
{
    int fd = tf_held_socket(run, held, error), most = 255;
    if (fd < 0)
        return -1;
    /* ip(7): what arrives with a lower TTL is dropped. That is everything, the
     * SYN+ACK too, so that the server's half stays half-open. */
    bool six = held->address.any.sa_family == AF_INET6;
    if (deaf && setsockopt(fd, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_MINHOPCOUNT : IP_MINTTL, &most,
                           sizeof(most)) != 0)
        return tf_error_errno(error, errno, "IP_MINTTL");
    if (connect(fd, &held->address.any, held->address_length) != 0 && errno != EINPROGRESS)
        return tf_error_errno(error, errno, "connect");
    return fd;
}

static bool is_dropped(struct tf_case_run *run, const void *data)
{
    const struct tf_probe *probe = data;
    return tf_counted(run, "ListenDrops") > probe->drops;
}

static bool is_answered(struct tf_case_run *run, const void *data)
{
    const struct tf_probe *probe = data;
    return is_dropped(run, data) || is_connected(probe->fd);
}

/* One more connection is not answered: its SYN is dropped, and it stays in SYN_SENT. */
int tf_fill_check(struct tf_case_run *run, struct tf_held *held, struct tf_error *error)
{
    struct tf_probe probe = {.held = held, .drops = tf_counted(run, "ListenDrops")};
    probe.fd = tf_fill_begin(run, held, false, error);
    if (probe.fd < 0)
        return -1;
    struct tf_row row = {tf_local_port(probe.fd), held->port, UINT32_C(1) << TCP_SYN_SENT};
    bool full = tf_case_until(run, is_answered, &probe, tf_case_now() + TF_SEEN_MS * TF_MS) &&
                !is_connected(probe.fd) && tf_rows(run, &row) == 1;
    tf_held_drop(held, probe.fd);
    return full ? 0 : tf_error_set(error, "it took one more connection");
}

/* ---- the accept queue ---- */

static bool all_connected(struct tf_case_run *run, const void *data)
{
    const struct tf_held *held = data;
    (void)run;
    for (size_t i = held->count; i-- > 0;)
        if (!is_connected(held->sockets[i].fd))
            return false;
    return true;
}

static bool servers_rest(struct tf_case_run *run, const void *data)
{
    (void)data;
    for (uint32_t i = 0; i < run->one->actors; i++) {
        const struct tf_running *running = &run->running[i];
        if (running->actor->role == TF_PART_SERVER && running->program != NULL && !tf_running_rests(running))
            return false;
    }
    return true;
}

/* 0: full, and not only as long as a server that would accept waits for a CPU. Who is
 * not at rest until then computes, and does not accept. */
static int check_stays_full(struct tf_case_run *run, struct tf_held *held, struct tf_error *error)
{
    struct tf_listeners all;
    if (tf_fill_check(run, held, error) != 0)
        return -1;
    (void)tf_case_until(run, servers_rest, NULL, tf_case_now() + TF_SEEN_MS * TF_MS);
    if (tf_listeners_look(run, held, &all, error) != 0)
        return -1;
    return all.room == 0 ? 0 : tf_error_set(error, "it took one more connection");
}

static int fill_accept(struct tf_case_run *run, struct tf_held *held, struct tf_error *error)
{
    struct tf_listeners all;
    while (tf_listeners_look(run, held, &all, error) == 0) {
        if (all.room == 0 && check_stays_full(run, held, error) == 0)
            return 0;
        if (held->count > all.capacity)
            return tf_error_set(error, "the server accepts what comes; "
                                       "signal: {NAME: STOP} before it keeps it from that");
        if (tf_case_now() >= run->deadline_ns)
            return tf_error_set(error, "not until the deadline");
        for (size_t i = 0; i < all.room; i++)
            if (tf_fill_begin(run, held, false, error) < 0)
                return -1;
        /* Of several listeners on a port (SO_REUSEPORT) one may be full before another:
         * what it has not answered is tried anew, from another port. */
        if (tf_case_until(run, all_connected, held, tf_case_now() + SETTLED_MS * TF_MS))
            continue;
        for (size_t i = held->count; i-- > 0;)
            if (!is_connected(held->sockets[i].fd))
                tf_held_drop(held, held->sockets[i].fd);
    }
    return -1;
}

/* ---- the steps ---- */

/* A queue may be longer than the number of descriptors that a process has by default. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void tf_case_fill(struct tf_case_run *run, const struct tf_step *step)
{
    const struct tf_fill *fill = step->fill;
    bool syn = fill->queue == TF_QUEUE_SYN;
    struct tf_error error;
    struct tf_held *held =
        tf_held_new(run, syn ? TF_HELD_SYN : TF_HELD_ACCEPT, fill->address, tf_case_port(run, fill->port), 0);
    if (held == NULL)
        return;
    raise_limit();
    if ((syn ? tf_syn_fill(run, held, &error) : fill_accept(run, held, &error)) != 0) {
        tf_held_free(run, held);
        tf_held_fail(run, "fill", step->text, &error);
    } else if (fill->for_ns > 0) {
        held->until_ns = tf_case_now() + fill->for_ns;
    }
}

struct draining {
    uint16_t port;
    size_t left;
};

static size_t left_of(const struct tf_case_run *run, uint16_t port)
{
    size_t left = 0;
    for (const struct tf_held *held = run->held; held != NULL; held = held->next)
        if (held->kind != TF_HELD_PORT && held->port == port)
            left += 1 + held->count + held->olds;
    return left;
}

static bool fewer_are_left(struct tf_case_run *run, const void *data)
{
    const struct draining *draining = data;
    return left_of(run, draining->port) < draining->left;
}

void tf_case_drain(struct tf_case_run *run, const struct tf_step *step)
{
    struct draining draining = {.port = tf_case_port(run, step->drain)};
    struct tf_error error;
    for (struct tf_held *held = run->held; held != NULL; held = held->next)
        if (held->kind != TF_HELD_PORT && held->port == draining.port)
            held->until_ns = 0;
    tf_held_expire(run);
    /* On a busy machine many take long: what counts is that they become fewer. */
    while ((draining.left = left_of(run, draining.port)) > 0) {
        uint64_t until_ns = tf_case_now() + GONE_MS * TF_MS;
        if (until_ns > run->deadline_ns)
            until_ns = run->deadline_ns;
        if (!tf_case_until(run, fewer_are_left, &draining, until_ns)) {
            tf_error_set(&error, "half-open connections are left");
            tf_held_fail(run, "drain", step->text, &error);
            return;
        }
    }
}
