/* The run's shared mapping: plan, counters, sockets, events. One file, mapped by
 * every process of the run and by the harness; it outlives them all.
 *
 * Who writes what:
 *   header, plan     the creator, once, before anybody else maps it
 *   gate             tf_segment_gate, whenever a rule is armed or disarmed
 *   rule state       decide(), by atomic addition; .armed by the harness
 *   modules          any process, a row once
 *   processes        each process its own row
 *   sockets          any process, by atomic operations
 *   stacks           any process, a row once
 *   hands            .can and .pid the harness, once; slots see struct tf_hand_slot
 *   events           ring.h
 *
 * All positions are offsets of this struct: nothing in it is a pointer.
 */
#ifndef TF_SEGMENT_H
#define TF_SEGMENT_H

#include "event.h"
#include "plan.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define TF_SEGMENT_MAGIC UINT64_C(0x314c554146504354) /* "TCPFAUL1" */

enum {
    TF_SEGMENT_VERSION = 7,
    TF_MODULES = 512,
    TF_MODULE_PATH = 240,
    TF_PROCESSES = 4096,
    TF_SOCKETS = 1 << 14,
    TF_SOCKET_WAYS = 16,
    TF_EVENTS = 1 << 16,
    TF_IGNORED_OPTIONS = 8,
    TF_HAND_SLOTS = 64,
    TF_INHERITED = 8,
    TF_STACKS = 256,
    TF_STACK_WORDS = 1024,
    TF_STACK_CODES = 96,
    TF_STACK_MODULES = 12,
};

enum tf_gate {
    TF_GATE_RULE = 1, /* an armed rule names this call */
    TF_GATE_KEEP = 2, /* the shim keeps its books by it, or it is traced */
};

enum tf_run_flag {
    TF_RUN_TRACE = 1 << 0, /* every TCP call becomes an event, not only matched ones */
};

struct tf_rule_state {
    _Alignas(64) _Atomic uint64_t counted; /* calls that met the selectors */
    _Atomic uint64_t fired;                /* effects carried out */
    _Atomic uint64_t undelivered;          /* decided on, but could not happen */
    _Atomic uint32_t reason;               /* the last of those: enum tf_reason */
    _Atomic uint32_t armed;                /* 0 or 1 */
};

struct tf_module {
    _Atomic uint32_t state; /* 0 free, 1 being written, 2 readable */
    uint32_t pad;
    uint64_t inode;
    char path[TF_MODULE_PATH];
};

struct tf_process {
    _Atomic uint32_t pid; /* 0: free. As the process sees itself */
    uint32_t parent;
    uint64_t start_ns; /* CLOCK_MONOTONIC; a new image of a pid is a new row */
    char exe[112];     /* /proc/self/exe */
    /* TCP sockets of the run that were open when the image began, where it is traced. */
    struct tf_inherited {
        uint64_t cookie;
        int32_t fd;
        uint32_t pad;
    } inherited[TF_INHERITED];
    uint32_t inherited_count, pad;
};

/* A side of a socket: what arrives (a listener's connections too), what leaves. */
enum tf_side { TF_SIDE_IN, TF_SIDE_OUT, TF_SIDES };

/* A side that is held (hold.h). */
struct tf_hold {
    _Atomic uint64_t until_ns; /* CLOCK_MONOTONIC; 0: not held; UINT64_MAX: for ever */
    _Atomic uint64_t free_to;  /* bytes before this position have waited; 0: none */
    _Atomic int32_t lowat;     /* SO_RCVLOWAT to set back at the end; 0: untouched */
    uint32_t pad;
};

/* The pace of a side with rate=. */
struct tf_pace {
    _Atomic uint64_t since_ns; /* 0: not paced yet */
    _Atomic uint64_t from;     /* the position then */
};

