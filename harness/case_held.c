/* Steps that hold a port, or leave a TIME_WAIT behind on one. */
#include "case_held.h"

#include "baseline.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE(name) (UINT32_C(1) << TCP_##name)

enum { SETTLED_S = 2 }; /* for what takes the kernel microseconds on loopback */

/* ---- addresses and the kernel's tables ---- */

socklen_t tf_held_address(const struct tf_case_run *run, const char *text, uint16_t port,
                          union tf_address *address)
{
    if (text == NULL)
        text = run->options->battery != NULL ? run->options->battery->address : "127.0.0.1";
    memset(address, 0, sizeof(*address));
    if (inet_pton(AF_INET6, text, &address->in6.sin6_addr) == 1) {
        address->in6.sin6_family = AF_INET6;
        address->in6.sin6_port = htons(port);
        return sizeof(address->in6);
    }
    inet_pton(AF_INET, text, &address->in.sin_addr);
    address->in.sin_family = AF_INET;
    address->in.sin_port = htons(port);
    return sizeof(address->in);
}

uint16_t tf_local_port(int fd)
{
    union tf_address address = {.any = {0}};
    socklen_t length = sizeof(address);
    if (getsockname(fd, &address.any, &length) != 0)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.in6.sin6_port : address.in.sin_port);
}

struct rows {
    const struct tf_row *row;
    size_t count;
};

static bool count_row(const struct tf_net_socket *socket, void *data)
{
    struct rows *rows = data;
    const struct tf_row *row = rows->row;
    rows->count += (row->states >> socket->state & 1) != 0 &&
                   (row->port == 0 || socket->local.port == row->port) &&
                   (row->peer == 0 || socket->peer.port == row->peer);
    return true;
}

size_t tf_rows(const struct tf_case_run *run, const struct tf_row *row)
{
    struct rows rows = {.row = row};
    struct tf_error error;
    tf_net_sockets(run->sandbox, row->port != 0 ? row->port : row->peer, count_row, &rows, &error);
    return rows.count;
}

bool tf_row_there(struct tf_case_run *run, const void *row)
{
    return tf_rows(run, row) > 0;
}

bool tf_row_gone(struct tf_case_run *run, const void *row)
{
    return tf_rows(run, row) == 0;
}

/* ---- what is held ---- */

void tf_held_fail(struct tf_case_run *run, const char *what, const char *expected,
                  const struct tf_error *error)
{
    if (!run->over)
        tf_case_fail(run, true, "", what, expected, error->text);
}

struct tf_held *tf_held_new(struct tf_case_run *run, enum tf_held_kind kind, const char *address,
                            uint16_t port, uint64_t for_ns)
{
    struct tf_held *held = port != 0 ? calloc(1, sizeof(*held)) : NULL;
    if (held == NULL) {
        tf_case_fail(run, true, "", "step", "the step to be taken",
                     port != 0 ? "out of memory" : "there is no free port");
        return NULL;
    }
    *held = (struct tf_held){.next = run->held,
                             .kind = kind,
                             .port = port,
                             .until_ns = for_ns > 0 ? tf_case_now() + for_ns : UINT64_MAX};
    held->address_length = tf_held_address(run, address, port, &held->address);
    run->held = held;
    return held;
}

void tf_held_free(struct tf_case_run *run, struct tf_held *held)
{
    struct tf_held **at = &run->held;
    while (*at != held)
        at = &(*at)->next;
    *at = held->next;
    for (size_t i = 0; i < held->count; i++)
        close(held->sockets[i].fd);
    free(held->sockets);
    free(held->old);
    free(held);
}

/* Some at a time: a queue may take hundreds. */
int tf_held_make(struct tf_case_run *run, int family, struct tf_error *error)
{
    struct tf_spares *spares = &run->spares[family == AF_INET6];
    if (spares->count == 0) {
        if (tf_sandbox_sockets(run->sandbox, family, spares->fds, TF_SOCKETS_MAX, error) == 0)
            spares->count = TF_SOCKETS_MAX;
        else if (tf_sandbox_sockets(run->sandbox, family, spares->fds, 1, error) == 0)
            spares->count = 1;
        else
            return -1;
    }
    return spares->fds[--spares->count];
}

