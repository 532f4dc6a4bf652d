/* Resets from the network, and packets that it loses. */
#include "peer.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REPAIR_OFF_NO_PROBE = -1, IPV6_CHECKSUM_OPTION = 7 };

static uint32_t ones_sum(uint32_t sum, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)at[i] << 8 | at[i + 1];
    return sum;
}

/* RFC 9293, 3.1: over the pseudo-header, too. IPv6's the kernel fills in. */
static uint16_t checksum(const struct sockaddr_in *from, const struct sockaddr_in *to,
                         const struct tcphdr *header)
{
    uint32_t sum = IPPROTO_TCP + sizeof *header;
    sum = ones_sum(sum, &from->sin_addr, 4);
    sum = ones_sum(sum, &to->sin_addr, 4);
    sum = ones_sum(sum, header, sizeof *header);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static int send_reset(const struct sockaddr_storage *from, const struct sockaddr_storage *to,
                      uint32_t sequence)
{
    int family = from->ss_family, at = offsetof(struct tcphdr, check);
    struct sockaddr_storage source = *from, target = *to;
    struct sockaddr_in *in[2] = {(struct sockaddr_in *)&source, (struct sockaddr_in *)&target};
    struct tcphdr header = {.source = in[0]->sin_port, /* both families have it there */
                            .dest = in[1]->sin_port,
                            .seq = htonl(sequence),
                            .doff = sizeof header / 4,
                            .rst = 1};
    socklen_t length = family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);

    int raw = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    if (raw < 0)
        return -1;
    if (family == AF_INET)
        header.check = checksum(in[0], in[1], &header);
    else
        setsockopt(raw, IPPROTO_IPV6, IPV6_CHECKSUM_OPTION, &at, sizeof at);
    in[0]->sin_port = in[1]->sin_port = 0;
    int result = -1;
    if (bind(raw, (struct sockaddr *)&source, length) == 0)
        result = sendto(raw, &header, sizeof header, 0, (struct sockaddr *)&target, length) < 0 ? -1 : 0;
    close(raw);
    return result;
}

static int sequence_of(int fd, int queue, uint32_t *sequence)
{
    socklen_t length = sizeof *sequence;
    if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof queue))
        return -1;
    return getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, sequence, &length);
}

/* A middlebox that gives up a connection resets both ends of it. The numbers that
 * both will accept are in the peer's socket (TCP_REPAIR); of what that has sent,
 * lost_bytes did not arrive. */
int wire_forge_reset(const struct peer *peer, uint32_t lost_bytes)
{
    int on = 1, off = REPAIR_OFF_NO_PROBE, fd = peer->connection;
    uint32_t sent = 0, received = 0;
    struct sockaddr_storage here, there;
    socklen_t length = sizeof here;

    if (getsockname(fd, (struct sockaddr *)&here, &length))
        return -1;
    length = sizeof there;
    if (getpeername(fd, (struct sockaddr *)&there, &length) ||
        setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof on))
        return -1;
    int result =
        sequence_of(fd, TCP_SEND_QUEUE, &sent) || sequence_of(fd, TCP_RECV_QUEUE, &received) ? -1 : 0;
    setsockopt(fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof off);
    if (result == 0)
        result = send_reset(&here, &there, sent - lost_bytes);
    if (result == 0)
        result = send_reset(&there, &here, received);
    return result;
}

/* The sets are made by world.c. */
static int change(const struct peer *peer, const char *verb, const char *what)
{
    char command[PROBE_TEXT];
    snprintf(command, sizeof command, "nft %s element inet wire %s '{ %d, %d }'", verb, what,
             probe_port(peer->number, PORT_PEER), probe_port(peer->number, PORT_SUBJECT));
    int status = system(command);
    errno = EPERM;
    return status ? -1 : 0;
}

int wire_lose(const struct peer *peer, const char *what)
{
    return change(peer, "add", what);
}

int wire_heal(const struct peer *peer, const char *what)
{
    return change(peer, "delete", what);
}
