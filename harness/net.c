#include "sandbox.h"

#include "supervisor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ATTEMPTS = 5, ANSWER_MS = 2000, SYN_RECV_MINISOCK = 12 /* TCP_NEW_SYN_RECV */ };

struct query {
    uint16_t port;
    bool (*each)(const struct tf_net_socket *socket, void *data);
    void *data;
    bool enough;
};

static const char *const state_names[] = {
    [TCP_ESTABLISHED] = "ESTABLISHED",
    [TCP_SYN_SENT] = "SYN_SENT",
    [TCP_SYN_RECV] = "SYN_RECV",
    [TCP_FIN_WAIT1] = "FIN_WAIT1",
    [TCP_FIN_WAIT2] = "FIN_WAIT2",
    [TCP_TIME_WAIT] = "TIME_WAIT",
    [TCP_CLOSE] = "CLOSE",
    [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
    [TCP_LAST_ACK] = "LAST_ACK",
    [TCP_LISTEN] = "LISTEN",
    [TCP_CLOSING] = "CLOSING",
};

enum { STATES = sizeof state_names / sizeof *state_names };

const char *tf_net_state_name(unsigned int state)
{
    return state < STATES ? state_names[state] : NULL;
}

unsigned int tf_net_state_number(const char *name)
{
    for (unsigned int state = 1; state < STATES; state++) {
        if (!strcmp(state_names[state], name))
            return state;
    }
    return 0;
}

static struct tf_endpoint endpoint(int family, const void *ip, uint16_t port)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    struct tf_endpoint result = {.family = family == AF_INET ? 4 : 6, .port = port};
    if (family == AF_INET6 && !memcmp(ip, mapped, sizeof mapped)) {
        result.family = 4;
        memcpy(result.ip, (const uint8_t *)ip + 12, 4);
    } else {
        memcpy(result.ip, ip, family == AF_INET ? 4 : 16);
    }
    return result;
}

static void offer(struct query *query, const struct tf_net_socket *socket)
{
    if (!query->enough &&
        (!query->port || socket->local.port == query->port || socket->peer.port == query->port))
        query->enough = !query->each(socket, query->data);
}

/* ---- inet_diag ---- */

static int on_message(const struct nlmsghdr *header, void *data)
{
    const struct inet_diag_msg *message = mnl_nlmsg_get_payload(header);
    if (mnl_nlmsg_get_payload_len(header) < sizeof *message)
        return MNL_CB_ERROR;
    struct tf_net_socket socket = {
        .state = message->idiag_state == SYN_RECV_MINISOCK ? TCP_SYN_RECV : message->idiag_state,
        .family = message->idiag_family,
        .local = endpoint(message->idiag_family, message->id.idiag_src, ntohs(message->id.idiag_sport)),
        .peer = endpoint(message->idiag_family, message->id.idiag_dst, ntohs(message->id.idiag_dport)),
        .receive_queue = message->idiag_rqueue,
        .send_queue = message->idiag_wqueue,
        .inode = message->idiag_inode,
        .timer = message->idiag_timer,
        .cookie = (uint64_t)message->id.idiag_cookie[1] << 32 | message->id.idiag_cookie[0]};
    offer(data, &socket);
    return MNL_CB_OK;
}

/* One dump. 0, or -1 with errno; EINTR: the table changed meanwhile, and rows may
 * be missing. */
static int dump(int fd, int family, struct query *query)
{
    static unsigned int sequence;
    char buffer[MNL_SOCKET_BUFFER_SIZE];
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    header->nlmsg_seq = ++sequence;
    struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof *request);
    request->sdiag_family = (uint8_t)family;
    request->sdiag_protocol = IPPROTO_TCP;
    request->idiag_states = ~0U;
    if (send(fd, header, header->nlmsg_len, 0) < 0)
        return -1;
    for (int result = MNL_CB_OK; result > MNL_CB_STOP;) {
        struct pollfd answer = {.fd = fd, .events = POLLIN};
        int ready = poll(&answer, 1, ANSWER_MS);
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0) {
            errno = ETIMEDOUT;
            return -1;
        }
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got < 0)
            return -1;
        /* A stale answer, of a dump that timed out: libmnl says EPROTO. */
        result = mnl_cb_run(buffer, (size_t)got, sequence, 0, on_message, query);
        if (result == MNL_CB_ERROR && errno == EPROTO)
            result = MNL_CB_OK;
        else if (result == MNL_CB_ERROR)
            return -1;
    }
    return 0;
}

