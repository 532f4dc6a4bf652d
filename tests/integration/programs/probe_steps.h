/* What the probe can do, one step at a time. */
#ifndef PROBE_STEPS_H
#define PROBE_STEPS_H

#include "probe_io.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/wait.h>
#include <time.h>

static int fds[128], epolls[128];
static char **words, *self_path;
static volatile sig_atomic_t hits;

/* One word, taken apart, and what it printed. */
struct step {
    char word[256], operation[64];
    char *argument[6];
    int arguments, socket; /* socket: a letter, or 0 */
    char said[2048];
    pthread_t thread;
    volatile int tid;
    in_call *in;
    out_call *out;
};

static struct step *background;

#define SAY(...) snprintf(step->said, sizeof step->said, __VA_ARGS__)

static void say_result(struct step *step, long result)
{
    if (result < 0)
        SAY("%s", strerrorname_np(errno));
    else
        SAY("%ld", result);
}

static int number(struct step *step, int at, int otherwise)
{
    return at < step->arguments ? (int)strtol(step->argument[at], NULL, 10) : otherwise;
}

static int letter(struct step *step, int at, int otherwise)
{
    return at < step->arguments ? step->argument[at][0] : otherwise;
}

static int *of(int socket)
{
    return &fds[socket & 127];
}

static int signal_number(const char *name)
{
    for (int i = 1; i < NSIG; i++)
        if (sigabbrev_np(i) && strcmp(sigabbrev_np(i), name) == 0)
            return i;
    abort();
}

static int flags_of(struct step *step)
{
    int flags = 0;
    for (int i = 1; i < step->arguments; i++)
        flags |= strcmp(step->argument[i], "trunc") == 0      ? MSG_TRUNC
                 : strcmp(step->argument[i], "peek") == 0     ? MSG_PEEK
                 : strcmp(step->argument[i], "waitall") == 0  ? MSG_WAITALL
                 : strcmp(step->argument[i], "dontwait") == 0 ? MSG_DONTWAIT
                                                              : MSG_NOSIGNAL;
    return flags;
}

static long milliseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* The stream's byte at a place: 7 and 26 have no common factor. */
static char pattern(size_t place)
{
    return (char)('A' + (place * 7 + place / 26) % 26);
}

static void receive(struct step *step)
{
    size_t size = (size_t)number(step, 0, 0);
    char *data = calloc(1, size + 64);
    bool none = step->arguments > 1 && strcmp(step->argument[1], "trunc") == 0; /* tcp(7): thrown away */
    bool again = step->arguments > 1 && strcmp(step->argument[1], "again") == 0;
    long end = milliseconds() + 5000;
    ssize_t got;

    do
        got = step->in(*of(step->socket), none ? NULL : data, size, again ? MSG_DONTWAIT : flags_of(step));
    while (again && got < 0 && errno == EAGAIN && milliseconds() < end);

    if (got > 0 && got < 200 && !none)
        SAY("%zd:%.*s", got, (int)got, data);
    else
        say_result(step, got);
    free(data);
}

static void transmit(struct step *step)
{
    const char *text = step->argument[0];
    size_t size = *text == '#' ? strtoul(text + 1, NULL, 10) : strlen(text);
    char *data = malloc(size + 1), *copy = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        data[i] = *text == '#' ? pattern(i) : text[i];
    memcpy(copy, data, size);
    ssize_t sent = step->out(*of(step->socket), data, size, flags_of(step));
    say_result(step, sent);
    if (step->arguments > 1 && strcmp(step->argument[1], "part") == 0 && sent > 0 && (size_t)sent < size)
        SAY("part");
    if (memcmp(data, copy, size) != 0)
        SAY("the caller's buffer was changed");
    free(data);
    free(copy);
}

/* How many bytes, how many of them and of their bits are wrong, the first of those. */
static void drain(struct step *step)
{
    char data[4096];
    size_t total = 0, wrong = 0, bits = 0, first = 0;
    ssize_t got;

    while ((got = recv(*of(step->socket), data, sizeof data, 0)) > 0)
        for (ssize_t i = 0; i < got; i++, total++) {
            unsigned difference = (unsigned char)(data[i] ^ pattern(total));
            if (difference && wrong++ == 0)
                first = total;
            bits += (size_t)__builtin_popcount(difference);
        }
    SAY("%zu", total);
    if (wrong)
        SAY("%zu,%zu,%zu@%zu", total, wrong, bits, first);
    if (got < 0)
        strcat(strcat(step->said, ","), strerrorname_np(errno));
}

static int address_of(int fd, struct sockaddr_storage *address, socklen_t *length)
{
    *length = sizeof *address;
    return (int)KERNEL(SYS_getsockname, fd, address, length);
}

static unsigned connected_from; /* the port of the client that has connected last */

static long connect_noted(int fd, const void *to, socklen_t length)
{
    struct sockaddr_storage own = {0};
    socklen_t size;
    long result = connect(fd, to, length);
    int error = errno;

    address_of(fd, &own, &size);
    connected_from = ntohs(((struct sockaddr_in *)&own)->sin_port);
    errno = error;
    return result;
}

