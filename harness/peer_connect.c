/* connect: a client, or several at once that go through each step together. */
#include "peer.h"

#include "clock.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PIECE = 65536, CONNECTIONS_MAX = 65536, BUSY_TIMES = 4 };

struct clients {
    size_t count; /* of those that are connected */
    int fd[];
};

/* The end of an answer that was to go on. */
static int too_short(const struct tf_peer *peer, uint64_t wanted, uint64_t bytes, struct tf_error *error)
{
    if (wanted != UINT64_MAX)
        return tf_error_set(error, "the answer ended after %llu of %llu bytes", (unsigned long long)bytes,
                            (unsigned long long)wanted);
    if (peer->end.bytes)
        return tf_error_set(error, "the answer ended after %llu bytes without \"%s\"",
                            (unsigned long long)bytes, peer->options.until);
    return 0;
}

static int too_late(const struct tf_peer *peer, uint64_t bytes, struct tf_error *error)
{
    double seconds = (double)peer->options.timeout_ns / 1e9;

    if (bytes)
        return tf_error_set(error, "the answer did not go on for %.3g s after %llu bytes", seconds,
                            (unsigned long long)bytes);
    return tf_error_set(error, "no answer for %.3g s", seconds);
}

/* Of the time since the machine started, how much some task had no CPU: "some
 * avg10=... total=MICROSECONDS" (PSI, Documentation/accounting/psi.rst of the kernel). */
static uint64_t cpu_pressure_ns(void)
{
    uint64_t total_us = 0;
    FILE *file = fopen("/proc/pressure/cpu", "re");
    if (file) {
        if (fscanf(file, "some %*s %*s %*s total=%" SCNu64, &total_us) != 1)
            total_us = 0;
        fclose(file);
    }
    return total_us * 1000;
}

/* A server that has no CPU in the middle of its answer is not quiet. */
static ssize_t receive_until_quiet(const struct tf_peer *peer, int fd, void *data, size_t size,
                                   struct tf_error *error)
{
    uint64_t quiet_ns = peer->options.quiet_ns, wait_ns = quiet_ns;
    uint64_t before_ns = cpu_pressure_ns(), most_ns = BUSY_TIMES * quiet_ns;

    for (;;) {
        ssize_t got = tf_peer_receive(peer, fd, data, size, wait_ns, error);
        uint64_t now_ns = got == TF_PEER_LATE ? cpu_pressure_ns() : 0;
        wait_ns = now_ns > before_ns ? now_ns - before_ns : 0;
        wait_ns = wait_ns < most_ns ? wait_ns : most_ns;
        if (wait_ns <= quiet_ns / 16)
            return got;
        most_ns -= wait_ns;
        before_ns = now_ns;
    }
}

static int read_answer(const struct tf_peer *peer, int fd, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    char data[PIECE];
    size_t matched = 0;
    uint64_t bytes = 0, wanted = options->expect.given        ? options->expect.value
                                 : options->reset_after.given ? options->reset_after.value
                                                              : UINT64_MAX;

    while (bytes < wanted) {
        size_t size = wanted - bytes < sizeof data ? (size_t)(wanted - bytes) : sizeof data;
        bool may_be_quiet = options->quiet_ns && bytes;
        ssize_t got = may_be_quiet ? receive_until_quiet(peer, fd, data, size, error)
                                   : tf_peer_receive(peer, fd, data, size, options->timeout_ns, error);
        if (got == TF_PEER_LATE && may_be_quiet)
            return 0;
        if (got == TF_PEER_LATE)
            return too_late(peer, bytes, error);
        if (got == 0)
            return too_short(peer, wanted, bytes, error);
        if (got < 0 || tf_peer_write(STDOUT_FILENO, data, (size_t)got, "standard output", error))
            return -1;
        bytes += (uint64_t)got;
        if (peer->end.bytes && tf_peer_text_seen(&peer->end, &matched, data, (size_t)got))
            return 0;
    }
    return 0;
}

