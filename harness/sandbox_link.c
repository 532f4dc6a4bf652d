#include "sandbox_link.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_MS = 10000 };

/* ---- programs that are waited for ---- */

static void hold_loop(struct tf_sandbox *sandbox)
{
    if (sandbox->expected && !sandbox->stopped)
        uv_ref((uv_handle_t *)&sandbox->poll);
    else
        uv_unref((uv_handle_t *)&sandbox->poll);
}

uint32_t tf_sandbox_expect(struct tf_sandbox *sandbox,
                           void (*exited)(void *data, const struct tf_notice *notice), void *data)
{
    struct tf_expected *expected = malloc(sizeof *expected);
    if (!expected)
        return 0;
    *expected = (struct tf_expected){sandbox->expected, ++sandbox->last_id, exited, data};
    sandbox->expected = expected;
    hold_loop(sandbox);
    return expected->id;
}

static struct tf_expected *take(struct tf_sandbox *sandbox, uint32_t id)
{
    struct tf_expected **at = &sandbox->expected;
    while (*at && (*at)->id != id)
        at = &(*at)->next;
    struct tf_expected *found = *at;
    if (found)
        *at = found->next;
    hold_loop(sandbox);
    return found;
}

void tf_sandbox_forget(struct tf_sandbox *sandbox, uint32_t id)
{
    free(take(sandbox, id));
}

static void dispatch(struct tf_sandbox *sandbox, const struct tf_notice *notice)
{
    struct tf_expected *expected = notice->kind == TF_NOTICE_EXITED ? take(sandbox, notice->id) : NULL;
    if (expected)
        expected->exited(expected->data, notice);
    free(expected);
}

/* The supervisor is gone: whatever was below it has been killed. */
static void lose_programs(struct tf_sandbox *sandbox)
{
    while (sandbox->expected) {
        struct tf_notice notice = {.kind = TF_NOTICE_EXITED,
                                   .id = sandbox->expected->id,
                                   .wait_status = SIGKILL,
                                   .ended_ns = tf_clock_ns()};
        dispatch(sandbox, &notice);
    }
}

static void dispatch_queue(struct tf_sandbox *sandbox)
{
    while (sandbox->queue) {
        struct tf_queued *first = sandbox->queue;
        sandbox->queue = first->next;
        if (!sandbox->queue)
            sandbox->queue_end = &sandbox->queue;
        dispatch(sandbox, &first->notice);
        free(first);
    }
}

static void on_later(uv_timer_t *timer)
{
    struct tf_sandbox *sandbox = timer->data;
    dispatch_queue(sandbox);
    if (sandbox->stopped)
        lose_programs(sandbox);
}

/* ---- packets ---- */

/* 1: *notice is filled; 0: nothing there; -1: the supervisor is gone. */
static int receive(struct tf_sandbox *sandbox, struct tf_notice *notice)
{
    char control[CMSG_SPACE(TF_SOCKETS_MAX * sizeof(int))];
    struct iovec bytes = {notice, sizeof *notice};
    struct msghdr message = {
        .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t got;
    do
        got = recvmsg(sandbox->socket_fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0 && errno == EAGAIN)
        return 0;
    if (got != (ssize_t)sizeof *notice)
        return -1;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
        return 1;
    if (notice->kind == TF_NOTICE_READY) {
        memcpy(&sandbox->diag_fd, CMSG_DATA(header), sizeof sandbox->diag_fd);
    } else {
        sandbox->passed = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(sandbox->passed_fds, CMSG_DATA(header), sandbox->passed * sizeof(int));
    }
    return 1;
}

static void supervisor_gone(struct tf_sandbox *sandbox)
{
    sandbox->stopped = true;
    uv_poll_stop(&sandbox->poll);
    uv_timer_start(&sandbox->later, on_later, 0, 0);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct tf_sandbox *sandbox = poll->data;
    struct tf_notice notice;
    int got;
    dispatch_queue(sandbox);
    while (!sandbox->stopped && (got = receive(sandbox, &notice)) != 0) {
        if (got < 0)
            supervisor_gone(sandbox);
        else
            dispatch(sandbox, &notice);
    }
}

static void enqueue(struct tf_sandbox *sandbox, const struct tf_notice *notice)
{
    struct tf_queued *queued = malloc(sizeof *queued);
    if (!queued)
        return;
    *queued = (struct tf_queued){NULL, *notice};
    *sandbox->queue_end = queued;
    sandbox->queue_end = &queued->next;
    uv_timer_start(&sandbox->later, on_later, 0, 0);
}

int tf_sandbox_wait_for(struct tf_sandbox *sandbox, enum tf_notice_kind kind, struct tf_notice *answer,
                        struct tf_error *error)
{
    uint64_t end_ns = tf_clock_ns() + (uint64_t)ANSWER_MS * 1000000;
    for (;;) {
        int got = receive(sandbox, answer);
        if (got < 0) {
            supervisor_gone(sandbox);
            return tf_error_set(error, "the supervisor of the sandbox has ended");
        }
        if (got > 0 && answer->kind == (uint32_t)kind)
            return 0;
        if (got > 0) {
            enqueue(sandbox, answer);
            continue;
        }
        uint64_t now_ns = tf_clock_ns();
        if (now_ns >= end_ns)
            return tf_error_set(error, "the supervisor of the sandbox does not answer");
        struct pollfd fd = {.fd = sandbox->socket_fd, .events = POLLIN};
        poll(&fd, 1, (int)((end_ns - now_ns) / 1000000) + 1);
    }
}

int tf_sandbox_ask(struct tf_sandbox *sandbox, const struct tf_request *request, const int *fds, size_t count,
                   enum tf_notice_kind kind, struct tf_notice *answer, struct tf_error *error)
{
    if (sandbox->stopped)
        return tf_error_set(error, "the sandbox has been stopped");
    char control[CMSG_SPACE(4 * sizeof(int))] = {0};
    struct iovec bytes = {(void *)request, sizeof *request};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1};
    if (count > 0 && count <= 4) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(header), fds, count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(sandbox->socket_fd, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return tf_error_errno(error, errno, "asking the supervisor of the sandbox");
    return answer ? tf_sandbox_wait_for(sandbox, kind, answer, error) : 0;
}

int tf_sandbox_watch(struct tf_sandbox *sandbox, struct tf_error *error)
{
    int status = uv_poll_init(sandbox->loop, &sandbox->poll, sandbox->socket_fd);
    if (status)
        return tf_error_set(error, "watching the supervisor: %s", uv_strerror(status));
    uv_timer_init(sandbox->loop, &sandbox->later);
    sandbox->poll.data = sandbox->later.data = sandbox;
    sandbox->open_handles = 2;
    uv_poll_start(&sandbox->poll, UV_READABLE, on_readable);
    hold_loop(sandbox);
    return 0;
}

void tf_sandbox_finish_programs(struct tf_sandbox *sandbox)
{
    dispatch_queue(sandbox);
    lose_programs(sandbox);
    hold_loop(sandbox);
}
