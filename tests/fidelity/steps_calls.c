/* The calls that a fault can strike, and those that come after it. */
#include "subject.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int flags(const struct subject *subject)
{
    return subject->mode == MODE_BLOCKING ? 0 : SOCK_NONBLOCK;
}

static void step_socket(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    int fd = socket(subject->family, SOCK_STREAM | flags(subject), 0);
    probe_show_result(fd < 0 ? -1 : 0, out, size);
    if (fd >= 0)
        subject->at = fd;
}

/* "peer", "other:any", "subject:unreachable": a port, and a place. */
static socklen_t address_of(const struct subject *subject, const char *argument,
                            struct sockaddr_storage *address)
{
    static const struct {
        const char *name;
        enum probe_port port;
    } ports[] = {{"other", PORT_OTHER}, {"rival", PORT_RIVAL}, {"subject", PORT_SUBJECT}};
    static const struct {
        const char *name;
        enum probe_place place;
    } places[] = {{":unreachable", PLACE_UNREACHABLE},
                  {":prohibited", PLACE_PROHIBITED},
                  {":nowhere", PLACE_NOWHERE},
                  {":any", PLACE_ANY}};
    int port = probe_port(subject->number, PORT_PEER);
    enum probe_place place = PLACE_HERE;

    for (size_t i = 0; i < sizeof ports / sizeof *ports; i++)
        if (strncmp(argument, ports[i].name, strlen(ports[i].name)) == 0)
            port = probe_port(subject->number, ports[i].port);
    if (strncmp(argument, "privileged", 10) == 0)
        port = 80;
    if (strncmp(argument, "free", 4) == 0)
        port = 0;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (strstr(argument, places[i].name))
            place = places[i].place;
    return probe_address(address, subject->family, place, port);
}

static void step_bind(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct sockaddr_storage address;
    socklen_t length = address_of(subject, argument, &address);
    probe_show_result(bind(subject->at, (struct sockaddr *)&address, length), out, size);
}

static void step_listen(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    probe_show_result(listen(subject->at, 16), out, size);
}

/* The new connection is where "use:connection" goes. */
static void step_accept(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    int fd = accept4(subject->listener, NULL, NULL, flags(subject));
    probe_show_result(fd < 0 ? -1 : 0, out, size);
    if (fd >= 0)
        subject->connection = fd;
}

static void step_connect(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct sockaddr_storage address;
    socklen_t length = address_of(subject, argument, &address);
    probe_show_result(connect(subject->at, (struct sockaddr *)&address, length), out, size);
}

static void step_close(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    probe_show_result(close(subject->at), out, size);
    for (int i = 0; i < WATCHED; i++)
        if (subject->watched[i] == subject->at)
            subject->watched[i] = -1;
}

static void step_shutdown(struct subject *subject, const char *argument, char *out, size_t size)
{
    int how = strcmp(argument, "rd") == 0 ? SHUT_RD : strcmp(argument, "wr") == 0 ? SHUT_WR : SHUT_RDWR;
    probe_show_result(shutdown(subject->at, how), out, size);
}

static void step_peername(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    (void)argument;
    if (getpeername(subject->at, (struct sockaddr *)&address, &length))
        probe_show_result(-1, out, size);
    else
        probe_show_address(&address, subject->number, out, size);
}

static void step_sockname(struct subject *subject, const char *argument, char *out, size_t size)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    (void)argument;
    if (getsockname(subject->at, (struct sockaddr *)&address, &length))
        probe_show_result(-1, out, size);
    else
        probe_show_address(&address, subject->number, out, size);
}

struct option {
    const char *name;
    int family; /* of sockets that have it; AF_UNSPEC: any */
    int level, name_in_c;
};