/* What a run knows of one socket, whichever process or descriptor holds it. */
struct tf_socket {
    _Atomic uint64_t cookie; /* SO_COOKIE; 0: free */
    _Atomic uint64_t used;   /* a clock for eviction */
    _Atomic uint64_t bytes_in, bytes_out;
    _Atomic uint32_t conn;    /* 0: not a connection yet */
    _Atomic uint32_t latches; /* enum tf_latch */
    _Atomic uint8_t role;     /* enum tf_role */
    uint8_t family;           /* AF_INET or AF_INET6 */
    uint8_t pad[2];
    int32_t pending_error; /* with TF_LATCH_CONNECT_FAILS and _GONE: what SO_ERROR shall say */
    /* With TF_LATCH_GONE, as it was before: what getsockname, TCP_INFO and
     * SIOCOUTQ said. Lengths of 0: the kernel's own answer stands. */
    uint32_t name_length, info_length;
    int32_t unsent_bytes;
    _Alignas(8) uint8_t name[32], info[256];
    _Atomic uint64_t dark_until_ns; /* nothing leaves before: CLOCK_MONOTONIC; UINT64_MAX: for ever */
    struct tf_endpoint local, peer;
    _Atomic uint64_t per_connection[TF_PER_CONNECTION_MAX];
    struct {
        int32_t level, name, value;
    } ignored[TF_IGNORED_OPTIONS]; /* setsockopt that was ignored: what getsockopt answers */
    _Atomic uint32_t ignored_count;
    uint32_t pad2;
    struct tf_hold hold[TF_SIDES];
    struct tf_pace pace[TF_SIDES];
};

enum tf_latch {
    TF_LATCH_EOF = 1 << 0,           /* reads give 0 now and always */
    TF_LATCH_GONE = 1 << 1,          /* we destroyed the connection */
    TF_LATCH_CONNECT_FAILS = 1 << 2, /* a failing connect whose errno is ours */
    TF_LATCH_FIN_TOLD = 1 << 3,      /* a read has returned 0 */
    TF_LATCH_CONNECTING = 1 << 4,    /* SS_CONNECTING: connect has not returned 0 yet */
    TF_LATCH_DISCONNECTING = 1 << 5, /* SS_DISCONNECTING: shut down when GONE and CONNECTING */
    TF_LATCH_IGNORED = 1 << 6,       /* ignored[] is not empty */
    TF_LATCH_CONNECT_LATE = 1 << 7,  /* connected, but nobody knows before the hold ends */
    TF_LATCH_SYN_LOST = 1 << 8,      /* drop has struck the connect that is going on */
    TF_LATCH_IN_LOST = 1 << 9,       /* what is queued never arrived */
    TF_LATCH_SOFT_ERROR = 1 << 10,   /* with GONE: SO_ERROR has pending_error once more */
};

/* The second hand: the harness's process beside the programs (hands.h), which
 * does to sockets what takes more than the program's own rights. */
enum tf_hand_can {
    TF_HAND_THERE = 1 << 0, /* somebody answers */
    TF_HAND_WIRE = 1 << 1,  /* packets can be dropped: a private network, with nftables */
    TF_HAND_REACH = 1 << 2, /* sockets of other processes can be had: pidfd_getfd(2) */
};

/* The hop limits by which drop works (ip(7), IP_TTL and IP_MINTTL). SYNs that leave
 * with the one, which nobody else chooses, are lost on the wire of a private network.
 * A socket that wants the other at least drops what arrives. */
enum { TF_TAG_TTL = 213, TF_DEAF_TTL = 255 };

enum tf_hand_op {
    TF_HAND_DARK, /* no segment from local to peer arrives */
    TF_HAND_MUTE, /* no FIN and no RST does */
    TF_HAND_KEEP, /* the descriptor stays open elsewhere, so that its close sends nothing */
    TF_HAND_OPS,
};

/* A slot goes FREE, CLAIMED, ASKED by who asks; TAKEN, DONE by the hand; FREE by
 * who asked. What is left lying (the asker was killed, or jumped away) the hand
 * frees after TF_HAND_STALE_NS. The state holds the phase and, above it, how often
 * the slot has been freed, so that nobody mistakes another's answer for its own. */
enum tf_hand_phase { TF_HAND_FREE, TF_HAND_CLAIMED, TF_HAND_ASKED, TF_HAND_TAKEN, TF_HAND_DONE };
#define TF_HAND_PHASE(state) ((state)&7u)
#define TF_HAND_DEADLINE_NS UINT64_C(2000000000) /* who asks waits no longer */
#define TF_HAND_STALE_NS (2 * TF_HAND_DEADLINE_NS)

struct tf_hand_slot {
    _Alignas(64) _Atomic uint32_t state; /* a futex(2) of who asks */
    int32_t result;                      /* by the hand: 0 or -errno */
    _Atomic uint64_t claimed_ns;         /* this and the rest by who asks */
    uint32_t op;                         /* enum tf_hand_op */
    uint32_t pid;                        /* as the process sees itself */
    int32_t fd;
    uint32_t pad;
    uint64_t cookie;
    uint64_t lasts_ns; /* 0: for ever */
    struct tf_endpoint local, peer;
};

