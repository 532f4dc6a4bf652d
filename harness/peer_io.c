/* Bytes, with a deadline on every wait. */
#include "peer.h"

#include "clock.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SLOWLY = 1024, MS = 1000000 };

int tf_peer_wait(int fd, short events, uint64_t ns, struct tf_error *error)
{
    uint64_t end = tf_now_ns() + ns;
    for (;;) {
        uint64_t now = tf_now_ns(), left = end > now ? end - now : 0;
        struct pollfd waiting = {.fd = fd, .events = events};
        struct timespec time = {(time_t)(left / 1000000000), (long)(left % 1000000000)};
        int ready = ppoll(&waiting, 1, &time, NULL);
        if (ready >= 0)
            return ready;
        if (errno != EINTR)
            return tf_error_errno(error, errno, "waiting");
    }
}

void tf_peer_sleep(uint64_t ns)
{
    tf_peer_wait(-1, 0, ns, NULL);
}

ssize_t tf_peer_receive(const struct tf_peer *peer, int fd, void *data, size_t size, uint64_t ns,
                        struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;

    if (options->read_slowly) {
        tf_peer_sleep(options->pause_ns ? options->pause_ns : 5 * MS);
        size = size < SLOWLY ? size : SLOWLY;
    }
    for (;;) {
        ssize_t got = recv(fd, data, size, 0);
        if (got >= 0)
            return got;
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return tf_error_errno(error, errno, "reading");
        int ready = tf_peer_wait(fd, POLLIN, ns, error);
        if (ready <= 0)
            return ready < 0 ? -1 : TF_PEER_LATE;
    }
}

int tf_peer_send(const struct tf_peer *peer, int fd, const char *data, size_t size, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;

    for (size_t done = 0; done < size;) {
        if (options->byte_at_a_time && done > 0)
            tf_peer_sleep(options->pause_ns ? options->pause_ns : MS);
        ssize_t sent = send(fd, data + done, options->byte_at_a_time ? 1 : size - done, MSG_NOSIGNAL);
        if (sent >= 0) {
            done += (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN)
            return tf_error_errno(error, errno, "sending: %zu of %zu bytes were taken", done, size);
        int ready = tf_peer_wait(fd, POLLOUT, options->timeout_ns, error);
        if (ready == 0)
            return tf_error_set(error, "sending: %zu of %zu bytes were taken, and no more for %.3g s", done,
                                size, (double)options->timeout_ns / 1e9);
        if (ready < 0)
            return -1;
    }
    return 0;
}

int tf_peer_drain(int fd, uint64_t ns)
{
    static const struct tf_peer quickly;
    char data[16384];
    uint64_t end = tf_now_ns() + ns, now;

    while ((now = tf_now_ns()) < end) {
        ssize_t got = tf_peer_receive(&quickly, fd, data, sizeof data, end - now, NULL);
        if (got <= 0)
            return (int)got;
    }
    return TF_PEER_LATE;
}

int tf_peer_write(int fd, const char *data, size_t size, const char *what, struct tf_error *error)
{
    for (size_t done = 0; done < size;) {
        ssize_t wrote = write(fd, data + done, size - done);
        if (wrote < 0 && errno != EINTR)
            return tf_error_errno(error, errno, "writing to %s", what);
        done += wrote > 0 ? (size_t)wrote : 0;
    }
    return 0;
}
