/* Probes of a private network, which this process is in; and those of netlink. */
#include "doctor_try.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/inet_diag.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/sock_diag.h>
#include <nftables/libnftables.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void tf_try_fresh_proc(struct tf_probed *finding)
{
    char self[32] = "";
    if (readlink("/proc/self", self, sizeof self - 1) < 0 || atoi(self) != getpid())
        tf_refused(finding, 0, TF_CAUSE_masked_proc, "/proc there is the one of the host");
    else
        tf_works(finding, "%s", "");
}

void tf_try_ipv6_private(struct tf_probed *finding)
{
    tf_try_ipv6(finding);
}

/* What it is already, written again. */
void tf_try_sysctl(struct tf_probed *finding)
{
    const char *path = "/proc/sys/net/ipv4/tcp_syn_retries";
    char value[16];
    int length = snprintf(value, sizeof value, "%ld", tf_doctor_number(path));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, value, (size_t)length) != length)
        tf_refused(finding, errno,
                   errno == EROFS ? TF_CAUSE_masked_proc : tf_cause_of_eperm(TF_CAUSE_unknown), path);
    else
        tf_works(finding, "%s", "");
}

/* ---- netlink ---- */

static int exchange(int fd, const struct nlmsghdr *request, struct nlmsghdr *answer, size_t size)
{
    if (send(fd, request, request->nlmsg_len, 0) < 0)
        return errno;
    if (!tf_readable(fd, 2000))
        return ETIMEDOUT;
    ssize_t got = recv(fd, answer, size, 0);
    if (got < 0)
        return errno;
    if (!mnl_nlmsg_ok(answer, (int)got))
        return EPROTO;
    if (answer->nlmsg_type != NLMSG_ERROR)
        return 0;
    return -((const struct nlmsgerr *)mnl_nlmsg_get_payload(answer))->error;
}

/* Sends a request that asks for an acknowledgement, or for a dump. 0, or an errno. */
static int ask(int protocol, const struct nlmsghdr *request)
{
    char answer[MNL_SOCKET_BUFFER_SIZE];
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (fd < 0)
        return errno;
    int error = exchange(fd, request, (struct nlmsghdr *)answer, sizeof answer);
    close(fd);
    return error;
}

/* What netlink says where the module behind a request is missing. */
static bool is_missing(int error)
{
    return error == ENOENT || error == EINVAL || error == EOPNOTSUPP || error == EPROTONOSUPPORT ||
           error == EAFNOSUPPORT;
}

static void say_netlink(struct tf_probed *finding, int error, enum tf_cause missing, const char *what)
{
    if (error)
        tf_refused(finding, error, is_missing(error) ? missing : tf_cause_of_net_admin(), what);
    else
        tf_works(finding, "%s", "");
}

static struct inet_diag_req_v2 *diag_request(char *buffer, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = type;
    header->nlmsg_flags = NLM_F_REQUEST | flags;
    struct inet_diag_req_v2 *request = mnl_nlmsg_put_extra_header(header, sizeof *request);
    request->sdiag_family = AF_INET;
    request->sdiag_protocol = IPPROTO_TCP;
    request->idiag_states = ~0U;
    return request;
}

void tf_try_inet_diag(struct tf_probed *finding)
{
    char buffer[MNL_SOCKET_BUFFER_SIZE];
    diag_request(buffer, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP);
    say_netlink(finding, ask(NETLINK_SOCK_DIAG, (struct nlmsghdr *)buffer), TF_CAUSE_no_diag,
                "a dump of the TCP sockets");
}

