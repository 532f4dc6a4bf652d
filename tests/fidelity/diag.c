#include "peer.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LISTENING = 10, SAMPLES = 6, SAMPLE_MS = 20 };

struct ends {
    unsigned subject, peer;
};

static void look(const struct peer *peer, const struct inet_diag_msg *row, struct ends *ends)
{
    int ports[] = {probe_port(peer->number, PORT_PEER), probe_port(peer->number, PORT_SUBJECT)};
    int here = ntohs(row->id.idiag_sport), there = ntohs(row->id.idiag_dport);

    if (row->idiag_state == LISTENING)
        return;
    if (there == ports[PORT_PEER] || here == ports[PORT_SUBJECT])
        ends->subject = row->idiag_state;
    else if (here == ports[PORT_PEER] || there == ports[PORT_SUBJECT])
        ends->peer = row->idiag_state;
}

static int dump(const struct peer *peer, struct ends *ends)
{
    static char buffer[1 << 15] __attribute__((aligned(8)));
    struct {
        struct nlmsghdr header;
        struct inet_diag_req_v2 request;
    } ask = {.header = {.nlmsg_len = sizeof ask,
                        .nlmsg_type = SOCK_DIAG_BY_FAMILY,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
             .request = {
                 .sdiag_family = (uint8_t)peer->family, .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U}};
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
    int result = fd < 0 || send(fd, &ask, sizeof ask, 0) < 0 ? -1 : 1;

    *ends = (struct ends){0, 0};
    while (result == 1) {
        ssize_t got = recv(fd, buffer, sizeof buffer, 0);
        if (got <= 0)
            result = -1;
        size_t left = got > 0 ? (size_t)got : 0;
        for (struct nlmsghdr *row = (struct nlmsghdr *)buffer; result == 1 && NLMSG_OK(row, left);
             row = NLMSG_NEXT(row, left)) {
            if (row->nlmsg_type == NLMSG_DONE)
                result = 0;
            else if (row->nlmsg_type == NLMSG_ERROR)
                result = -1;
            else
                look(peer, NLMSG_DATA(row), ends);
        }
    }
    if (fd >= 0)
        close(fd);
    return result;
}

void diag_states(const struct peer *peer, char *out, size_t size)
{
    struct ends before = {0, 0}, now;

    for (int same = 0, tries = 0; same < SAMPLES && tries < 100; tries++) {
        if (dump(peer, &now)) {
            snprintf(out, size, "no answer from sock_diag");
            return;
        }
        same = now.subject == before.subject && now.peer == before.peer ? same + 1 : 0;
        before = now;
        if (same < SAMPLES)
            probe_sleep_ms(SAMPLE_MS);
    }
    snprintf(out, size, "%s %s", probe_state_name(before.subject), probe_state_name(before.peer));
}
