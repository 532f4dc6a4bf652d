/* listen: a server that gives every client the same answer. */
#include "peer.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PIECE = 65536, RETRY_NS = 1000000 };

/* The peer without what --only-first takes away. */
static struct tf_peer well_behaved(const struct tf_peer *peer)
{
    enum { CONNECT = 0, LISTEN = 0, RELAY = 0, BAD = 1 };
    struct tf_peer good = *peer;
#define OPTION(kind, field, name, argument, modes, about)                                                    \
    if (modes)                                                                                               \
        memset(&good.options.field, 0, sizeof good.options.field);
#include "peer.def"
#undef OPTION
    return good;
}

/* 1: it is there; 0: the client ends instead. */
static int read_request(const struct tf_peer *peer, int fd, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    char data[PIECE];
    size_t matched = 0;
    uint64_t bytes = 0;

    for (;;) {
        ssize_t got = tf_peer_receive(peer, fd, data, sizeof data, options->timeout_ns, error);
        if (got == TF_PEER_LATE)
            return tf_error_set(error, "the request did not go on for %.3g s after %llu bytes",
                                (double)options->timeout_ns / 1e9, (unsigned long long)bytes);
        if (got == 0 && options->request_ends && bytes)
            return tf_error_set(error, "the request ended after %llu bytes without \"%s\"",
                                (unsigned long long)bytes, options->request_ends);
        if (got < 0)
            return -1;
        if (got == 0)
            return options->until_eof;
        bytes += (uint64_t)got;
        bool seen = tf_peer_text_seen(&peer->end, &matched, data, (size_t)got);
        if (options->request_bytes.given)
            seen = bytes >= options->request_bytes.value;
        if (seen && !options->until_eof)
            return 1;
    }
}

static int answer(const struct tf_peer *peer, int fd, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    const struct tf_number *limit =
        options->reset_after.given ? &options->reset_after : &options->close_after;
    size_t size = peer->text.length;

    if (limit->given && limit->value < size)
        size = (size_t)limit->value;
    if (options->delay_ns)
        tf_peer_sleep(options->delay_ns);
    return tf_peer_send(peer, fd, peer->text.bytes, size, error);
}

/* One request and its answer. 1: there may be another; 0: that was all. */
static int exchange(const struct tf_peer *peer, int fd, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    int more;

    if (options->unread)
        more = tf_peer_wait(fd, POLLIN, options->timeout_ns, error);
    else
        more = options->speaks_first ? 1 : read_request(peer, fd, error);
    if (more <= 0)
        return more;
    if (answer(peer, fd, error))
        return -1;
    return options->keep_alive && !options->unread && !options->speaks_first && !options->until_eof &&
           !options->reset && !options->reset_after.given && !options->close_after.given;
}

static int talk(const struct tf_peer *peer, int fd, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    int more = 1;

    if (options->close_first)
        return 0;
    if (options->silent_ns) {
        tf_peer_drain(fd, options->silent_ns);
        return 0;
    }
    tf_peer_sleep(options->no_read_ns);
    while (more > 0)
        more = exchange(peer, fd, error);
    if (more == 0 && options->vanish_ns) {
        more = tf_peer_deaf(fd, true, error);
        tf_peer_sleep(options->vanish_ns);
    }
    if (more == 0 && options->reply_then_hold)
        tf_peer_drain(fd, options->timeout_ns);
    tf_peer_sleep(options->no_close_ns);
    return more;
}

static int serve(const struct tf_peer *peer, int fd, uint64_t number, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;

    if (options->only_first.given && number > options->only_first.value) {
        struct tf_peer good = well_behaved(peer);
        good.options.only_first.given = false;
        return serve(&good, fd, number, error);
    }
    int result = talk(peer, fd, error);
    if (options->reset || options->reset_after.given) {
        tf_peer_reset(fd, options->timeout_ns);
        return result;
    }
    /* Unread input would turn the FIN into a RST, and the RST could overtake the
     * answer: RFC 1122 4.2.2.13, RFC 9112 9.6. */
    if (!result && !options->unread && !options->close_first && !shutdown(fd, SHUT_WR))
        tf_peer_drain(fd, options->timeout_ns);
    close(fd);
    return result;
}

/* Its SYN meets the client's on the way: RFC 9293, 3.5. Before the client has sent
 * one, and where that arrived, it is refused. */
static int open_simultaneously(const struct tf_peer *peer, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    union tf_peer_address client = peer->address;
    struct tf_peer from = *peer;
    uint64_t end = tf_now_ns() + options->timeout_ns;
    int fd;

    from.options.from = (struct tf_number){true, ntohs(peer->address.in.sin_port)};
    client.in.sin_port = htons((uint16_t)options->simultaneous_open.value);
    while ((fd = tf_peer_dial(&from, &client, error)) < 0 && tf_now_ns() < end)
        tf_peer_sleep(RETRY_NS);
    return fd < 0 ? -1 : serve(peer, fd, 1, error);
}

int tf_peer_listen(struct tf_peer *peer, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;

    if (options->simultaneous_open.given)
        return open_simultaneously(peer, error);
    int listener = tf_peer_bind_listen(peer, error);
    if (listener < 0)
        return -1;
    if (options->lose_syn_ns) {
        tf_peer_sleep(options->lose_syn_ns);
        if (tf_peer_deaf(listener, false, error))
            return -1;
    }
    while (options->no_accept)
        pause();
    int result = tf_peer_serve(peer, listener, serve, error);
    close(listener);
    return result;
}
