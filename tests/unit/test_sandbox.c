#include "sandbox_run.h"
#include "unit.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PYTHON "exec /usr/bin/python3 -c '"

/* A listener of our own on the loopback device; its port. */
static int listener(int family, uint16_t *port)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr *address = family == AF_INET ? (struct sockaddr *)&four : (struct sockaddr *)&six;
    socklen_t length = family == AF_INET ? sizeof four : sizeof six;
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(fd, address, length) || listen(fd, 5) || getsockname(fd, address, &length)) {
        close(fd);
        return -1;
    }
    *port = ntohs(family == AF_INET ? four.sin_port : six.sin6_port);
    return fd;
}

static void a_listener_is_seen_and_its_end(void)
{
    static const int families[] = {AF_INET, AF_INET6};
    for (int i = 0; i < 2; i++) {
        uint16_t port;
        int fd = listener(families[i], &port);
        if (fd < 0 && families[i] == AF_INET6)
            continue; /* no IPv6 here */
        CU_ASSERT_EQUAL(tf_net_listening(NULL, port, NULL), 1);
        close(fd);
        CU_ASSERT_EQUAL(tf_net_listening(NULL, port, NULL), 0);
    }
}

struct states {
    int count[16];
    struct tf_net_socket last;
};

static bool count_states(const struct tf_net_socket *socket, void *data)
{
    struct states *states = data;
    states->count[socket->state & 15]++;
    states->last = *socket;
    return true;
}

static void states_are_those_of_the_kernel(void)
{
    uint16_t port;
    int fd = listener(AF_INET, &port);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    int server = accept(fd, NULL, NULL);
    struct states states = {0};
    CU_ASSERT_EQUAL(tf_net_sockets(NULL, port, count_states, &states, NULL), 0);
    CU_ASSERT_EQUAL(states.count[TCP_LISTEN], 1);
    CU_ASSERT_EQUAL(states.count[TCP_ESTABLISHED], 2);
    CU_ASSERT_EQUAL(states.last.local.family, 4);
    CU_ASSERT_EQUAL(states.last.local.ip[0], 127);
    close(client);
    states = (struct states){0};
    tf_net_sockets(NULL, port, count_states, &states, NULL);
    CU_ASSERT_EQUAL(states.count[TCP_CLOSE_WAIT], 1);
    /* The FIN's acknowledgement may be delayed. */
    CU_ASSERT_EQUAL(states.count[TCP_FIN_WAIT1] + states.count[TCP_FIN_WAIT2], 1);
    close(server);
    close(fd);
    states = (struct states){0};
    tf_net_sockets(NULL, port, count_states, &states, NULL);
    CU_ASSERT_EQUAL(states.count[TCP_TIME_WAIT], 1);
    CU_ASSERT_EQUAL(states.count[TCP_LISTEN], 0);
}

static void mapped_addresses_are_ipv4(void)
{
    uint16_t port;
    int fd = listener(AF_INET, &port);
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr);
    int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client >= 0 && !connect(client, (struct sockaddr *)&address, sizeof address)) {
        struct states states = {0};
        tf_net_sockets(NULL, port, count_states, &states, NULL);
        CU_ASSERT_EQUAL(states.last.family, AF_INET6); /* the second table */
        CU_ASSERT_EQUAL(states.last.peer.family, 4);
        CU_ASSERT_EQUAL(states.last.peer.port, port);
    }
    close(client);
    close(fd);
}

static void states_have_names(void)
{
    for (unsigned int state = TCP_ESTABLISHED; state <= TCP_CLOSING; state++)
        CU_ASSERT_EQUAL(tf_net_state_number(tf_net_state_name(state)), state);
    CU_ASSERT_EQUAL(tf_net_state_number("TIMEWAIT"), 0);
    CU_ASSERT_PTR_NULL(tf_net_state_name(0));
    CU_ASSERT_PTR_NULL(tf_net_state_name(99));
}

