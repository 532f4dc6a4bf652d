/* A sandbox as its own two files see it. Internal to sandbox.c and
 * sandbox_link.c. */
#ifndef TF_SANDBOX_LINK_H
#define TF_SANDBOX_LINK_H

#include "supervisor.h"

struct tf_expected {
    struct tf_expected *next;
    uint32_t id;
    void (*exited)(void *data, const struct tf_notice *notice);
    void *data;
};

struct tf_queued {
    struct tf_queued *next;
    struct tf_notice notice;
};

struct tf_sandbox {
    uv_loop_t *loop;
    enum tf_sandbox_kind kind;
    bool interactive;
    bool stopped; /* the supervisor is gone, or about to be */
    pid_t pid;
    int socket_fd, diag_fd;
    int passed_fds[TF_SOCKETS_MAX]; /* came with TF_NOTICE_SOCKET, and have not been taken */
    size_t passed;
    uint64_t stop_ns;
    uint32_t last_id;
    struct tf_expected *expected;
    struct tf_queued *queue, **queue_end;
    uv_poll_t poll;
    uv_timer_t later; /* dispatches what came while somebody waited for an answer */
    int open_handles;
};

/* Begins to watch sandbox->socket_fd from the loop. 0 or -1. */
int tf_sandbox_watch(struct tf_sandbox *sandbox, struct tf_error *error);

/* Waits for the next notice of this kind; others are queued. 0 or -1. */
int tf_sandbox_wait_for(struct tf_sandbox *sandbox, enum tf_notice_kind kind, struct tf_notice *answer,
                        struct tf_error *error);

/* Hands out what is queued, and tells every program that is still waited for that
 * it was killed. */
void tf_sandbox_finish_programs(struct tf_sandbox *sandbox);

#endif
