#include "net.h"
#include "check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <unistd.h>

enum { HELD_MAX = 64 };
static struct {
    int port, fd4, fd6;
} ports[HELD_MAX];
static size_t port_count;

static int bound(int family, int port)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    const int on = 1;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in6.sin6_addr = in6addr_loopback;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&in : (struct sockaddr *)&in6;
    if (bind(fd, address, family == AF_INET ? sizeof in : sizeof in6) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int port_of(int fd)
{
    struct sockaddr_in address = {0};
    socklen_t length = sizeof address;
    return getsockname(fd, (struct sockaddr *)&address, &length) == 0 ? ntohs(address.sin_port) : -1;
}

int it_port(void)
{
    for (int tries = 0; tries < 50; tries++) {
        int fd4 = bound(AF_INET, 0);
        int port = fd4 < 0 ? -1 : port_of(fd4);
        int fd6 = port < 0 ? -1 : bound(AF_INET6, port);
        if (fd4 >= 0 && fd6 < 0 && errno == EADDRINUSE) {
            close(fd4);
            continue;
        }
        it_holds(fd4);
        it_holds(fd6);
        ports[port_count % HELD_MAX].port = port;
        ports[port_count % HELD_MAX].fd4 = fd4;
        ports[port_count++ % HELD_MAX].fd6 = fd6;
        return port;
    }
    CHECK(!"a free port was found");
    return 1;
}

void it_port_free(int port)
{
    for (size_t i = 0; i < HELD_MAX; i++)
        if (ports[i].port == port) { /* the descriptors stay, as something else */
            int null4 = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
            dup3(null4, ports[i].fd4, O_CLOEXEC);
            if (ports[i].fd6 >= 0)
                dup3(null4, ports[i].fd6, O_CLOEXEC);
            close(null4);
            ports[i].port = 0;
        }
}

static bool listed(const char *table, int port)
{
    char line[512];
    unsigned at, state;
    bool found = false;
    FILE *file = fopen(table, "re");

    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%*X %X", &at, &state) == 2 && (int)at == port &&
                state == 0x0A;
    if (file)
        fclose(file);
    return found;
}

bool it_port_listens(int port)
{
    return listed("/proc/net/tcp", port) || listed("/proc/net/tcp6", port);
}

bool it_listens(struct it_child *child, int port)
{
    bool listens = false;

    while (!(listens = it_port_listens(port)) && it_now_ns() < child->deadline_ns &&
           !(child->over && child->out_fd < 0 && child->err_fd < 0)) {
        if (child->over)
            it_finish(child); /* its output has an end, too */
        it_attend(child, 0.01);
        it_pause();
    }
    CHECK_SAYING(listens, it_text("it listens on %d; exit status %d\n%s%s", port, child->exit, child->out,
                                  child->err));
    return listens;
}

char it_pattern(size_t place)
{
    return (char)('A' + (place * 7 + place / 26) % 26);
}

bool it_is_pattern(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] != it_pattern(i))
            return false;
    return true;
}

static int send_all(int fd, const char *text, size_t length)
{
    for (ssize_t sent; length > 0; text += sent, length -= (size_t)sent)
        if ((sent = send(fd, text, length, MSG_NOSIGNAL)) < 0)
            return -1;
    return 0;
}

static void serve_http(int fd, size_t bytes)
{
    char request[4096];
    size_t have = 0;
    char *body = malloc(bytes + 1);

    for (size_t i = 0; i < bytes; i++)
        body[i] = it_pattern(i);
    for (;;) {
        ssize_t got = recv(fd, request + have, sizeof request - 1 - have, 0);
        if (got <= 0)
            break;
        have += (size_t)got;
        request[have] = 0;
        if (!strstr(request, "\r\n\r\n"))
            continue;
        have = 0;
        char head[128];
        int length = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", bytes);
        send_all(fd, head, (size_t)length);
        send_all(fd, body, bytes);
    }
    free(body);
}

static void serve_echo(int fd, size_t unused)
{
    char data[65536];
    (void)unused;
    for (ssize_t got; (got = recv(fd, data, sizeof data, 0)) > 0;)
        send_all(fd, data, (size_t)got);
}

static void serve_sink(int fd, size_t unused)
{
    char data[65536];
    (void)unused;
    while (recv(fd, data, sizeof data, 0) > 0)
        ;
}

static void serve_mute(int fd, size_t unused)
{
    (void)fd, (void)unused;
    for (;;)
        pause();
}

/* Every connection gets a process, so that none waits for another. */
static int peer(void (*serve)(int fd, size_t bytes), size_t bytes)
{
    int listener = bound(AF_INET, 0);
    int port = port_of(listener);
    pid_t self = getpid();

    CHECK(listener >= 0 && listen(listener, 64) == 0);
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != self)
            _exit(1);
        setpgid(0, 0);
        signal(SIGCHLD, SIG_IGN);
        dup2(listener, 3); /* and nothing else of the runner's */
        close_range(4, ~0U, 0);
        listener = 3;
        for (;;) {
            int fd = accept(listener, NULL, NULL);
            pid_t server = getpid();
            if (fd < 0)
                continue;
            if (fork() != 0) {
                close(fd);
                continue;
            }
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            if (getppid() != server)
                _exit(1);
            serve(fd, bytes);
            _exit(0);
        }
    }
    close(listener);
    return port;
}

int it_http_peer(size_t bytes)
{
    return peer(serve_http, bytes);
}

int it_echo_peer(void)
{
    return peer(serve_echo, 0);
}

int it_sink_peer(void)
{
    return peer(serve_sink, 0);
}

int it_mute_peer(void)
{
    return peer(serve_mute, 0);
}

static int connect_error; /* of the last it_connect */

int it_connect(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    const struct timeval patience = {10, 0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        connect_error = errno;
        close(fd);
        return -1;
    }
    it_holds(fd);
    return fd;
}

const char *it_ask(int fd, const char *request, const char *reply_end)
{
    static char reply[1 << 16];
    size_t have = 0;

    reply[0] = 0;
    if (fd < 0)
        return it_errno_name(connect_error);
    /* A reset may be there already: whoever calls next is told, and only once. */
    if (send_all(fd, request, strlen(request)) != 0)
        return it_errno_name(errno);
    while (!strstr(reply, reply_end) && have < sizeof reply - 1) {
        ssize_t got = recv(fd, reply + have, sizeof reply - 1 - have, 0);
        if (got < 0)
            return it_errno_name(errno);
        if (got == 0)
            break;
        have += (size_t)got;
        reply[have] = 0;
    }
    return it_text("%s", reply);
}

const char *it_errno_name(int error)
{
    return strerrorname_np(error);
}