static void loopback_is_up_in_a_private_network(void)
{
    struct tf_unit_run run;
    if (tf_unit_open(&run, TF_SANDBOX_PRIVATE))
        return;
    tf_unit_sh(&run,
               PYTHON "import socket\n"
                      "for family, host in ((socket.AF_INET, \"127.0.0.1\"), (socket.AF_INET6, \"::1\")):\n"
                      "    server = socket.create_server((host, 4321), family=family)\n"
                      "    socket.create_connection((host, 4321)).send(b\"x\")\n"
                      "    print(server.accept()[0].recv(9))\n"
                      "print(len(socket.if_nameindex()))'",
               NULL);
    TF_SAME(run.out, tf_sandbox_probe()->ipv6 ? "b'x'\nb'x'\n1\n" : "b'x'\n");
    tf_unit_close(&run);
}

static void the_same_port_in_two_sandboxes(void)
{
    struct tf_unit_run run[2];
    if (tf_unit_open(&run[0], TF_SANDBOX_PRIVATE))
        return;
    if (!tf_unit_open(&run[1], TF_SANDBOX_PRIVATE)) {
        for (int i = 0; i < 2; i++) {
            CU_ASSERT_EQUAL(tf_net_listening(run[i].sandbox, 4321, NULL), 0);
            tf_unit_start(&run[i],
                          PYTHON "import socket, time\n"
                                 "s = socket.create_server((\"127.0.0.1\", 4321)); time.sleep(100)'",
                          NULL);
        }
        for (int i = 0; i < 2; i++) {
            for (int turns = 0; turns < 200 && !tf_net_listening(run[i].sandbox, 4321, NULL); turns++)
                tf_unit_turn(&run[i], 25);
            CU_ASSERT_EQUAL(tf_net_listening(run[i].sandbox, 4321, NULL), 1);
        }
        tf_unit_close(&run[1]);
    }
    tf_unit_close(&run[0]);
}

static uint64_t network_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t length = sizeof cookie;
    CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &length), 0);
    return cookie;
}

static void a_socket_belongs_to_the_sandbox(void)
{
    static const enum tf_sandbox_kind kinds[] = {TF_SANDBOX_HOST, TF_SANDBOX_PRIVATE};
    int own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
        socklen_t length = sizeof address;
        struct tf_unit_run run;
        if (tf_unit_open(&run, kinds[i]))
            continue;
        int fd = -1, got = tf_sandbox_sockets(run.sandbox, AF_INET, &fd, 1, &run.error);
        TF_CHECK(got == 0, "%s", run.error.text);
        CU_ASSERT_EQUAL(fcntl(fd, F_GETFD), FD_CLOEXEC);
        CU_ASSERT(fcntl(fd, F_GETFL) & O_NONBLOCK);
        CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, length), 0);
        CU_ASSERT_EQUAL(listen(fd, 1), 0);
        CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&address, &length), 0);
        uint16_t port = ntohs(address.sin_port);
        CU_ASSERT_EQUAL(tf_net_listening(run.sandbox, port, NULL), 1);
        CU_ASSERT_EQUAL(network_of(fd) == network_of(own), kinds[i] == TF_SANDBOX_HOST);
        close(fd);
        CU_ASSERT_EQUAL(tf_net_listening(run.sandbox, port, NULL), 0);
        CU_ASSERT_EQUAL(tf_sandbox_sockets(run.sandbox, 12345, &fd, 1, &run.error), -1);
        TF_SAME(run.error.text, "socket: Address family not supported by protocol");
        tf_unit_close(&run);
    }
    close(own);
}

/* Its own network is what a raw socket may reach: not the host's. */
static void a_raw_socket_belongs_to_a_private_sandbox(void)
{
    struct tf_unit_run run;
    int own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), type = 0;
    socklen_t length = sizeof type;
    if (tf_unit_open(&run, TF_SANDBOX_HOST) == 0) {
        CU_ASSERT_EQUAL(tf_sandbox_raw_socket(run.sandbox, AF_INET, &run.error), -1);
        TF_SAME(run.error.text, "a raw socket needs a private network");
        tf_unit_close(&run);
    }
    if (tf_unit_open(&run, TF_SANDBOX_PRIVATE) == 0) {
        int fd = tf_sandbox_raw_socket(run.sandbox, AF_INET, &run.error);
        TF_CHECK(fd >= 0, "%s", run.error.text);
        CU_ASSERT_EQUAL(getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length), 0);
        CU_ASSERT_EQUAL(type, SOCK_RAW);
        CU_ASSERT_NOT_EQUAL(network_of(fd), network_of(own));
        close(fd);
        tf_unit_close(&run);
    }
    close(own);
}

