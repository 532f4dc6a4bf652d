#include "show_names.h"

#include "show_parts.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

struct name {
    uint64_t value;
    const char *name;
};

#define NAME(constant)                                                                                       \
    {                                                                                                        \
        (uint64_t)(constant), #constant                                                                      \
    }
#define END                                                                                                  \
    {                                                                                                        \
        0, NULL                                                                                              \
    }

static const struct name domains[] = {NAME(AF_INET), NAME(AF_INET6), NAME(AF_UNIX), END};
static const struct name types[] = {NAME(SOCK_STREAM), NAME(SOCK_DGRAM), END};
static const struct name type_flags[] = {NAME(SOCK_NONBLOCK), NAME(SOCK_CLOEXEC), END};
static const struct name protocols[] = {NAME(IPPROTO_IP), NAME(IPPROTO_TCP), NAME(IPPROTO_MPTCP), END};
static const struct name levels[] = {{SOL_SOCKET, "SOL_SOCKET"},
                                     {IPPROTO_TCP, "SOL_TCP"},
                                     {IPPROTO_IP, "SOL_IP"},
                                     {IPPROTO_IPV6, "SOL_IPV6"},
                                     END};
static const struct name hows[] = {NAME(SHUT_RD), NAME(SHUT_WR), NAME(SHUT_RDWR), END};
static const struct name msg[] = {NAME(MSG_OOB),        NAME(MSG_PEEK),         NAME(MSG_DONTROUTE),
                                  NAME(MSG_CTRUNC),     NAME(MSG_TRUNC),        NAME(MSG_DONTWAIT),
                                  NAME(MSG_EOR),        NAME(MSG_WAITALL),      NAME(MSG_CONFIRM),
                                  NAME(MSG_ERRQUEUE),   NAME(MSG_NOSIGNAL),     NAME(MSG_MORE),
                                  NAME(MSG_WAITFORONE), NAME(MSG_BATCH),        NAME(MSG_ZEROCOPY),
                                  NAME(MSG_FASTOPEN),   NAME(MSG_CMSG_CLOEXEC), END};
static const struct name splices[] = {NAME(SPLICE_F_MOVE), NAME(SPLICE_F_NONBLOCK), NAME(SPLICE_F_MORE),
                                      NAME(SPLICE_F_GIFT), END};
static const struct name rwfs[] = {NAME(RWF_HIPRI),  NAME(RWF_DSYNC),  NAME(RWF_SYNC),
                                   NAME(RWF_NOWAIT), NAME(RWF_APPEND), END};
static const struct name accesses[] = {NAME(O_RDONLY), NAME(O_WRONLY), NAME(O_RDWR), END};
static const struct name opens[] = {NAME(O_NONBLOCK), NAME(O_APPEND), NAME(O_ASYNC),
                                    NAME(O_CLOEXEC),  NAME(O_DIRECT), END};
static const struct name epolls[] = {NAME(EPOLL_CTL_ADD), NAME(EPOLL_CTL_DEL), NAME(EPOLL_CTL_MOD), END};
static const struct name fcntls[] = {NAME(F_DUPFD),
                                     NAME(F_DUPFD_CLOEXEC),
                                     NAME(F_GETFD),
                                     NAME(F_SETFD),
                                     NAME(F_GETFL),
                                     NAME(F_SETFL),
                                     NAME(F_GETOWN),
                                     NAME(F_SETOWN),
                                     NAME(F_GETSIG),
                                     NAME(F_SETSIG),
                                     END};
static const struct name ioctls[] = {NAME(FIONREAD),   NAME(FIONBIO),  NAME(FIOASYNC),
                                     NAME(FIOCLEX),    NAME(FIONCLEX), NAME(TIOCOUTQ),
                                     NAME(SIOCATMARK), NAME(TCGETS),   END};

/* By enum tf_names. A value is one of `base` (of the bits in `mask`), and any of
 * `bits`. Where there is no base, no bit at all is "0". */
static const struct {
    const struct name *base, *bits;
    uint64_t mask;
} kinds[] = {
    [TF_NAMES_DOMAIN] = {domains, NULL, 0xffffffff},
    [TF_NAMES_TYPE] = {types, type_flags, 0xf},
    [TF_NAMES_ACCEPT] = {NULL, type_flags, 0},
    [TF_NAMES_PROTOCOL] = {protocols, NULL, 0xffffffff},
    [TF_NAMES_LEVEL] = {levels, NULL, 0xffffffff},
    [TF_NAMES_HOW] = {hows, NULL, 0xffffffff},
    [TF_NAMES_MSG] = {NULL, msg, 0},
    [TF_NAMES_SPLICE] = {NULL, splices, 0},
    [TF_NAMES_RWF] = {NULL, rwfs, 0},
    [TF_NAMES_OPEN] = {accesses, opens, O_ACCMODE},
    [TF_NAMES_EPOLL] = {epolls, NULL, 0xffffffff},
    [TF_NAMES_FCNTL] = {fcntls, NULL, 0xffffffff},
    [TF_NAMES_IOCTL] = {ioctls, NULL, 0xffffffff},
};

int tf_names_write(enum tf_names kind, uint64_t value, char *out, size_t size)
{
    struct tf_line line = {out, size, 0};
    if (size)
        *out = 0;
    value &= 0xffffffff;
    uint64_t base = value & kinds[kind].mask, bits = value & ~kinds[kind].mask;
    bool first = true;
    for (const struct name *row = kinds[kind].base; row; row++) {
        if (row->name && row->value != base)
            continue;
        if (row->name)
            tf_line_put(&line, "%s", row->name);
        else if (base > 0xffff)
            tf_line_put(&line, "%#llx", (unsigned long long)base);
        else
            tf_line_put(&line, "%llu", (unsigned long long)base);
        first = false;
        break;
    }
    for (const struct name *row = kinds[kind].bits; row && row->name && bits; row++) {
        if ((bits & row->value) != row->value)
            continue;
        tf_line_put(&line, "%s%s", first ? "" : "|", row->name);
        bits &= ~row->value;
        first = false;
    }
    if (bits)
        tf_line_put(&line, "%s%#llx", first ? "" : "|", (unsigned long long)bits);
    else if (first)
        tf_line_put(&line, "0");
    return (int)line.length;
}

int tf_show_quote(const uint8_t *bytes, size_t length, int cut, char *out, size_t size)
{
    static const char letters[] = {
        ['\t'] = 't', ['\n'] = 'n', ['\v'] = 'v', ['\f'] = 'f', ['\r'] = 'r', ['"'] = '"', ['\\'] = '\\'};
    struct tf_line line = {out, size, 0};
    tf_line_put(&line, "\"");
    for (size_t i = 0; i < length; i++) {
        uint8_t byte = bytes[i];
        /* Octal needs all its digits where one follows. */
        bool digit = i + 1 < length && bytes[i + 1] >= '0' && bytes[i + 1] <= '7';
        if (byte < sizeof letters && letters[byte])
            tf_line_put(&line, "\\%c", letters[byte]);
        else if (byte >= ' ' && byte < 0x7f)
            tf_line_put(&line, "%c", byte);
        else
            tf_line_put(&line, digit ? "\\%03o" : "\\%o", byte);
    }
    tf_line_put(&line, cut ? "\"..." : "\"");
    return (int)line.length;
}
