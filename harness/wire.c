#include "wire.h"

#include "segment.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { TABLE = 32 };

struct tf_wire {
    struct nft_ctx *nft;
    char table[TABLE]; /* each of a sandbox's runs has its own */
};

static const char *const set_names[] = {[TF_WIRE_DARK] = "dark", [TF_WIRE_MUTE] = "mute"};

/* nft(8). %1$s: the table; %2$d: TF_TAG_TTL. The payload of a segment without its
 * FIN is an ACK's at least: tcp flags are set, since they cannot be cleared. */
static const char rules[] =
    "table inet %1$s {\n"
    " set dark4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; flags timeout, dynamic; }\n"
    " set mute4 { type ipv4_addr . inet_service . ipv4_addr . inet_service; flags timeout, dynamic; }\n"
    " set dark6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; flags timeout, dynamic; }\n"
    " set mute6 { type ipv6_addr . inet_service . ipv6_addr . inet_service; flags timeout, dynamic; }\n"
    " chain new4 {\n"
    "  delete @dark4 { ip saddr . tcp sport . ip daddr . tcp dport }\n"
    "  delete @dark4 { ip daddr . tcp dport . ip saddr . tcp sport }\n"
    "  delete @mute4 { ip saddr . tcp sport . ip daddr . tcp dport }\n"
    "  delete @mute4 { ip daddr . tcp dport . ip saddr . tcp sport }\n"
    " }\n"
    " chain new6 {\n"
    "  delete @dark6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport }\n"
    "  delete @dark6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport }\n"
    "  delete @mute6 { ip6 saddr . tcp sport . ip6 daddr . tcp dport }\n"
    "  delete @mute6 { ip6 daddr . tcp dport . ip6 saddr . tcp sport }\n"
    " }\n"
    " chain end {\n"
    "  tcp flags & rst == rst drop\n"
    "  tcp flags & psh == psh tcp flags set psh | ack accept\n"
    "  tcp flags set ack\n"
    " }\n"
    " chain arrives {\n"
    "  type filter hook input priority 0; policy accept;\n"
    "  meta l4proto != tcp accept\n"
    "  tcp flags & (syn | ack) == syn ip ttl %2$d drop\n"
    "  tcp flags & (syn | ack) == syn ip6 hoplimit %2$d drop\n"
    "  tcp flags & (syn | ack) == syn meta nfproto ipv4 jump new4\n"
    "  tcp flags & (syn | ack) == syn meta nfproto ipv6 jump new6\n"
    "  ip saddr . tcp sport . ip daddr . tcp dport @dark4 drop\n"
    "  ip6 saddr . tcp sport . ip6 daddr . tcp dport @dark6 drop\n"
    "  tcp flags & (fin | rst) == 0 accept\n"
    "  ip saddr . tcp sport . ip daddr . tcp dport @mute4 jump end\n"
    "  ip6 saddr . tcp sport . ip6 daddr . tcp dport @mute6 jump end\n"
    " }\n"
    "}\n";

/* 0, or -1 with *error filled from what nftables says. */
static int run(struct tf_wire *wire, const char *commands, struct tf_error *error)
{
    errno = 0;
    if (nft_run_cmd_from_buffer(wire->nft, commands) == 0)
        return 0;
    int number = errno ? errno : EPERM;
    char why[120];
    snprintf(why, sizeof why, "%s", nft_ctx_get_error_buffer(wire->nft));
    why[strcspn(why, "\n")] = '\0';
    tf_error_set(error, "nftables: %s", *why ? why : strerror(number));
    errno = number;
    return -1;
}

/* libnftables ends the process where it gets none. */
static bool has_netlink(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

struct tf_wire *tf_wire_open(struct tf_error *error)
{
    struct tf_wire *wire = calloc(1, sizeof *wire);
    char commands[2 * sizeof rules];
    if (!wire) {
        tf_error_set(error, "out of memory");
        return NULL;
    }
    if (!has_netlink()) {
        tf_error_errno(error, errno, "nftables");
        free(wire);
        return NULL;
    }
    wire->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!wire->nft || nft_ctx_buffer_error(wire->nft) || nft_ctx_buffer_output(wire->nft)) {
        tf_error_set(error, "nftables: out of memory");
        tf_wire_close(wire);
        return NULL;
    }
    snprintf(wire->table, sizeof wire->table, "tcpfault_%d", getpid());
    snprintf(commands, sizeof commands, rules, wire->table, TF_TAG_TTL);
    if (run(wire, commands, error)) {
        tf_wire_close(wire);
        return NULL;
    }
    return wire;
}

int tf_wire_add(struct tf_wire *wire, enum tf_wire_set set, const struct tf_endpoint *from,
                const struct tf_endpoint *to, uint64_t lasts_ns)
{
    char hosts[2][INET6_ADDRSTRLEN], timeout[40] = "", flow[2 * INET6_ADDRSTRLEN + 32], command[1024];
    const char *table = wire->table, *name = set_names[set];
    int family = from->family == 4 ? AF_INET : AF_INET6;
    struct tf_error error;
    if (from->family == 0 || from->family != to->family)
        return -EAFNOSUPPORT;
    inet_ntop(family, from->ip, hosts[0], sizeof hosts[0]);
    inet_ntop(family, to->ip, hosts[1], sizeof hosts[1]);
    if (lasts_ns)
        snprintf(timeout, sizeof timeout, " timeout %" PRIu64 "ms", (lasts_ns + 999999) / 1000000);
    snprintf(flow, sizeof flow, "%s . %u . %s . %u", hosts[0], from->port, hosts[1], to->port);
    /* An element that is there keeps its old timeout: it goes first, which it can
     * only where it is there. */
    snprintf(command, sizeof command,
             "add element inet %s %s%d { %s }\n"
             "delete element inet %s %s%d { %s }\n"
             "add element inet %s %s%d { %s%s }\n",
             table, name, from->family, flow, table, name, from->family, flow, table, name, from->family,
             flow, timeout);
    return run(wire, command, &error) ? -errno : 0;
}

void tf_wire_close(struct tf_wire *wire)
{
    if (!wire)
        return;
    if (wire->nft)
        nft_ctx_free(wire->nft);
    free(wire);
}