static int say(const struct tf_peer *peer, int fd, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    uint64_t times = options->repeat.given ? options->repeat.value : 1;
    size_t size = peer->text.length;

    if (options->greeting) {
        int ready = tf_peer_wait(fd, POLLIN, options->timeout_ns, error);
        if (ready <= 0)
            return ready ? -1
                         : tf_error_set(error, "no greeting for %.3g s", (double)options->timeout_ns / 1e9);
    }
    if (options->delay_ns)
        tf_peer_sleep(options->delay_ns);
    if (options->send_first.given && options->send_first.value < size)
        size = (size_t)options->send_first.value;
    for (uint64_t i = 0; i < times; i++)
        if (tf_peer_send(peer, fd, peer->text.bytes, size, error))
            return -1;
    if (options->half_close && shutdown(fd, SHUT_WR))
        return tf_error_errno(error, errno, "shutting down the writing side");
    return 0;
}

static int dial(const struct tf_peer *peer, struct clients *clients, size_t count, struct tf_error *error)
{
    while (clients->count < count) {
        int fd = tf_peer_dial(peer, &peer->address, error);
        if (fd < 0)
            return -1;
        clients->fd[clients->count++] = fd;
    }
    return 0;
}

/* All of them hear of the other side's end, or of nothing, until the same moment. */
static void stay_silent(const struct clients *clients, uint64_t ns)
{
    uint64_t end = tf_now_ns() + ns;
    for (size_t i = 0; i < clients->count; i++) {
        uint64_t now = tf_now_ns();
        tf_peer_drain(clients->fd[i], now < end ? end - now : 0);
    }
}

static int exchange(const struct tf_peer *peer, struct clients *clients, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;

    if (options->leave || options->half_open_ns) {
        tf_peer_sleep(options->half_open_ns);
        return 0;
    }
    if (options->silent_ns) {
        stay_silent(clients, options->silent_ns);
        return 0;
    }
    for (size_t i = 0; i < clients->count; i++)
        if (say(peer, clients->fd[i], error))
            return -1;
    if (options->vanish_ns) {
        for (size_t i = 0; i < clients->count; i++)
            if (tf_peer_deaf(clients->fd[i], true, error))
                return -1;
        tf_peer_sleep(options->vanish_ns);
        return 0;
    }
    if (options->reset)
        return 0;
    tf_peer_sleep(options->no_read_ns);
    for (size_t i = 0; i < clients->count; i++)
        if (read_answer(peer, clients->fd[i], error))
            return -1;
    tf_peer_sleep(options->no_close_ns);
    return 0;
}

static void hang_up(const struct tf_peer *peer, struct clients *clients)
{
    bool reset = peer->options.reset || peer->options.reset_after.given;

    while (clients->count > 0) {
        int fd = clients->fd[--clients->count];
        if (reset)
            tf_peer_reset(fd, peer->options.timeout_ns);
        else
            close(fd);
    }
}

static void raise_limit(void)
{
    struct rlimit limit;
    if (!getrlimit(RLIMIT_NOFILE, &limit)) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int tf_peer_connect(struct tf_peer *peer, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    size_t count = options->connections.given ? (size_t)options->connections.value : 1;
    uint64_t times = options->times.given ? options->times.value : 1;
    int result = 0;

    if (count > CONNECTIONS_MAX)
        return tf_error_set(error, "--connections: at most %d, got %zu", CONNECTIONS_MAX, count);
    struct clients *clients = calloc(1, sizeof *clients + count * sizeof *clients->fd);
    if (!clients)
        return tf_error_set(error, "out of memory");
    raise_limit();
    for (uint64_t i = 0; i < times && !result; i++) {
        result = dial(peer, clients, count, error);
        if (!result)
            result = exchange(peer, clients, error);
        hang_up(peer, clients);
    }
    free(clients);
    return result;
}
