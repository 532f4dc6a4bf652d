/* A listener's queue of SYNs, full of half-open connections. */
#include "case_held.h"

#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RENEW_MS = 4000 }; /* a half-open connection lasts for 6 s at the least */

/* The ports of clients whose connections to this one are half-open. */
struct half_open {
    uint16_t port;
    uint8_t client[8192];
};

static bool note_half_open(const struct tf_net_socket *socket, void *data)
{
    struct half_open *all = data;
    if (socket->state == TCP_SYN_RECV && socket->local.port == all->port)
        all->client[socket->peer.port / 8] |= (uint8_t)(1 << socket->peer.port % 8);
    return true;
}

static void look_half_open(const struct tf_case_run *run, uint16_t port, struct half_open *all)
{
    struct tf_error error;
    memset(all, 0, sizeof(*all));
    all->port = port;
    tf_net_sockets(run->sandbox, port, note_half_open, all, &error);
}

static bool is_half_open(const struct half_open *all, uint16_t port)
{
    return (all->client[port / 8] >> port % 8 & 1) != 0;
}

/* All SYNs have been looked at: each is in the queue, or was dropped. */
static bool are_decided(struct tf_case_run *run, const void *data)
{
    const struct tf_probe *before = data;
    struct half_open there;
    size_t queued = 0;
    look_half_open(run, before->held->port, &there);
    for (size_t i = 0; i < before->held->count; i++)
        queued += is_half_open(&there, tf_local_port(before->held->sockets[i].fd));
    return queued + (tf_counted(run, "ListenDrops") - before->drops) >= before->held->count;
}

static size_t forget_dropped(struct tf_case_run *run, struct tf_held *held)
{
    struct half_open there;
    size_t before = held->count;
    look_half_open(run, held->port, &there);
    for (size_t i = held->count; i-- > 0;)
        if (!is_half_open(&there, tf_local_port(held->sockets[i].fd)))
            tf_held_drop(held, held->sockets[i].fd);
    return before - held->count;
}

int tf_syn_fill(struct tf_case_run *run, struct tf_held *held, struct tf_error *error)
{
    struct tf_listeners all;
    if (tf_listeners_look(run, held, &all, error) != 0)
        return -1;
    uint64_t overflows = tf_counted(run, "ListenOverflows");
    for (size_t more = all.capacity;; more = 1) {
        struct tf_probe before = {.held = held, .drops = tf_counted(run, "ListenDrops")};
        for (size_t i = 0; i < more; i++)
            if (tf_fill_begin(run, held, true, error) < 0)
                return -1;
        if (!tf_case_until(run, are_decided, &before, tf_case_now() + TF_SEEN_MS * TF_MS))
            return tf_error_set(error, "a SYN was neither queued nor dropped");
        if (tf_counted(run, "ListenOverflows") > overflows)
            return tf_error_set(error, "the queue of connections to accept is full before");
        if (forget_dropped(run, held) == 0)
            continue;
        /* Not before: the one that is tried is none of those to keep. */
        held->full = tf_fill_check(run, held, error) == 0;
        return held->full ? 0 : -1;
    }
}

/* A SYN from the same port with another sequence number: the server answers it with
 * an acknowledgement that this side knows nothing of, so a RST goes back, and the
 * half-open connection is over (RFC 9293, 3.5.1). Otherwise it would last until the
 * server has retransmitted its SYN+ACK, which takes seconds. It may not answer at
 * once: net.ipv4.tcp_invalid_ratelimit. */
static void revisit(struct tf_case_run *run, const struct tf_held *held, uint16_t port)
{
    union tf_address own = held->address;
    struct tf_error error;
    int fd = tf_held_make(run, own.any.sa_family, &error);
    if (fd < 0)
        return;
    if (own.any.sa_family == AF_INET6)
        own.in6.sin6_port = htons(port);
    else
        own.in.sin_port = htons(port);
    if (bind(fd, &own.any, held->address_length) == 0)
        (void)connect(fd, &held->address.any, held->address_length);
    close(fd);
}

static void leave(struct tf_case_run *run, struct tf_held *held, int fd)
{
    uint16_t port = tf_local_port(fd);
    if (held->olds == held->olds_room) {
        size_t room = held->olds_room > 0 ? 2 * held->olds_room : 64;
        uint16_t *old = realloc(held->old, room * sizeof(*old));
        if (old == NULL)
            return;
        held->old = old;
        held->olds_room = room;
    }
    held->old[held->olds++] = port;
    tf_held_drop(held, fd);
    revisit(run, held, port);
}

static void revisit_old(struct tf_case_run *run, struct tf_held *held)
{
    struct half_open there;
    size_t left = 0;
    look_half_open(run, held->port, &there);
    for (size_t i = 0; i < held->olds; i++)
        if (is_half_open(&there, held->old[i])) {
            revisit(run, held, held->old[i]);
            held->old[left++] = held->old[i];
        }
    held->olds = left;
}

bool tf_syn_keep(struct tf_case_run *run, struct tf_held *held, bool ending)
{
    uint64_t now = tf_case_now();
    struct tf_error error;
    if (held->olds > 0 && now - held->looked_ns > TF_TURN_MS * TF_MS) {
        held->looked_ns = now;
        revisit_old(run, held);
    }
    /* The oldest one is the first. */
    for (size_t left = held->count; left > 0 && held->full; left--) {
        if (!ending && now - held->sockets[0].begun_ns < RENEW_MS * TF_MS)
            break;
        leave(run, held, held->sockets[0].fd);
        if (!ending)
            tf_fill_begin(run, held, true, &error);
    }
    return ending && held->count == 0 && held->olds == 0;
}