/* The lowest number that is free. */
static int next_fd(void)
{
    int fd = dup(0);
    close(fd);
    return fd;
}

static void sockets_beyond_the_limit_are_an_error_and_none_is_left(void)
{
    struct rlimit limit, less;
    struct tf_unit_run run;
    int fds[TF_SOCKETS_MAX], first;
    if (tf_unit_open(&run, TF_SANDBOX_HOST))
        return;
    first = next_fd();
    getrlimit(RLIMIT_NOFILE, &limit);
    less = (struct rlimit){.rlim_cur = (rlim_t)first + 5, .rlim_max = limit.rlim_max};
    setrlimit(RLIMIT_NOFILE, &less);
    int refused = tf_sandbox_sockets(run.sandbox, AF_INET, fds, TF_SOCKETS_MAX, &run.error);
    setrlimit(RLIMIT_NOFILE, &limit);
    CU_ASSERT_EQUAL(refused, -1);
    TF_SAME(run.error.text, "socket: Too many open files");
    CU_ASSERT_EQUAL(next_fd(), first);
    CU_ASSERT_EQUAL(tf_sandbox_sockets(run.sandbox, AF_INET6, fds, TF_SOCKETS_MAX, &run.error), 0);
    CU_ASSERT_EQUAL(next_fd(), first + TF_SOCKETS_MAX);
    for (int i = 0; i < TF_SOCKETS_MAX; i++)
        close(fds[i]);
    tf_unit_close(&run);
}

static void counters_are_the_network_s_own(void)
{
    struct tf_unit_run run;
    struct tf_error error;
    uint64_t here = 0, inside = 1;
    CU_ASSERT_EQUAL(tf_net_counter(NULL, "ListenDrops", &here, &error), 0);
    CU_ASSERT_EQUAL(tf_net_counter(NULL, "InOctets", &here, &error), 0); /* of the second pair of lines */
    CU_ASSERT_EQUAL(tf_net_counter(NULL, "ListenDrop", &here, &error), -1);
    TF_SAME(error.text, "/proc/net/netstat has no ListenDrop");
    if (tf_unit_open(&run, TF_SANDBOX_PRIVATE))
        return;
    CU_ASSERT_EQUAL(tf_net_counter(run.sandbox, "ListenDrops", &inside, &error), 0);
    CU_ASSERT_EQUAL(inside, 0);
    tf_unit_close(&run);
}

static void a_sysctl_is_set_inside_only(void)
{
    struct tf_unit_run run;
    if (tf_unit_open(&run, TF_SANDBOX_PRIVATE))
        return;
    CU_ASSERT_EQUAL(tf_sandbox_sysctl(run.sandbox, "net.ipv4.tcp_syn_retries", "1", &run.error), 0);
    tf_unit_sh(&run, "cat /proc/sys/net/ipv4/tcp_syn_retries", NULL);
    TF_SAME(run.out, "1\n");
    CU_ASSERT_EQUAL(tf_sandbox_sysctl(run.sandbox, "net.ipv4.no_such", "1", &run.error), -1);
    TF_SAME(run.error.text, "sysctl net.ipv4.no_such: No such file or directory");
    CU_ASSERT_EQUAL(tf_sandbox_sysctl(run.sandbox, "kernel.panic", "1", &run.error), -1);
    tf_unit_close(&run);
    if (tf_unit_open(&run, TF_SANDBOX_HOST))
        return;
    CU_ASSERT_EQUAL(tf_sandbox_sysctl(run.sandbox, "net.ipv4.tcp_syn_retries", "1", &run.error), -1);
    tf_unit_close(&run);
}