void tf_try_destroy(struct tf_probed *finding)
{
    char buffer[MNL_SOCKET_BUFFER_SIZE];
    struct sockaddr_in local, peer;
    socklen_t length = sizeof local;
    int pair[2];
    if (tf_loopback_pair(pair) || getsockname(pair[0], (struct sockaddr *)&local, &length) ||
        getpeername(pair[0], (struct sockaddr *)&peer, &length)) {
        tf_refused(finding, errno, TF_CAUSE_unknown, "a connection over 127.0.0.1");
        return;
    }
    struct inet_diag_req_v2 *request = diag_request(buffer, SOCK_DESTROY, NLM_F_ACK);
    request->id = (struct inet_diag_sockid){.idiag_sport = local.sin_port,
                                            .idiag_dport = peer.sin_port,
                                            .idiag_src = {local.sin_addr.s_addr},
                                            .idiag_dst = {peer.sin_addr.s_addr},
                                            .idiag_cookie = {INET_DIAG_NOCOOKIE, INET_DIAG_NOCOOKIE}};
    say_netlink(finding, ask(NETLINK_SOCK_DIAG, (struct nlmsghdr *)buffer), TF_CAUSE_no_destroy,
                "ending a connection over 127.0.0.1");
}

void tf_try_nfqueue(struct tf_probed *finding)
{
    char buffer[MNL_SOCKET_BUFFER_SIZE];
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_CONFIG;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    struct nfgenmsg *family = mnl_nlmsg_put_extra_header(header, sizeof *family);
    *family = (struct nfgenmsg){.version = NFNETLINK_V0};
    struct nfqnl_msg_config_cmd bind = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
    mnl_attr_put(header, NFQA_CFG_CMD, sizeof bind, &bind);
    say_netlink(finding, ask(NETLINK_NETFILTER, header), TF_CAUSE_no_nfqueue, "a queue for segments");
}

/* ---- nftables ---- */

/* The rule that a run uses: what a socket with IP_TTL=1 sends is lost. */
static const char rules[] = "table inet tcpfault_doctor {\n"
                            "    chain out { type filter hook output priority 0; ip ttl 1 drop; }\n"
                            "}\n";

static void load_rules(struct tf_probed *finding)
{
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft) {
        tf_refused(finding, errno, TF_CAUSE_unknown, "libnftables");
        return;
    }
    nft_ctx_buffer_error(nft);
    if (nft_run_cmd_from_buffer(nft, rules)) {
        char said[160];
        snprintf(said, sizeof said, "%s", nft_ctx_get_error_buffer(nft));
        said[strcspn(said, "\n")] = 0;
        tf_refused(finding, 0, tf_cause_of_eperm(TF_CAUSE_no_nftables), said);
    } else {
        finding->works = true;
    }
    nft_ctx_free(nft);
}

void tf_try_nft(struct tf_probed *finding)
{
    char buffer[MNL_SOCKET_BUFFER_SIZE];
    int pair[2], one = 1;
    /* Asked first, because libnftables exits where it gets no socket. */
    struct nlmsghdr *header = mnl_nlmsg_put_header(buffer);
    header->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN;
    header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    *(struct nfgenmsg *)mnl_nlmsg_put_extra_header(header, sizeof(struct nfgenmsg)) =
        (struct nfgenmsg){.version = NFNETLINK_V0};
    int error = ask(NETLINK_NETFILTER, header);
    if (error) {
        say_netlink(finding, error, TF_CAUSE_no_nftables, "asking nf_tables");
        return;
    }
    load_rules(finding);
    if (!finding->works)
        return;
    if (tf_loopback_pair(pair) || setsockopt(pair[1], IPPROTO_IP, IP_TTL, &one, sizeof one))
        tf_refused(finding, errno, TF_CAUSE_unknown, "a connection over 127.0.0.1");
    else if (send(pair[1], "x", 1, MSG_NOSIGNAL) != 1 || tf_readable(pair[0], 30))
        tf_refused(finding, 0, TF_CAUSE_no_nftables, "the rule was taken, and what it drops arrived");
    else
        tf_works(finding, "%s", "");
}

/* ---- TUN ---- */

void tf_try_tun(struct tf_probed *finding)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        tf_refused(finding, errno,
                   errno == EACCES || errno == EPERM ? tf_cause_of_eperm(TF_CAUSE_tun_mode) : TF_CAUSE_no_tun,
                   "opening /dev/net/tun");
    else if (ioctl(fd, TUNSETIFF, &request))
        tf_refused(finding, errno, tf_cause_of_net_admin(), "making a device of /dev/net/tun");
    else
        tf_works(finding, "%s", "");
}