static long connect_to(int fd, int listener, int port)
{
    struct sockaddr_storage address;
    socklen_t length;

    address_of(listener, &address, &length);
    if (port)
        ((struct sockaddr_in *)&address)->sin_port = htons((uint16_t)port);
    return connect_noted(fd, &address, length);
}

static long connect_mapped(int fd, int port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    return connect_noted(fd, &address, sizeof address);
}

static long bind_loopback(int *fd, int family, int port)
{
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const struct sockaddr *address = family == AF_INET6 ? (struct sockaddr *)&in6 : (struct sockaddr *)&in;
    if (*fd < 0)
        *fd = socket(family, SOCK_STREAM, 0);
    if (port) { /* one that the test holds */
        const int on = 1;
        in.sin_port = in6.sin6_port = htons((uint16_t)port);
        setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    }
    return bind(*fd, address, family == AF_INET6 ? sizeof in6 : sizeof in);
}

static long listen_on(int *fd, int family, int port)
{
    return bind_loopback(fd, family, port) != 0 ? -1 : listen(*fd, 8);
}

/* Two UDP sockets, each connected to the other. */
static long udp_pair(int pair[2])
{
    struct sockaddr_storage address[2];
    socklen_t length[2];

    for (int i = 0; i < 2; i++) {
        pair[i] = socket(AF_INET, SOCK_DGRAM, 0);
        if (bind_loopback(&pair[i], AF_INET, 0) != 0)
            return -1;
        address_of(pair[i], &address[i], &length[i]);
    }
    for (int i = 0; i < 2; i++)
        if (connect(pair[i], (struct sockaddr *)&address[!i], length[!i]) != 0)
            return -1;
    return 0;
}

static long make_pair(int family)
{
    if (listen_on(of('l'), family, 0) != 0)
        return -1;
    *of('c') = socket(family, SOCK_STREAM, 0);
    if (connect_to(*of('c'), *of('l'), 0) != 0)
        return -1;
    *of('s') = accept(*of('l'), NULL, NULL);
    return *of('s') < 0 ? -1 : 0;
}

static void say_events(struct step *step, long result, unsigned events)
{
    static const struct {
        const char *name;
        unsigned bit;
    } bits[] = {{"IN", POLLIN}, {"OUT", POLLOUT}, {"ERR", POLLERR}, {"HUP", POLLHUP}, {"RDHUP", POLLRDHUP}};

    if (result < 0) {
        say_result(step, result);
        return;
    }
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        if (events & bits[i].bit) {
            strcat(step->said, *step->said ? "+" : "");
            strcat(step->said, bits[i].name);
        }
    if (!*step->said)
        SAY("nothing");
}

static void wait_by_poll(struct step *step)
{
    struct pollfd waiting = {*of(step->socket), POLLIN | POLLOUT | POLLRDHUP, 0};
    if (step->arguments > 1) /* only this */
        waiting.events = strcmp(step->argument[1], "in") == 0 ? POLLIN : POLLOUT;
    int ms = number(step, 0, 0);
    struct timespec time = {ms / 1000, ms % 1000 * 1000000};
    long result = 0;
    if (*step->operation == 'b') /* asks again and again, and waits for nothing */
        for (long end = milliseconds() + ms; result == 0 && milliseconds() < end;)
            result = poll(&waiting, 1, 0);
    else
        result = step->operation[1] == 'p' ? ppoll(&waiting, 1, &time, NULL) : poll(&waiting, 1, ms);
    say_events(step, result, (unsigned)waiting.revents);
}

static void wait_by_select(struct step *step)
{
    fd_set in, out;
    int fd = *of(step->socket), ms = number(step, 0, 0);
    struct timeval time = {ms / 1000, ms % 1000 * 1000};
    struct timespec precise = {ms / 1000, ms % 1000 * 1000000};

    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(fd, &in);
    if (step->arguments < 2)
        FD_SET(fd, &out);
    long result = *step->operation == 'p' ? pselect(fd + 1, &in, &out, NULL, &precise, NULL)
                                          : select(fd + 1, &in, &out, NULL, &time);
    say_events(step, result,
               result <= 0 ? 0 : (FD_ISSET(fd, &in) ? POLLIN : 0u) | (FD_ISSET(fd, &out) ? POLLOUT : 0u));
}

static int epoll_with(int fd, uint32_t events)
{
    struct epoll_event event = {.events = events};
    int epoll = epoll_create1(0);

    fcntl(epoll, F_SETFD, FD_CLOEXEC); /* as redis does: the shim looks at the number */
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    return epoll;
}