static const struct option options[] = {
    {"keepalive", AF_UNSPEC, SOL_SOCKET, SO_KEEPALIVE},
    {"keepidle", AF_UNSPEC, IPPROTO_TCP, TCP_KEEPIDLE},
    {"keepintvl", AF_UNSPEC, IPPROTO_TCP, TCP_KEEPINTVL},
    {"mark", AF_UNSPEC, SOL_SOCKET, SO_MARK},
    {"minttl", AF_INET, IPPROTO_IP, IP_MINTTL},
    {"minttl", AF_INET6, IPPROTO_IPV6, IPV6_MINHOPCOUNT},
    {"nodelay", AF_UNSPEC, IPPROTO_TCP, TCP_NODELAY},
    {"pacing", AF_UNSPEC, SOL_SOCKET, SO_MAX_PACING_RATE},
    {"rcvlowat", AF_UNSPEC, SOL_SOCKET, SO_RCVLOWAT},
    {"reuseaddr", AF_UNSPEC, SOL_SOCKET, SO_REUSEADDR},
    {"sndbuf", AF_UNSPEC, SOL_SOCKET, SO_SNDBUF},
    {"ttl", AF_INET, IPPROTO_IP, IP_TTL},
    {"ttl", AF_INET6, IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {"unknown", AF_UNSPEC, IPPROTO_TCP, 250 /* to any kernel */},
    {"usertimeout", AF_UNSPEC, IPPROTO_TCP, TCP_USER_TIMEOUT},
};

static const struct option *option_of(const struct subject *subject, const char *argument)
{
    size_t length = strcspn(argument, ":");
    for (size_t i = 0; i < sizeof options / sizeof *options; i++)
        if (strlen(options[i].name) == length && strncmp(options[i].name, argument, length) == 0 &&
            (options[i].family == AF_UNSPEC || options[i].family == subject->family))
            return &options[i];
    fprintf(stderr, "no such option: %s\n", argument);
    exit(2);
}

/* "nodelay", "usertimeout:300"; the value is 1 where none is given. */
static void step_setsockopt(struct subject *subject, const char *argument, char *out, size_t size)
{
    const struct option *option = option_of(subject, argument);
    const char *given = strchr(argument, ':');
    int value = given ? atoi(given + 1) : 1;
    probe_show_result(setsockopt(subject->at, option->level, option->name_in_c, &value, sizeof value), out,
                      size);
}

static void step_getsockopt(struct subject *subject, const char *argument, char *out, size_t size)
{
    const struct option *option = option_of(subject, argument);
    int value = 0;
    socklen_t length = sizeof value;
    if (getsockopt(subject->at, option->level, option->name_in_c, &value, &length))
        probe_show_result(-1, out, size);
    else
        snprintf(out, size, "%d", value);
}

static void step_error(struct subject *subject, const char *argument, char *out, size_t size)
{
    int error = 0;
    socklen_t length = sizeof error;
    (void)argument;
    if (getsockopt(subject->at, SOL_SOCKET, SO_ERROR, &error, &length))
        probe_show_result(-1, out, size);
    else
        snprintf(out, size, "%s", error ? strerrorname_np(error) : "none");
}

static void step_dup(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    subject->duplicate = dup(subject->at);
    probe_show_result(subject->duplicate < 0 ? -1 : 0, out, size);
}

static void step_fcntl(struct subject *subject, const char *argument, char *out, size_t size)
{
    (void)argument;
    subject->duplicate = fcntl(subject->at, F_DUPFD_CLOEXEC, 0);
    probe_show_result(subject->duplicate < 0 ? -1 : 0, out, size);
}

const struct step steps_calls[] = {
    {"accept", step_accept},
    {"bind", step_bind},
    {"close", step_close},
    {"connect", step_connect},
    {"dup", step_dup},
    {"error", step_error},
    {"fcntl", step_fcntl},
    {"getsockopt", step_getsockopt},
    {"listen", step_listen},
    {"peername", step_peername},
    {"setsockopt", step_setsockopt},
    {"shutdown", step_shutdown},
    {"socket", step_socket},
    {"sockname", step_sockname},
    {0},
};