int tf_held_socket(struct tf_case_run *run, struct tf_held *held, struct tf_error *error)
{
    if (held->count == held->room) {
        size_t room = held->room > 0 ? 2 * held->room : 8;
        struct tf_held_socket *sockets = realloc(held->sockets, room * sizeof(*sockets));
        if (sockets == NULL)
            return tf_error_set(error, "out of memory");
        held->sockets = sockets;
        held->room = room;
    }
    int fd = tf_held_make(run, held->address.any.sa_family, error);
    if (fd >= 0)
        held->sockets[held->count++] = (struct tf_held_socket){fd, tf_case_now()};
    return fd;
}

void tf_held_drop(struct tf_held *held, int fd)
{
    size_t at = 0;
    while (held->sockets[at].fd != fd)
        at++;
    held->count--;
    memmove(held->sockets + at, held->sockets + at + 1, (held->count - at) * sizeof(*held->sockets));
    close(fd);
}

void tf_held_expire(struct tf_case_run *run)
{
    uint64_t now = run->held != NULL ? tf_case_now() : 0;
    for (struct tf_held *held = run->held, *next; held != NULL; held = next) {
        next = held->next;
        bool over = held->until_ns <= now;
        if (held->kind == TF_HELD_SYN)
            over = tf_syn_keep(run, held, over);
        if (over)
            tf_held_free(run, held);
    }
}

void tf_held_end(struct tf_case_run *run)
{
    tf_late_end(run);
    while (run->held != NULL)
        tf_held_free(run, run->held);
    for (int i = 0; i < 2; i++)
        while (run->spares[i].count > 0)
            close(run->spares[i].fds[--run->spares[i].count]);
}

/* ---- occupy, vacate ---- */

static int set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value));
}