static void wait_by_epoll(struct step *step, const char *kind)
{
    int fd = *of(step->socket), *epoll = &epolls[step->socket & 127];
    const uint32_t in = EPOLLIN | EPOLLRDHUP,
                   some = step->arguments > 1 && *step->argument[1] == 'o' ? EPOLLOUT : in;
    struct epoll_event event = {.events = EPOLLONESHOT | in};

    if (*epoll >= 0 && strcmp(kind, "arm") == 0)
        epoll_ctl(*epoll, EPOLL_CTL_MOD, fd, &event);
    if (*epoll < 0)
        *epoll = strcmp(kind, "et") == 0     ? epoll_with(fd, EPOLLET | some)
                 : strcmp(kind, "one") == 0  ? epoll_with(fd, EPOLLONESHOT | some)
                 : strcmp(kind, "arm") == 0  ? epoll_with(fd, EPOLLONESHOT | in)
                 : strcmp(kind, "excl") == 0 ? epoll_with(fd, EPOLLEXCLUSIVE | EPOLLIN)
                 : strcmp(kind, "nest") == 0 ? epoll_with(epoll_with(fd, in), EPOLLIN)
                                             : epoll_with(fd, in | EPOLLOUT);
    event.events = 0;
    long result = epoll_wait(*epoll, &event, 1, number(step, 0, 0));
    say_events(step, result, event.events);
}

static long pass(int fd, int *to)
{
    int pair[2];
    char byte = 'x', control[CMSG_SPACE(sizeof(int))] = "";
    struct iovec vector = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};

    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    *CMSG_FIRSTHDR(&message) = (struct cmsghdr){
        .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &fd, sizeof fd);
    if (sendmsg(pair[0], &message, 0) != 1 || recvmsg(pair[1], &message, 0) != 1)
        return -1;
    memcpy(to, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof *to);
    close(pair[0]);
    close(pair[1]);
    return 0;
}

/* A vfork child's descriptors are its own, its memory is not. */
static void close_in_vfork_child(int fd)
{
    pid_t child = vfork();
    if (child == 0)
        _exit(close(fd));
    waitpid(child, NULL, 0);
}

static long open_descriptors(void)
{
    long count = 0;
    DIR *list = opendir("/proc/self/fd");
    while (readdir(list))
        count++;
    closedir(list);
    return count - 3; /* ".", ".." and its own */
}

static const char *const state_names[] = {"?",          "ESTABLISHED", "SYN_SENT",  "SYN_RECV",
                                          "FIN_WAIT1",  "FIN_WAIT2",   "TIME_WAIT", "CLOSE",
                                          "CLOSE_WAIT", "LAST_ACK",    "LISTEN",    "CLOSING"};

static unsigned state_of(int fd)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    KERNEL(SYS_getsockopt, fd, IPPROTO_TCP, TCP_INFO, &info, &length);
    return info.tcpi_state;
}

/* Waits for what the kernel does by itself. */
static void await_state(struct step *step)
{
    const struct timespec moment = {0, 5000000};
    while (strcmp(state_names[state_of(*of(step->socket))], step->argument[0]) != 0)
        KERNEL(SYS_nanosleep, &moment, NULL);
}

/* What the kernel's table holds of the last connection to the listener's port: the
 * client's end and the server's, "FIN_WAIT1/ESTABLISHED"; "-" where there is none. */
static void say_ends(struct step *step)
{
    static const char *const tables[] = {"/proc/self/net/tcp", "/proc/self/net/tcp6"};
    struct sockaddr_storage address;
    socklen_t length;
    unsigned port[2], state, end[2] = {0, 0};
    char line[512];

    address_of(*of(step->socket), &address, &length);
    unsigned listens = ntohs(((struct sockaddr_in *)&address)->sin_port);
    for (int i = 0; i < 2; i++) {
        FILE *table = fopen(tables[i], "re");
        while (table && fgets(line, sizeof line, table))
            if (sscanf(line, " %*d: %*[0-9A-F]:%X %*[0-9A-F]:%X %X", &port[0], &port[1], &state) == 3 &&
                ((port[0] == listens && port[1] == connected_from) ||
                 (port[0] == connected_from && port[1] == listens)))
                end[port[0] == listens] = state;
        if (table)
            fclose(table);
    }
    SAY("%s/%s", end[0] ? state_names[end[0]] : "-", end[1] ? state_names[end[1]] : "-");
}

static void caught(int signal)
{
    (void)signal;
    hits++;
}

static void handle(int signal, bool restart)
{
    struct sigaction action = {.sa_handler = caught, .sa_flags = restart ? SA_RESTART : 0};
    sigaction(signal, &action, NULL);
}

/* Until the thread sleeps in the kernel. */
static void await_sleep(int tid)
{
    char path[64], line[512] = "";

    snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    do {
        const struct timespec moment = {0, 1000000};
        KERNEL(SYS_nanosleep, &moment, NULL);
        int stat = (int)KERNEL(SYS_openat, AT_FDCWD, path, O_RDONLY);
        long got = KERNEL(SYS_read, stat, line, sizeof line - 1);
        KERNEL(SYS_close, stat);
        line[got > 0 ? got : 0] = 0;
    } while (strrchr(line, ')') && strrchr(line, ')')[2] != 'S');
}

#endif
