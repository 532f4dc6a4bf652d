/* What one thread is blocked in, as the kernel tells. Internal to hang.c and
 * standstill.c. */
#ifndef TF_HANG_WAIT_H
#define TF_HANG_WAIT_H

#include "collect.h"
#include "proc.h"

enum tf_wait_kind {
    TF_WAIT_HOPE,  /* running, or with a time limit, or in something else */
    TF_WAIT_OTHER, /* for ever, in what has nothing to do with sockets: a futex, a child */
    TF_WAIT_INPUT, /* for ever, for the descriptors in `fd` */
    TF_WAIT_SHIM,  /* in the shim, which holds the call back: how long, its socket knows */
};

enum { TF_WAIT_FDS = 64 };

struct tf_wait {
    enum tf_wait_kind kind;
    int fd[TF_WAIT_FDS];
    size_t fds;
    bool beyond_input; /* not only for input: to send, to accept */
    bool limited;      /* HOPE: it sleeps until some time at most, whatever else may wake it */
    bool directly;     /* in a call on the descriptor, whose own time limit counts */
    char text[160];    /* the line of /proc/PID/task/TID/syscall */
};

/* Thread `tid` of `pid`, as the host numbers them. */
void tf_wait_look(pid_t pid, pid_t tid, struct tf_wait *wait);

/* Its call that has not returned; NULL: none on a TCP socket. */
const struct tf_event *tf_wait_pending(struct tf_collect *collect, struct tf_proc *proc, pid_t pid,
                                       pid_t tid);
/* The row of a descriptor; NULL: it is no TCP socket. */
const struct tf_net_socket *tf_wait_row(const struct tf_net_rows *rows, pid_t pid, int fd);
/* Timers of its own, or a handler of SIGALRM, whose timers do not show. */
bool tf_wait_timer(pid_t pid);
/* Is this the shim's own thread? */
bool tf_wait_of_shim(pid_t pid, pid_t tid);

#endif
