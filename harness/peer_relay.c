/* relay: between a client and its server, and writes down what the first client
 * sends. Each side learns of the other's half-close, and of its RST. */
#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One of the two directions. */
struct flow {
    int from, to;
    bool ended; /* `from` has sent everything, and `to` has been told */
    size_t begin, end;
    char data[65536];
};

static int record_fd[2] = {-1, -1}; /* by direction; of the first client's process, and its parent */

static int fill(struct flow *flow, int record, struct tf_error *error)
{
    ssize_t got = recv(flow->from, flow->data, sizeof flow->data, 0);

    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : tf_error_errno(error, errno, "reading");
    flow->begin = 0;
    flow->end = (size_t)got;
    if (got == 0) {
        flow->ended = true;
        shutdown(flow->to, SHUT_WR); /* ENOTCONN: the flow back tells of it */
    }
    return record >= 0 ? tf_peer_write(record, flow->data, (size_t)got, "the record", error) : 0;
}

static int empty(struct flow *flow, struct tf_error *error)
{
    ssize_t sent = send(flow->to, flow->data + flow->begin, flow->end - flow->begin, MSG_NOSIGNAL);

    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : tf_error_errno(error, errno, "sending");
    flow->begin += (size_t)sent;
    return 0;
}

/* A direction waits for its source, or for room at its destination. A socket is
 * watched only for what is wanted of it, or POLLHUP would spin. */
static struct pollfd wanted(const struct flow *flow)
{
    bool sending = flow->begin < flow->end;
    struct pollfd wants = {.fd = sending ? flow->to : flow->from, .events = sending ? POLLOUT : POLLIN};

    if (flow->ended)
        wants.fd = -1;
    return wants;
}

static int pass_on(const struct tf_peer *peer, int client, int server, bool recorded, struct tf_error *error)
{
    static struct flow flows[2];
    flows[0] = (struct flow){.from = client, .to = server};
    flows[1] = (struct flow){.from = server, .to = client};

    while (!(flows[0].ended && flows[1].ended)) {
        struct pollfd watched[2] = {wanted(&flows[0]), wanted(&flows[1])};
        int ready = poll(watched, 2, (int)(peer->options.timeout_ns / 1000000));
        if (ready < 0 && errno != EINTR)
            return tf_error_errno(error, errno, "waiting");
        if (ready == 0)
            return tf_error_set(error, "neither side sent anything for %.3g s",
                                (double)peer->options.timeout_ns / 1e9);
        for (int i = 0; i < 2 && ready > 0; i++) {
            if (watched[i].revents &&
                (flows[i].begin < flows[i].end ? empty(&flows[i], error)
                                               : fill(&flows[i], recorded ? record_fd[i] : -1, error)))
                return -1;
        }
    }
    return 0;
}

static int serve(const struct tf_peer *peer, int client, uint64_t number, struct tf_error *error)
{
    int server = tf_peer_dial(peer, &peer->to, error), result = -1;

    if (server >= 0)
        result = pass_on(peer, client, server, number == 1, error);
    if (result) {
        tf_peer_reset(client, 0);
        if (server >= 0)
            tf_peer_reset(server, 0);
        return result;
    }
    close(client);
    close(server);
    return 0;
}

int tf_peer_relay(struct tf_peer *peer, struct tf_error *error)
{
    const char *paths[] = {peer->options.record, peer->options.record_reply};

    for (int i = 0; i < 2; i++)
        if (paths[i] && (record_fd[i] = open(paths[i], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) < 0)
            return tf_error_errno(error, errno, "--record%s: opening %.200s", i ? "-reply" : "", paths[i]);
    int listener = tf_peer_bind_listen(peer, error);
    if (listener < 0)
        return -1;
    int result = tf_peer_serve(peer, listener, serve, error);
    close(listener);
    return result;
}