static int by_netlink(const struct tf_sandbox *sandbox, struct query *query)
{
    int fd = sandbox ? tf_sandbox_diag_fd(sandbox)
                     : socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    if (fd < 0)
        return -1;
    int result = dump(fd, AF_INET, query);
    if (!result && !query->enough)
        result = dump(fd, AF_INET6, query);
    int saved = errno;
    if (!sandbox)
        close(fd);
    errno = saved;
    return result;
}

/* ---- /proc/net/tcp, proc(5) ---- */

static void parse_line(const char *line, int family, struct query *query)
{
    char local[33], peer[33];
    unsigned int local_port, peer_port, state, send_queue, receive_queue;
    uint64_t inode;
    if (sscanf(line, " %*d: %32[0-9A-F]:%4X %32[0-9A-F]:%4X %2X %8X:%8X %*s %*s %*s %*s %" SCNu64, local,
               &local_port, peer, &peer_port, &state, &send_queue, &receive_queue, &inode) != 8)
        return;
    uint32_t words[2][4] = {0};
    for (int i = 0; i < (family == AF_INET ? 1 : 4); i++) {
        sscanf(local + 8 * i, "%8" SCNx32, &words[0][i]);
        sscanf(peer + 8 * i, "%8" SCNx32, &words[1][i]);
    }
    struct tf_net_socket socket = {.state = (uint8_t)state,
                                   .family = (uint8_t)family,
                                   .local = endpoint(family, words[0], (uint16_t)local_port),
                                   .peer = endpoint(family, words[1], (uint16_t)peer_port),
                                   .receive_queue = receive_queue,
                                   .send_queue = send_queue,
                                   .inode = inode,
                                   .timer = TF_TIMER_UNKNOWN};
    offer(query, &socket);
}

static int by_proc(const struct tf_sandbox *sandbox, struct query *query)
{
    int opened = 0;
    for (int i = 0; i < 2; i++) {
        char path[64], line[512];
        const char *table = i ? "tcp6" : "tcp";
        if (sandbox)
            snprintf(path, sizeof path, "/proc/%d/net/%s", tf_sandbox_pid(sandbox), table);
        else
            snprintf(path, sizeof path, "/proc/net/%s", table);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        opened++;
        while (fgets(line, sizeof line, file))
            parse_line(line, i ? AF_INET6 : AF_INET, query);
        fclose(file);
    }
    return opened ? 0 : -1;
}

static bool gather(const struct tf_net_socket *socket, void *data)
{
    struct tf_net_rows *rows = data;
    if (rows->count == rows->room) {
        size_t room = rows->room ? 2 * rows->room : 64;
        struct tf_net_socket *row = realloc(rows->row, room * sizeof *row);
        if (!row)
            return false;
        rows->row = row;
        rows->room = room;
    }
    rows->row[rows->count++] = *socket;
    return true;
}

int tf_net_rows(const struct tf_sandbox *sandbox, uint16_t port, struct tf_net_rows *rows,
                struct tf_error *error)
{
    int result = -1;
    *rows = (struct tf_net_rows){0};
    /* A dump that the table's changes interrupted is made again. */
    for (int attempt = 0; attempt < ATTEMPTS && result; attempt++) {
        struct query query = {.port = port, .each = gather, .data = rows};
        rows->count = 0;
        result = by_netlink(sandbox, &query);
        if (result && errno != EINTR)
            break;
    }
    if (result) {
        struct query query = {.port = port, .each = gather, .data = rows};
        rows->count = 0;
        result = by_proc(sandbox, &query);
    }
    return result ? tf_error_errno(error, errno, "reading the table of TCP sockets") : 0;
}

int tf_net_sockets(const struct tf_sandbox *sandbox, uint16_t port,
                   bool (*each)(const struct tf_net_socket *socket, void *data), void *data,
                   struct tf_error *error)
{
    struct tf_net_rows rows;
    int result = tf_net_rows(sandbox, port, &rows, error);
    for (size_t i = 0; !result && i < rows.count && each(&rows.row[i], data); i++)
        ;
    free(rows.row);
    return result;
}

struct listener {
    uint16_t port;
    bool found;
};

static bool is_listener(const struct tf_net_socket *socket, void *data)
{
    struct listener *asked = data;
    asked->found = socket->state == TCP_LISTEN && socket->local.port == asked->port;
    return !asked->found;
}

int tf_net_listening(const struct tf_sandbox *sandbox, uint16_t port, struct tf_error *error)
{
    struct listener asked = {port, false};
    if (tf_net_sockets(sandbox, port, is_listener, &asked, error))
        return -1;
    return asked.found;
}