static int occupy(struct tf_case_run *run, struct tf_held *held, const struct tf_occupy *occupy,
                  struct tf_error *error)
{
    int fd = tf_held_socket(run, held, error);
    if (fd < 0)
        return -1;
    /* "::" is every address, of IPv4 too, whatever net.ipv6.bindv6only says. */
    if (held->address.any.sa_family == AF_INET6)
        set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    if (occupy->reuseaddr && set(fd, SOL_SOCKET, SO_REUSEADDR, 1) != 0)
        return tf_error_errno(error, errno, "SO_REUSEADDR");
    if (occupy->reuseport && set(fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0)
        return tf_error_errno(error, errno, "SO_REUSEPORT");
    if (bind(fd, &held->address.any, held->address_length) != 0)
        return tf_error_errno(error, errno, "bind");
    if (occupy->listen && listen(fd, SOMAXCONN) != 0)
        return tf_error_errno(error, errno, "listen");
    return 0;
}

void tf_case_occupy(struct tf_case_run *run, const struct tf_step *step)
{
    const struct tf_occupy *what = step->occupy;
    struct tf_error error;
    struct tf_held *held =
        tf_held_new(run, TF_HELD_PORT, what->address, tf_case_port(run, what->port), what->for_ns);
    if (held != NULL && occupy(run, held, what, &error) != 0) {
        tf_held_free(run, held);
        tf_held_fail(run, "occupy", step->text, &error);
    }
}

void tf_case_vacate(struct tf_case_run *run, const struct tf_step *step)
{
    uint16_t port = tf_case_port(run, step->vacate);
    for (struct tf_held *held = run->held, *next; held != NULL; held = next) {
        next = held->next;
        if (held->kind == TF_HELD_PORT && held->port == port)
            tf_held_free(run, held);
    }
}

/* ---- time_wait ---- */

struct connection { /* both ends are ours */
    int listener;
    int server, client; /* `server` is the end on the step's port */
    uint16_t port, peer;
};

static bool readable(struct tf_case_run *run, const void *fd)
{
    struct pollfd wanted = {.fd = *(const int *)fd, .events = POLLIN};
    (void)run;
    return poll(&wanted, 1, 0) > 0;
}

/* Which end was active makes no difference to a TIME_WAIT: the end on the step's
 * port is the one that connects, so that only one socket was ever bound to it. */
static int connect_both(struct tf_case_run *run, struct tf_held *held, const struct tf_leave *leave,
                        struct connection *both, struct tf_error *error)
{
    union tf_address peer;
    socklen_t length = tf_held_address(run, leave->address, tf_case_port(run, leave->peer), &peer);
    both->listener = tf_held_socket(run, held, error);
    both->server = both->listener >= 0 ? tf_held_socket(run, held, error) : -1;
    if (both->server < 0)
        return -1;
    if (leave->reuseaddr && (set(both->listener, SOL_SOCKET, SO_REUSEADDR, 1) != 0 ||
                             set(both->server, SOL_SOCKET, SO_REUSEADDR, 1) != 0))
        return tf_error_errno(error, errno, "SO_REUSEADDR");
    if (bind(both->listener, &peer.any, length) != 0 || listen(both->listener, 1) != 0 ||
        getsockname(both->listener, &peer.any, &length) != 0)
        return tf_error_errno(error, errno, "the peer's port");
    if (bind(both->server, &held->address.any, held->address_length) != 0)
        return tf_error_errno(error, errno, "bind");
    if (connect(both->server, &peer.any, length) != 0 && errno != EINPROGRESS)
        return tf_error_errno(error, errno, "connect");
    if (!tf_case_until(run, readable, &both->listener, tf_case_now() + SETTLED_S * TF_SECOND_NS))
        return tf_error_set(error, "the connection was not established");
    both->client = accept4(both->listener, &peer.any, &length, SOCK_CLOEXEC);
    if (both->client < 0)
        return tf_error_errno(error, errno, "accept");
    both->port = held->port;
    both->peer = tf_local_port(both->listener);
    return 0;
}

/* Each end sends the other this, and has read it: what is unread would make a RST of
 * its FIN. */
static int exchange(struct tf_case_run *run, const struct connection *both, const char *data,
                    struct tf_error *error)
{
    const int ends[2] = {both->server, both->client};
    uint64_t until_ns = tf_case_now() + SETTLED_S * TF_SECOND_NS;
    char buffer[TF_LEAVE_DATA];
    size_t size = strlen(data);
    for (int i = 0; i < 2; i++) {
        if (send(ends[i], data, size, MSG_NOSIGNAL) != (ssize_t)size ||
            !tf_case_until(run, readable, &ends[!i], until_ns) ||
            recv(ends[!i], buffer, sizeof(buffer), 0) != (ssize_t)size)
            return tf_error_set(error, "the data did not arrive");
    }
    return 0;
}

/* The second end closes once the first one's FIN has been acknowledged: were the two
 * to cross, a late acknowledgement could find one end gone, and its RST would end
 * the TIME_WAIT (RFC 1337). */
static int close_both(struct tf_case_run *run, struct tf_held *held, struct connection *both, bool client,
                      struct tf_error *error)
{
    struct tf_row first = {client ? both->peer : both->port, client ? both->port : both->peer,
                           STATE(FIN_WAIT2)};
    uint64_t until_ns = tf_case_now() + SETTLED_S * TF_SECOND_NS;
    set(client ? both->server : both->client, IPPROTO_TCP, TCP_QUICKACK, 1);
    if (client) {
        close(both->client);
        both->client = -1;
    } else {
        tf_held_drop(held, both->server);
    }
    if (!tf_case_until(run, tf_row_there, &first, until_ns))
        return tf_error_set(error, "no FIN_WAIT2 came of it; see net.ipv4.tcp_max_tw_buckets");
    if (client) {
        tf_held_drop(held, both->server);
    } else {
        close(both->client);
        both->client = -1;
    }
    first.states = STATE(TIME_WAIT);
    struct tf_row second = {first.peer, first.port, ~0U};
    if (!tf_case_until(run, tf_row_there, &first, until_ns) ||
        !tf_case_until(run, tf_row_gone, &second, until_ns))
        return tf_error_set(error, "no TIME_WAIT was left; see net.ipv4.tcp_max_tw_buckets");
    return 0;
}

void tf_case_time_wait(struct tf_case_run *run, const struct tf_step *step)
{
    const struct tf_leave *leave = step->time_wait;
    struct connection both = {.client = -1};
    struct tf_tap *tap = NULL;
    struct tf_error error;
    struct tf_held *held = tf_held_new(run, TF_HELD_PORT, leave->address, tf_case_port(run, leave->port), 0);
    if (held == NULL)
        return;
    int result = tf_late_open(run, leave, &tap, &error);
    if (result == 0)
        result = connect_both(run, held, leave, &both, &error);
    if (result == 0 && leave->data != NULL)
        result = exchange(run, &both, leave->data, &error);
    if (result == 0)
        result = close_both(run, held, &both, leave->first == TF_PART_CLIENT, &error);
    if (result == 0 && tap != NULL)
        result = tf_late_note(run, tap, &error);
    tf_late_close(tap);
    if (both.client >= 0)
        close(both.client);
    tf_held_free(run, held);
    if (result != 0)
        tf_held_fail(run, "time_wait", step->text, &error);
}
