/* The calls, by number: what flows through the shim, and what traces hold.
 *
 * Everything here is plain data, shared by the shim and the harness.
 */
#ifndef TF_CALL_H
#define TF_CALL_H

#include <netinet/in.h>
#include <stdint.h>

enum tf_call_id {
#define CALL(id, ...) TF_##id,
#include "calls.def"
#undef CALL
    TF_CALLS
};

_Static_assert(TF_CALLS <= 64, "a set of calls is a 64-bit mask");

#define TF_BIT(call) (UINT64_C(1) << (call))

/* Where a call's bytes, address or descriptors are. */
enum tf_shape {
    TF_SHAPE_PLAIN,    /* numbers only */
    TF_SHAPE_SOCKET,   /* (domain, type, protocol) -> descriptor */
    TF_SHAPE_ADDRESS,  /* (fd, sockaddr, length) */
    TF_SHAPE_NAME,     /* (fd, sockaddr, length pointer) */
    TF_SHAPE_ACCEPT,   /* the same -> descriptor */
    TF_SHAPE_OPTION,   /* (fd, level, name, value, length) */
    TF_SHAPE_BUFFER,   /* (fd, bytes, length, ...) */
    TF_SHAPE_VECTOR,   /* (fd, iovec, count) */
    TF_SHAPE_MESSAGE,  /* (fd, msghdr, flags) */
    TF_SHAPE_MESSAGES, /* (fd, mmsghdr, count, flags, ...) */
    TF_SHAPE_COUNT,    /* bytes that never enter the program: sendfile, splice */
    TF_SHAPE_WAIT,     /* poll, select, epoll_wait */
    TF_SHAPE_CLOSE,
    TF_SHAPE_DUP, /* (fd, ...) -> descriptor */
};

enum tf_class { TF_CLASS_NONE, TF_CLASS_IN, TF_CLASS_OUT, TF_CLASS_ACCEPT, TF_CLASS_WAIT, TF_CLASS_OPTION };

struct tf_call_info {
    const char *name;
    int8_t fd; /* index of the descriptor's argument, -1 none */
    uint8_t shape;
    uint8_t class;
};

/* By enum tf_call_id; TF_CALLS rows. */
extern const struct tf_call_info tf_call_info[TF_CALLS];

enum tf_role { TF_ROLE_NONE, TF_ROLE_CLIENT, TF_ROLE_SERVER, TF_ROLE_LISTENER };

/* An address as rules and events hold it. IPv4-mapped IPv6 addresses are
 * stored as IPv4, so that a rule need not know which kind of socket it meets. */
struct tf_endpoint {
    uint8_t family;   /* 4, 6, or 0: unknown (in a rule: any) */
    uint8_t any_host; /* in a rule: the host was left out */
    uint16_t port;    /* host byte order; in a rule 0 is any */
    uint8_t ip[16];   /* network order; IPv4 in the first four */
};

#endif
