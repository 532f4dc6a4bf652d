/* What the tool and a sandbox's supervisor say to each other, over a
 * SOCK_SEQPACKET pair: one struct a packet. Internal to sandbox.c and launch.c.
 *
 * The tool asks; the supervisor answers REQUEST_SPAWN, _SYSCTL, _HANDS, _STOP and an
 * awaited _SIGNAL, in order, and sends NOTICE_EXITED whenever a program ended. Both are the same
 * executable, so the structs need no version.
 */
#ifndef TF_SUPERVISOR_H
#define TF_SUPERVISOR_H

#include "sandbox.h"

enum tf_request_kind {
    TF_REQUEST_SPAWN,  /* with the descriptors of struct tf_spawn */
    TF_REQUEST_SIGNAL, /* answered where it is awaited */
    TF_REQUEST_KILL,   /* a program and everything below it; no answer */
    TF_REQUEST_SOCKET, /* some for TCP, or a raw one; answered, and they come along */
    TF_REQUEST_SYSCTL,
    TF_REQUEST_HANDS, /* with a segment's descriptor: starts the second hand for it */
    TF_REQUEST_STOP,  /* everything; the supervisor ends after the answer */
};

struct tf_request {
    uint32_t kind;
    uint32_t id; /* of the program, from 1: the tool chooses it */
    int32_t signal;
    int32_t family, type;       /* TF_REQUEST_SOCKET: AF_INET, AF_INET6; SOCK_STREAM, SOCK_RAW */
    int32_t count;              /* 1..TF_SOCKETS_MAX */
    bool group;                 /* TF_REQUEST_SIGNAL: to the process group that it leads */
    bool awaited;               /* TF_REQUEST_SIGNAL */
    bool has_std[3];            /* TF_REQUEST_SPAWN: which of 0, 1, 2 are sent along */
    char name[128], value[128]; /* TF_REQUEST_SYSCTL */
};

/* A program's start, in a memfd, the first of the descriptors that come with
 * TF_REQUEST_SPAWN; those for 0, 1, 2 follow. Behind this the strings, each with
 * its NUL: path, cwd ("": stay), the arguments, the environment. */
struct tf_spawn {
    uint32_t arguments, variables;
    uint64_t bytes; /* of the strings */
};

enum tf_notice_kind {
    TF_NOTICE_READY,   /* once, first; with a NETLINK_SOCK_DIAG socket where there is one */
    TF_NOTICE_SPAWNED, /* answers TF_REQUEST_SPAWN */
    TF_NOTICE_SOCKET,  /* with the sockets, unless it says failed */
    TF_NOTICE_PASSED,  /* after it: the supervisor's own descriptors are closed */
    TF_NOTICE_SIGNALLED,
    TF_NOTICE_SYSCTL,
    TF_NOTICE_HANDS,
    TF_NOTICE_STOPPED,
    TF_NOTICE_EXITED,
};

struct tf_notice {
    uint32_t kind;
    uint32_t id;
    int32_t error;    /* errno; 0: it worked */
    int32_t left;     /* TF_NOTICE_STOPPED: processes that would not die */
    char failed[160]; /* with error: at what; for people */
    int32_t pid, inner_pid;
    int32_t wait_status; /* wait(2) */
    uint64_t started_ns, ended_ns, user_ns, system_ns, peak_bytes;
    struct tf_permits permits; /* TF_NOTICE_READY */
};

struct tf_supervisor_start {
    enum tf_sandbox_kind kind;
    bool interactive;
    int socket_fd;
    pid_t tool;           /* who starts it */
    const sigset_t *mask; /* what programs start with, where interactive */
};

/* The supervisor, in a fresh fork of the tool. */
_Noreturn void tf_supervisor_main(const struct tf_supervisor_start *start);

/* Sends a notice, with so many (TF_SOCKETS_MAX at the most) descriptors. */
void tf_supervisor_tell(int socket_fd, const struct tf_notice *notice, const int *fds, size_t count);
/* Answers TF_REQUEST_SOCKET. */
void tf_supervisor_make_sockets(int socket_fd, const struct tf_request *request);

/* ---- the tool's side, sandbox.c, for launch.c ---- */

/* Sends a request with `count` descriptors. Where `answer` is not NULL, waits for
 * the notice of that kind (10 s); what comes in between is dispatched from the
 * loop later. 0, or -1 with *error filled; a notice that says failed is not an
 * error here. */
int tf_sandbox_ask(struct tf_sandbox *sandbox, const struct tf_request *request, const int *fds, size_t count,
                   enum tf_notice_kind kind, struct tf_notice *answer, struct tf_error *error);

/* A program whose TF_NOTICE_EXITED is wanted; the loop stays alive for it until
 * that was delivered or it is forgotten. Returns its id, or 0: out of memory. */
uint32_t tf_sandbox_expect(struct tf_sandbox *sandbox,
                           void (*exited)(void *data, const struct tf_notice *notice), void *data);
void tf_sandbox_forget(struct tf_sandbox *sandbox, uint32_t id);

uv_loop_t *tf_sandbox_loop(const struct tf_sandbox *sandbox);
bool tf_sandbox_interactive(const struct tf_sandbox *sandbox);
uint64_t tf_sandbox_stop_ns(const struct tf_sandbox *sandbox); /* CLOCK_MONOTONIC; UINT64_MAX: not yet */
int tf_sandbox_diag_fd(const struct tf_sandbox *sandbox);      /* NETLINK_SOCK_DIAG, or -1 */
uint64_t tf_clock_ns(void);                                    /* CLOCK_MONOTONIC */

/* In a child of the supervisor: becomes the program of `memfd`. fds[3] are its 0,
 * 1, 2, or -1. Writes its own pid to report_fd, and then, if it comes to that, a
 * struct tf_notice with `error` and `failed`. */
_Noreturn void tf_supervisor_exec(int memfd, const int *fds, int report_fd);

#endif
