/* What a call came to: the shim writes events, everything else reads them.
 *
 * 256 bytes, plain data, the same for 32- and 64-bit readers. TF_EVENT_VERSION
 * changes with any field.
 */
#ifndef TF_EVENT_H
#define TF_EVENT_H

#include "call.h"

enum { TF_EVENT_VERSION = 2, TF_EVENT_DATA = 64 };

/* Why a fault that was decided on did not happen. */
enum tf_reason {
#define REASON(id, text) TF_REASON_##id,
#include "reasons.def"
#undef REASON
    TF_REASONS
};

enum tf_event_flag {
    TF_EVENT_NONBLOCKING = 1 << 0, /* the descriptor, or this call, does not block */
    TF_EVENT_DATA_CUT = 1 << 1,    /* data[] holds only the first bytes */
    TF_EVENT_FIRED = 1 << 2,       /* a rule's effect was carried out */
    TF_EVENT_VALUE = 1 << 3,       /* value holds the option's int */
    TF_EVENT_INET6 = 1 << 4,       /* the socket, where there is one, is of AF_INET6, else of AF_INET */
};

struct tf_event {
    uint64_t number;      /* in the run, from 0; ordered by the call's entry */
    uint64_t time_ns;     /* CLOCK_MONOTONIC at entry */
    uint64_t duration_ns; /* UINT64_MAX: the call had not returned */
    uint32_t pid, tid;    /* as the program sees them */
    uint64_t cookie;      /* SO_COOKIE; 0 where there is no one socket */
    uint64_t arg[6];      /* as passed */
    int64_t result;
    int32_t error;    /* errno; 0 on success */
    int32_t fd;       /* -1 where there is none */
    uint32_t conn;    /* the Nth connection of the run; 0 not one yet */
    uint16_t call;    /* enum tf_call_id */
    uint8_t role;     /* enum tf_role */
    uint8_t flags;    /* enum tf_event_flag */
    uint16_t rule;    /* the rule that matched, from 1; 0 none */
    uint16_t module;  /* call site: row of the segment's modules, from 1; 0 unknown */
    uint32_t effects; /* 1 << enum tf_effect_id, of the rule that matched */
    uint64_t ordinal; /* the rule's count at this call */
    uint64_t caller;  /* call site: offset in the module, or address when unknown */
    struct tf_endpoint local, peer;
    uint64_t position; /* bytes that had passed in this call's direction */
    uint8_t reason;    /* enum tf_reason; 0 where nothing stood in the way */
    uint8_t data_length;
    uint16_t stack; /* row of the segment's stacks, from 1; 0 unknown */
    int32_t value;
    uint8_t data[TF_EVENT_DATA]; /* the first bytes moved; struct pollfd[], struct epoll_event[] */
};

_Static_assert(sizeof(struct tf_event) == 256, "events are 256 bytes");

#endif
