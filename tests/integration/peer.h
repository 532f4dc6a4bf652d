/* What the other side of `tcpfault peer` sees. */
#ifndef IT_PEER_H
#define IT_PEER_H

#include "check.h"
#include "child.h"
#include "net.h"
#include "place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <linux/tcp.h> /* a longer tcp_info than libc has; the two headers exclude each other */
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PATIENCE_MS = 10000 };

/* The kernel's include/net/tcp_states.h, and netinet/tcp.h. */
enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, FIN_WAIT2 = 5, CLOSE_WAIT = 8 };

#define PEER(...)                                                                                            \
    it_start(&(struct it_command){.argv = ARGV(it_built("tcpfault"), "peer", __VA_ARGS__), .input = ""})

/* At least so long after `begin`; never at most, on a machine that others use. */
#define CHECK_LATER(begin, ms) CHECK(it_now_ns() - (begin) >= UINT64_C(1000000) * (ms))

/* Does it become ready for `events` in time? */
static inline bool ready(int fd, short events, int ms)
{
    struct pollfd waiting = {.fd = fd, .events = events};
    return poll(&waiting, 1, ms) > 0;
}

/* What comes, `size` bytes of it at most, and behind it "|EOF", "|late" or
 * "|ECONNRESET" where less came. */
static inline const char *hears(int fd, size_t size)
{
    char *text = it_memory(size + 1);
    size_t have = 0;
    ssize_t got = 1;

    while (have < size && got > 0) {
        if (!ready(fd, POLLIN, PATIENCE_MS))
            return it_text("%s|late", text);
        got = recv(fd, text + have, size - have, 0);
        have += got > 0 ? (size_t)got : 0;
        text[have] = 0;
    }
    return got > 0 ? text : got == 0 ? it_text("%s|EOF", text) : it_text("%s|%s", text, it_errno_name(errno));
}

static inline void says(int fd, const char *text)
{
    CHECK_INT(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

static inline struct tcp_info info(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    CHECK_INT(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size), 0);
    return info;
}

static inline bool becomes(int fd, int state)
{
    uint64_t end = it_now_ns() + UINT64_C(10000000000);
    while (info(fd).tcpi_state != state && it_now_ns() < end)
        it_pause();
    return info(fd).tcpi_state == state;
}

static inline int unacknowledged(int fd)
{
    int bytes = -1;
    ioctl(fd, SIOCOUTQ, &bytes);
    return bytes;
}

/* Is all of it, in the end? */
static inline bool is_acknowledged(int fd)
{
    uint64_t end = it_now_ns() + UINT64_C(10000000000);
    while (unacknowledged(fd) > 0 && it_now_ns() < end)
        it_pause();
    return unacknowledged(fd) == 0;
}

/* Is nothing acknowledged any more? What was under way when that began may still be. */
static inline bool is_ignored(int fd)
{
    uint64_t end = it_now_ns() + UINT64_C(10000000000);
    while (info(fd).tcpi_total_retrans == 0 && it_now_ns() < end) {
        send(fd, "y", 1, MSG_NOSIGNAL);
        ready(fd, POLLIN, 50);
    }
    return info(fd).tcpi_total_retrans > 0 && unacknowledged(fd) > 0;
}

/* Sends so much of the pattern, or until there is no room; how many bytes were taken. */
static inline size_t fills(int fd, size_t most)
{
    char piece[4096];
    size_t sent = 0;
    for (ssize_t took = 1; took > 0 && sent<most; sent += took> 0 ? (size_t)took : 0) {
        for (size_t i = 0; i < sizeof piece; i++)
            piece[i] = it_pattern(sent + i);
        took = send(fd, piece, sizeof piece, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    return sent;
}

#endif