struct tf_hands {
    _Atomic uint32_t can;               /* enum tf_hand_can; 0: there is no harness */
    _Atomic uint32_t pid;               /* as the programs see it */
    _Alignas(64) _Atomic uint32_t bell; /* a futex(2) of the hand: counts the requests */
    struct tf_hand_slot slot[TF_HAND_SLOTS];
};

enum tf_stack_reg {
    TF_STACK_RIP,
    TF_STACK_RSP,
    TF_STACK_RBP,
    TF_STACK_RBX,
    TF_STACK_R12,
    TF_STACK_R13,
    TF_STACK_R14,
    TF_STACK_R15,
    TF_STACK_REGS
};

/* The lower end of a stack, as it was inside the shim on the way to a call. x86-64 only. */
struct tf_stack {
    _Atomic uint32_t state; /* 0 free, 1 being written, 2 readable */
    uint32_t pid, tid;
    uint32_t words, codes, modules;
    uint64_t caller; /* return address of the call */
    uint64_t reg[TF_STACK_REGS];
    struct {
        uint64_t base; /* what is to be added to the file's addresses */
        uint16_t row;  /* of the modules, from 1 */
        uint16_t pad[3];
    } module[TF_STACK_MODULES];
    uint16_t code[TF_STACK_CODES]; /* words that point into modules, return addresses among them */
    uint64_t word[TF_STACK_WORDS]; /* from RSP on */
};

struct tf_slot {
    _Atomic uint64_t state; /* ring.c */
    struct tf_event event;
};

struct tf_segment {
    uint64_t magic;
    uint32_t version, event_version;
    uint64_t size;
    uint64_t created_realtime_ns, created_monotonic_ns; /* the same moment */
    uint32_t flags;                                     /* enum tf_run_flag */
    uint32_t creator;
    _Alignas(64) _Atomic uint8_t gate[64]; /* by enum tf_call_id: enum tf_gate */
    /* By call: one more than the index of its only rule, where that rule can be
     * counted without looking at anything but `when`; else 0. */
    _Alignas(64) _Atomic uint8_t quick[64];
    _Alignas(64) _Atomic uint32_t conns; /* connections so far */
    _Atomic uint32_t holds;              /* holds so far: 0, and no wait need look for them */
    _Atomic uint64_t accepting;          /* whose turn it is to accept: turn.c */
    struct tf_hands hands;
    struct tf_plan plan;
    struct tf_rule_state state[TF_RULES_MAX];
    struct tf_module module[TF_MODULES];
    struct tf_process process[TF_PROCESSES];
    struct tf_socket socket[TF_SOCKETS];
    _Alignas(64) _Atomic uint64_t next_event;
    _Atomic uint64_t lost_events;
    _Alignas(64) struct tf_slot event[TF_EVENTS];
    struct tf_stack stack[TF_STACKS];
};

/* Creates `path` (O_EXCL, mode 0666 whatever the umask: processes of the run may
 * change user), sized and mapped, with header and plan filled, every rule armed
 * and the gate computed. Returns NULL with errno set. */
struct tf_segment *tf_segment_create(const char *path, const struct tf_plan *plan, uint32_t flags);

/* Maps an existing one, read-write. NULL with errno set; EPROTO where it is not
 * a segment of this version. */
struct tf_segment *tf_segment_open(const char *path);

/* The same for one that is open for reading and writing; fd stays open. */
struct tf_segment *tf_segment_of(int fd);

void tf_segment_close(struct tf_segment *segment);

/* The calls that must be seen on every socket, whatever the rules say of it. */
uint64_t tf_segment_always(const struct tf_segment *segment);

/* The calls that must be seen on every socket that the rule could strike, so that
 * what it has done, and what it counts, holds in them. */
uint64_t tf_segment_keeps(const struct tf_rule *rule);

/* Does it give in parts what has come in? */
bool tf_segment_rations(const struct tf_rule *rule);

/* Recomputes gate[] and quick[] from the armed rules and the flags. Processes
 * of the run see it at their next call. */
void tf_segment_gate(struct tf_segment *segment);

#endif
