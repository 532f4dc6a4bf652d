/* What one thread is blocked in, as the kernel tells. Internal to hang.c. */
#ifndef TF_HANG_WAIT_H
#define TF_HANG_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum tf_wait_kind {
    TF_WAIT_HOPE,  /* running, or with a time limit, or in something else */
    TF_WAIT_OTHER, /* for ever, in what has nothing to do with sockets: a futex, a child */
    TF_WAIT_INPUT, /* for ever, for input on the descriptors in `fd` */
    TF_WAIT_SHIM,  /* in the shim, which holds the call back: how long, its socket knows */
};

enum { TF_WAIT_FDS = 64 };

struct tf_wait {
    enum tf_wait_kind kind;
    int fd[TF_WAIT_FDS];
    size_t fds;
    char text[160]; /* the line of /proc/PID/task/TID/syscall */
};

/* Thread `tid` of `pid`, as the host numbers them. */
void tf_wait_look(pid_t pid, pid_t tid, struct tf_wait *wait);

#endif