static void programs_see_their_own_processes_only(void)
{
    struct tf_unit_run run;
    if (tf_unit_open(&run, TF_SANDBOX_PRIVATE))
        return;
    if (tf_sandbox_probe()->fresh_proc) {
        tf_unit_sh(&run, "cat /proc/1/comm; test -d /proc/self; echo $?; echo $$", NULL);
        char expected[64];
        snprintf(expected, sizeof expected, "tcpfault-init\n0\n%d\n", tf_program_inner_pid(run.program));
        TF_SAME(run.out, expected);
    }
    tf_unit_close(&run);
}

/* In a process of another user's: fails where a check did. */
static int as_an_ordinary_user(void)
{
    struct tf_unit_run run;
    char expected[128];
    if (geteuid() == 0 && (setresgid(65534, 65534, 65534) || setresuid(65534, 65534, 65534)))
        return 1;
    unsigned int before = CU_get_number_of_failures();
    if (tf_unit_open(&run, TF_SANDBOX_PRIVATE))
        return 2;
    tf_unit_sh(&run, "id -u; id -g; grep CapEff /proc/self/status", NULL);
    snprintf(expected, sizeof expected, "%u\n%u\nCapEff:\t0000000000000000\n", geteuid(), getegid());
    int same = run.out && !strcmp(run.out, expected);
    same = same && !tf_sandbox_sysctl(run.sandbox, "net.ipv4.tcp_fin_timeout", "7", &run.error);
    same = same && !tf_sandbox_stop(run.sandbox, &run.error);
    tf_unit_close(&run);
    return same && CU_get_number_of_failures() == before ? 0 : 3;
}

static void an_ordinary_user_keeps_the_id_and_has_no_capability(void)
{
    int status = -1;
    if (!tf_sandbox_probe()->private_network)
        return;
    pid_t child = fork();
    if (child == 0)
        _exit(as_an_ordinary_user());
    waitpid(child, &status, 0);
    /* 2: this machine permits it to root alone. */
    TF_CHECK(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 2), "wait status %d",
             status);
}

static void the_probe_is_consistent(void)
{
    const struct tf_permits *permits = tf_sandbox_probe();
    CU_ASSERT_EQUAL(permits->private_network, !*permits->why);
    CU_ASSERT_PTR_EQUAL(permits, tf_sandbox_probe());
}

static void reserved_ports_are_free_and_differ(void)
{
    enum { COUNT = 20 };
    struct tf_port port[COUNT];
    struct tf_error error;
    for (int i = 0; i < COUNT; i++) {
        int reserved = tf_port_reserve(&port[i], &error);
        TF_CHECK(reserved == 0, "%s", error.text);
        if (reserved)
            return;
        for (int j = 0; j < i; j++)
            CU_ASSERT_NOT_EQUAL(port[i].number, port[j].number);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port[i].number)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
        close(fd);
    }
    /* Another process does not get one of them, as long as they are held. */
    pid_t child = fork();
    if (child == 0) {
        struct tf_port other;
        int clash = 0;
        for (int i = 0; i < 200 && !clash && !tf_port_reserve(&other, NULL); i++)
            for (int j = 0; j < COUNT; j++)
                clash = clash || other.number == port[j].number;
        _exit(clash);
    }
    int status;
    waitpid(child, &status, 0);
    CU_ASSERT_EQUAL(status, 0);
    for (int i = 0; i < COUNT; i++)
        tf_port_release(&port[i]);
}

TF_SUITE(sandbox, TF_TEST(a_listener_is_seen_and_its_end), TF_TEST(states_are_those_of_the_kernel),
         TF_TEST(mapped_addresses_are_ipv4), TF_TEST(states_have_names),
         TF_TEST(loopback_is_up_in_a_private_network), TF_TEST(the_same_port_in_two_sandboxes),
         TF_TEST(a_socket_belongs_to_the_sandbox), TF_TEST(a_raw_socket_belongs_to_a_private_sandbox),
         TF_TEST(sockets_beyond_the_limit_are_an_error_and_none_is_left),
         TF_TEST(counters_are_the_network_s_own), TF_TEST(a_sysctl_is_set_inside_only),
         TF_TEST(programs_see_their_own_processes_only),
         TF_TEST(an_ordinary_user_keeps_the_id_and_has_no_capability), TF_TEST(the_probe_is_consistent),
         TF_TEST(reserved_ports_are_free_and_differ))
