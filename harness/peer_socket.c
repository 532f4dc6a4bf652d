/* How the peers' sockets begin, and how they end by force. */
#include "peer.h"

#include "clock.h"

#include <errno.h>
#include <linux/sockios.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#ifndef IP_MINTTL /* linux/in.h, linux/in6.h, which libc's headers exclude */
#define IP_MINTTL 21
#endif
#ifndef IPV6_MINHOPCOUNT
#define IPV6_MINHOPCOUNT 73
#endif

static const int on = 1;

static socklen_t size_of(const union tf_peer_address *address)
{
    return address->any.sa_family == AF_INET6 ? sizeof address->in6 : sizeof address->in;
}

/* The receive buffer's size must be known before the handshake, whose window
 * depends on it (tcp(7)); accepted sockets inherit it, and the option. */
static int make(const struct tf_peer_options *options, int family, struct tf_error *error)
{
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), least = 1;

    if (fd < 0)
        return tf_error_errno(error, errno, "making a socket");
    if (options->read_slowly || options->no_read_ns)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &least, sizeof least);
    if (options->byte_at_a_time)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    return fd;
}

int tf_peer_bind_listen(const struct tf_peer *peer, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    int fd = make(options, peer->address.any.sa_family, error);
    int backlog = options->backlog.given ? (int)options->backlog.value : SOMAXCONN;

    if (fd < 0)
        return -1;
    if ((options->lose_syn_ns && tf_peer_deaf(fd, true, error)) ||
        bind(fd, &peer->address.any, size_of(&peer->address)) || listen(fd, backlog)) {
        tf_error_errno(error, errno, "listening on %s", tf_peer_address_text(&peer->address));
        close(fd);
        return -1;
    }
    return fd;
}

static int bind_from(const struct tf_peer *peer, int fd, struct tf_error *error)
{
    union tf_peer_address from = {.any.sa_family = peer->address.any.sa_family};

    /* The port is at the same place in both. */
    from.in.sin_port = htons((uint16_t)peer->options.from.value);
    if (bind(fd, &from.any, size_of(&from)))
        return tf_error_errno(error, errno, "binding to %s", tf_peer_address_text(&from));
    return 0;
}

/* 0, or what the connection failed of. */
static int outcome(int fd, uint64_t ns)
{
    int number = 0, ready = tf_peer_wait(fd, POLLOUT, ns, NULL);
    socklen_t size = sizeof number;

    if (ready <= 0)
        return ready ? errno : ETIMEDOUT;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &number, &size) ? errno : number;
}

int tf_peer_dial(const struct tf_peer *peer, const union tf_peer_address *address, struct tf_error *error)
{
    const struct tf_peer_options *options = &peer->options;
    int fd = make(options, address->any.sa_family, error), number = 0;

    if (fd < 0)
        return -1;
    if ((options->from.given && bind_from(peer, fd, error)) ||
        (options->half_open_ns && tf_peer_deaf(fd, true, error))) {
        close(fd);
        return -1;
    }
    if (connect(fd, &address->any, size_of(address)))
        number = errno;
    if (number == EINPROGRESS)
        number = options->half_open_ns ? 0 : outcome(fd, options->timeout_ns);
    if (!number)
        return fd;
    close(fd);
    return tf_error_errno(error, number, "connecting to %s", tf_peer_address_text(address));
}

/* Everybody's TTL is below 255. A socket filter would need CAP_NET_ADMIN. */
int tf_peer_deaf(int fd, bool deaf, struct tf_error *error)
{
    int family = 0, least = deaf ? 255 : 0;
    socklen_t size = sizeof family;
    bool is_ipv6 = !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &size) && family == AF_INET6;
    int failed = is_ipv6 ? setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &least, sizeof least)
                         : setsockopt(fd, IPPROTO_IP, IP_MINTTL, &least, sizeof least);

    return failed ? tf_error_errno(error, errno, "setting the least TTL of what arrives") : 0;
}

void tf_peer_reset(int fd, uint64_t ns)
{
    const struct linger now = {.l_onoff = 1};
    uint64_t end = tf_now_ns() + ns;
    int unacknowledged = 0;

    /* The RST overtakes what is unsent; no call tells when that has gone. */
    while (!ioctl(fd, SIOCOUTQ, &unacknowledged) && unacknowledged && tf_now_ns() < end)
        tf_peer_sleep(200000);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* 0: the connection has its process (or was served, with --once); 1: there was none. */
static int serve_one(const struct tf_peer *peer, int listener, uint64_t number, tf_peer_server *serve,
                     struct tf_error *error)
{
    bool once = peer->options.once;
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    int fd = accept4(listener, (struct sockaddr *)&from, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
        return 1;
    if (fd < 0)
        return tf_error_errno(error, errno, "accepting");
    if (once)
        return serve(peer, fd, number, error);
    pid_t parent = getpid(), child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(1);
        close(listener);
        int result = serve(peer, fd, number, error);
        if (result)
            peer->say("peer: connection %llu: %s", (unsigned long long)number, error->text);
        _exit(result ? 1 : 0);
    }
    close(fd);
    return child < 0 ? tf_error_errno(error, errno, "fork") : 0;
}

int tf_peer_serve(const struct tf_peer *peer, int listener, tf_peer_server *serve, struct tf_error *error)
{
    bool once = peer->options.once;
    uint64_t number = 1, patience = peer->options.timeout_ns;

    signal(SIGCHLD, SIG_IGN); /* whose children leave no zombies, wait(2) */
    for (;;) {
        int ready = tf_peer_wait(listener, POLLIN, patience, error);
        if (ready == 0 && once)
            return tf_error_set(error, "nobody connected to %s within %.3g s",
                                tf_peer_address_text(&peer->address), (double)patience / 1e9);
        int result = ready > 0 ? serve_one(peer, listener, number, serve, error) : ready < 0 ? -1 : 1;
        if (result < 0 || (result == 0 && once))
            return result;
        number += result == 0;
    }
}
